// That what gets a 250 was synced before, as the kernel saw it: strace beside Pointsman while smtp-source sends. For each
// 250 there must be a sync that began after the 354 to the same message and ended before the 250; with one session that
// sync is of no other message.
//
//   node bench/relay/synced.ts [--messages 50] [--sessions 5]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { freePorts } from '../../test/support/free-port.ts';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { runLoad } from './load.ts';
import { Sink } from './sink.ts';
import { startPointsman } from './systems.ts';

const { values } = parseArgs({
  options: { messages: { type: 'string', default: '50' }, sessions: { type: 'string', default: '5' } },
});

async function main(): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const scratch = undo.use(await tempFolder('synced', { open: true }));
  const [sinkPort, port, httpPort] = (await freePorts(3)) as [number, number, number];
  const sink = new Sink(scratch.path, sinkPort);
  undo.defer(() => sink.stop());
  const system = await startPointsman({ folder: join(scratch.path, 'pointsman'), port, sinkPort }, { httpPort });
  undo.defer(() => system.stop());
  const load = { size: 10_240, sessions: Number(values.sessions), keep: false };
  await runLoad(system, sink, load, 20);

  const trace = join(scratch.path, 'trace');
  const what = ['-f', '-ttt', '-s', '60', '-e', 'trace=fsync,fdatasync,write,writev', '-o', trace];
  const strace = spawn('strace', [...what, '-p', String(system.pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
  await once(strace.stderr, 'data');
  await pause(300);
  await runLoad(system, sink, load, Number(values.messages));
  strace.kill('SIGINT');
  await once(strace, 'exit');

  const asked = new Map<string, number>();
  const began = new Map<string, number>();
  /** When the sync that ended last began. */
  let lastSync = 0;
  let syncs = 0;
  let sure = 0;
  const unsure: string[] = [];
  const shown: string[] = [];
  for (const line of readFileSync(trace, 'latin1').split('\n')) {
    const at = Number(/^\d+ +(\d+\.\d+) /.exec(line)?.[1] ?? 0);
    const file = /writev?\((\d+), /.exec(line)?.[1] ?? '';
    const thread = line.split(' ', 1)[0] ?? '';
    if (/(?:fsync|fdatasync)\(.*unfinished/.test(line)) began.set(thread, at);
    if (/(?:fsync|fdatasync).*= 0$/.test(line)) {
      lastSync = line.includes('resumed') ? (began.get(thread) ?? 0) : at;
      syncs += 1;
    } else if (line.includes('"354 ') || line.includes('\\n354 ')) asked.set(file, at);
    else if (/250 2\.0\.0 Ok: queued/.test(line)) {
      const since = asked.get(file);
      if (since !== undefined && lastSync > since) sure += 1;
      else unsure.push(line);
    } else continue;
    if (shown.length < 12) shown.push(line);
  }
  console.log(`${shown.join('\n')}\n…`);
  console.log(
    `${sure} of ${sure + unsure.length} replies of 250 came after a sync that had begun after their 354; ${syncs} syncs`,
  );
  for (const line of unsure) console.log(`NOT: ${line}`);
  if (unsure.length > 0 || sure < Number(values.messages)) process.exitCode = 1;
}

await main();
