// The pump of the durable timer queue: sleeps until the next thing is due or somebody calls wake(), leases it, hands
// it on, and never has more than `atOnce` things in hand. No polling: the store says when the next moment is.
import type { Clock, Duration, Instant } from '../clock.ts';
import { minute, second } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Due, DueKind, Store } from '../store/store.ts';

export interface DueLoop {
  readonly kinds: readonly DueKind[];
  /** @param at nothing becomes due before: it is not looked for before */
  wake(at?: Instant): void;
  /** Takes nothing new; resolves when what is in hand is done. */
  stop(): Promise<void>;
}

export interface DueLoopOptions {
  readonly store: Pick<Store, 'claimDue' | 'nextDueAt'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly kinds: readonly DueKind[];
  readonly atOnce: number;
  /** Where what is claimed becomes fewer things in hand: so many are claimed while there is room for one. Default: the room. */
  readonly portion?: number;
  /** Longer than any handling can take: when it runs out the work is done again. */
  readonly leaseFor: Duration;
  /** The clock was set back: what it put off while it was ahead may be far away. */
  readonly setBack?: () => Promise<void>;
  /** Gets what was claimed together; must not reject (it is logged, and the lease brings the work back). */
  readonly handle: (due: readonly Due[]) => readonly Promise<void>[];
  /** How long what becomes due may wait for company. */
  readonly gathers?: () => Duration;
  /** Whoever handles something says itself when the next thing is due that follows from it (wake): it is not asked for. */
  readonly says?: boolean;
}

export function startDueLoop(options: DueLoopOptions): DueLoop {
  const { store, clock, log, kinds, atOnce, leaseFor, handle } = options;
  const inHand = new Set<Promise<void>>();
  /** Aborted with this, a sleep makes no error of its own, which costs as much as a look. */
  const woken = new Error('woken');
  const ending = new AbortController();
  let stopped = false;
  let calls = 0;
  /** Something is due, or may be: it is claimed at once. Otherwise the next moment is asked for first. */
  let claims = true;
  let sleeping: AbortController | null = null;
  /** While sleeping: there is nothing to be looked for before. */
  let until: Instant = Number.NEGATIVE_INFINITY;

  function lookAgain(): void {
    calls += 1;
    sleeping?.abort(woken);
  }

  function wake(at?: Instant): void {
    if (at === undefined || at <= clock.now()) claims = true;
    else if (sleeping && until <= at) return;
    lookAgain();
  }

  async function sleep(longest: number, callsSeen: number): Promise<void> {
    if (stopped || calls !== callsSeen) return;
    sleeping = new AbortController();
    until = longest;
    await clock.sleepUntil(longest, sleeping.signal);
    sleeping = null;
  }

  function take(work: Promise<void>): void {
    const done: Promise<void> = work
      .catch((error: unknown) => log.error({ err: error }, 'work on a due item failed; its lease will bring it back'))
      .finally(() => {
        const full = inHand.size >= atOnce;
        inHand.delete(done);
        // Room for more, and what was claimed may have made something due.
        if (full || !options.says) lookAgain();
      });
    inHand.add(done);
  }

  /** True when there may be more. */
  async function claim(limit: number): Promise<boolean> {
    claims = false;
    const due = await store.claimDue({ kinds, now: clock.now(), limit, leaseFor });
    if (due.length > 0) for (const work of handle(due)) take(work);
    claims ||= due.length === limit;
    return claims;
  }

  async function run(): Promise<void> {
    let lookedAt = Number.NEGATIVE_INFINITY;
    let claimedAt = Number.NEGATIVE_INFINITY;
    const wasSetBack = () => clock.now() < lookedAt - second;
    while (!stopped) {
      const callsSeen = calls;
      try {
        if (wasSetBack()) {
          lookedAt = clock.now();
          await options.setBack?.();
        }
        lookedAt = clock.now();
        const patience = claims ? claimedAt + (options.gathers?.() ?? 0) - lookedAt : 0;
        // Never for long, whatever the clock does.
        if (patience > 0 && patience <= second) await clock.sleepUntil(lookedAt + patience, ending.signal);
        if (stopped) return;
        if (claims) claimedAt = clock.now();
        const room = atOnce - inHand.size;
        // What comes next is asked for along with what is due: one round trip.
        const [more, soonest] =
          room > 0
            ? await Promise.all([claims && claim(options.portion ?? room), store.nextDueAt(kinds)])
            : [false, null];
        if (more) continue;
        // Without room: until something in hand ends. Nor for very long: what is far off (retiring content) is put into
        // the queue without a call.
        const next = atOnce <= inHand.size ? null : soonest;
        if (wasSetBack()) continue;
        lookedAt = clock.now();
        await sleep(Math.min(next ?? Number.POSITIVE_INFINITY, clock.now() + 10 * minute), callsSeen);
        if (next !== null && next <= clock.now()) claims = true;
      } catch (error) {
        claims = true;
        log.error({ err: error }, 'the timer queue could not be read; trying again in 5 s');
        await sleep(clock.now() + 5 * second, callsSeen);
      }
    }
  }

  const running = run();
  return {
    kinds,
    wake,
    async stop() {
      stopped = true;
      ending.abort();
      lookAgain();
      await running;
      await Promise.all(inHand);
    },
  };
}
