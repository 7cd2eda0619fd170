// What is done to Pointsman in each round. The kinds come in fixed shares, so that a campaign of any length has all of
// them; their order, moments and details are drawn from the seed.
import { type Window, windows } from '../../../src/fault-point.ts';
import { between, type Chance, chanceFrom, oneOf, shuffled } from './chance.ts';
import { type Trouble, troubles } from './next-hop.ts';

export type Fault =
  /** After so many milliseconds of load. */
  | { readonly kind: 'kill'; readonly after: number }
  /** The so-manieth time that window is reached. */
  | { readonly kind: 'window'; readonly window: Window; readonly count: number }
  /** The disk fills while mail comes; killed while it is full, or room is made first. */
  | { readonly kind: 'disk'; readonly after: number; readonly killWhileFull: boolean }
  /** Another process holds the write lock for so long. */
  | { readonly kind: 'busy'; readonly after: number; readonly hold: number }
  /** Killed, and then the tail of the log is not what it was. */
  | { readonly kind: 'wal'; readonly after: number; readonly how: 'garbage' | 'torn frame' | 'cut' }
  /** The clock jumps by so many seconds, and comes back later. */
  | { readonly kind: 'clock'; readonly after: number; readonly jump: number };

export interface Round {
  readonly number: number;
  readonly fault: Fault;
  /** What the next hop does most in this round. */
  readonly trouble: Trouble;
}

// Nobody is nudged here, and no next hop sends reports; test/live/kill.test.ts and the stories kill in those windows.
const reachable = windows.filter((window) => !/^(?:nudge|return)-/.test(window));
const shares: readonly (readonly [kind: Fault['kind'], share: number])[] = [
  ['kill', 0.28],
  ['window', 0.32],
  ['wal', 0.12],
  ['disk', 0.1],
  ['busy', 0.08],
  ['clock', 0.1],
];

export function planRounds(seed: number, count: number, possible: (kind: Fault['kind']) => boolean): Round[] {
  const chance = chanceFrom(seed);
  const kinds = shares.flatMap(([kind, share]) => Array.from({ length: Math.ceil(share * count) }, () => kind));
  const chosen = shuffled(chance, kinds)
    .slice(0, count)
    .map((kind) => (possible(kind) ? kind : 'kill'));
  const hopFaults = shuffled(
    chance,
    chosen.map((_, at) => troubles[at % troubles.length] as Trouble),
  );
  let turn = between(chance, 0, reachable.length - 1);
  return chosen.map((kind, at) => {
    if (kind === 'window') turn += 1;
    return { number: at + 1, fault: faultOf(kind, chance, turn), trouble: hopFaults[at] as Trouble };
  });
}

function faultOf(kind: Fault['kind'], chance: Chance, turn: number): Fault {
  const after = between(chance, 150, 900);
  switch (kind) {
    case 'kill':
      return { kind, after };
    case 'window': {
      const window = reachable[turn % reachable.length] as Window;
      // Steps are rarer than deliveries.
      return { kind, window, count: window.startsWith('step') ? between(chance, 1, 3) : between(chance, 2, 14) };
    }
    case 'disk':
      return { kind, after, killWhileFull: chance() < 0.5 };
    case 'busy':
      // Beyond five seconds SQLite gives up waiting: once in a while that, too.
      return { kind, after, hold: chance() < 0.25 ? 5_600 : between(chance, 300, 1_500) };
    case 'wal':
      return { kind, after, how: oneOf(chance, ['garbage', 'torn frame', 'cut'] as const) };
    case 'clock':
      return { kind, after, jump: oneOf(chance, [3_600, -3_600, 86_400, -86_400, 6 * 86_400, 40, -40]) };
    default:
      return kind satisfies never;
  }
}

export function tellOf(fault: Fault): string {
  switch (fault.kind) {
    case 'kill':
      return `kill -9 after ${fault.after} ms`;
    case 'window':
      return `kill -9 in ${fault.window}, time ${fault.count}`;
    case 'disk':
      return `disk full, ${fault.killWhileFull ? 'killed while it is' : 'then room again'}`;
    case 'busy':
      return `store locked for ${fault.hold} ms`;
    case 'wal':
      return `kill -9, log: ${fault.how}`;
    case 'clock':
      return `clock jumps ${fault.jump > 0 ? 'ahead' : 'back'} ${Math.abs(fault.jump)} s and returns`;
    default:
      return fault satisfies never;
  }
}
