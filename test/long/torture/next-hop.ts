// A next hop in trouble, by a script that follows from the seed: it dies in the middle of the content, answers 4xx at any
// stage, hangs, closes half, speaks garbage, or takes the content and drops the line instead of answering. It writes down
// what it has taken, for whom, and whether its reply got out.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type Chance, oneOf } from './chance.ts';

export const troubles = [
  'dies in the content',
  '4xx to MAIL',
  '4xx to RCPT',
  '4xx to DATA',
  '4xx to the content',
  '421 to MAIL',
  '421 to the content',
  '421 as greeting',
  'hangs before the greeting',
  'hangs at MAIL',
  'hangs at DATA',
  'hangs after the content',
  'closes half after 354',
  'closes half after the content',
  'garbage as greeting',
  'garbage to RCPT',
  'garbage to the content',
  'drops after the final dot',
  'one reply too many',
  'a 250 before the content',
  'endless reply line',
  '5xx to the content',
] as const;
export type Trouble = (typeof troubles)[number];

/** In these the content is taken, and nobody is told. */
const takesSilently: ReadonlySet<Trouble> = new Set<Trouble>([
  'hangs after the content',
  'closes half after the content',
  'garbage to the content',
  'drops after the final dot',
]);

const refusesContent: ReadonlySet<Trouble> = new Set<Trouble>([
  '4xx to the content',
  '421 to the content',
  '5xx to the content',
  // It has said 250 to nothing, and then could not store it.
  'a 250 before the content',
]);

export interface Arrival {
  /** From our Received field; of a report, from its Message-ID. */
  readonly queueId: string;
  readonly messageId: string;
  readonly recipients: readonly string[];
  /** Life of Pointsman in which it came. */
  readonly life: number;
  /** The 250 was handed to the network. */
  readonly replied: boolean;
  /** Of the octets from the sender's first field on. */
  readonly digest: string;
  /** What a report (RFC 3464) says. */
  readonly report?: {
    /** ENVID of the message it is about. */
    readonly envid?: string;
    /** Message-ID of the message it is about. */
    readonly about?: string;
    /** Who failed: as the sender knows them, where it says so. */
    readonly failed: readonly string[];
  };
}

export class TroubledHop implements AsyncDisposable {
  readonly arrivals: Arrival[] = [];
  /** Who was refused for good, by a reply of 5xx: an address, or queue id and address where the content was refused. */
  readonly refused = new Set<string>();
  readonly counts = new Map<string, number>();
  life = 0;
  /** Null: nothing is wrong with it. */
  trouble: Trouble | null = null;
  readonly #chance: Chance;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(chance: Chance) {
    this.#chance = chance;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => socket.destroy());
      new HopSession(this, socket);
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on it is well; whatever hangs is cut off. */
  heal(): void {
    this.trouble = null;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** What it does with the next transaction: mostly the trouble of the round, often nothing, sometimes another. */
  draw(): Trouble | null {
    if (this.trouble === null) return null;
    const drawn = this.#chance();
    const one = drawn < 0.45 ? null : drawn < 0.85 ? this.trouble : oneOf(this.#chance, troubles);
    if (one !== null) this.counts.set(one, (this.counts.get(one) ?? 0) + 1);
    return one;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.heal();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const noise = Buffer.from([0x00, 0xff, 0x0d, 0x16, 0x03, 0x01, 0x0a, 0x80, 0x32, 0x35, 0x30, 0x0d, 0x0d, 0x0a]);

class HopSession {
  readonly #hop: TroubledHop;
  readonly #socket: Socket;
  #trouble: Trouble | null;
  #sender = false;
  #recipients: string[] = [];
  #content: string[] | undefined;
  #size = 0;
  #tail = '';
  #rest = '';
  /** It answers nothing any more. */
  #mute = false;

  constructor(hop: TroubledHop, socket: Socket) {
    this.#hop = hop;
    this.#socket = socket;
    this.#trouble = hop.draw();
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => this.#hear(chunk));
    // The other side has closed: so do we, unless we only pretend to be there.
    socket.on('end', () => socket.end());
    switch (this.#trouble) {
      case '421 as greeting':
        socket.end('421 4.3.2 not now\r\n');
        return;
      case 'hangs before the greeting':
        this.#mute = true;
        return;
      case 'garbage as greeting':
        socket.write(noise);
        socket.write('\r\n');
        return;
      default:
        socket.write('220 hop.test ESMTP\r\n');
    }
  }

  #hear(chunk: string): void {
    if (this.#mute) return;
    let input = this.#rest + chunk;
    this.#rest = '';
    while (input !== '' && !this.#mute && !this.#socket.destroyed) {
      if (this.#content) {
        const left = this.#take(this.#content, input);
        if (left === undefined) return;
        input = left;
        continue;
      }
      const end = input.indexOf('\n');
      if (end < 0) {
        this.#rest = input;
        return;
      }
      this.#answer(input.slice(0, end).trim());
      input = input.slice(end + 1);
    }
  }

  #answer(line: string): void {
    const verb = line.slice(0, 4).toUpperCase();
    const trouble = this.#trouble;
    switch (verb) {
      case 'EHLO':
        return void this.#say(
          '250-hop.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250 SIZE',
        );
      case 'MAIL':
        this.#recipients = [];
        this.#sender = false;
        if (trouble === 'hangs at MAIL') return void this.#hang();
        if (trouble === '4xx to MAIL') return void this.#say('450 4.7.1 later, please');
        if (trouble === '421 to MAIL') return void this.#end('421 4.3.2 closing');
        this.#sender = true;
        return void this.#say('250 2.1.0 ok');
      case 'RCPT':
        return void this.#recipient(/<(.*?)>/.exec(line)?.[1] ?? '');
      case 'DATA':
        if (this.#recipients.length === 0) return void this.#say('503 5.5.1 no recipient');
        if (trouble === 'hangs at DATA') return void this.#hang();
        if (trouble === '4xx to DATA') return void this.#say('451 4.3.0 no room just now');
        this.#content = [];
        this.#size = 0;
        this.#tail = '\r\n';
        this.#say(trouble === 'a 250 before the content' ? '354 go on\r\n250 2.0.0 taken' : '354 go on');
        if (trouble === 'closes half after 354') this.#socket.end();
        return;
      case 'RSET':
        this.#recipients = [];
        this.#sender = false;
        this.#trouble = this.#hop.draw();
        return void this.#say('250 2.0.0 ok');
      case 'QUIT':
        return void this.#end('221 2.0.0 bye');
      default:
        return void this.#say('500 5.5.2 what?');
    }
  }

  #recipient(address: string): void {
    if (!this.#sender) return void this.#say('503 5.5.1 MAIL first');
    // Meant for good, whatever the trouble: its sender must hear of it, once.
    if (address.startsWith('refused-')) {
      this.#hop.refused.add(address);
      return void this.#say('550 5.1.1 nobody of that name');
    }
    if (this.#trouble === '4xx to RCPT') return void this.#say('452 4.2.2 mailbox full for now');
    if (this.#trouble === 'garbage to RCPT') {
      this.#socket.write(noise);
      return void this.#say('2x0 hm');
    }
    if (this.#trouble === 'endless reply line') {
      this.#socket.write(`250 ${'x'.repeat(200_000)}`);
      return void this.#hang();
    }
    this.#recipients.push(address);
    return void this.#say('250 2.1.5 ok');
  }

  /** What is left after the end of the content; undefined while it has not ended. */
  #take(content: string[], input: string): string | undefined {
    if (this.#trouble === 'dies in the content' && this.#size + input.length > 600) {
      this.#socket.resetAndDestroy();
      return undefined;
    }
    this.#size += input.length;
    const seam = this.#tail + input;
    const end = seam.indexOf('\r\n.\r\n');
    content.push(end < 0 ? input : input.slice(0, Math.max(0, end + 5 - this.#tail.length)));
    if (end < 0) {
      this.#tail = seam.slice(-4);
      return undefined;
    }
    this.#content = undefined;
    this.#end354(content.join(''));
    return seam.slice(end + 5);
  }

  #end354(content: string): void {
    const trouble = this.#trouble;
    if (trouble === '5xx to the content')
      for (const each of this.#recipients) this.#hop.refused.add(`${queueIdIn(headOf(content))} ${each}`);
    const refused = trouble !== null && refusesContent.has(trouble);
    const silent = trouble !== null && takesSilently.has(trouble);
    if (!refused) this.#keep(content, !silent);
    this.#recipients = [];
    this.#sender = false;
    this.#trouble = this.#hop.draw();
    switch (trouble) {
      case '4xx to the content':
      case 'a 250 before the content':
        return void this.#say('451 4.3.0 could not store it');
      case '5xx to the content':
        return void this.#say('554 5.6.0 not with this content');
      case '421 to the content':
        return void this.#end('421 4.3.2 closing');
      case 'hangs after the content':
        return void this.#hang();
      case 'closes half after the content':
        this.#mute = true;
        this.#socket.end();
        return;
      case 'garbage to the content':
        this.#socket.write(noise);
        return void this.#say('OK');
      case 'drops after the final dot':
        this.#socket.destroy();
        return;
      case 'one reply too many':
        return void this.#say('250 2.0.0 taken\r\n250 2.0.0 and again');
      default:
        return void this.#say('250 2.0.0 taken');
    }
  }

  #keep(content: string, replied: boolean): void {
    const head = headOf(content);
    const from = content.indexOf('From: ');
    this.#hop.arrivals.push({
      queueId: queueIdIn(head),
      messageId: /^Message-ID: (<.*?>)/im.exec(head)?.[1] ?? 'none',
      recipients: [...this.#recipients],
      life: this.#hop.life,
      replied,
      digest: digestOf(content.slice(from)),
      ...(/^Content-Type: multipart\/report/im.test(head) ? { report: reportIn(head, content) } : {}),
    });
  }

  #say(text: string): void {
    if (this.#socket.writable) this.#socket.write(`${text}\r\n`);
  }

  #end(text: string): void {
    this.#mute = true;
    if (this.#socket.writable) this.#socket.end(`${text}\r\n`);
  }

  #hang(): void {
    this.#mute = true;
  }
}

const headOf = (content: string): string => content.slice(0, content.indexOf('\r\n\r\n') + 2);

/** The first Received is ours; a report is our own and has the id in its Message-ID. */
const queueIdIn = (head: string): string =>
  /^Received: [^\0]*?\bid (\w+)/m.exec(head)?.[1] ?? /^Message-ID: <(\w+)[.@]/im.exec(head)?.[1] ?? 'unknown';

/** Of octets as they go over the wire, final dot included. */
export const digestOf = (text: string): string => createHash('sha1').update(text, 'latin1').digest('base64url');

function reportIn(head: string, content: string): NonNullable<Arrival['report']> {
  const envid = /^Original-Envelope-Id: (\S+)\r$/im.exec(content)?.[1];
  const about = /^References: (<.*?>)/im.exec(head)?.[1];
  const groups = content.split('\r\n\r\n').filter((group) => /^Action: failed\r?$/im.test(group));
  const failed = groups.map(
    (group) =>
      (/^Original-Recipient: rfc822; ?(\S+)/im.exec(group) ?? /^Final-Recipient: rfc822; ?(\S+)/im.exec(group))?.[1] ??
      '',
  );
  return { failed, ...(envid === undefined ? {} : { envid }), ...(about === undefined ? {} : { about }) };
}
