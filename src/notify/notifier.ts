// Port: tell a person or a room. Text only; the adapter sanitises, caps the size and paces.
import type { Instant } from '../clock.ts';
import type { BareJid } from '../presence/jid.ts';

export type NotifyTarget =
  | { readonly kind: 'person'; readonly jid: BareJid }
  | { readonly kind: 'room'; readonly room: BareJid };

export interface Notifier {
  /**
   * Resolves when the XMPP server has taken the stanza (XEP-0198 ack), rejects when that is not known within the
   * adapter's time limit or the link is down: the caller tries again with the same id.
   */
  send(target: NotifyTarget, text: string, id: string): Promise<void>;
  /** Rooms to be in. Replaces the former set. */
  join(rooms: readonly BareJid[]): void;
  /** Messages from people (authorisation is the caller's) and, with their real JID, from room occupants. */
  onMessage(listener: (message: IncomingMessage) => void): void;
  /** Receipts (XEP-0184) and displayed markers (XEP-0333) for what send() sent. */
  onReceipt(
    listener: (receipt: { from: BareJid; id: string; kind: 'received' | 'displayed'; at: Instant }) => void,
  ): void;
}

export interface IncomingMessage {
  /** From the stream, never from the body; in a room the occupant's real JID, null when the room hides it. */
  readonly from: BareJid | null;
  readonly room?: BareJid;
  readonly body: string;
  readonly id?: string;
  readonly at: Instant;
  /** XEP-0203: stored offline or replayed; such a command is answered, not executed. */
  readonly delayed: boolean;
}
