// The next hop of the sandbox: an SMTP server on loopback that takes every mail and puts it into a Maildir, one folder
// for each mailbox, where a person or a program can read it.
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, open, rename } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import { type Mailbox, mailboxKey, parseMailbox } from '../mail/path.ts';

export interface SunkMail {
  readonly mailbox: Mailbox;
  /** The file in the mailbox's `new`. */
  readonly path: string;
  readonly messageId: string | undefined;
  readonly subject: string | undefined;
  /** Where an answer goes. */
  readonly replyTo: string | undefined;
}

export interface MailSink {
  /** Holds a Maildir for each mailbox that has had mail. */
  readonly maildir: string;
  start(): Promise<{ readonly host: string; readonly port: number }>;
  stop(): Promise<void>;
  onMail(listener: (mail: SunkMail) => void): void;
}

const host = '127.0.0.1';

export function createMailSink(maildir: string): MailSink {
  const listeners: ((mail: SunkMail) => void)[] = [];

  async function keep(content: Buffer, to: readonly string[]): Promise<void> {
    const parsed = await simpleParser(content, { skipTextToHtml: true, skipHtmlToText: true });
    const replyTo = parsed.replyTo ?? parsed.from;
    for (const address of to) {
      const mailbox = parseMailbox(address);
      if (mailbox === undefined) throw new Error(`not a mailbox: ${JSON.stringify(address)}`);
      const path = await intoMaildir(join(maildir, folderOf(mailbox)), content);
      const mail: SunkMail = {
        mailbox,
        path,
        messageId: parsed.messageId,
        subject: parsed.subject,
        replyTo: replyTo?.value[0]?.address,
      };
      for (const listener of listeners) listener(mail);
    }
  }

  const server = new SMTPServer({
    name: 'sink.sandbox',
    banner: 'the sandbox keeps every mail here',
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    logger: false,
    hideDSN: false,
    // Stopping must not wait for Pointsman's pooled connections.
    closeTimeout: 200,
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', callback);
      stream.on('end', () => {
        const to = session.envelope.rcptTo.map(({ address }) => address);
        keep(Buffer.concat(chunks), to).then(() => callback(null, 'Ok: kept'), callback);
      });
    },
  });
  // A client that goes away in the middle of a transaction is no matter of ours.
  server.on('error', () => undefined);

  return {
    maildir,
    onMail: (listener) => void listeners.push(listener),
    async start() {
      await mkdir(maildir, { recursive: true });
      server.listen(0, host);
      await once(server.server, 'listening');
      return { host, port: (server.server.address() as AddressInfo).port };
    },
    stop: () => new Promise((resolve) => server.close(resolve)),
  };
}

/** The mailbox as the name of a folder: what could mean something to a file system is percent-encoded. */
export function folderOf(mailbox: Mailbox): string {
  const name = mailboxKey(mailbox).replace(/[^a-z0-9@._+=-]|^\./gu, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
  );
  return name.length <= 200 ? name : createHash('sha256').update(name).digest('hex');
}

/** A mail appears in `new` only when it is whole: written in `tmp`, then renamed. */
async function intoMaildir(folder: string, content: Buffer): Promise<string> {
  for (const part of ['tmp', 'new', 'cur']) await mkdir(join(folder, part), { recursive: true });
  const name = `${Date.now()}.${randomUUID()}.sandbox`;
  const file = await open(join(folder, 'tmp', name), 'wx');
  try {
    await file.writeFile(content);
  } finally {
    await file.close();
  }
  await rename(join(folder, 'tmp', name), join(folder, 'new', name));
  return join(folder, 'new', name);
}
