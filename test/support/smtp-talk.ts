// SMTP spoken line by line, as a test wants it and no library would.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export class SmtpTalk implements Disposable {
  readonly #socket: Socket;
  #received = '';
  #ended: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.#received += text;
    });
    socket.on('error', (error) => {
      this.#ended = error;
    });
    socket.on('close', () => {
      this.#ended ??= new Error('the server closed the connection');
    });
  }

  /** Connected; the greeting is the first reply(). `from`: which loopback address to come from. */
  static async open(port: number, { from = '127.0.0.1' }: { from?: string } = {}): Promise<SmtpTalk> {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from, noDelay: true });
    await once(socket, 'connect');
    return new SmtpTalk(socket);
  }

  /** The next whole reply: all its lines, without the last line end. */
  async reply(within = 20_000): Promise<string> {
    const deadline = AbortSignal.timeout(within);
    for (;;) {
      const whole = /^(?:\d{3}-[^\r\n]*\r\n)*\d{3} [^\r\n]*\r\n/.exec(this.#received)?.[0];
      if (whole !== undefined) {
        this.#received = this.#received.slice(whole.length);
        return whole.trimEnd();
      }
      if (this.#ended) throw this.#ended;
      const done = new AbortController();
      const signal = AbortSignal.any([deadline, done.signal]);
      // What comes first: more, the end, or the deadline.
      await Promise.race([once(this.#socket, 'data', { signal }), once(this.#socket, 'close', { signal })]).finally(
        () => done.abort(),
      );
    }
  }

  say(line: string): Promise<string> {
    this.#socket.write(`${line}\r\n`, 'latin1');
    return this.reply();
  }

  /** After 354: dots are doubled, the end is written. */
  content(bytes: Buffer): Promise<string> {
    const stuffed = bytes.toString('latin1').replace(/^\./gm, '..');
    this.#socket.write(`${stuffed}${stuffed.endsWith('\r\n') ? '' : '\r\n'}.\r\n`, 'latin1');
    return this.reply();
  }

  /** Greeting and EHLO. */
  async hello(): Promise<void> {
    expect(await this.reply(), '220');
    expect(await this.say('EHLO client.test'), '250');
  }

  /** One mail; the reply after its content. @throws when it is refused. */
  async mail(from: string, to: string | readonly string[], content: Buffer): Promise<string> {
    expect(await this.say(`MAIL FROM:<${from}>`), '250');
    for (const one of [to].flat()) expect(await this.say(`RCPT TO:<${one}>`), '250');
    expect(await this.say('DATA'), '354');
    return expect(await this.content(content), '250');
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

function expect(reply: string, code: string): string {
  if (!reply.startsWith(code)) throw new Error(`expected ${code}, got: ${reply}`);
  return reply;
}
