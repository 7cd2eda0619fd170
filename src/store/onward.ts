// Port, part of the store's: what an escalation forwards, handed over with the change that asked for it; and that what is
// stored with its delivery still holds.
import type { Tracked } from '../tracking/tracked.ts';
import type { Consequences, Delivery, DeliveryRef, Message } from './store.ts';

/** One forward that is leased, and to be attempted at once. */
export interface HandedOn {
  readonly message: Message;
  /** Without `finalDotAt`: there was no attempt yet. */
  readonly delivery: Delivery;
  /** Null when it is in a file: to be asked for, as with any other. */
  readonly content: Uint8Array | null;
}

export interface Expected {
  /** Tracked messages that are not written, but must stand as they were seen; otherwise the whole verb answers `stale`. */
  readonly standing?: readonly (DeliveryRef & Pick<Tracked, 'revision'>)[];
}

export interface Onward {
  /**
   * As `advance`. Its forwards (`leasedUntil`) are leased from the start and handed over: whoever asked attempts them, and
   * need not claim them, nor read what they are.
   */
  advanceOnward(tracked: Tracked, also: Consequences): Promise<'stale' | readonly HandedOn[]>;
}
