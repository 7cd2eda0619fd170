// Distinguished names (RFC 4514): told to be the same whatever way they are written, and written so that no value can
// become structure.

/** RFC 4514 §2.4: what needs a backslash anywhere in a value; control characters are written in hex, too. */
const special = /["+,;<>\\=\u0000-\u001f\u007f]/g;

export function escapeDnValue(value: string): string {
  const escaped = value.replace(special, (character) =>
    character < ' ' || character === '\u007f' ? hex(character) : `\\${character}`,
  );
  // RFC 4514 §2.4: a space or "#" at the beginning, a space at the end.
  const end = value.length > 1 && value.endsWith(' ') ? `${escaped.slice(0, -1)}\\ ` : escaped;
  return /^[ #]/.test(end) ? `\\${end}` : end;
}

const hex = (character: string): string => `\\${character.charCodeAt(0).toString(16).padStart(2, '0')}`;

/** One attribute with its value, unescaped. */
export type Attribute = readonly [type: string, value: string];
/** From the entry up; each level is one attribute, seldom several. */
export type Dn = readonly (readonly Attribute[])[];

/** Undefined when the text is no DN. */
export function parseDn(text: string): Dn | undefined {
  const levels: (readonly Attribute[])[] = [];
  if (text.trim() === '') return levels;
  let level: Attribute[] = [];
  let rest = text;
  for (;;) {
    const type = /^\s*([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)\s*=/.exec(rest);
    if (type?.[1] === undefined) return undefined;
    rest = rest.slice(type[0].length);
    const read = readValue(rest);
    if (read === undefined) return undefined;
    level.push([type[1].toLowerCase(), read.value]);
    rest = read.rest;
    if (rest.startsWith('+')) rest = rest.slice(1);
    else {
      levels.push(level);
      level = [];
      if (rest === '') return levels;
      // RFC 4514 appendix A: LDAPv2's semicolon is still met.
      rest = rest.slice(1);
    }
  }
}

/** Up to an unescaped separator; spaces around it are not part of it. */
function readValue(text: string): { readonly value: string; readonly rest: string } | undefined {
  const octets: number[] = [];
  let kept = 0;
  let index = text.length - text.trimStart().length;
  const quoted = text[index] === '"';
  if (quoted) index += 1;
  for (; index < text.length; index += 1) {
    const character = text[index] ?? '';
    if (character === '\\') {
      const pair = text.slice(index + 1, index + 3);
      if (/^[0-9a-fA-F]{2}$/.test(pair)) {
        octets.push(Number.parseInt(pair, 16));
        index += 2;
      } else if (index + 1 < text.length) {
        octets.push(...Buffer.from(text[index + 1] ?? ''));
        index += 1;
      } else return undefined;
      kept = octets.length;
      continue;
    }
    if (quoted && character === '"') {
      const after = text.slice(index + 1).trimStart();
      if (after !== '' && !/^[,;+]/.test(after)) return undefined;
      return { value: decode(octets), rest: after };
    }
    if (!quoted && /[,;+]/.test(character)) break;
    // A character outside the Basic Multilingual Plane is two units, one code point.
    const point = String.fromCodePoint(text.codePointAt(index) ?? 0);
    octets.push(...Buffer.from(point));
    index += point.length - 1;
    if (quoted || character !== ' ') kept = octets.length;
  }
  if (quoted) return undefined;
  return { value: decode(octets.slice(0, kept)), rest: text.slice(index) };
}

const decode = (octets: readonly number[]): string => Buffer.from(octets).toString('utf8');

/**
 * The same text for every way of writing one DN. Values are compared without case and with single spaces
 * (caseIgnoreMatch, RFC 4517 §4.2.11), as those of the attributes that name people and groups are. What is no DN is
 * compared as it stands.
 */
export function dnKey(text: string): string {
  const dn = parseDn(text);
  if (dn === undefined) return `?${fold(text)}`;
  return dn
    .map((level) =>
      level
        .map(([type, value]) => `${type}=${escapeDnValue(fold(value))}`)
        .sort()
        .join('+'),
    )
    .join(',');
}

export const fold = (text: string): string => text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim();
