// What the XMPP adapter is given, and what it is to others: two ports, and a life.
import type { Clock, Duration, Random } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Notifier } from '../notify/notifier.ts';
import type { PresenceFault } from '../presence/fault.ts';
import type { BareJid } from '../presence/jid.ts';
import type { Presence } from '../presence/presence.ts';
import type { StreamWatcher } from '../presence/watcher.ts';
import type { LookupSrv } from './dial.ts';
import type { LinkLimits } from './link.ts';
import type { OutboxLimits } from './outbox.ts';

export interface XmppOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Log;
  /** For XEP-0092. */
  readonly version?: string;
  /** How long the server may take to tell who is there, before silence means offline; and more for each person. */
  readonly settleAfter?: Duration;
  readonly settlePerPerson?: Duration;
  /** What was known when the link went down is used for this long. */
  readonly staleAfter?: Duration;
  readonly limits?: { readonly link?: Partial<LinkLimits>; readonly outbox?: Partial<OutboxLimits> };
  readonly lookup?: LookupSrv;
}

export interface Xmpp extends StreamWatcher, Notifier {
  start(): void;
  /** Says goodbye and closes within a few seconds, whatever the server does. */
  stop(): Promise<void>;
  /** Rooms, among those joined, whose occupants count as present. */
  watchRooms(rooms: readonly BareJid[]): void;
  onOccupant(listener: (jid: BareJid, presence: Presence | null) => void): void;
  faults(): readonly PresenceFault[];
}
