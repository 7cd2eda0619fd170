// Port: what a front door may ask. The SMTP relay uses it now; milter and lookup will.
import type { Content, ContentWriter } from './mail/content.ts';
import type { Envelope, ForwardPath } from './mail/envelope.ts';
import type { MailFacts } from './mail/facts.ts';
import type { Mailbox, ReversePath } from './mail/path.ts';
import type { QueueId } from './mail/queue-id.ts';
import type { Reply } from './mail/reply.ts';
import type { ToldHeader } from './mail/told-header.ts';
import type { Choice, Snapshot } from './routing/choose.ts';
import type { Plan } from './routing/plan.ts';

export interface Client {
  /** The real peer address, never XFORWARD data. */
  readonly address: string;
  readonly port: number;
  readonly helo: string;
  readonly tls: boolean;
  /** Said HELO: SMTP without extensions. */
  readonly plain?: boolean;
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

/** What the rules say of each recipient, before anybody is chosen. */
export interface Planned {
  readonly client: Client;
  readonly envelope: Envelope;
  /** Of a header that was told field by field they have the fields that something reads now; wholeFacts() has all. */
  readonly facts: MailFacts;
  /** Absent: `facts` are whole. */
  readonly header?: ToldHeader;
  /** In the order of the envelope's forward-paths. */
  readonly plans: readonly Plan[];
  /** A policy may have to forward it later. */
  readonly needsContent: boolean;
  /** Rules ask for what the header does not tell: to be planned again, by planWhole, when all has come. */
  readonly unsure: 'nothing' | 'thread' | 'content';
}

/** What an MTA shall do with one recipient. */
export type Advice = {
  readonly because: readonly string[];
  /** Put above the mail: it is one mail, so all its recipients see them. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Who gets it besides, without the sender hearing of it. */
  readonly copies?: readonly Mailbox[];
} & (
  | { readonly kind: 'keep' }
  | { readonly kind: 'instead'; readonly mailboxes: readonly Mailbox[] }
  | { readonly kind: 'refuse'; readonly reply: Reply }
  /** Nobody is there, and the rules would have it wait. */
  | { readonly kind: 'later'; readonly until: number }
);

export interface Advised {
  readonly queueId: QueueId;
  /** In the order of the envelope's forward-paths. */
  readonly advice: readonly Advice[];
  /** To be called once the MTA was answered so (true), or could not be (false). */
  onAnswered(handedOver: boolean): void;
}

/** For doors whose MTA keeps queue and delivery to itself. */
export interface Advisor {
  /**
   * `header`: the header alone, as octets or field by field. Null when no rule can concern this mail: every recipient
   * stays.
   */
  plan(client: Client, envelope: Envelope, header: Uint8Array | ToldHeader): Planned | null;
  /** The same plan made surer. @param content null: it was too large, or nobody asked for it @throws PointsmanError */
  planWhole(planned: Planned, content: Uint8Array | null): Promise<Planned>;
  /**
   * Chooses, and remembers the choice. When content is needed, all of it is durable before this resolves.
   * @throws PointsmanError
   */
  advise(planned: Planned, content: Uint8Array | null): Advised | Promise<Advised>;
  /** By the envelope alone, for doors that can refuse single recipients while it is told. */
  refusal(reversePath: ReversePath, mailbox: Mailbox): Reply | undefined;
  /** Whether any rule in force refuses so. */
  refusesByEnvelope(): boolean;
  /** Whether the rules in force have any mail whose content must be kept or looked into. */
  keepsContent(): boolean;
  /** As advise(), but nothing is remembered. */
  preview(planned: Planned): readonly {
    readonly plan: Plan;
    readonly choice: Choice | null;
    readonly snapshot: Snapshot | null;
    /** As in Advice. */
    readonly headers: readonly (readonly [name: string, value: string])[];
  }[];
}
