// The octets of OpenSMTPD's table processes: smtpd starts one for a table and asks it over its standard input, one
// question at a time. Pure. There are two protocols, told apart by the first octet:
// - to 7.5, imsg: a header of type (4), length with the header (2), flags (2), peer id (4), process id (4), in the order
//   of the machine (all that OpenSMTPD is packaged for are little-endian), then what the type wants;
// - from 7.6 on, lines of fields with `|` between (smtpd-tables(7)).
import type { Found } from './wire.ts';

export type TableQuestion =
  /** The table is opened, or shall be read anew. */
  | { readonly kind: 'open' | 'update'; readonly id: string }
  /** `check`: only whether it is there. */
  | { readonly kind: 'lookup' | 'check'; readonly id: string; readonly key: string }
  /** Something of the table, whichever, or of a service that we do not have. */
  | { readonly kind: 'other'; readonly name: string; readonly id: string }
  /** Told, not asked. */
  | { readonly kind: 'note' }
  | { readonly kind: 'close' };

export interface TableProtocol {
  /** Takes one question from the beginning of what has come. Undefined: not all of it is there. @throws TableError */
  read(octets: Buffer): { readonly question: TableQuestion; readonly used: number } | undefined;
  /** Null: nothing is said. `found`: what the lookup gave. */
  answer(question: TableQuestion, found: Found): Buffer | null;
}

/** What came is neither protocol; smtpd and we do not understand each other. */
export class TableError extends Error {
  override readonly name = 'TableError';
}

/** Undefined: nothing has come. */
export function protocolOf(octets: Buffer): TableProtocol | undefined {
  if (octets.length === 0) return undefined;
  return octets[0] === 0x63 ? lines : imsg; // "config|…"
}

// enum PROC_TABLE_* and enum table_service of smtpd.
const types = { ok: 0, fail: 1, open: 2, close: 3, update: 4, check: 5, lookup: 6, fetch: 7 } as const;
const alias = 1;
const headerSize = 16;
const longestMessage = 16_384;
const apiVersion = 2;

export const imsg: TableProtocol = {
  read(octets) {
    if (octets.length < headerSize) return undefined;
    const type = octets.readUInt32LE(0);
    const length = octets.readUInt16LE(4);
    if (length < headerSize || length > longestMessage || type < types.open || type > types.fetch)
      throw new TableError(`a message of type ${type} and ${length} octets`);
    if (octets.length < length) return undefined;
    return { question: questionOf(type, octets.subarray(headerSize, length)), used: length };
  },
  answer(question, found) {
    switch (question.kind) {
      case 'open':
        return message(types.ok, Buffer.alloc(0));
      case 'update':
        return message(types.ok, number(1));
      case 'other':
        return message(types.ok, number(0));
      case 'check':
      case 'lookup': {
        if (found.kind === 'not found') return message(types.ok, number(0));
        if (found.kind !== 'found') return message(types.ok, number(-1));
        const value = question.kind === 'lookup' ? Buffer.from(`${found.value}\0`) : Buffer.alloc(0);
        return message(types.ok, Buffer.concat([number(1), value]));
      }
      default:
        return null;
    }
  },
};

function questionOf(type: number, payload: Buffer): TableQuestion {
  if (type === types.close) return { kind: 'close' };
  if (type === types.open) {
    const version = payload.length < 4 ? 0 : payload.readUInt32LE(0);
    if (version !== apiVersion) throw new TableError(`version ${version} of the table API; ${apiVersion} is known`);
    return { kind: 'open', id: '' };
  }
  if (type === types.update) return { kind: 'update', id: '' };
  // The service (4), a count of parameters that is always 0 (8), and the key with its NUL.
  const service = payload.length < 12 ? 0 : payload.readUInt32LE(0);
  const end = payload.indexOf(0, 12);
  if (type === types.fetch || service !== alias || end < 0) return { kind: 'other', name: '', id: '' };
  return { kind: type === types.check ? 'check' : 'lookup', id: '', key: payload.toString('utf8', 12, end) };
}

function message(type: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(headerSize);
  header.writeUInt32LE(type, 0);
  header.writeUInt16LE(headerSize + payload.length, 4);
  return Buffer.concat([header, payload]);
}

function number(value: number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeInt32LE(value);
  return octets;
}

export const lines: TableProtocol = {
  read(octets) {
    const end = octets.indexOf(0x0a);
    if (end < 0) {
      if (octets.length > longestMessage) throw new TableError('a line without end');
      return undefined;
    }
    const line = octets.toString('utf8', 0, end);
    return { question: lineQuestion(line), used: end + 1 };
  },
  answer(question, found) {
    if (question.kind === 'note' || question.kind === 'close') return null;
    if (question.kind === 'open') return Buffer.from('register|alias\nregister|ready\n');
    const { id } = question;
    const result = (name: string, what: string) => Buffer.from(`${name}-result|${id}|${what}\n`);
    if (question.kind === 'update') return result('update', 'ok');
    if (question.kind === 'other') return result(question.name, 'not-found');
    if (found.kind === 'not found') return result(question.kind, 'not-found');
    if (found.kind !== 'found') return result(question.kind, `error|${oneLine(found.why)}`);
    return result(question.kind, question.kind === 'check' ? 'found' : `found|${oneLine(found.value)}`);
  },
};

/** `config|…` to `config|ready`, then `table|version|time|table|verb[|service]|id[|key]`; a key may hold `|`. */
function lineQuestion(line: string): TableQuestion {
  const [first, ...fields] = line.split('|');
  if (first === 'config') return fields[0] === 'ready' ? { kind: 'open', id: '' } : { kind: 'note' };
  const [version, , , verb = '', ...rest] = fields;
  if (first !== 'table' || version === undefined) throw new TableError(`a line ${JSON.stringify(line.slice(0, 100))}`);
  if (verb === 'update') return { kind: 'update', id: rest[0] ?? '' };
  const [service, id = '', ...key] = rest;
  if ((verb === 'lookup' || verb === 'check') && service === 'alias') return { kind: verb, id, key: key.join('|') };
  if (verb === 'lookup' || verb === 'check' || verb === 'fetch') return { kind: 'other', name: verb, id };
  throw new TableError(`a question ${JSON.stringify(verb.slice(0, 100))}`);
}

const oneLine = (text: string): string => text.replace(/[\x00-\x1f\x7f]+/g, ' ');
