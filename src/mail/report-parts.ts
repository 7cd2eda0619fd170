// The parts of a multipart/report (RFC 6522): what a DSN and an MDN come in. Pure, bounded, and only run on mail that is
// addressed to us: no full MIME parser, no decoding of texts, nothing that throws whatever the octets are.
import libmime from 'libmime';
import { type Field, headerBlock, readFields } from './header.ts';

export interface ReportPart {
  /** Lower case: `message/delivery-status`. */
  readonly type: string;
  /** The body, its transfer encoding undone, lines ending in CRLF; never more than `maxPart`. */
  readonly text: string;
}

export interface Report {
  /** The parameter `report-type`, lower case; empty when the sender left it out. */
  readonly reportType: string;
  readonly parts: readonly ReportPart[];
}

// Octets of one part that are looked at, parts of one message, and levels: lists and scanners wrap what they pass on.
export const maxPart = 262_144;
const maxParts = 32;
const maxDepth = 4;

interface Entity {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly encoding: string;
  readonly body: string;
}

/** Undefined when the message is no report. */
export function readReport(content: Uint8Array): Report | undefined {
  const entity = entityOf(content, 'text/plain');
  return find(entity, 0);
}

function find(entity: Entity, depth: number): Report | undefined {
  if (!entity.type.startsWith('multipart/') || depth >= maxDepth) return undefined;
  const children = split(entity);
  if (entity.type === 'multipart/report') {
    return {
      reportType: (entity.parameters['report-type'] ?? '').toLowerCase(),
      parts: children.map((child) => ({ type: child.type, text: decoded(child) })),
    };
  }
  for (const child of children) {
    const inner = find(child, depth + 1);
    if (inner) return inner;
  }
  return undefined;
}

/** The first part of this type (or of its RFC 6533 twin, message/global-…), undecoded texts and all. */
export function partOf(report: Report, ...types: readonly string[]): ReportPart | undefined {
  return report.parts.find(({ type }) => types.includes(type));
}

/** Groups of fields separated by empty lines (RFC 3464 §2.1, RFC 8098 §3.1). */
export function fieldGroups(text: string): readonly (readonly Field[])[] {
  return text
    .split(/(?:^|\r\n)(?:[ \t]*\r\n)+/)
    .slice(0, 1_000)
    .map((group) => readFields(Buffer.from(group, 'latin1')))
    .filter((fields) => fields.length > 0);
}

export function fieldValue(fields: readonly Field[], name: string): string | undefined {
  const value = fields.find((field) => field.name === name)?.value;
  return value === undefined || value === '' ? undefined : value;
}

/** `rfc822; bob@example.org`, also with `<…>` around it: the address alone; undefined for other address types. */
export function addressOf(value: string | undefined): string | undefined {
  const [, text = ''] = /^\s*(?:(?:rfc822|utf-8)\s*;\s*)?<?(.*)$/is.exec(value ?? '') ?? [];
  // In steps: one pattern for all of it takes quadratic time.
  const [word = ''] = /^[^<>\s\x00-\x1f\x7f-\x9f]*/.exec(text) ?? [];
  const at = word.lastIndexOf('@');
  if (at < 1 || at === word.length - 1) return undefined;
  const comment = word.indexOf('(', at + 2);
  if (comment < 0 && !/^>?\s*(?:\(.*)?$/s.test(text.slice(word.length))) return undefined;
  return (comment < 0 ? word : word.slice(0, comment)).slice(0, 1_000);
}

/** One Message-ID with its angle brackets; also as some write it, without. */
export function messageIdOf(value: string | undefined): string | undefined {
  const parts =
    /<([^<>\s\x00-\x1f\x7f-\x9f]{1,900})>|^\s*([^<>\s\x00-\x1f\x7f-\x9f]{1,450}@[^<>\s\x00-\x1f\x7f-\x9f]{1,450})\s*$/.exec(
      value ?? '',
    );
  const id = parts?.[1] ?? parts?.[2];
  return id === undefined ? undefined : `<${id}>`;
}

function entityOf(octets: Uint8Array, standard: string): Entity {
  const fields = readFields(octets);
  const { value, params } = parameters(fieldValue(fields, 'content-type') ?? standard);
  const head = headerBlock(octets).length;
  // The empty line after the header; a header without one has no body.
  const body = Buffer.from(octets.buffer, octets.byteOffset + head, octets.byteLength - head).toString('latin1');
  return {
    type: value,
    parameters: params,
    encoding: (fieldValue(fields, 'content-transfer-encoding') ?? '7bit').toLowerCase().replace(/[\s;(].*$/s, ''),
    body: body.startsWith('\r\n') ? body.slice(2) : body,
  };
}

function parameters(field: string): { value: string; params: Record<string, string> } {
  try {
    const { value, params } = libmime.parseHeaderValue(field.slice(0, 4_096));
    return { value: value.trim().toLowerCase(), params: params ?? {} };
  } catch {
    // A parameter that the library trips over: then it is of no type that concerns us.
    return { value: '', params: {} };
  }
}

/** RFC 2046 §5.1.1. An unfinished last part counts: reports are cut short on their way. */
function split({ parameters: { boundary }, body, type }: Entity): Entity[] {
  if (boundary === undefined || boundary === '' || boundary.length > 200) return [];
  const delimiter = `--${boundary}`;
  const parts: string[] = [];
  let start = -1;
  for (let at = lineStart(body, delimiter, 0); at >= 0 && parts.length < maxParts; ) {
    if (start >= 0) parts.push(body.slice(start, Math.max(start, at - 2)));
    const after = at + delimiter.length;
    if (body.startsWith('--', after)) {
      start = -1;
      break;
    }
    const end = body.indexOf('\n', after);
    if (end < 0) return parts.map(child);
    start = end + 1;
    at = lineStart(body, delimiter, start);
  }
  if (start >= 0 && parts.length < maxParts) parts.push(body.slice(start));
  return parts.map(child);

  function child(text: string): Entity {
    return entityOf(Buffer.from(text, 'latin1'), type === 'multipart/digest' ? 'message/rfc822' : 'text/plain');
  }
}

/** Where a line begins with the delimiter and goes on with nothing but white space or the closing `--`. */
function lineStart(body: string, delimiter: string, from: number): number {
  for (let at = body.indexOf(delimiter, from); at >= 0; at = body.indexOf(delimiter, at + 1)) {
    if (at !== 0 && body[at - 1] !== '\n') continue;
    const next = body[at + delimiter.length];
    if (next === undefined || next === '\r' || next === '\n' || next === ' ' || next === '\t') return at;
    if (body.startsWith('--', at + delimiter.length)) return at;
  }
  return -1;
}

function decoded({ encoding, body }: Entity): string {
  const cut = body.slice(0, maxPart);
  const text =
    encoding === 'base64'
      ? Buffer.from(cut, 'base64').toString('latin1')
      : encoding === 'quoted-printable'
        ? unquoted(cut)
        : cut;
  return text.replace(/\r?\n/g, '\r\n');
}

/** RFC 2045 §6.7. Line by line and from their ends: a pattern that looks for white space before an end takes for ever. */
function unquoted(text: string): string {
  const lines = text.split('\r\n');
  const joined = lines.map((line, at) => {
    if (at === lines.length - 1) return line;
    let end = line.length;
    while (line[end - 1] === ' ' || line[end - 1] === '\t') end -= 1;
    return line[end - 1] === '=' ? line.slice(0, end - 1) : `${line.slice(0, end)}\r\n`;
  });
  return joined
    .join('')
    .replace(/=([0-9A-Fa-f]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
