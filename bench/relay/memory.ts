// What connections that only stand there cost, and what a large message does; of Pointsman alone.
//
//   node bench/relay/memory.ts
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../test/support/free-port.ts';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { residentMemory } from './processes.ts';
import { Sink } from './sink.ts';
import { type System, startPointsman } from './systems.ts';

const connections = 2_000;

async function main(): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const scratch = undo.use(await tempFolder('memory', { open: true }));
  const [sinkPort, port, httpPort] = (await freePorts(3)) as [number, number, number];
  const sink = new Sink(scratch.path, sinkPort);
  undo.defer(() => sink.stop());
  const limits = { connections: 2 * connections, connectionsPerPeer: 2 * connections };
  const where = { folder: join(scratch.path, 'pointsman'), port, sinkPort };
  const system = await startPointsman(where, { httpPort, more: { limits } });
  undo.defer(() => system.stop());

  // Warm: what is loaded and compiled once is not what a message costs.
  for (let count = 0; count < 5; count += 1) await send(system, sink, 1_000_000);
  const small = await peakOf(system, () => send(system, sink, 5_000_000));
  const large = await peakOf(system, () => send(system, sink, 50_000_000));
  console.log(`5 MB message: +${small.toFixed(1)} MB at the peak; 50 MB message: +${large.toFixed(1)} MB`);

  await idleConnections(undo, system.pid, port, 'the whole program');
  const door = spawn(process.execPath, [fileURLToPath(new URL('front-door.ts', import.meta.url))]);
  undo.defer(() => void door.kill());
  const [line] = (await once(door.stdout, 'data')) as [Buffer];
  await idleConnections(undo, door.pid ?? 0, Number(line), 'the front door alone');
}

async function idleConnections(undo: AsyncDisposableStack, pid: number, port: number, what: string): Promise<void> {
  const sockets: net.Socket[] = [];
  undo.defer(() => {
    for (const socket of sockets) socket.destroy();
  });
  const connect = async (): Promise<void> => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    sockets.push(socket);
    await once(socket, 'data');
    socket.write('EHLO idle.test\r\n');
    await once(socket, 'data');
  };
  await connect();
  await pause(500);
  const before = residentMemory(pid);
  for (let count = 0; count < connections; count += 1) await connect();
  await pause(1_000);
  console.log(`${connections} idle connections, ${what}: +${(residentMemory(pid) - before).toFixed(1)} MB`);
}

async function peakOf(system: System, work: () => Promise<void>): Promise<number> {
  await pause(1_000);
  const before = residentMemory(system.pid);
  let peak = before;
  const done = work().then(() => true);
  while (!(await Promise.race([done, pause(10, false)]))) peak = Math.max(peak, residentMemory(system.pid));
  return peak - before;
}

/** Resolves when the next hop has it. */
async function send(system: System, sink: Sink, size: number): Promise<void> {
  const { count } = sink;
  const socket = net.connect({ port: system.port, host: '127.0.0.1' });
  const commands = ['EHLO c', 'MAIL FROM:<a@source.test>', `RCPT TO:<${system.recipient}>`, 'DATA'];
  socket.write(commands.map((line) => `${line}\r\n`).join(''));
  let said = '';
  socket.on('data', (chunk) => {
    said += chunk.toString();
  });
  while (!said.includes('354')) await once(socket, 'data');
  socket.write('Subject: large\r\n\r\n');
  const piece = Buffer.from(`${'x'.repeat(998)}\r\n`.repeat(64));
  for (let sum = 0; sum < size; sum += piece.length) if (!socket.write(piece)) await once(socket, 'drain');
  socket.write('.\r\n');
  while (!/^250 2\.0\.0 Ok: queued/m.test(said)) {
    if (/^[45]\d\d /m.test(said)) throw new Error(said);
    await once(socket, 'data');
  }
  socket.destroy();
  while (sink.count === count) await pause(5);
}

await main();
