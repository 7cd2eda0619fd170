// What we know of each next hop from what it did: whether it answers, how much it takes at once, whether mail waits for
// it. In memory: after a start every next hop is given the benefit of the doubt.
// - Circuit breaker: after several sessions in a row that failed, nothing is sent but one probe at a time, at growing
//   intervals. What is due meanwhile is put back without an attempt.
// - Level: how many transactions go on at once. It halves when a session fails or the next hop says that it is too busy,
//   and grows with each that ends well, as TCP finds its rate (RFC 5681 §3.1): by one up to half of where it last failed,
//   from there on by one in as many as go on at once.
// - Stalled: transactions go on and none has ended for a while. It gets no more.
// - Crowded: more is waiting for it than there is room in memory. What is put back gets a turn of its own, as far apart
//   as the next hop has taken mail lately, so that a long queue is turned over once and not all the time.
// - Backlog: mail was deferred for it. As soon as it answers again that mail becomes due, a portion with each success.
import { type Duration, type Instant, minute, type Random, second } from '../clock.ts';
import type { HopState } from '../operations.ts';
import type { Outcome } from '../transport.ts';

export type Gate =
  | { readonly kind: 'go' }
  /** Not before `until`; `because` is for people. `turn`: at `until`, as nobody else. */
  | { readonly kind: 'wait'; readonly until: Instant; readonly because: string; readonly turn?: true };

export interface Left {
  /** So many of what waits for it should become due now; 0: none. */
  readonly hasten: number;
}

const failuresToOpen = 5;
const shortestPause: Duration = 30 * second;
const longestPause: Duration = 5 * minute;
const stalledAfter: Duration = 20 * second;
const soonest: Duration = 5 * second;
/** Of the pace, that a transaction just ended has. */
const weight = 0.1;
const portion = 100;
/** Until it is known better. */
const usualPace: Duration = 50;

interface Hop {
  level: number;
  /** Up to here the level grows quickly. */
  threshold: number;
  /** Between the ends of two transactions; null: not known. */
  pace: Duration | null;
  /** The turn given out last. */
  lastTurn: Instant;
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
      return { kind: 'wait', until: now + soonest, because };
    }
    if (hop.under === 0) hop.quietSince = now;
    hop.under += 1;
    return { kind: 'go' };
  }

  /**
   * How many it may have, for whoever gives out turns; none for one that has taken what it has and says nothing. One that
   * is down is given as many as ever: they are put back.
   */
  most(name: string, now: Instant): number {
    const hop = this.#hops.get(name);
    if (!hop || hop.openUntil !== null) return this.#most;
    return this.#isStalled(hop, now) ? 0 : Math.floor(hop.level);
  }

  /** There is no room for it to wait in memory: its turn comes at `until`, or earlier when there is room again. */
  crowded(name: string, now: Instant): Gate & { kind: 'wait' } {
    const hop = this.#hop(name, now);
    hop.backlog = true;
    hop.lastTurn = Math.max(now + soonest, hop.lastTurn + (hop.pace ?? usualPace));
    return { kind: 'wait', until: hop.lastTurn, because: `much mail waits for next hop ${name}`, turn: true };
  }

  /** @param outcomes of the one transaction; null when we broke it off ourselves */
  left(name: string, outcomes: readonly Outcome[] | null, now: Instant): Left {
    const hop = this.#hop(name, now);
    hop.under -= 1;
    // Of the time between, only what it was busy: idle hours say nothing.
    const took = Math.min(now - hop.quietSince, minute);
    hop.pace = hop.pace === null ? took : hop.pace + weight * (took - hop.pace);
    hop.quietSince = now;
    const probed = hop.probing;
    hop.probing = false;
    if (outcomes === null) return { hasten: 0 };
    const failure = sessionFailure(outcomes);
    if (failure !== null) {
      hop.failures += 1;
      hop.cause = failure;
      fall(hop);
      if (probed || (hop.failures >= failuresToOpen && hop.openUntil === null)) {
        hop.pause = probed ? Math.min(longestPause, hop.pause * 2) : shortestPause;
        hop.openUntil = now + Math.round(hop.pause * (0.8 + 0.4 * this.#random()));
      }
      return { hasten: 0 };
    }
    hop.failures = 0;
    hop.openUntil = null;
    if (isBusy(outcomes)) fall(hop);
    else hop.level = Math.min(this.#most, hop.level + (hop.level < hop.threshold ? 1 : 1 / hop.level));
    // As many as it takes now: what is made due and finds no room would only be put back.
    return { hasten: hop.backlog ? Math.max(1, Math.min(portion, Math.floor(hop.level) - hop.under)) : 0 };
  }

  /** Nothing waits for it any more. */
  caughtUp(name: string, now: Instant): void {
    this.#hop(name, now).backlog = false;
  }

  /** Mail was deferred: when this next hop answers again, it is due. */
  deferred(name: string, now: Instant): void {
    this.#hop(name, now).backlog = true;
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
      threshold: this.#most,
      pace: null,
      lastTurn: now,
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

function fall(hop: Hop): void {
  hop.threshold = Math.max(1, hop.level / 2);
  hop.level = hop.threshold;
}

/**
 * RFC 3463 §3.4 and §3.5: X.3.x and X.4.x are about the system and the way to it. 450 without such a code is about a
 * mailbox, as greylisting is about a sender: no reason to send less of the rest.
 */
function isBusy(outcomes: readonly Outcome[]): boolean {
  return outcomes.every((outcome) => {
    if (outcome.kind !== 'temporary' || outcome.reply === undefined) return false;
    const { code, enhanced } = outcome.reply;
    return enhanced === undefined ? code === 451 || code === 452 : /^4\.[34]\./.test(enhanced);
  });
}

/** RFC 5321 §3.8: 421 ends a session; a lost connection gives no reply. Neither is about the message. */
export function sessionFailure(outcomes: readonly Outcome[]): string | null {
  const causes = outcomes.map((outcome) =>
    outcome.kind === 'temporary' && (outcome.reply === undefined || outcome.reply.code === 421) ? outcome.cause : null,
  );
  return causes.every((cause) => cause !== null) ? (causes[0] ?? null) : null;
}
