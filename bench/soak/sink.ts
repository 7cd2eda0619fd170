// The next hop, in a process of its own: takes mail as a plain MTA does, refuses what the mix says is refused, asks to
// come later for what is to come later, and keeps count, for every message by its number, of who has had it.
import { once } from 'node:events';
import net from 'node:net';
import { type Arrivals, complaintAbout, type Mix, type Role, roleOf, roles } from './mix.ts';

export type Asked = { readonly kind: 'judge'; readonly first: number; readonly last: number; readonly mix: Mix };

export type Told =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'count'; readonly messages: number; readonly highest: number }
  | {
      readonly kind: 'judged';
      readonly wrong: number;
      /** The first few. */
      readonly complaints: readonly string[];
      readonly totals: Arrivals;
    };

/** A counter for each message, in each role; grows as numbers do. */
class Tally {
  #counts = new Uint8Array(1 << 20);

  add(number: number, role: Role): void {
    const at = number * roles.length + roles.indexOf(role);
    if (at >= this.#counts.length) {
      const larger = new Uint8Array(Math.max(this.#counts.length * 2, at + 1));
      larger.set(this.#counts);
      this.#counts = larger;
    }
    this.#counts[at] = Math.min(255, (this.#counts[at] ?? 0) + 1);
  }

  of(number: number): Arrivals {
    const at = number * roles.length;
    const [recipient = 0, report = 0, member = 0, chief = 0] = this.#counts.subarray(at, at + roles.length);
    return { recipient, report, member, chief };
  }
}

const tally = new Tally();
const cameBefore = new Set<string>();
let messages = 0;
let highest = 0;

const server = net.createServer({ noDelay: true }, (socket) => {
  let rest = '';
  let recipients: string[] = [];
  /** Content so far, while it comes. */
  let content: string[] | undefined;
  let tail = '';
  socket.setEncoding('latin1');
  socket.on('error', () => undefined);
  socket.write('220 sink.test ESMTP\r\n');
  socket.on('data', (chunk: string) => {
    let input = rest + chunk;
    rest = '';
    const replies: string[] = [];
    while (input !== '') {
      if (content) {
        // The end may be cut in two by the network.
        const seam = tail + input;
        const end = seam.indexOf('\r\n.\r\n');
        if (end < 0) {
          content.push(input);
          tail = seam.slice(-4);
          break;
        }
        content.push(input.slice(0, Math.max(0, end + 5 - tail.length)));
        input = seam.slice(end + 5);
        took(recipients, content.join(''));
        content = undefined;
        recipients = [];
        replies.push('250 2.0.0 taken');
        continue;
      }
      const end = input.indexOf('\n');
      if (end < 0) {
        rest = input;
        break;
      }
      const line = input.slice(0, end).trim();
      input = input.slice(end + 1);
      replies.push(answer(line));
    }
    if (replies.length > 0) socket.write(`${replies.join('\r\n')}\r\n`);

    function answer(line: string): string {
      const verb = line.slice(0, 4).toUpperCase();
      if (verb === 'EHLO')
        return '250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE';
      if (verb === 'MAIL') {
        recipients = [];
        return '250 2.1.0 ok';
      }
      if (verb === 'RCPT') return recipient(/<(.*?)>/.exec(line)?.[1] ?? '');
      if (verb === 'DATA') {
        if (recipients.length === 0) return '503 5.5.1 no recipient';
        content = [];
        tail = '\r\n';
        return '354 go on';
      }
      if (verb === 'QUIT') {
        queueMicrotask(() => socket.end());
        return '221 2.0.0 bye';
      }
      return '250 2.0.0 ok';
    }

    function recipient(address: string): string {
      if (address.startsWith('refused-')) return '550 5.1.1 nobody of that name';
      if (address.startsWith('later-') && !cameBefore.delete(address)) {
        cameBefore.add(address);
        return '451 4.7.1 come again later';
      }
      recipients.push(address);
      return '250 2.1.5 ok';
    }
  });
});

function took(recipients: readonly string[], content: string): void {
  messages += 1;
  // A report cites the mail it is about, behind its own header.
  const number = Number(/^Subject: soak (\d+)\r$/m.exec(content)?.[1] ?? Number.NaN);
  if (Number.isNaN(number)) return;
  highest = Math.max(highest, number);
  for (const each of recipients) tally.add(number, roleOf(each));
}

function judge({ first, last, mix }: Asked): void {
  const totals = { recipient: 0, report: 0, member: 0, chief: 0 };
  const complaints: string[] = [];
  let wrong = 0;
  for (let number = first; number <= last; number += 1) {
    const arrivals = tally.of(number);
    for (const role of roles) totals[role] += arrivals[role];
    const complaint = complaintAbout(number, arrivals, mix);
    if (complaint === undefined) continue;
    wrong += 1;
    if (complaints.length < 10) complaints.push(complaint);
  }
  tell({ kind: 'judged', wrong, complaints, totals });
}

function tell(told: Told): void {
  process.send?.(told);
}

process.on('message', (asked: Asked) => judge(asked));
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1');
await once(server, 'listening');
tell({ kind: 'listening', port: (server.address() as net.AddressInfo).port });
setInterval(() => tell({ kind: 'count', messages, highest }), 200);
