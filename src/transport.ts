// Port: the way out. One call is one SMTP transaction to one next hop.
import type { Content } from './mail/content.ts';
import type { Envelope, ForwardPath } from './mail/envelope.ts';
import type { Reply } from './mail/reply.ts';

export interface NextHop {
  /** Name in the config, for people and metrics. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly tls: 'none' | 'may' | 'encrypt' | 'verify';
  readonly maxConnections: number;
}

export interface Shipment {
  readonly queueId: string;
  /** Only the parts that are the same for all: the forward-paths are in `recipients`. */
  readonly envelope: Omit<Envelope, 'forwardPaths'>;
  /** At least one; all with the same `notify` and `orcpt`, which the next hop is given when it offers DSN. */
  readonly recipients: readonly ForwardPath[];
  /** Header lines to prepend, each ending in CRLF. */
  readonly prepend: string;
  /** As received, after dot-unstuffing. */
  readonly content: Content;
}

/** Per recipient, in the order of the shipment. */
export type Outcome =
  | {
      readonly kind: 'accepted';
      readonly reply: Reply;
      /** True when the next hop offered DSN, and so took over what NOTIFY asks for (RFC 3461 §5.2.1). */
      readonly dsn?: boolean;
    }
  /** `reply` is the next hop's own; absent when there was none (connection lost, time out): always temporary. */
  | { readonly kind: 'temporary'; readonly reply?: Reply; readonly cause: string }
  | { readonly kind: 'permanent'; readonly reply: Reply; readonly cause: string };

export interface Transport {
  /**
   * Never rejects for what a next hop does; every recipient gets an outcome. `onFinalDot` is called, and awaited,
   * before the end of the content is written: what it records makes a possible duplicate known after a crash. When it
   * answers no promise there is nothing to wait for.
   */
  ship(
    hop: NextHop,
    shipment: Shipment,
    options: { signal: AbortSignal; onFinalDot: () => Promise<void> | undefined },
  ): Promise<readonly Outcome[]>;
  /** Closes kept connections. */
  close(): Promise<void>;
}
