// The MTA in front: hands in mail of many kinds and writes down what got a 250, and for whom. What it is not sure of it
// forgets: it may be there or not. Beside it runs Postfix's smtp-source, the replies to which are noted.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { encodeXtext } from '../../../src/smtp/xtext.ts';
import { programPath } from '../../support/peers.ts';
import { SmtpTalk } from '../../support/smtp-talk.ts';
import { type Chance, oneOf } from './chance.ts';
import { digestOf } from './next-hop.ts';

export interface Posted {
  readonly number: number;
  readonly queueId: string;
  /** Empty: the null reverse-path. */
  readonly from: string;
  /** Those that RCPT accepted. */
  readonly recipients: readonly string[];
  /** The sender wants no report. */
  readonly never: boolean;
  /** Absent: it gave none, and reports are told by the Message-ID. */
  readonly envid?: string;
  readonly digest: string;
  readonly life: number;
}

export const messageIdOf = (number: number): string => `<torture-${number}@source.test>`;

export const groupAddress = 'desk@torture.test';
export const sender = 'sender@source.test';

type Draft = Omit<Posted, 'queueId' | 'life' | 'digest'> & { readonly size: number };

export class Load {
  readonly posted: Posted[] = [];
  /** Content was sent and no reply heard: it may be there or not. */
  readonly unsure: Omit<Posted, 'queueId'>[] = [];
  /** Refused for now, as it must be when the disk is full. */
  turnedAway = 0;
  life = 0;
  readonly #chance: Chance;
  #count = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** Until `signal` aborts; a server that is not there is tried again. */
  async run(port: number, signal: AbortSignal, lanes = 4): Promise<void> {
    await Promise.all(Array.from({ length: lanes }, () => this.#lane(port, signal)));
  }

  async #lane(port: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        using talk = await SmtpTalk.open(port);
        await talk.hello();
        for (let uses = 0; uses < 10 && !signal.aborted; uses += 1) await this.#post(talk, this.#draft());
      } catch {
        // Killed in the middle of it: what mattered has been counted where it happened.
        await pause(15);
      }
    }
  }

  #draft(): Draft {
    this.#count += 1;
    const number = this.#count;
    const kind = this.#chance();
    const ok = (letter: string) => `b${letter}-${number}@sink.test`;
    const refused = `refused-${number}@sink.test`;
    const size = this.#chance() < 0.05 ? 300_000 : oneOf(this.#chance, [400, 2_000, 12_000]);
    const envid = this.#chance() < 0.6 ? { envid: `torture+${number}` } : {};
    const base = { number, from: sender, never: false, size, ...envid };
    if (kind < 0.03) return { ...base, recipients: [groupAddress, ok('a')] };
    if (kind < 0.05) return { ...base, from: '', recipients: [groupAddress] };
    if (kind < 0.12) return { ...base, recipients: [groupAddress] };
    if (kind < 0.2) return { ...base, recipients: [ok('a'), refused, ok('c')] };
    if (kind < 0.28) return { ...base, recipients: [ok('a'), ok('b'), ok('c')] };
    if (kind < 0.33) return { ...base, from: '', recipients: [ok('a'), refused] };
    if (kind < 0.38) return { ...base, never: true, recipients: [ok('a'), refused] };
    return { ...base, recipients: [ok('a')] };
  }

  async #post(talk: SmtpTalk, draft: Draft): Promise<void> {
    const envid = draft.envid === undefined ? '' : ` ENVID=${encodeXtext(draft.envid)}`;
    const reverse = await talk.say(`MAIL FROM:<${draft.from}>${envid}`);
    if (!reverse.startsWith('250')) throw new Error(reverse);
    const accepted: string[] = [];
    for (const each of draft.recipients) {
      const reply = await talk.say(`RCPT TO:<${each}>${draft.never ? ' NOTIFY=NEVER' : ''}`);
      if (reply.startsWith('250')) accepted.push(each);
    }
    const data = accepted.length === 0 ? 'none' : await talk.say('DATA');
    if (!data.startsWith('354')) {
      this.turnedAway += 1;
      await pause(20);
      if (!(await talk.say('RSET')).startsWith('250')) throw new Error('RSET refused');
      return;
    }
    const { life } = this;
    const content = contentOf(draft);
    const { size: _, ...rest } = draft;
    const digest = digestOf(`${content.toString('latin1').replace(/^\./gm, '..')}.\r\n`);
    const mail = { ...rest, recipients: accepted, digest, life };
    let reply: string;
    try {
      reply = await talk.content(content);
    } catch (error) {
      this.unsure.push(mail);
      throw error;
    }
    const queueId = /^250 .*\bqueued as (\w+)$/.exec(reply)?.[1];
    if (queueId !== undefined) this.posted.push({ ...mail, queueId });
    else if (reply.startsWith('4')) this.turnedAway += 1;
    else throw new Error(`a 250 names the queue id, and nothing here is refused for good: ${reply}`);
  }
}

function contentOf({ number, from, recipients, size }: Draft): Buffer {
  const line = `.${'x'.repeat(70)}\r\n`;
  const head = [
    `From: <${from || 'mailer-daemon@source.test'}>`,
    `To: <${recipients.join('>, <')}>`,
    `Subject: torture ${number}`,
    `Message-ID: ${messageIdOf(number)}`,
    '',
    '',
  ].join('\r\n');
  return Buffer.from(head + line.repeat(Math.ceil(size / line.length)), 'latin1');
}

export interface Bulk {
  readonly recipient: string;
  /** Of all that had a 250: queue id and Message-ID. */
  readonly queueIds: ReadonlyMap<string, string>;
  stop(): Promise<void>;
}

/**
 * Undefined where Postfix's tools are not installed. Its counter counts final dots, not replies, so the replies are read
 * on their way to it.
 */
export async function startSmtpSource(port: number, round: number): Promise<Bulk | undefined> {
  const program = programPath('smtp-source');
  if (program === undefined) return undefined;
  const recipient = `bulk-${round}@sink.test`;
  const queueIds = new Map<string, string>();
  const sockets = new Set<Socket>();
  const tap = createServer({ noDelay: true }, (near) => {
    const far = connect({ port, host: '127.0.0.1', noDelay: true });
    const end = () => [near, far].forEach((socket) => void socket.destroy());
    for (const socket of [near, far]) sockets.add(socket.on('error', end).on('close', end));
    let messageId = 'none';
    near.setEncoding('latin1').on('data', (text: string) => {
      messageId = /^Message-Id: (<.*?>)/im.exec(text)?.[1] ?? messageId;
      far.write(text, 'latin1');
    });
    let line = '';
    far.setEncoding('latin1').on('data', (text: string) => {
      const lines = (line + text).split('\n');
      line = lines.pop() ?? '';
      for (const each of lines) {
        const queueId = /^250 .*\bqueued as (\w+)\r$/.exec(each)?.[1];
        if (queueId !== undefined) queueIds.set(queueId, messageId);
      }
      near.write(text, 'latin1');
    });
  });
  tap.listen(0, '127.0.0.1');
  await once(tap, 'listening');
  const options = ['-s', '3', '-m', '90', '-l', '3000', '-f', 'bulk@source.test', '-t', recipient];
  const child = spawn(program, [...options, `127.0.0.1:${(tap.address() as AddressInfo).port}`], { stdio: 'ignore' });
  const ended = once(child, 'close');
  return {
    recipient,
    queueIds,
    async stop() {
      child.kill();
      await ended;
      for (const socket of sockets) socket.destroy();
      tap.close();
    },
  };
}
