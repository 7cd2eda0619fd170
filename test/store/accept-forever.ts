// Run by sqlite.test.ts: accepts without end, 20 at a time, writes each queue id to stdout as soon as the store has
// acknowledged it, and with the last one asked for kills itself as kill -9 does: at once, so that nothing which was
// acknowledged too early has the time to become true.
import { writeSync } from 'node:fs';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { acceptance, id } from './fixtures.ts';

const [folder = '', round = '0', count = '0'] = process.argv.slice(2);
const store = await openSqliteStore({ folder, keepContent: 1_000 });
let last = 0;
let acknowledged = 0;
for (let lane = 0; lane < 20; lane += 1) void acceptForever();

async function acceptForever(): Promise<never> {
  for (;;) {
    last += 1;
    const queueId = id(`R${round}${String(last).padStart(11, '0')}`);
    await store.accept(acceptance(queueId, { content: new Uint8Array(10_240).fill(last % 251) }));
    say(`${queueId}\n`);
    acknowledged += 1;
    if (acknowledged === Number(count)) process.kill(process.pid, 'SIGKILL');
  }
}

/** The pipe is not blocking: when its reader is behind, it says so, and is asked again. */
function say(line: string): void {
  for (let rest = Buffer.from(line); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}
