// Port: who is there. The XMPP adapter feeds the cache behind it; relay.ts only asks.
import type { BareJid } from './jid.ts';
import type { Presence, PresenceChange } from './presence.ts';

export interface LinkStatus {
  readonly state: 'off' | 'connecting' | 'up' | 'down';
  readonly since: number;
  /** The last reason for being down, for people. */
  readonly reason?: string;
}

export interface Watcher {
  /** From memory, at once. Never throws: who is not known of is `unknown`. */
  presenceOf(jid: BareJid): Presence;
  /** Called with every change of a person's roll-up, in order, after presenceOf() already answers with it. */
  onChange(listener: (change: PresenceChange) => void): void;
  /** The people whose presence is wanted: subscribed to, and accepted as subscribers. Replaces the former set. */
  watch(people: readonly BareJid[]): void;
  link(): LinkStatus;
}
