// How a session says things: the reply to EHLO, refusals of content, and lines that cannot become two.
import { longestLine } from '../mail/content.ts';
import type { ForwardPath } from '../mail/envelope.ts';
import { type Reply, replies } from '../mail/reply.ts';
import type { Forwarded } from './command.ts';

export function keywords(offers: { size: number; starttls: boolean; xforward: boolean }): string[] {
  return [
    'PIPELINING',
    '8BITMIME',
    'SMTPUTF8',
    'ENHANCEDSTATUSCODES',
    'DSN',
    ...(offers.starttls ? ['STARTTLS'] : []),
    `SIZE ${offers.size}`,
    // For every admitted peer, and only for those.
    ...(offers.xforward ? ['XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE'] : []),
  ];
}

const longestHelo = 255; // RFC 1035 §2.3.4

/** The one word behind EHLO or HELO. */
export function heloName(line: Buffer): string | undefined {
  const [, name = '', ...more] = line.toString('utf8').trim().split(/\s+/);
  const bad = name === '' || more.length > 0 || name.length > longestHelo || /[\x00-\x1f\x7f]/.test(name);
  return bad ? undefined : name;
}

/** RFC 2034 §4: without an enhanced code. */
export function helloReply(hostname: string, keywords: readonly string[]): string {
  const lines = [hostname, ...keywords];
  return lines.map((each, index) => `250${index === lines.length - 1 ? ' ' : '-'}${each}`).join('\r\n');
}

export const refusals = {
  'bare line end': replies.bareLineEnd,
  'too big': replies.tooBig,
  'long line': {
    ...replies.badContent,
    text: `${replies.badContent.text}: a line of more than ${longestLine} octets`,
  },
  'no memory': replies.storeFull,
  failed: replies.localError,
} as const;

/** An Intake's words may be anybody's: they must not become another reply. */
export function printable(line: string): string {
  return /[\x00-\x1f\x7f]/.test(line) ? line.replace(/[\x00-\x1f\x7f]+/g, ' ') : line;
}

/** With the name under which the log has it: there is no queue id. */
export function named(reply: Reply, session: string): Reply {
  return { ...reply, text: `${reply.text} (session ${session})` };
}

export function isSame(one: ForwardPath, other: ForwardPath): boolean {
  return (
    one.mailbox === other.mailbox &&
    one.orcpt === other.orcpt &&
    (one.notify ?? []).join() === (other.notify ?? []).join()
  );
}

/** Whom XFORWARD names, for the log. */
export function nameOf(forwarded: Forwarded): string {
  const words = [forwarded.get('NAME'), `[${forwarded.get('ADDR') ?? 'unknown'}]`];
  return words.filter((word) => word !== undefined).join(' ');
}
