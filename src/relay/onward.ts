// A forward that escalation adds: the stored content to whoever is next, with a header line that says why, so that who
// gets a mail hours after it was sent sees what has become of it meanwhile.
import type { Instant } from '../clock.ts';
import type { Mailbox } from '../mail/path.ts';
import type { PersonName } from '../routing/rules.ts';
import type { HandedOn } from '../store/onward.ts';
import type { Consequences } from '../store/store.ts';
import type { Tracked } from '../tracking/tracked.ts';
import type { Stage } from './parts.ts';

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

/**
 * The change and what follows from it. What it forwards is leased with it, and answered: it is to be sent on at once, and
 * counts as sent from now on, as fresh mail that passes through does: a crash leaves it marked as a possible duplicate.
 */
export async function advanceOnward(
  stage: Stage,
  tracked: Tracked,
  also: Consequences,
  now: Instant,
): Promise<'stale' | readonly HandedOn[]> {
  const { forwards = [] } = also;
  const leasedUntil = forwards.length === 0 ? null : stage.leaseOnward(now);
  if (leasedUntil === null) return (await stage.store.advance(tracked, also)) === 'stale' ? 'stale' : [];
  const leased = forwards.map((each) => ({ ...each, leasedUntil, finalDotAt: now }));
  return stage.store.advanceOnward(tracked, { ...also, forwards: leased });
}

/** RFC 5322 §2.2: printable US-ASCII on one line, well within its 998 octets. */
const inHeader = (text: string): string => text.replace(/[^\x20-\x7e]+/g, '?').slice(0, 400);
