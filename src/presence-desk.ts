// The presence desk: the Watcher that everybody asks. It feeds the board with what the stream, the rooms, the clock and
// people at the command line say, remembers what was set by hand, and tells of every change of what is shown.
//
// What it adds to the board is only time and order: it sleeps until the board's next moment, and listeners hear of
// changes one after the other, each when presenceOf() already answers with it.
import type { Clock, Duration, Instant } from './clock.ts';
import { day, hour, second } from './clock.ts';
import type { Log } from './log.ts';
import type { Notifier } from './notify/notifier.ts';
import type { BoardChange, BoardPerson } from './presence/board.ts';
import { Board } from './presence/board.ts';
import type { DampingTimes } from './presence/damping.ts';
import type { PresenceFault } from './presence/fault.ts';
import { linkFault } from './presence/fault.ts';
import type { BareJid } from './presence/jid.ts';
import type { Override } from './presence/override.ts';
import { readOverrides, writeOverrides } from './presence/override.ts';
import type { Presence, PresenceChange } from './presence/presence.ts';
import type { StreamWatcher, Watcher } from './presence/watcher.ts';
import type { Rules } from './routing/rules.ts';
import { timeReader } from './routing/working-hours.ts';
import type { Store } from './store/store.ts';

export interface PresenceDesk extends Watcher {
  presenceOfPerson(name: string): Presence;
  verify(jid: BareJid, within: Duration): Promise<boolean | null>;
  faults(): readonly PresenceFault[];
  /** Replaces the people; also tells the stream whom to watch. */
  follow(people: readonly BoardPerson[]): void;
  /** Like onChange, by name: also of who has no JID. The returned function ends it. */
  onPersonChange(listener: (change: BoardChange) => void): () => void;
  /** By hand; null takes it back. In force when the promise resolves, and remembered over a restart. */
  set(name: string, override: Override | null): Promise<void>;
  overrides(): ReadonlyMap<string, Override>;
  start(): void;
  stop(): void;
}

export interface DeskOptions {
  readonly stream: StreamWatcher;
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Pick<Store, 'remember' | 'recall' | 'forgetPresence'>;
  readonly damping?: DampingTimes;
  /** How long changes stay in the store; absent: for ever. */
  readonly keepHistory?: Duration;
}

const memory = 'presence.overrides';
/** An hour more or less does not matter to a history of weeks. */
const tidyEvery: Duration = hour;

export async function createPresenceDesk(options: DeskOptions): Promise<PresenceDesk> {
  const { stream, clock, log, store } = options;
  const board = new Board({
    ...(options.damping ? { damping: options.damping } : {}),
    overrides: readOverrides(await store.recall(memory)),
  });
  const listeners = new Set<(change: BoardChange) => void>();
  const jidListeners: ((change: PresenceChange) => void)[] = [];
  const queue: BoardChange[] = [];
  let telling = false;
  let running: AbortController | null = null;
  let rearm = new AbortController();
  let armedFor: Instant | null = null;

  function tell(changes: readonly BoardChange[]): void {
    for (const change of changes) queue.push(change);
    rearmIfSooner();
    if (telling) return;
    telling = true;
    try {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const { jid, change } = next;
        for (const listener of listeners) guarded(() => listener(next as BoardChange));
        if (jid !== null) for (const listener of jidListeners) guarded(() => listener({ jid, ...change }));
      }
    } finally {
      telling = false;
    }
  }

  function guarded(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      log.error({ err: error }, 'a listener of the presence desk failed');
    }
  }

  function rearmIfSooner(): void {
    const next = board.nextAt();
    if (next !== null && (armedFor === null || next < armedFor)) rearm.abort();
  }

  async function keepTime(stopped: AbortSignal): Promise<void> {
    while (!stopped.aborted) {
      rearm = new AbortController();
      armedFor = board.nextAt();
      // Looked at once a day even when nothing is due: clocks are set, zones change.
      const until = Math.min(armedFor ?? Number.POSITIVE_INFINITY, clock.now() + day);
      await clock.sleepUntil(until, AbortSignal.any([stopped, rearm.signal]));
      if (!stopped.aborted) tell(board.tick(clock.now()));
    }
  }

  async function keepHistory(keep: Duration, stopped: AbortSignal): Promise<void> {
    while (!stopped.aborted) {
      const forgotten = await store.forgetPresence(clock.now() - keep).catch((error: unknown) => {
        log.warn({ err: error }, 'the history of presence could not be shortened; trying again in an hour');
        return 0;
      });
      // A portion at a time: others wait for the store.
      await clock.sleepUntil(clock.now() + (forgotten > 0 ? second : tidyEvery), stopped);
    }
  }

  const asking = new Map<BareJid, Promise<boolean | null>>();
  /** Several mails for one person ask once. */
  function verify(jid: BareJid, within: Duration): Promise<boolean | null> {
    const under = asking.get(jid);
    if (under) return under;
    const asked = Promise.resolve(stream.verify?.(jid, within) ?? null).finally(() => asking.delete(jid));
    asking.set(jid, asked);
    return asked;
  }

  stream.onChange(({ jid, presence }) => tell(board.live(jid, presence, clock.now())));
  // The age of what is known is a fact that rules go by, too.
  stream.onHeard?.((jid, presence) => tell(board.live(jid, presence, clock.now())));
  stream.onOccupant?.((jid, presence) => tell(board.room(jid, presence, clock.now())));

  return {
    presenceOf: (jid: BareJid) => board.presenceOf(jid),
    presenceOfPerson: (name) => board.presenceOfPerson(name),
    onChange: (listener) => void jidListeners.push(listener),
    onPersonChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    watch: (people) => stream.watch(people),
    verify,
    link: () => stream.link(),
    faults() {
      const fault = linkFault(stream.link(), clock.now());
      return [...(fault ? [fault] : []), ...(stream.faults?.() ?? [])];
    },
    follow(people) {
      stream.watch(people.flatMap(({ jid }) => (jid === null ? [] : [jid])));
      tell(board.people(people, (jid) => stream.presenceOf(jid), clock.now()));
    },
    async set(name, override) {
      const wanted = new Map(board.overrides);
      if (override === null) wanted.delete(name);
      else wanted.set(name, override);
      // Remembered first: what an operator was told holds also after a crash.
      await store.remember(memory, writeOverrides(wanted));
      tell(board.override(name, override, clock.now()));
    },
    overrides: () => board.overrides,
    start() {
      if (running) throw new Error('the presence desk is started already');
      running = new AbortController();
      const { signal } = running;
      for (const work of [
        keepTime(signal),
        ...(options.keepHistory ? [keepHistory(options.keepHistory, signal)] : []),
      ]) {
        work.catch((error: unknown) => log.error({ err: error }, 'the presence desk has stopped'));
      }
    },
    stop() {
      running?.abort();
      running = null;
    },
  };
}

/** Everybody the rules name is watched, every room they name is joined, every duty room and the operators'. */
export function followRules(
  rules: Rules,
  to: {
    readonly desk: PresenceDesk;
    readonly notifier: Notifier | null;
    readonly rooms: readonly BareJid[];
    readonly readStatusIn: string | null;
  },
): void {
  const timeOf = timeReader();
  const people = [...rules.people.values()];
  to.desk.follow(
    people.map((person) => ({
      name: person.name,
      jid: person.jid,
      // In the person's own zone, where the rules say it.
      readStatusIn: to.readStatusIn === null ? null : (person.zone ?? to.readStatusIn),
      ...timeOf(person),
    })),
  );
  const steps = [...rules.policies.values()].flatMap((policy) => policy.steps);
  const named = steps.flatMap(({ to: target }) => (target.kind === 'room' ? [target.room] : []));
  to.notifier?.join([...new Set([...named, ...to.rooms])]);
}
