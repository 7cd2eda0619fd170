// One connection to one mailbox: looks the watched mails up by Message-ID, reads their flags, and looks again whenever
// the server says that something has changed (RFC 2177 IDLE). Opened read-only: to look must not mark anything as read.
import { ImapFlow } from 'imapflow';
import type { ImapConfig } from '../config.ts';
import type { Mailbox } from '../mail/path.ts';
import type { MailboxSight } from '../mailboxes.ts';

/** What is known of one mail between connections. */
export interface Sighting {
  found: boolean;
  readonly told: Set<MailboxSight['what']>;
}

export interface SessionOptions {
  readonly config: ImapConfig;
  readonly mailbox: Mailbox;
  /** The Message-IDs watched now. */
  readonly watched: () => ReadonlyMap<string, Sighting>;
  readonly found: (messageId: string) => void;
  readonly tell: (messageId: string, what: MailboxSight['what'], reference: string) => void;
}

export class Session {
  readonly #client: ImapFlow;
  readonly #options: SessionOptions;
  readonly #uids = new Map<string, readonly number[]>();
  readonly #closed = Promise.withResolvers<void>();
  #error: unknown;
  #looking: Promise<void> = Promise.resolve();
  #pending = false;

  constructor(options: SessionOptions) {
    const { config, mailbox } = options;
    this.#options = options;
    this.#client = new ImapFlow({
      host: config.host,
      port: config.port,
      secure: config.tls === 'verify',
      // Without this a man in the middle could leave STARTTLS out of what the server offers.
      doSTARTTLS: config.tls === 'starttls',
      auth: { user: config.user.replaceAll('{mail}', mailbox), pass: config.password },
      ...(config.ca === null ? {} : { tls: { ca: config.ca } }),
      logger: false,
      connectionTimeout: 20_000,
      greetingTimeout: 20_000,
      maxIdleTime: 5 * 60_000,
      disableAutoIdle: true,
    });
    this.#client.on('error', (error: unknown) => {
      this.#error ??= error;
      this.#client.close();
    });
    this.#client.on('close', () => this.#closed.resolve());
    for (const event of ['flags', 'exists', 'expunge'] as const) this.#client.on(event, () => this.look());
  }

  /** Connects, and has looked once. @throws what stands in the way */
  async open(): Promise<void> {
    await this.#client.connect();
    await this.#client.mailboxOpen(this.#options.config.folder, { readOnly: true });
    await this.#look();
  }

  /** Again, soon; changes that come meanwhile are seen by the same look. */
  look(): void {
    if (this.#pending) return;
    this.#pending = true;
    this.#looking = this.#looking
      .then(async () => {
        this.#pending = false;
        await this.#look();
        this.#idle();
      })
      .catch((error: unknown) => {
        this.#error ??= error;
        this.#client.close();
      });
  }

  /** Listens until the connection ends or `signal` aborts. @throws what ended it */
  async stand(signal: AbortSignal): Promise<void> {
    const end = () => this.#client.close();
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    else this.#idle();
    await this.#closed.promise;
    signal.removeEventListener('abort', end);
    if (!signal.aborted) throw this.#error ?? new Error('the server closed the connection');
  }

  async leave(): Promise<void> {
    await this.#client.logout().catch(() => this.#client.close());
  }

  close(): void {
    this.#client.close();
  }

  #idle(): void {
    if (!this.#client.usable) return;
    this.#client.idle().catch((error: unknown) => {
      this.#error ??= error;
      this.#client.close();
    });
  }

  async #look(): Promise<void> {
    const watched = this.#options.watched();
    for (const messageId of this.#uids.keys()) if (!watched.has(messageId)) this.#uids.delete(messageId);
    for (const [messageId, sighting] of watched) {
      if (this.#uids.has(messageId)) continue;
      const uids = await this.#client.search({ header: { 'message-id': messageId } }, { uid: true });
      if (uids && uids.length > 0) {
        this.#uids.set(messageId, uids);
        if (!sighting.found) this.#options.found(messageId);
        sighting.found = true;
      } else if (sighting.found) this.#gone(messageId, sighting);
    }
    const all = [...this.#uids.values()].flat();
    if (all.length === 0) return;
    const flags = new Map<number, ReadonlySet<string>>();
    for await (const mail of this.#client.fetch(all.join(','), { uid: true, flags: true }, { uid: true }))
      flags.set(mail.uid, mail.flags ?? new Set());
    for (const [messageId, uids] of this.#uids) {
      const sighting = watched.get(messageId);
      if (sighting) this.#judge(messageId, sighting, uids, flags);
    }
  }

  #judge(
    messageId: string,
    sighting: Sighting,
    uids: readonly number[],
    flags: ReadonlyMap<number, ReadonlySet<string>>,
  ): void {
    const here = uids.filter((uid) => flags.has(uid));
    const uid = (flag: string) => here.find((each) => flags.get(each)?.has(flag));
    const answered = uid('\\Answered');
    const seen = uid('\\Seen');
    if (answered !== undefined) this.#tell(messageId, sighting, 'answered', answered);
    else if (seen !== undefined) this.#tell(messageId, sighting, 'seen', seen);
    else if (here.length === 0 || here.every((each) => flags.get(each)?.has('\\Deleted')))
      this.#gone(messageId, sighting);
    if (here.length === 0) this.#uids.delete(messageId);
  }

  #gone(messageId: string, sighting: Sighting): void {
    // Opened first and filed away then is what people do with mail.
    if (!sighting.told.has('seen') && !sighting.told.has('answered')) this.#tell(messageId, sighting, 'unread-gone');
  }

  #tell(messageId: string, { told }: Sighting, what: MailboxSight['what'], uid?: number): void {
    if (told.has(what)) return;
    told.add(what);
    this.#options.tell(messageId, what, `${this.#options.config.folder}${uid === undefined ? '' : ` uid ${uid}`}`);
  }
}
