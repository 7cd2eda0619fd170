// What a stream tells the link about: its session, its end, and what outlives it.
import type { QueuedStanza } from '@xmpp/client';
import type { LinkCause } from '../presence/watcher.ts';
import type { Element } from './stanza.ts';

/** What a later stream needs to take up this session again (XEP-0198 §5). */
export interface Resumable {
  readonly id: string;
  readonly jid: string;
  readonly inbound: number;
  readonly outbound: number;
  readonly queue: readonly QueuedStanza[];
}

export interface StreamEnd {
  /** For people. */
  readonly reason: string;
  readonly cause: LinkCause;
  /** `refused`: trying again soon would give the same answer. */
  readonly kind: 'lost' | 'refused';
  /** What may be resumed after this; null when the session is gone. */
  readonly resumable: Resumable | null;
  readonly wasUp: boolean;
}

export interface Session {
  /** Our full JID. */
  readonly jid: string;
  readonly resumed: boolean;
  /** Whether the server acknowledges stanzas (XEP-0198). */
  readonly acks: boolean;
}

export interface StreamEvents {
  up(session: Session): void;
  stanza(stanza: Element): void;
  /** The server has taken this stanza. */
  acked(stanza: Element): void;
}
