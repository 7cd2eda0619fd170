// A forward that escalation adds: the stored content to whoever is next, with a header line that says why, so that who
// gets a mail hours after it was sent sees what has become of it meanwhile.
import type { Instant } from '../clock.ts';
import type { Mailbox } from '../mail/path.ts';
import type { PersonName } from '../routing/rules.ts';
import type { Consequences } from '../store/store.ts';
import type { Tracked } from '../tracking/tracked.ts';

export const escalatedHeader = 'X-Pointsman-Escalated';

/**
 * Ours, not the sender's: its failure goes on escalating, so no next hop needs to report it (RFC 3461 §4.1).
 * @param why what set it off, in a few words
 */
export function forward(
  tracked: Tracked,
  to: { readonly mailbox: Mailbox; readonly person: PersonName | null },
  why: string,
  now: Instant,
): NonNullable<Consequences['forwards']>[number] {
  const { queueId, seq, address, plan } = tracked;
  const said: readonly [string, string] = [escalatedHeader, inHeader(`${why}; ${new Date(now).toISOString()}`)];
  return {
    queueId,
    path: { mailbox: to.mailbox, notify: ['never'], orcpt: `rfc822;${address}` },
    plan: { ...plan, headers: [...(plan.headers ?? []), said] },
    forwardOf: seq,
    chosen: { mailbox: to.mailbox, person: to.person },
    firstAttemptAt: now,
  };
}

/** RFC 5322 §2.2: printable US-ASCII on one line, well within its 998 octets. */
const inHeader = (text: string): string => text.replace(/[^\x20-\x7e]+/g, '?').slice(0, 400);
