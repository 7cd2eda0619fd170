// The arguments of MAIL, RCPT and XFORWARD, parsed strictly in syntax and kept as they were given. Pure.
// smtp-server's own parser cannot be used: it splits at spaces and at every `@` (quoted local parts), turns A-labels into
// U-labels, lets unknown parameters and non-ASCII through, and undoes xtext before anyone can check it.
import { isUtf8 } from 'node:buffer';
import { isIP } from 'node:net';
import type { Envelope, ForwardPath, Notify } from '../mail/envelope.ts';
import { isInternationalised, nullReversePath, parseMailbox, type ReversePath } from '../mail/path.ts';
import { type Reply, replies } from '../mail/reply.ts';
import { decodeUtf8Address, decodeXtext } from './xtext.ts';

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reply: Reply };

export interface MailCommand extends Omit<Envelope, 'forwardPaths'> {
  /** RFC 1870 §5; 0 or absent: the client does not know. */
  readonly size?: number;
}

/** Who the MTA says the mail came from; for logs only. https://www.postfix.org/XFORWARD_README.html */
export type Forwarded = ReadonlyMap<'NAME' | 'ADDR' | 'PORT' | 'PROTO' | 'HELO' | 'IDENT' | 'SOURCE', string>;

// RFC 3461 §4.2 and §4.4.
const maxOrcpt = 500;
const maxEnvid = 100;

/** `MAIL FROM:<reverse-path> [parameters]`, RFC 5321 §4.1.1.2. */
export function parseMail(line: Uint8Array): Parsed<MailCommand> {
  const parts = split(line, /^MAIL\s+FROM\s*:\s*/i, replies.badSender);
  if (!parts.ok) return parts;
  const { path, parameters } = parts.value;
  const reversePath: ReversePath | undefined = path === '' ? nullReversePath : parseMailbox(path);
  if (reversePath === undefined) return refuse(replies.badSender);
  const checked = checkNames(parameters, ['SIZE', 'BODY', 'SMTPUTF8', 'RET', 'ENVID']);
  if (!checked.ok) return checked;
  const size = parameters.get('SIZE');
  const body = parameters.get('BODY')?.toUpperCase() ?? '7BIT';
  const ret = parameters.get('RET')?.toUpperCase();
  const envid = parameters.get('ENVID');
  const smtputf8 = parameters.has('SMTPUTF8');
  if (size !== undefined && !/^\d{1,20}$/.test(size)) return bad('SIZE is a number of octets');
  if (body !== '7BIT' && body !== '8BITMIME') return bad('BODY is 7BIT or 8BITMIME');
  if (parameters.get('SMTPUTF8')) return bad('SMTPUTF8 takes no value');
  if (ret !== undefined && ret !== 'FULL' && ret !== 'HDRS') return bad('RET is FULL or HDRS');
  const decodedEnvid = envid === undefined || envid.length > maxEnvid ? undefined : decodeXtext(envid);
  if (envid !== undefined && !decodedEnvid) return bad(`ENVID is xtext of 1 to ${maxEnvid} characters`);
  if (isInternationalised(reversePath) && !smtputf8) return refuse(replies.needsSmtputf8);
  return accept({
    reversePath,
    body,
    smtputf8,
    ...(size === undefined ? {} : { size: Number(size) }),
    ...(ret === undefined ? {} : { ret }),
    ...(decodedEnvid === undefined ? {} : { envid: decodedEnvid }),
  });
}

/** `RCPT TO:<forward-path> [parameters]`, RFC 5321 §4.1.1.3. `hostname` completes a bare `<postmaster>`. */
export function parseRcpt(line: Uint8Array, smtputf8: boolean, hostname: string): Parsed<ForwardPath> {
  const parts = split(line, /^RCPT\s+TO\s*:\s*/i, replies.badAddress);
  if (!parts.ok) return parts;
  const { path, parameters } = parts.value;
  const mailbox = parseMailbox(/^postmaster$/i.test(path) ? `${path}@${hostname}` : path);
  if (mailbox === undefined) return refuse(replies.badAddress);
  const checked = checkNames(parameters, ['NOTIFY', 'ORCPT']);
  if (!checked.ok) return checked;
  if (isInternationalised(mailbox) && !smtputf8) return refuse(replies.needsSmtputf8);
  const notify = parseNotify(parameters.get('NOTIFY'));
  if (notify === 'bad') return bad('NOTIFY is NEVER, or a list of SUCCESS, FAILURE, DELAY');
  const orcpt = parseOrcpt(parameters.get('ORCPT'), smtputf8);
  if (orcpt === 'bad') return bad(`ORCPT is an address type, ";" and xtext, at most ${maxOrcpt} characters`);
  return accept({ mailbox, ...(notify ? { notify } : {}), ...(orcpt ? { orcpt } : {}) });
}

/** `XFORWARD NAME=value …`; a value is xtext, `[UNAVAILABLE]` stands for none. */
export function parseXforward(line: Uint8Array): Parsed<Forwarded> {
  const text = decodeLine(line);
  const words = text?.trim().split(/ +/).slice(1) ?? [];
  if (words.length === 0) return refuse(replies.badSyntax);
  const forwarded = new Map<'NAME' | 'ADDR' | 'PORT' | 'PROTO' | 'HELO' | 'IDENT' | 'SOURCE', string>();
  for (const word of words) {
    const at = word.indexOf('=');
    const name = word.slice(0, Math.max(at, 0)).toUpperCase();
    const value = at < 0 ? undefined : decodeXtext(word.slice(at + 1));
    if (!isForwardedName(name) || value === undefined || value.length > 300) return bad(`XFORWARD ${quote(word)}`);
    if (value === '' || value.toUpperCase() === '[UNAVAILABLE]') continue;
    if (name === 'ADDR' && isIP(value.replace(/^IPv6:/i, '')) === 0) return bad(`XFORWARD ${quote(word)}`);
    forwarded.set(name, value);
  }
  return accept(forwarded);
}

function isForwardedName(name: string): name is 'NAME' | 'ADDR' | 'PORT' | 'PROTO' | 'HELO' | 'IDENT' | 'SOURCE' {
  return ['NAME', 'ADDR', 'PORT', 'PROTO', 'HELO', 'IDENT', 'SOURCE'].includes(name);
}

/** The path between the angle brackets (quoted strings may contain brackets and spaces) and the parameters. */
function split(
  line: Uint8Array,
  verb: RegExp,
  wrong: Reply,
): Parsed<{ path: string; parameters: ReadonlyMap<string, string> }> {
  const text = decodeLine(line);
  if (text === undefined)
    return refuse({ ...replies.badSyntax, text: 'Control characters, or bytes that are not UTF-8' });
  const start = verb.exec(text)?.[0].length;
  if (start === undefined) return refuse(replies.badSyntax);
  if (text[start] !== '<') return refuse({ ...wrong, text: `${wrong.text}: no angle brackets` });
  let end = start + 1;
  for (let inQuotes = false; end < text.length && (inQuotes || text[end] !== '>'); end++) {
    if (text[end] === '"') inQuotes = !inQuotes;
    else if (inQuotes && text[end] === '\\') end++;
  }
  if (end >= text.length) return refuse(wrong);
  // RFC 5321 §4.1.2 and appendix C: source routes are accepted and ignored.
  const path = text.slice(start + 1, end).replace(/^@[^\s,:@"<>]+(?:,@[^\s,:@"<>]+)*:/, '');
  const rest = text.slice(end + 1);
  if (rest !== '' && !rest.startsWith(' ')) return refuse(wrong);
  const parameters = new Map<string, string>();
  for (const word of rest.split(' ')) {
    if (word === '') continue;
    const at = word.indexOf('=');
    const name = (at < 0 ? word : word.slice(0, at)).toUpperCase();
    if (!/^[A-Z0-9][A-Z0-9-]*$/.test(name) || at === word.length - 1) return bad(quote(word));
    // RFC 3461 §4: a parameter may be given once.
    if (parameters.has(name)) return bad(`${name} twice`);
    parameters.set(name, at < 0 ? '' : word.slice(at + 1));
  }
  return accept({ path, parameters });
}

function decodeLine(line: Uint8Array): string | undefined {
  if (!isUtf8(line)) return undefined;
  const text = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8');
  return /[\x00-\x1f\x7f]/.test(text) ? undefined : text;
}

function checkNames(parameters: ReadonlyMap<string, string>, known: readonly string[]): Parsed<true> {
  for (const [name, value] of parameters) {
    if (!known.includes(name)) return refuse({ ...replies.unknownParameter, text: `Unknown parameter ${quote(name)}` });
    if (value === '' && name !== 'SMTPUTF8') return bad(`${name} needs a value`);
  }
  return accept(true);
}

/** RFC 3461 §4.1. */
function parseNotify(value: string | undefined): Notify | 'bad' | undefined {
  if (value === undefined) return undefined;
  const words = value.toLowerCase().split(',');
  if (words.length === 1 && words[0] === 'never') return ['never'];
  const list: ('success' | 'failure' | 'delay')[] = [];
  for (const word of words) {
    if (word !== 'success' && word !== 'failure' && word !== 'delay') return 'bad';
    if (!list.includes(word)) list.push(word);
  }
  return list;
}

/** RFC 3461 §4.2: `addr-type ";" xtext`; RFC 6533 §3 for the type utf-8. */
function parseOrcpt(value: string | undefined, smtputf8: boolean): string | 'bad' | undefined {
  if (value === undefined) return undefined;
  const parts = /^([A-Za-z0-9-]+);(.+)$/s.exec(value);
  if (!parts?.[1] || !parts[2] || value.length > maxOrcpt) return 'bad';
  const address = parts[1].toLowerCase() === 'utf-8' ? decodeUtf8Address(parts[2], smtputf8) : decodeXtext(parts[2]);
  return address === undefined || address.trim() === '' ? 'bad' : `${parts[1]};${address}`;
}

const accept = <T>(value: T): Parsed<T> => ({ ok: true, value });
const refuse = (reply: Reply): { readonly ok: false; readonly reply: Reply } => ({ ok: false, reply });
const bad = (what: string): { readonly ok: false; readonly reply: Reply } =>
  refuse({ ...replies.badParameter, text: `${replies.badParameter.text}: ${what}` });

function quote(word: string): string {
  return JSON.stringify(word.replace(/[^\x20-\x7e]/g, '?').slice(0, 40));
}
