// The octets of two lookup protocols. Pure.
//
// socketmap (Sendmail's, Postfix socketmap_table(5)): netstrings. `<length>:<map> <key>,` is answered by
// `<length>:OK <value>,`, `NOTFOUND `, `TEMP <why>`, `TIMEOUT <why>` or `PERM <why>`.
// tcp_table (Postfix tcp_table(5)): lines. `get <key>` is answered by `200 <value>`, `500 <why>` (no such key) or
// `400 <why>` (try later); what is no printable ASCII, % and white space are written %XX.

export type Found =
  | { readonly kind: 'found'; readonly value: string }
  | { readonly kind: 'not found' }
  /** Try later: nothing is said of the key. */
  | { readonly kind: 'temporary' | 'permanent'; readonly why: string };

export interface Question {
  /** Null where the protocol has but one. */
  readonly map: string | null;
  readonly key: string;
}

export interface Protocol {
  /** Takes one question from the beginning of what has come. Undefined: not all of it is there. @throws LookupError */
  read(octets: Buffer): { readonly question: Question; readonly used: number } | undefined;
  write(found: Found): string;
}

/** What came is not this protocol; the connection cannot go on. */
export class LookupError extends Error {
  override readonly name = 'LookupError';
}

/** A key is an address: RFC 5321 §4.5.3.1.3 gives it 254 octets, and even in %XX that is under 1,000. */
const longestQuestion = 4_096;

export const socketmap: Protocol = {
  read(octets) {
    const colon = octets.subarray(0, 6).indexOf(0x3a);
    if (colon < 0) {
      if (octets.length < 6 && /^\d*$/.test(octets.toString('latin1'))) return undefined;
      throw new LookupError('not a netstring');
    }
    const digits = octets.toString('latin1', 0, colon);
    const length = Number(digits);
    if (!/^(?:0|[1-9]\d*)$/.test(digits) || length > longestQuestion)
      throw new LookupError(`a netstring of ${JSON.stringify(digits)} octets`);
    const end = colon + 1 + length;
    if (octets.length <= end) return undefined;
    if (octets[end] !== 0x2c) throw new LookupError('a netstring that does not end in a comma');
    const text = octets.toString('utf8', colon + 1, end);
    const space = text.indexOf(' ');
    const question = space < 0 ? { map: text, key: '' } : { map: text.slice(0, space), key: text.slice(space + 1) };
    return { question, used: end + 1 };
  },
  write(found) {
    const text = socketmapText(found);
    return `${Buffer.byteLength(text)}:${text},`;
  },
};

/** As one who asks. */
export function socketmapQuestion(map: string, key: string): string {
  const text = `${map} ${key}`;
  return `${Buffer.byteLength(text)}:${text},`;
}

/** The answer to it. Undefined: not all of it is there. @throws LookupError */
export function readSocketmapAnswer(octets: Buffer): { readonly found: Found; readonly used: number } | undefined {
  const read = socketmap.read(octets);
  if (!read) return undefined;
  const { map: word, key: rest } = read.question;
  switch (word) {
    case 'OK':
      return { found: { kind: 'found', value: rest }, used: read.used };
    case 'NOTFOUND':
      return { found: { kind: 'not found' }, used: read.used };
    case 'TEMP':
    case 'TIMEOUT':
      return { found: { kind: 'temporary', why: rest }, used: read.used };
    case 'PERM':
      return { found: { kind: 'permanent', why: rest }, used: read.used };
    default:
      throw new LookupError(`an answer ${JSON.stringify(word?.slice(0, 40))}`);
  }
}

function socketmapText(found: Found): string {
  switch (found.kind) {
    case 'found':
      return `OK ${found.value}`;
    case 'not found':
      return 'NOTFOUND ';
    case 'temporary':
      return `TEMP ${found.why}`;
    case 'permanent':
      return `PERM ${found.why}`;
    default:
      return found satisfies never;
  }
}

export const tcpTable: Protocol = {
  read(octets) {
    const end = octets.indexOf(0x0a);
    if (end < 0) {
      if (octets.length > longestQuestion) throw new LookupError('a line without end');
      return undefined;
    }
    const line = octets.toString('latin1', 0, end).replace(/\r$/, '');
    const [, coded] = /^get (\S*)$/.exec(line) ?? [];
    if (coded === undefined || end > longestQuestion) throw new LookupError('a line that is not "get KEY"');
    return { question: { map: null, key: decode(coded) }, used: end + 1 };
  },
  write(found) {
    switch (found.kind) {
      case 'found':
        return `200 ${encode(found.value)}\n`;
      case 'not found':
        return '500 no such key\n';
      // There is no "never": who asks again later is told the same.
      case 'temporary':
      case 'permanent':
        return `400 ${encode(found.why)}\n`;
      default:
        return found satisfies never;
    }
  },
};

function decode(text: string): string {
  const octets = text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(octets, 'latin1').toString('utf8');
}

const encode = (text: string): string =>
  Buffer.from(text)
    .toString('latin1')
    .replace(/[^\x21-\x24\x26-\x7e]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
