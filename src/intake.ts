// Port: what a front door may ask. The SMTP relay uses it now; milter and lookup will.
import type { Content, ContentWriter } from './mail/content.ts';
import type { Envelope, ForwardPath } from './mail/envelope.ts';
import type { QueueId } from './mail/queue-id.ts';
import type { Reply } from './mail/reply.ts';

export interface Client {
  /** The real peer address, never XFORWARD data. */
  readonly address: string;
  readonly port: number;
  readonly helo: string;
  readonly tls: boolean;
  /** By the listener's or the peer's configuration. */
  readonly carriesMembers: boolean;
  /** Address and name the MTA says the mail came from (XFORWARD): for the log only. */
  readonly forwardedFor?: string;
}

export interface Intake {
  /** At connect. A Reply is a refusal. */
  admitClient(address: string): Reply | undefined;
  /** At RCPT. A Reply is a refusal; relaying goes only to configured domains, groups and people, whoever asks. */
  admitRecipient(client: Client, path: ForwardPath): Reply | undefined;
  /**
   * After the final dot. Resolves when content and envelope are durable: the front door may then say 250 with the id.
   * @throws PointsmanError with the reply for the peer; nothing is kept then.
   */
  accept(client: Client, envelope: Envelope, content: Content): Promise<QueueId>;
  /** For content that is too large for memory. Absent: there is no such room, and it is kept in memory. */
  openContent?(): ContentWriter;
}
