// From the final dot to its 250, by a generator of our own that keeps a pace whatever the system does: what waits behind
// a slow reply is late too, and counts from the moment at which it should have gone.
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { System } from './systems.ts';
import { quantile } from './table.ts';

export interface Latency {
  readonly system: string;
  /** Messages per second. */
  readonly rate: number;
  readonly messages: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

export async function measureLatency(system: System, rate: number, seconds: number, size: number): Promise<Latency> {
  const content = Buffer.from(`Subject: paced\r\n\r\n${`${'x'.repeat(70)}\r\n`.repeat(size / 72)}.\r\n`);
  const messages = Math.round(rate * seconds);
  const took: number[] = [];
  const started = performance.now();
  const sent: Promise<void>[] = [];
  for (let count = 0; count < messages; count += 1) {
    const at = started + (count * 1_000) / rate;
    const ahead = at - performance.now();
    if (ahead > 1) await pause(ahead);
    sent.push(one(system, content).then((milliseconds) => void took.push(milliseconds)));
  }
  await Promise.all(sent);
  return { system: system.name, rate, messages, p50: quantile(took, 0.5), p99: quantile(took, 0.99) };
}

/** One message on a connection of its own, a command at a time; the time from the final dot to its reply. */
function one(system: System, content: Buffer): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const socket = net.connect({ port: system.port, host: '127.0.0.1', noDelay: true });
  const lines = ['EHLO paced.test', 'MAIL FROM:<a@source.test>', `RCPT TO:<${system.recipient}>`, 'DATA'];
  let dotAt = 0;
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    const reply = /^(?:\d{3}-[^\n]*\n)*(\d)\d\d [^\n]*\n/.exec(text);
    if (!reply) return;
    text = text.slice(reply[0].length);
    if (dotAt > 0) {
      resolve(performance.now() - dotAt);
      socket.end('QUIT\r\n');
    } else if (reply[1] === '3') {
      dotAt = performance.now();
      socket.write(content);
    } else if (reply[1] === '2') socket.write(`${lines.shift()}\r\n`);
    else reject(new Error(`${system.name}: ${reply[0]}`));
  });
  socket.on('error', reject);
  socket.on('close', () => reject(new Error(`${system.name} closed the connection`)));
  return promise;
}
