// Port: who is there. The XMPP adapter feeds the cache behind it; relay.ts only asks.
import type { Clock, Duration } from '../clock.ts';
import type { BoardChange } from './board.ts';
import type { PresenceFault } from './fault.ts';
import type { BareJid } from './jid.ts';
import type { LinkStatus } from './link-status.ts';
import type { Override } from './override.ts';
import { neverSeen, type Presence, type PresenceChange } from './presence.ts';

export type { LinkCause, LinkCounts, LinkStatus } from './link-status.ts';

export interface Watcher {
  /** From memory, at once. Never throws: who is not known of is `unknown`. */
  presenceOf(jid: BareJid): Presence;
  /** Called with every change of a person's roll-up, in order, after presenceOf() already answers with it. */
  onChange(listener: (change: PresenceChange) => void): void;
  /** The people whose presence is wanted: subscribed to, and accepted as subscribers. Replaces the former set. */
  watch(people: readonly BareJid[]): void;
  link(): LinkStatus;
  /** By name: also who has no JID may be known of, by schedule or by hand. Absent: only the stream is a source. */
  presenceOfPerson?(name: string): Presence;
  /** Like onChange, by name: also of who has no JID. The returned function ends it. */
  onPersonChange?(listener: (change: BoardChange) => void): () => void;
  /** What was said by hand, by name: of oneself, or by an operator. Absent: nothing can be. */
  overrides?(): ReadonlyMap<string, Override>;
  /** In force, and remembered, when the promise resolves; null takes it back. */
  set?(name: string, override: Override | null): Promise<void>;
  /** What is wrong with presence now. */
  faults?(): readonly PresenceFault[];
  /**
   * Asks the person's clients whether anybody is there: answered true within `within`, false for silence, null when it
   * cannot be asked. What is found out is in presenceOf() when the promise resolves.
   */
  verify?(jid: BareJid, within: Duration): Promise<boolean | null>;
}

/** What the stream can tell besides; the presence desk listens to it. */
export interface StreamWatcher extends Watcher {
  /** Called, in order with the changes, when nothing that is seen has changed but what is known is newer. */
  onHeard?(listener: (jid: BareJid, presence: Presence) => void): void;
  /** Somebody is in a duty room, by their real JID; null: in none any more, or we are not in it ourselves. */
  onOccupant?(listener: (jid: BareJid, presence: Presence | null) => void): void;
}

/** Without an XMPP account nothing is known of anybody: the stated fallbacks apply. */
export function nobodyWatches(clock: Clock): Watcher {
  const since = clock.now();
  return {
    presenceOf: () => neverSeen,
    onChange: () => undefined,
    watch: () => undefined,
    link: () => ({ state: 'off', since }),
  };
}
