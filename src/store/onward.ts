// Port, part of the store's: what an escalation forwards, handed over with the change that asked for it.
import type { Tracked } from '../tracking/tracked.ts';
import type { Consequences, Delivery, Message } from './store.ts';

/** One forward that is leased, and to be attempted at once. */
export interface HandedOn {
  readonly message: Message;
  /** Without `finalDotAt`: there was no attempt yet. */
  readonly delivery: Delivery;
  /** Null when it is in a file: to be asked for, as with any other. */
  readonly content: Uint8Array | null;
}

export interface Onward {
  /**
   * As `advance`. Its forwards (`leasedUntil`) are leased from the start and handed over: whoever asked attempts them, and
   * need not claim them, nor read what they are.
   */
  advanceOnward(tracked: Tracked, also: Consequences): Promise<'stale' | readonly HandedOn[]>;
}
