// LDAP search filters (RFC 4511 §4.5.1.7) as data, and their written form (RFC 4515) read into it. A value is a value
// here from the beginning: there is no text into which one could be pasted.

export type Filter =
  | { readonly kind: 'and' | 'or'; readonly of: readonly Filter[] }
  | { readonly kind: 'not'; readonly of: Filter }
  | { readonly kind: 'present'; readonly attribute: string }
  | { readonly kind: 'equal' | 'greater' | 'less' | 'approx'; readonly attribute: string; readonly value: string }
  | {
      readonly kind: 'substrings';
      readonly attribute: string;
      readonly initial?: string;
      readonly any: readonly string[];
      readonly final?: string;
    }
  /** Matching rules by OID: kept so that a filter with one can be told from a broken one. */
  | { readonly kind: 'extensible'; readonly attribute?: string; readonly rule?: string; readonly value: string };

const deepest = 32;

/** Or a sentence that says what is wrong, and where. */
export function parseFilter(text: string): Filter | { readonly wrong: string } {
  const reader = new FilterReader(text);
  try {
    const filter = reader.filter(1);
    reader.end();
    return filter;
  } catch (error) {
    if (error instanceof FilterError) return { wrong: error.message };
    throw error;
  }
}

class FilterError extends Error {}

class FilterReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  filter(depth: number): Filter {
    if (depth > deepest) this.#fail(`filters may be at most ${deepest} deep`);
    this.#expect('(');
    const next = this.#text[this.#at];
    let found: Filter;
    if (next === '&' || next === '|') {
      this.#at += 1;
      const of: Filter[] = [];
      while (this.#text[this.#at] === '(') of.push(this.filter(depth + 1));
      found = { kind: next === '&' ? 'and' : 'or', of };
    } else if (next === '!') {
      this.#at += 1;
      found = { kind: 'not', of: this.filter(depth + 1) };
    } else found = this.#item();
    this.#expect(')');
    return found;
  }

  end(): void {
    if (this.#at < this.#text.length) this.#fail('something follows the last ")"');
  }

  #item(): Filter {
    const rest = this.#text.slice(this.#at);
    const extensible = /^([A-Za-z][A-Za-z0-9;.-]*|[0-9.]+)?(:dn)?(?::([A-Za-z0-9.-]+))?:=/i.exec(rest);
    if (extensible) {
      this.#at += extensible[0].length;
      const [value = '', ...more] = this.#assertion();
      if (more.length > 0) this.#fail('"*" may not stand in the value of a matching rule');
      const [, attribute, , rule] = extensible;
      return {
        kind: 'extensible',
        ...(attribute === undefined ? {} : { attribute }),
        ...(rule === undefined ? {} : { rule }),
        value,
      };
    }
    const head = /^([A-Za-z][A-Za-z0-9;-]*|[0-9]+(?:\.[0-9]+)+(?:;[A-Za-z0-9-]+)*)(=|>=|<=|~=)/.exec(rest);
    if (head?.[1] === undefined) this.#fail('here an attribute with "=", ">=", "<=" or "~=" is expected');
    const attribute = head?.[1] ?? '';
    this.#at += head?.[0].length ?? 0;
    const parts = this.#assertion();
    const kinds = { '=': 'equal', '>=': 'greater', '<=': 'less', '~=': 'approx' } as const;
    const kind = kinds[(head?.[2] ?? '=') as keyof typeof kinds];
    const [initial = '', ...others] = parts;
    if (others.length === 0) return { kind, attribute, value: initial };
    if (kind !== 'equal') this.#fail('"*" may only follow "="');
    const final = others.pop() ?? '';
    if (initial === '' && final === '' && others.length === 0) return { kind: 'present', attribute };
    return {
      kind: 'substrings',
      attribute,
      ...(initial === '' ? {} : { initial }),
      any: others.filter((one) => one !== ''),
      ...(final === '' ? {} : { final }),
    };
  }

  /** What stands between the asterisks. */
  #assertion(): string[] {
    const parts: string[] = [];
    let octets: number[] = [];
    for (;;) {
      const point = this.#text.codePointAt(this.#at);
      if (point === undefined) this.#fail('a ")" is missing');
      const character = String.fromCodePoint(point ?? 0);
      if (character === ')') break;
      if (character === '(') this.#fail('"(" in a value is written \\28');
      if (character === '\0') this.#fail('NUL in a value is written \\00');
      if (character === '\\') {
        const pair = /^[0-9a-fA-F]{2}/.exec(this.#text.slice(this.#at + 1, this.#at + 3))?.[0];
        if (pair === undefined) this.#fail('"\\" in a value is followed by two hexadecimal digits');
        octets.push(Number.parseInt(pair ?? '', 16));
        this.#at += 3;
      } else if (character === '*') {
        parts.push(Buffer.from(octets).toString('utf8'));
        octets = [];
        this.#at += 1;
      } else {
        octets.push(...Buffer.from(character));
        this.#at += character.length;
      }
    }
    return [...parts, Buffer.from(octets).toString('utf8')];
  }

  #expect(character: string): void {
    if (this.#text[this.#at] !== character) this.#fail(`here ${JSON.stringify(character)} is expected`);
    this.#at += 1;
  }

  #fail(what: string): never {
    throw new FilterError(`${what} (character ${this.#at + 1})`);
  }
}
