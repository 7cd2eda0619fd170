// Port: tell a person or a room. Text only; the adapter sanitises, caps the size and paces.
import type { Instant } from '../clock.ts';
import type { BareJid } from '../presence/jid.ts';
import type { Published } from './published.ts';
import type { Language } from './words.ts';

export type NotifyTarget =
  | { readonly kind: 'person'; readonly jid: BareJid }
  | { readonly kind: 'room'; readonly room: BareJid };

export interface Notifier {
  /**
   * Resolves when the XMPP server has taken the stanza (XEP-0198 ack), rejects when that is not known within the
   * adapter's time limit or the link is down: the caller tries again with the same id and text. What is still on its
   * way then, or was taken late, is not written a second time. An error with `unsent: true` says that nothing went out.
   */
  send(target: NotifyTarget, text: string, id: string, more?: MoreOfMessage): Promise<void>;
  /** Called when messages can go again: to people (null) with every session, to a room when we are in it. */
  onOpen?(listener: (room: BareJid | null) => void): void;
  /** Rooms to be in. Replaces the former set. */
  join(rooms: readonly BareJid[]): void;
  /** Messages from people (authorisation is the caller's) and, with their real JID, from room occupants. */
  onMessage(listener: (message: IncomingMessage) => void): void;
  /** Receipts (XEP-0184) and displayed markers (XEP-0333) for what send() sent. */
  onReceipt(
    listener: (receipt: { from: BareJid; id: string; kind: 'received' | 'displayed'; at: Instant }) => void,
  ): void;
  /** Ad-hoc commands (XEP-0050): one answerer, asked with the JID the stream vouches for. */
  onAsk?(
    answer: (asked: Asked) => Promise<AskedAnswer>,
    /** In which the list of them is read. */
    languageOf?: (from: BareJid) => Language,
  ): void;
  /** How it goes, for everybody who sees our presence: `12 open, oldest 7m`. */
  setStatus?(text: string): void;
  /** For other programs that follow what happens; absent: nobody does. Nothing is promised of what cannot be sent. */
  publish?(event: Published): void;
  /** The subject of a room we are in (XEP-0045 §8.1). Rejects when the room does not let us. */
  setSubject?(room: BareJid, text: string): Promise<void>;
}

/** Of what send() rejects with: whether the message may be there all the same. Of an error that does not say: yes. */
export function mayHaveArrived(error: unknown): boolean {
  return !(error instanceof Error && 'unsent' in error && error.unsent === true);
}

export interface MoreOfMessage {
  /** XEP-0308: the id of an earlier one that this takes the place of. */
  readonly replaces?: string;
  /** For programs, beside the text (docs/reference/nudge.md). */
  readonly facts?: NudgeFactsForPrograms;
}

/** Old values stay: programs of others read this. */
export interface NudgeFactsForPrograms {
  readonly id: string;
  readonly queueId: string;
  readonly revision: number;
  readonly step: number;
  readonly kind: 'nudge' | 'notice';
  readonly group: string;
  readonly state: string;
  readonly owner: string | null;
}

export interface Asked {
  readonly from: BareJid;
  /** The command's node, one of those offered. */
  readonly command: string;
  /** What was filled into the form; null when none was shown yet. */
  readonly values: Readonly<Record<string, string>> | null;
}

export interface AskedField {
  readonly name: string;
  readonly label: string;
  /** For a choice; without it one line of text. */
  readonly options?: readonly { readonly value: string; readonly label: string }[];
}

export type AskedAnswer =
  | { readonly kind: 'done'; readonly text: string }
  | { readonly kind: 'form'; readonly title: string; readonly fields: readonly AskedField[] }
  | { readonly kind: 'refused'; readonly text: string };

export interface IncomingMessage {
  /** From the stream, never from the body; in a room the occupant's real JID, null when the room hides it. */
  readonly from: BareJid | null;
  readonly room?: BareJid;
  readonly body: string;
  readonly id?: string;
  readonly at: Instant;
  /** XEP-0203: stored offline or replayed; such a command is answered, not executed. */
  readonly delayed: boolean;
  /** In a room: it is said to us (our nick or `!` before it, which are not part of `body`). */
  readonly addressed?: boolean;
  /** The id of ours that it answers (XEP-0461) or reacts to (XEP-0444). */
  readonly about?: string;
  /** XEP-0444: the whole set of reactions to `about`; `body` means nothing then. */
  readonly reactions?: readonly string[];
  /** XEP-0308: the id of the sender's own message that this corrects. */
  readonly replaces?: string;
}
