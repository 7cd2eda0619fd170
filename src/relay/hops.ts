// What we know of each next hop from what it did: whether it answers, how much it takes at once, whether mail waits for
// it. In memory: after a start every next hop is given the benefit of the doubt.
// - Circuit breaker: after several sessions in a row that failed, nothing is sent but one probe at a time, at growing
//   intervals. What is due meanwhile is put back without an attempt.
// - Level: how many transactions go on at once. It halves when a session fails, and grows by one with each that ends
//   well (as TCP finds its rate), up to `most`.
// - Stalled: transactions go on and none has ended for a while. It gets no more, and what it has does not count against
//   the others' room.
// - Backlog: mail was deferred for it. As soon as it answers again that mail becomes due, a portion with each success.
import { type Duration, type Instant, minute, type Random, second } from '../clock.ts';
import type { HopState } from '../operations.ts';
import type { Outcome } from '../transport.ts';

export type Gate =
  | { readonly kind: 'go' }
  /** Not before `until`; `because` is for people. */
  | { readonly kind: 'wait'; readonly until: Instant; readonly because: string };

export interface Left {
  /** So many of what waits for it should become due now; 0: none. */
  readonly hasten: number;
}

const failuresToOpen = 5;
const shortestPause: Duration = 30 * second;
const longestPause: Duration = 5 * minute;
const stalledAfter: Duration = 20 * second;
const crowded: Duration = 5 * second;
const portion = 100;

interface Hop {
  level: number;
  under: number;
  failures: number;
  cause: string;
  /** Null: closed, mail flows. */
  openUntil: Instant | null;
  pause: Duration;
  probing: boolean;
  backlog: boolean;
  /** Since the last end of a transaction, or since there are any. */
  quietSince: Instant;
}

export class Hops {
  readonly #hops = new Map<string, Hop>();
  readonly #random: Random;
  readonly #most: number;

  constructor(random: Random, most: number) {
    this.#random = random;
    this.#most = most;
  }

  /** Whether one transaction with it may begin now. After `go`, `left` must be called. */
  enter(name: string, now: Instant): Gate {
    const hop = this.#hop(name, now);
    if (hop.openUntil !== null) {
      if (hop.probing || now < hop.openUntil) {
        hop.backlog = true;
        const because = `next hop ${name} does not answer (${hop.cause}): waiting for it`;
        return { kind: 'wait', until: Math.max(hop.openUntil, now + shortestPause), because };
      }
      hop.probing = true;
    } else if (this.#isStalled(hop, now)) {
      hop.backlog = true;
      return { kind: 'wait', until: now + minute, because: `next hop ${name} takes long to answer: waiting for it` };
    } else if (hop.under >= hop.level) {
      hop.backlog = true;
      const because = `next hop ${name} takes ${Math.floor(hop.level)} at a time for now`;
      return { kind: 'wait', until: now + crowded, because };
    }
    if (hop.under === 0) hop.quietSince = now;
    hop.under += 1;
    return { kind: 'go' };
  }

  /** @param outcomes of the one transaction; null when we broke it off ourselves */
  left(name: string, outcomes: readonly Outcome[] | null, now: Instant): Left {
    const hop = this.#hop(name, now);
    hop.under -= 1;
    hop.quietSince = now;
    const probed = hop.probing;
    hop.probing = false;
    if (outcomes === null) return { hasten: 0 };
    const failure = sessionFailure(outcomes);
    if (failure !== null) {
      hop.failures += 1;
      hop.cause = failure;
      hop.level = Math.max(1, hop.level / 2);
      if (probed || (hop.failures >= failuresToOpen && hop.openUntil === null)) {
        hop.pause = probed ? Math.min(longestPause, hop.pause * 2) : shortestPause;
        hop.openUntil = now + Math.round(hop.pause * (0.8 + 0.4 * this.#random()));
      }
      return { hasten: 0 };
    }
    hop.failures = 0;
    hop.openUntil = null;
    hop.level = Math.min(this.#most, hop.level + 1);
    return { hasten: hop.backlog ? portion : 0 };
  }

  /** Nothing waits for it any more. */
  caughtUp(name: string, now: Instant): void {
    this.#hop(name, now).backlog = false;
  }

  /** Mail was deferred: when this next hop answers again, it is due. */
  deferred(name: string, now: Instant): void {
    this.#hop(name, now).backlog = true;
  }

  /** Transactions that hang: they hold no room of others. */
  stalled(now: Instant): number {
    let sum = 0;
    for (const hop of this.#hops.values()) if (this.#isStalled(hop, now)) sum += hop.under;
    return sum;
  }

  /** For metrics and people. */
  status(name: string): HopState {
    const hop = this.#hops.get(name);
    if (!hop) return { name, state: 'closed', level: this.#most, under: 0, cause: '' };
    const state = hop.openUntil === null ? 'closed' : hop.probing ? 'probing' : 'open';
    return { name, state, level: Math.floor(hop.level), under: hop.under, cause: hop.failures > 0 ? hop.cause : '' };
  }

  #isStalled(hop: Hop, now: Instant): boolean {
    return hop.under > 0 && now - hop.quietSince >= stalledAfter;
  }

  #hop(name: string, now: Instant): Hop {
    const known = this.#hops.get(name);
    if (known) return known;
    const fresh: Hop = {
      level: this.#most,
      under: 0,
      failures: 0,
      cause: '',
      openUntil: null,
      pause: shortestPause,
      probing: false,
      // What an earlier process deferred may wait for it.
      backlog: true,
      quietSince: now,
    };
    this.#hops.set(name, fresh);
    return fresh;
  }
}

/** RFC 5321 §3.8: 421 ends a session; a lost connection gives no reply. Neither is about the message. */
export function sessionFailure(outcomes: readonly Outcome[]): string | null {
  const causes = outcomes.map((outcome) =>
    outcome.kind === 'temporary' && (outcome.reply === undefined || outcome.reply.code === 421) ? outcome.cause : null,
  );
  return causes.every((cause) => cause !== null) ? (causes[0] ?? null) : null;
}
