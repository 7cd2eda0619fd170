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
  /** RFC 5321 §4.1.1.11. */
  unknownParameter: { code: 555, enhanced: '5.5.4', text: 'Unknown parameter' },
  /** RFC 5321 §2.3.8: lines end in CRLF only. */
  bareLineEnd: { code: 554, enhanced: '5.6.0', text: 'Bare CR or LF in the message; lines end in CRLF' },
  badAddress: { code: 501, enhanced: '5.1.3', text: 'Bad address syntax' },
  /** RFC 5321 §4.2.2: an error of ours is temporary, always. */
  localError: { code: 451, enhanced: '4.3.0', text: 'Local error, try again later' },
  storeFull: { code: 452, enhanced: '4.3.1', text: 'Insufficient storage, try again later' },
  shuttingDown: { code: 421, enhanced: '4.3.2', text: 'Shutting down, try again later' },
  /** RFC 3463 §3.5 X.4.7: given up after the horizon. */
  expired: { code: 554, enhanced: '5.4.7', text: 'Delivery time expired' },
} as const satisfies Record<string, Reply>;

/** `550 5.7.1 Relaying denied` */
export function formatReply(reply: Reply): string {
  return [String(reply.code), reply.enhanced, reply.text].filter((part) => part !== undefined).join(' ');
}

/** One line as a next hop wrote it (`451 4.3.0 Try later`), continuation lines joined by the caller. */
export function parseReply(line: string): Reply | undefined {
  const parts = /^([2-5]\d\d)(?:[ -](?:([245]\.\d{1,3}\.\d{1,3})(?:\s+|$))?(.*))?$/s.exec(line.trim());
  if (!parts) return undefined;
  const text = (parts[3] ?? '').replace(/\s*[\r\n]+(?:\d{3}[ -](?:[245]\.\d{1,3}\.\d{1,3}\s)?)?/g, ' ').trim();
  return { code: Number(parts[1]), ...(parts[2] === undefined ? {} : { enhanced: parts[2] }), text };
}
