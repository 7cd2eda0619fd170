// The parts of a message, and which of them are attachments, by their headers alone. Walked only when a rule asks, and
// with limits: a part is found by searching for its boundary, nothing is decoded. What is malformed is passed over, never
// refused.
import libmime from 'libmime';
import { decodeText, type Field, headerBlock, readFields } from './header.ts';

export interface Attachment {
  /** Lower case: `application/pdf`. */
  readonly type: string;
  /** Decoded; absent when it has none. */
  readonly name?: string;
}

const maxParts = 500;
const maxDepth = 20;

/** A part that has no parts. */
export interface Leaf {
  readonly type: {
    readonly value: string;
    readonly params: Readonly<Record<string, string>>;
    readonly encoding: string;
  };
  readonly name: string | undefined;
  /** By its disposition, as something other than what is read in place. */
  readonly marked: boolean;
  readonly inMultipart: boolean;
  readonly body: Buffer;
}

/** RFC 2183 §2.1, §2.8: what is marked as one, what is marked as nothing we know, and what has a name. */
export function readAttachments(content: Uint8Array): Attachment[] {
  return leaves(content).flatMap(({ type, name, marked, inMultipart }) => {
    if (!marked && name === undefined && !(inMultipart && type.value.startsWith('message/'))) return [];
    return [
      {
        type: type.value === '' ? 'text/plain' : type.value,
        ...(name === undefined ? {} : { name: decodeText(name).slice(0, 1000) }),
      },
    ];
  });
}

export function leaves(content: Uint8Array): Leaf[] {
  const found: Leaf[] = [];
  let parts = 0;
  const walk = (octets: Buffer, depth: number, inMultipart: boolean): void => {
    if (++parts > maxParts || depth > maxDepth) return;
    const fields = readFields(octets);
    const type = structured(fields, 'content-type');
    const boundary = type.params.boundary;
    if (type.value.startsWith('multipart/') && boundary) {
      for (const part of partsOf(octets, boundary)) walk(part, depth + 1, true);
      return;
    }
    const disposition = structured(fields, 'content-disposition');
    found.push({
      type: { ...type, encoding: structured(fields, 'content-transfer-encoding').value },
      name: disposition.params.filename ?? type.params.name,
      marked: disposition.value !== '' && disposition.value !== 'inline',
      inMultipart,
      body: octets.subarray(headerBlock(octets).length),
    });
  };
  walk(Buffer.from(content.buffer, content.byteOffset, content.byteLength), 0, false);
  return found;
}

function structured(
  fields: readonly Field[],
  name: string,
): { value: string; params: Readonly<Record<string, string>> } {
  const raw = fields.find((field) => field.name === name)?.value;
  if (raw === undefined) return { value: '', params: {} };
  try {
    const { value, params } = libmime.parseHeaderValue(raw.slice(0, 8192)) as {
      value: string;
      params: Record<string, string>;
    };
    return { value: value.trim().toLowerCase(), params };
  } catch {
    // A charset the decoder trips over: then it is a part without a name.
    return { value: (raw.split(';')[0] ?? '').trim().toLowerCase(), params: {} };
  }
}

/** RFC 2046 §5.1.1: delimiters stand at the beginning of a line. */
function* partsOf(octets: Buffer, boundary: string): Generator<Buffer> {
  const delimiter = Buffer.from(`--${boundary}`, 'latin1');
  let start: number | undefined;
  for (let at = octets.indexOf(delimiter); at >= 0; at = octets.indexOf(delimiter, at + delimiter.length)) {
    if (at > 0 && octets[at - 1] !== 0x0a) continue;
    const after = at + delimiter.length;
    const closing = octets[after] === 0x2d && octets[after + 1] === 0x2d;
    const next = octets[after];
    // Another boundary that begins with this one.
    if (!closing && next !== 0x0d && next !== 0x0a && next !== 0x20 && next !== 0x09 && next !== undefined) continue;
    if (start !== undefined) yield octets.subarray(start, at);
    if (closing) return;
    const line = octets.indexOf(0x0a, after);
    if (line < 0) return;
    start = line + 1;
  }
  if (start !== undefined) yield octets.subarray(start);
}
