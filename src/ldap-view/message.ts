// LDAP messages (RFC 4511 §4), as far as somebody who only looks needs them. Pure: octets to requests, answers to octets.
import type { Filter } from '../directory/filter.ts';
import { BerError, BerReader, ber, berInteger, tags } from './ber.ts';

export interface SearchRequest {
  readonly kind: 'search';
  readonly base: string;
  readonly scope: 'base' | 'one' | 'sub';
  /** 0: as many as we give. */
  readonly sizeLimit: number;
  readonly typesOnly: boolean;
  readonly filter: Filter;
  /** As asked, `*` and `1.1` among them; empty: all. */
  readonly attributes: readonly string[];
}

export type Request =
  | { readonly kind: 'bind'; readonly version: number; readonly dn: string; readonly password: string | null }
  | { readonly kind: 'unbind' }
  | SearchRequest
  | { readonly kind: 'abandon' }
  | { readonly kind: 'extended'; readonly oid: string }
  /** What writes or compares: the tag of its answer. */
  | { readonly kind: 'other'; readonly answer: number };

export interface Message {
  readonly id: number;
  readonly request: Request;
  /** The OID of a control that must not be passed over. */
  readonly critical?: string;
}

/** RFC 4511 appendix A. */
export const results = {
  success: 0,
  protocolError: 2,
  sizeLimitExceeded: 4,
  authMethodNotSupported: 7,
  unavailableCriticalExtension: 12,
  noSuchObject: 32,
  invalidCredentials: 49,
  insufficientAccessRights: 50,
  busy: 51,
  unwillingToPerform: 53,
} as const;

const application = (number: number, constructed = true): number => (constructed ? 0x60 : 0x40) | number;
export const answers = {
  bind: application(1),
  entry: application(4),
  done: application(5),
  extended: application(24),
} as const;
const deepest = 32;
/** Parts of one filter: each is looked at for every entry. */
const mostParts = 200;
const mostAttributes = 200;

/** @throws BerError */
export function readMessage(octets: Uint8Array): Message {
  const whole = new BerReader(octets).take(tags.sequence);
  const id = whole.take(tags.integer).integer();
  if (id < 0) throw new BerError('a message id is not negative');
  const { tag, body } = whole.next();
  const critical = whole.tag === 0xa0 ? criticalIn(whole.take(0xa0)) : undefined;
  return { id, request: readRequest(tag, body), ...(critical === undefined ? {} : { critical }) };
}

function criticalIn(controls: BerReader): string | undefined {
  while (!controls.atEnd) {
    const control = controls.take(tags.sequence);
    const oid = control.take(tags.string).text();
    if (control.tag === tags.boolean && control.take(tags.boolean).integer() !== 0) return oid;
  }
  return undefined;
}

function readRequest(tag: number, body: BerReader): Request {
  switch (tag) {
    case application(0): {
      const version = body.take(tags.integer).integer();
      const dn = body.take(tags.string).text();
      const { tag: way, body: secret } = body.next();
      return { kind: 'bind', version, dn, password: way === 0x80 ? secret.text() : null };
    }
    case application(2, false):
      return { kind: 'unbind' };
    case application(3):
      return readSearch(body);
    case application(16, false):
      return { kind: 'abandon' };
    case application(23):
      return { kind: 'extended', oid: body.take(0x80).text() };
    // Modify, add, modify DN and compare; delete is primitive. Each is answered by the next tag.
    case application(6):
    case application(8):
    case application(12):
    case application(14):
      return { kind: 'other', answer: tag + 1 };
    case application(10, false):
      return { kind: 'other', answer: application(11) };
    default:
      throw new BerError(`there is no request with tag ${tag}`);
  }
}

function readSearch(body: BerReader): SearchRequest {
  const base = body.take(tags.string).text();
  const scope = (['base', 'one', 'sub'] as const)[body.take(tags.enumerated).integer()];
  if (scope === undefined) throw new BerError('the scope is not known');
  body.take(tags.enumerated);
  const sizeLimit = body.take(tags.integer).integer();
  body.take(tags.integer);
  const typesOnly = body.take(tags.boolean).integer() !== 0;
  const filter = new FilterDecoder().read(body, 1);
  const list = body.take(tags.sequence);
  const attributes: string[] = [];
  while (!list.atEnd) {
    if (attributes.length >= mostAttributes)
      throw new BerError(`at most ${mostAttributes} attributes can be asked for`);
    attributes.push(list.take(tags.string).text());
  }
  return { kind: 'search', base, scope, sizeLimit: Math.max(0, sizeLimit), typesOnly, filter, attributes };
}

class FilterDecoder {
  #parts = 0;

  read(reader: BerReader, depth: number): Filter {
    this.#parts += 1;
    if (depth > deepest) throw new BerError(`filters may be at most ${deepest} deep`);
    if (this.#parts > mostParts) throw new BerError(`a filter has at most ${mostParts} parts`);
    const { tag, body } = reader.next();
    switch (tag) {
      case 0xa0:
      case 0xa1: {
        const of: Filter[] = [];
        while (!body.atEnd) of.push(this.read(body, depth + 1));
        return { kind: tag === 0xa0 ? 'and' : 'or', of };
      }
      case 0xa2:
        return { kind: 'not', of: this.read(body, depth + 1) };
      case 0xa3:
      case 0xa5:
      case 0xa6:
      case 0xa8: {
        const kind = ({ 163: 'equal', 165: 'greater', 166: 'less', 168: 'approx' } as const)[tag];
        return { kind, attribute: body.take(tags.string).text(), value: body.take(tags.string).text() };
      }
      case 0xa4:
        return this.#substrings(body);
      case 0x87:
        return { kind: 'present', attribute: body.text() };
      case 0xa9:
        // Matching rules are not known here: neither true nor false.
        return { kind: 'extensible', value: '' };
      default:
        throw new BerError(`there is no filter with tag ${tag}`);
    }
  }

  #substrings(body: BerReader): Filter {
    const attribute = body.take(tags.string).text();
    const pieces = body.take(tags.sequence);
    const any: string[] = [];
    let initial: string | undefined;
    let final: string | undefined;
    while (!pieces.atEnd) {
      this.#parts += 1;
      const { tag, body: piece } = pieces.next();
      if (tag === 0x80) initial = piece.text();
      else if (tag === 0x81) any.push(piece.text());
      else if (tag === 0x82) final = piece.text();
      else throw new BerError('a substring is initial, any or final');
    }
    return {
      kind: 'substrings',
      attribute,
      any,
      ...(initial === undefined ? {} : { initial }),
      ...(final === undefined ? {} : { final }),
    };
  }
}

const message = (id: number, operation: Uint8Array): Buffer => ber(tags.sequence, berInteger(id), operation);

export function result(id: number, tag: number, code: number, text = '', ...more: readonly Uint8Array[]): Buffer {
  return message(id, ber(tag, berInteger(code, tags.enumerated), ber(tags.string), ber(tags.string, text), ...more));
}

export interface EntryAnswer {
  readonly dn: string;
  readonly attributes: readonly (readonly [type: string, values: readonly string[]])[];
}

export function entry(id: number, { dn, attributes }: EntryAnswer, typesOnly: boolean): Buffer {
  const listed = attributes.map(([type, values]) =>
    ber(
      tags.sequence,
      ber(tags.string, type),
      ber(tags.set, ...(typesOnly ? [] : values.map((value) => ber(tags.string, value)))),
    ),
  );
  return message(id, ber(answers.entry, ber(tags.string, dn), ber(tags.sequence, ...listed)));
}

/** RFC 4511 §4.4.1: we are about to close, and why. */
export const noticeOfDisconnection = (code: number, text: string): Buffer =>
  result(0, answers.extended, code, text, ber(0x8a, '1.3.6.1.4.1.1466.20036'));
