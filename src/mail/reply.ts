// SMTP replies, each named once with its origin. RFC 5321 §4.2, RFC 3463 (enhanced status codes).

export interface Reply {
  /** 200–599. */
  readonly code: number;
  /** `class.subject.detail`; absent when a next hop gave none. */
  readonly enhanced?: string;
  /** One line, without CR or LF, without the codes. */
  readonly text: string;
}

export const isPositive = (reply: Reply): boolean => reply.code < 400;
export const isTemporary = (reply: Reply): boolean => reply.code >= 400 && reply.code < 500;
export const isPermanent = (reply: Reply): boolean => reply.code >= 500;

export const replies = {
  /** RFC 7372-style policy refusal, RFC 3463 §3.8 X.7.1. */
  relayingDenied: { code: 550, enhanced: '5.7.1', text: 'Relaying denied' },
  /** RFC 1870 §6.2, RFC 3463 §3.4 X.3.4. */
  tooBig: { code: 552, enhanced: '5.3.4', text: 'Message exceeds the size limit' },
  /** RFC 5321 §6.3, RFC 3463 §3.5 X.4.6. */
  loop: { code: 554, enhanced: '5.4.6', text: 'Routing loop detected' },
  /** RFC 6531 §3.5 / RFC 6710: a non-ASCII address without SMTPUTF8. */
  needsSmtputf8: { code: 553, enhanced: '5.6.7', text: 'Non-ASCII address without SMTPUTF8' },
  /** RFC 6531 §3.5, X.6.9: a header in UTF-8 that a next hop cannot take. */
  headerNeedsSmtputf8: { code: 554, enhanced: '5.6.9', text: 'UTF-8 header, and the next hop offers no SMTPUTF8' },
  /** RFC 6152 §3, RFC 3463 §3.7 X.6.3: conversion required but not supported. */
  needs8bitmime: { code: 554, enhanced: '5.6.3', text: '8-bit content, and the next hop offers no 8BITMIME' },
  /** RFC 5321 §4.1.1.11. */
  unknownParameter: { code: 555, enhanced: '5.5.4', text: 'Unknown parameter' },
  /** RFC 5321 §4.1.1.11, RFC 3463 §3.6 X.5.4. */
  badParameter: { code: 501, enhanced: '5.5.4', text: 'Bad parameter' },
  /** RFC 5321 §4.2.4, RFC 3463 §3.6 X.5.2. */
  badSyntax: { code: 501, enhanced: '5.5.2', text: 'Bad command syntax' },
  /** RFC 5321 §4.1.4, RFC 3463 §3.6 X.5.1. */
  badSequence: { code: 503, enhanced: '5.5.1', text: 'Bad sequence of commands' },
  /** RFC 5321 §3.3: DATA when no RCPT was accepted. */
  noRecipients: { code: 554, enhanced: '5.5.1', text: 'No valid recipients' },
  /** RFC 5321 §2.3.8: lines end in CRLF only. */
  bareCommand: { code: 500, enhanced: '5.5.2', text: 'Bare LF; command lines end in CRLF' },
  bareLineEnd: { code: 554, enhanced: '5.6.0', text: 'Bare CR or LF in the message; lines end in CRLF' },
  /** RFC 3463 §3.2 X.1.3. */
  badAddress: { code: 501, enhanced: '5.1.3', text: 'Bad address syntax' },
  /** RFC 3463 §3.2 X.1.7. */
  badSender: { code: 501, enhanced: '5.1.7', text: 'Bad sender address syntax' },
  /** RFC 5321 §4.5.3.1.10, RFC 3463 §3.6 X.5.3. */
  tooManyRecipients: { code: 452, enhanced: '4.5.3', text: 'Too many recipients' },
  /** RFC 5321 §4.2.2: an error of ours is temporary, always. */
  localError: { code: 451, enhanced: '4.3.0', text: 'Local error, try again later' },
  storeFull: { code: 452, enhanced: '4.3.1', text: 'Insufficient storage, try again later' },
  storeLocked: { code: 451, enhanced: '4.3.0', text: 'Store busy, try again later' },
  shuttingDown: { code: 421, enhanced: '4.3.2', text: 'Shutting down, try again later' },
  /** RFC 5321 §3.8 allows 421 at any time; RFC 3463 §3.4 X.3.2. */
  tooManyConnections: { code: 421, enhanced: '4.3.2', text: 'Too many connections, try again later' },
  /** RFC 5321 §4.2.4, RFC 3463 §3.6 X.5.2. */
  unknownCommand: { code: 500, enhanced: '5.5.2', text: 'Command not recognised' },
  /** RFC 3463 §3.5 X.4.2. */
  idle: { code: 421, enhanced: '4.4.2', text: 'Nothing heard for too long' },
  tooManyErrors: { code: 421, enhanced: '4.7.0', text: 'Too many errors' },
  /** RFC 3463 §3.5 X.4.2. */
  tooSlow: { code: 421, enhanced: '4.4.2', text: 'Transaction took too long' },
  /** RFC 3463 §3.7 X.6.0; RFC 5322 §2.1.1. */
  badContent: { code: 554, enhanced: '5.6.0', text: 'Message is beyond our limits' },
  /** RFC 3463 §3.8 X.7.0: for now. */
  tooFast: { code: 450, enhanced: '4.7.0', text: 'Too much mail from you for now, try again later' },
  /** RFC 3463 §3.5 X.4.1: no answer from the next hop. */
  unreachable: { code: 451, enhanced: '4.4.1', text: 'Next hop not reached' },
  /** RFC 3463 §3.5 X.4.7: given up after the horizon. */
  expired: { code: 554, enhanced: '5.4.7', text: 'Delivery time expired' },
} as const satisfies Record<string, Reply>;

/** Replies that say that something is too much, by what it is. */
const limits = [
  ['connections', replies.tooManyConnections],
  ['rate', replies.tooFast],
  ['recipients', replies.tooManyRecipients],
  ['size', replies.tooBig],
  ['content', replies.badContent],
  ['storage', replies.storeFull],
  ['errors', replies.tooManyErrors],
  ['idle', replies.idle],
  ['time', replies.tooSlow],
] as const;
export const limitNames: readonly string[] = limits.map(([name]) => name);

/** Which limit a reply of ours speaks of; undefined: none. */
export function limitOf({ code, text }: Reply): string | undefined {
  return limits.find(([, reply]) => reply.code === code && text.startsWith(reply.text))?.[0];
}

/** `550 5.7.1 Relaying denied` */
export function formatReply(reply: Reply): string {
  return reply.enhanced === undefined ? `${reply.code} ${reply.text}` : `${reply.code} ${reply.enhanced} ${reply.text}`;
}

// RFC 5321 §4.5.3.1.5 gives a reply line 512 octets; many lines of it are still read by people, not by programs.
const longestText = 1_000;

/**
 * What a next hop wrote: one line (`451 4.3.0 Try later`) or several with `-` after the code. The lines' texts are
 * joined by a space; an enhanced code counts only when its class is that of the reply (RFC 2034 §4).
 */
export function parseReply(raw: string): Reply | undefined {
  // What most are: one line, nothing in it to make printable.
  const plain = /^([2-5]\d\d) (?:([245])(\.\d{1,3}\.\d{1,3}) )?([!-~](?:[ -~]*[!-~])?)\r?$/.exec(raw);
  if (plain?.[4] !== undefined && plain[4].length <= longestText && !startsWithStatus.test(plain[4])) {
    const [, code = '', digit, rest, text = ''] = plain;
    if (digit === undefined) return { code: Number(code), text };
    return code.startsWith(digit) ? { code: Number(code), enhanced: digit + rest, text } : { code: Number(code), text };
  }
  const lines = raw.trim().split(/\r?\n|\r/);
  let code: number | undefined;
  let enhanced: string | undefined;
  const texts: string[] = [];
  for (const line of lines) {
    const parts = /^([2-5]\d\d)(?:[ -](?:([245]\.\d{1,3}\.\d{1,3})(?:\s+|$))?(.*))?$/s.exec(line.trim());
    if (code === undefined) {
      if (!parts) return undefined;
      code = Number(parts[1]);
    }
    const given = parts?.[2];
    if (given?.startsWith(String(code).charAt(0))) enhanced ??= given;
    const text = printable(parts ? (parts[3] ?? '') : line);
    if (text !== '') texts.push(text);
  }
  if (code === undefined) return undefined;
  return { code, ...(enhanced === undefined ? {} : { enhanced }), text: texts.join(' ').slice(0, longestText) };
}

// An enhanced code alone, or with more white space behind it than one space.
const startsWithStatus = /^[245]\.\d{1,3}\.\d{1,3}(?: |$)/;

function printable(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, ' ').trim();
}
