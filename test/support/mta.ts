// An MTA's side of the milter protocol, for tests and measurements: it negotiates, tells of messages, and keeps to what
// was agreed about answers.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { commands, offerPacket, type Packet, PacketReader, packet, readOffer, steps } from '../../src/milter/wire.ts';

export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
  readonly queueId?: string;
}

/** The packets that answered the end of a message: code letters, payloads as text with NUL as `|`. */
export type Answer = readonly string[];

export class Mta {
  readonly #socket: Socket;
  readonly #reader = new PacketReader();
  #wake: (() => void) | null = null;
  #closed = false;
  protocol = 0;
  version = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const look = (): void => this.#wake?.();
    socket.on('data', (chunk) => {
      this.#reader.push(chunk);
      look();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#closed = true;
      look();
    });
  }

  static async dial(
    where: { host: string; port: number } | { path: string },
    offer = { version: 6, actions: 0x1ff, protocol: 0x1fffff },
  ): Promise<Mta> {
    const socket = connect({ ...where, noDelay: true });
    await once(socket, 'connect');
    const mta = new Mta(socket);
    mta.send(offerPacket(offer));
    const agreed = readOffer((await mta.answer()).payload);
    mta.protocol = agreed.protocol;
    mta.version = agreed.version;
    return mta;
  }

  send(octets: Buffer): void {
    this.#socket.write(octets);
  }

  /** @throws when the milter closes the connection instead */
  async answer(): Promise<Packet> {
    for (;;) {
      const found = this.#reader.next();
      if (found) return found;
      if (this.#closed) throw new Error('the milter closed the connection');
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
      this.#wake = null;
    }
  }

  /** One step; its answer's code, or `-` when none is due. */
  async step(code: number, payload: string | Buffer, noReply: number): Promise<string> {
    this.send(packet(code, Buffer.from(payload)));
    return (this.protocol & noReply) === 0 ? shown(await this.answer()) : '-';
  }

  async hello({ name = 'mail.example', address = '192.0.2.1' } = {}): Promise<void> {
    await this.step(commands.connect, `${name}\x004\x00\x19${address}\0`, steps.nrConnect);
    await this.step(commands.helo, `${name}\0`, steps.nrHelo);
  }

  async message({ from, to, headers = [], body = '', queueId = 'Q1' }: Mail): Promise<Answer> {
    this.send(packet(commands.macro, Buffer.from(`Mi\0${queueId}\0`)));
    await this.step(commands.mail, `${from}\0`, steps.nrMail);
    for (const each of to) await this.step(commands.recipient, `${each}\0`, steps.nrRecipient);
    for (const [name, value] of headers) await this.step(commands.header, `${name}\0 ${value}\0`, steps.nrHeader);
    if ((this.protocol & steps.noEndOfHeaders) === 0) await this.step(commands.endOfHeaders, '', steps.nrEndOfHeaders);
    if ((this.protocol & steps.noBody) === 0 && body !== '') await this.step(commands.body, body, steps.nrBody);
    this.send(packet(commands.endOfBody));
    const answers: string[] = [];
    for (;;) {
      const one = await this.answer();
      answers.push(shown(one));
      if ('catrdy'.includes(String.fromCharCode(one.code))) return answers;
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

const shown = ({ code, payload }: Packet): string =>
  [String.fromCharCode(code), ...payload.toString('utf8').replace(/\0$/, '').split('\0')].join(' ').trimEnd();
