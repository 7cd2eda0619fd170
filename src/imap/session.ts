// One connection to one mailbox: looks the watched mails up by Message-ID, reads their flags, and looks again whenever
// the server says that something has changed (RFC 2177 IDLE). Opened read-only: to look must not mark anything as read.
// Where the server counts changes (RFC 7162 CONDSTORE) only what has changed since the last look is asked for, also when
// that look was made by a connection of before; and nothing at all of a mailbox in which nothing has changed.
import { type FetchMessageObject, ImapFlow } from 'imapflow';
import type { ImapConfig } from '../config.ts';
import type { Mailbox } from '../mail/path.ts';
import type { MailboxSight } from '../mailboxes.ts';

/** What is known of one mail between connections. */
export interface Sighting {
  found: boolean;
  readonly told: Set<MailboxSight['what']>;
}

/** What a mailbox looked like, for the next look. */
export interface Memory {
  uidValidity: bigint | null;
  /** Null where the server does not count changes. */
  modseq: bigint | null;
  /** Of the mailbox: how many, and what the next one will be called. */
  shape: string;
  readonly uids: Map<string, readonly number[]>;
  readonly flags: Map<number, ReadonlySet<string>>;
  /** Looked for, in a mailbox of that shape. */
  readonly searched: Set<string>;
}

export const newMemory = (): Memory => ({
  uidValidity: null,
  modseq: null,
  shape: '',
  uids: new Map(),
  flags: new Map(),
  searched: new Set(),
});

export interface SessionOptions {
  readonly config: ImapConfig;
  readonly mailbox: Mailbox;
  readonly memory: Memory;
  /** The Message-IDs watched now. */
  readonly watched: () => ReadonlyMap<string, Sighting>;
  readonly found: (messageId: string) => void;
  readonly tell: (messageId: string, what: MailboxSight['what'], reference: string) => void;
}

export class Session {
  readonly #client: ImapFlow;
  readonly #options: SessionOptions;
  /** Something was removed: only a look at all says what. */
  #removed = false;
  /** No look was made yet. */
  #first = true;
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
    for (const event of ['flags', 'exists'] as const) this.#client.on(event, () => this.look());
    this.#client.on('expunge', () => {
      this.#removed = true;
      this.look();
    });
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
    const { memory } = this.#options;
    const watched = this.#options.watched();
    const { known, modseq } = this.#begin();
    for (const messageId of memory.uids.keys()) if (!watched.has(messageId)) memory.uids.delete(messageId);
    for (const [messageId, sighting] of watched) {
      if (memory.uids.has(messageId) || (known && memory.searched.has(messageId))) continue;
      const uids = await this.#client.search({ header: { 'message-id': messageId } }, { uid: true });
      memory.searched.add(messageId);
      if (uids && uids.length > 0) {
        memory.uids.set(messageId, uids);
        if (!sighting.found) this.#options.found(messageId);
        sighting.found = true;
      } else if (sighting.found) this.#gone(messageId, sighting);
    }
    memory.modseq = await this.#readFlags(known, modseq);
    this.#first = false;
    for (const [messageId, uids] of memory.uids) {
      const sighting = watched.get(messageId);
      if (sighting) this.#judge(messageId, sighting, uids, memory.flags);
    }
  }

  /** `known`: nothing has come or gone since the last look. */
  #begin(): { known: boolean; modseq: bigint | null } {
    const { memory } = this.#options;
    const { mailbox } = this.#client;
    if (!mailbox) throw new Error('no folder is open');
    if (memory.uidValidity !== mailbox.uidValidity) {
      // RFC 3501 §2.3.1.1: the numbers of before mean nothing any more.
      for (const each of [memory.uids, memory.flags, memory.searched]) each.clear();
      memory.uidValidity = mailbox.uidValidity;
      memory.modseq = null;
    }
    const shape = `${mailbox.exists} ${mailbox.uidNext}`;
    const known = memory.shape === shape && !this.#removed;
    if (!known) memory.searched.clear();
    if (!known) memory.modseq = null;
    memory.shape = shape;
    this.#removed = false;
    return { known, modseq: mailbox.noModseq ? null : (mailbox.highestModseq ?? null) };
  }

  /** Answers up to which change it is known how they stand. */
  async #readFlags(known: boolean, modseq: bigint | null): Promise<bigint | null> {
    const { memory } = this.#options;
    const all = [...memory.uids.values()].flat();
    const since = known ? memory.modseq : null;
    const before = new Set(all.filter((uid) => since !== null && memory.flags.has(uid)));
    for (const uid of [...memory.flags.keys()]) if (!before.has(uid)) memory.flags.delete(uid);
    // All that changes from now on is counted higher than what was seen.
    let seen = modseq;
    const see = (mail: Pick<FetchMessageObject, 'uid' | 'flags' | 'modseq'>): void => {
      memory.flags.set(mail.uid, mail.flags ?? new Set());
      if (seen !== null && mail.modseq !== undefined && mail.modseq > seen) seen = mail.modseq;
    };
    const read = async (uids: readonly number[], options: { changedSince?: bigint }): Promise<void> => {
      if (uids.length === 0) return;
      for await (const mail of this.#client.fetch(
        uids.join(','),
        { uid: true, flags: true },
        { uid: true, ...options },
      ))
        see(mail);
    };
    await read(
      all.filter((uid) => !before.has(uid)),
      {},
    );
    if (since !== null && !(this.#first && since === modseq)) await read([...before], { changedSince: since });
    return seen;
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
    if (here.length === 0) this.#options.memory.uids.delete(messageId);
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
