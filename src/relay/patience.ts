// A store that has no room for a moment (the disk is full, somebody else has locked the file): what has happened already
// is kept in hand and written as soon as there is room. Given up, it would be done again when its lease runs out, half an
// hour later: mail that a next hop has would be sent twice.
import type { Duration } from '../clock.ts';
import { minute, second } from '../clock.ts';
import { PointsmanError } from '../mail/error.ts';
import { replies } from '../mail/reply.ts';
import type { Store } from '../store/store.ts';
import type { Parts } from './parts.ts';

const firstPause: Duration = second;
const longestPause: Duration = 10 * second;
const sayEvery: Duration = minute;

/** `ending`: nothing is waited for any more. */
export function patientStore(
  { store, clock, log }: Pick<Parts, 'store' | 'clock' | 'log'>,
  ending: AbortSignal,
): Store {
  async function patiently<T>(what: string, write: () => Promise<T>): Promise<T> {
    let said = Number.NEGATIVE_INFINITY;
    for (let pause = firstPause; ; pause = Math.min(2 * pause, longestPause)) {
      try {
        return await write();
      } catch (error) {
        if (!passes(error) || ending.aborted) throw error;
        const now = clock.now();
        if (now - said >= sayEvery || now < said) {
          said = now;
          log.warn({ err: error, what }, 'the store has no room for what has happened; it is kept in hand');
        }
        await clock.sleepUntil(now + pause, ending);
      }
    }
  }
  // All else is the store's, whatever becomes of it.
  return Object.assign(Object.create(store) as Store, {
    settle: (settlements, also) => patiently('attempt', () => store.settle(settlements, also)),
    settleNudge: (id, outcome, also) => patiently('nudge', () => store.settleNudge(id, outcome, also)),
    // Nothing has happened yet, but it would be half an hour until somebody else is chosen.
    recordChoice: (choice, also) => patiently('choice', () => store.recordChoice(choice, also)),
  } satisfies Partial<Store>);
}

/** Nothing of it was written, and it is no fault of what was to be. */
const passes = (error: unknown): boolean =>
  error instanceof PointsmanError && (error.reply === replies.storeFull || error.reply === replies.storeLocked);
