// The pump of the durable timer queue: sleeps until the next thing is due or somebody calls wake(), leases it, hands
// it on, and never has more than `atOnce` things in hand. No polling: the store says when the next moment is.
import type { Clock, Duration } from '../clock.ts';
import { minute, second } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Due, DueKind, Store } from '../store/store.ts';

export interface DueLoop {
  readonly kinds: readonly DueKind[];
  wake(): void;
  /** Takes nothing new; resolves when what is in hand is done. */
  stop(): Promise<void>;
}

export interface DueLoopOptions {
  readonly store: Pick<Store, 'claimDue' | 'nextDueAt'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly kinds: readonly DueKind[];
  readonly atOnce: number;
  /** Longer than any handling can take: when it runs out the work is done again. */
  readonly leaseFor: Duration;
  /** The clock was set back: what it put off while it was ahead may be far away. */
  readonly setBack?: () => Promise<void>;
  /** Gets what was claimed together; must not reject (it is logged, and the lease brings the work back). */
  readonly handle: (due: readonly Due[]) => readonly Promise<void>[];
}

export function startDueLoop(options: DueLoopOptions): DueLoop {
  const { store, clock, log, kinds, atOnce, leaseFor, handle } = options;
  const inHand = new Set<Promise<void>>();
  let stopped = false;
  let calls = 0;
  /** Something is due, or may be: it is claimed at once. Otherwise the next moment is asked for first. */
  let claims = true;
  let sleeping: AbortController | null = null;

  function lookAgain(): void {
    calls += 1;
    sleeping?.abort();
  }

  function wake(): void {
    claims = true;
    lookAgain();
  }

  async function sleep(until: number, callsSeen: number): Promise<void> {
    if (stopped || calls !== callsSeen) return;
    sleeping = new AbortController();
    await clock.sleepUntil(until, sleeping.signal);
    sleeping = null;
  }

  function take(work: Promise<void>): void {
    const done: Promise<void> = work
      .catch((error: unknown) => log.error({ err: error }, 'work on a due item failed; its lease will bring it back'))
      .finally(() => {
        inHand.delete(done);
        // Room for more, and what was claimed may have made something due.
        lookAgain();
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
    const wasSetBack = () => clock.now() < lookedAt - second;
    while (!stopped) {
      const callsSeen = calls;
      try {
        if (wasSetBack()) {
          lookedAt = clock.now();
          await options.setBack?.();
        }
        lookedAt = clock.now();
        const room = atOnce - inHand.size;
        if (claims && room > 0 && (await claim(room))) continue;
        // Without room: until something in hand ends. Nor for very long: what is far off (retiring content) is put into
        // the queue without a call.
        const next = atOnce <= inHand.size ? null : await store.nextDueAt(kinds);
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
      lookAgain();
      await running;
      await Promise.all(inHand);
    },
  };
}
