// A next hop that takes everything, for counting: what arrived, for whom, and when.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { Journal } from './journal.ts';

export interface Arrival {
  readonly recipients: readonly string[];
  readonly subject: string;
  readonly head: string;
}

export class CountingSink implements AsyncDisposable {
  readonly arrivals = new Journal<Arrival>('the next hop');
  readonly #server: SMTPServer;

  constructor() {
    this.#server = new SMTPServer({
      disabledCommands: ['AUTH', 'STARTTLS'],
      disableReverseLookup: true,
      logger: false,
      onData: (stream, session, done) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        // A client that dies in the middle of the content has sent nothing.
        stream.on('end', () => {
          const head = Buffer.concat(chunks).toString('latin1').split('\r\n\r\n', 1)[0] ?? '';
          const subject = /^subject: (.*)$/im.exec(head)?.[1]?.trim() ?? '';
          this.arrivals.add({ recipients: session.envelope.rcptTo.map(({ address }) => address), subject, head });
          done();
        });
      },
    });
    // Its clients are killed: their broken connections are the point, not an error.
    this.#server.on('error', () => undefined);
  }

  async listen(): Promise<number> {
    const listening = this.#server.listen(0, '127.0.0.1');
    await once(listening, 'listening');
    return (listening.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
