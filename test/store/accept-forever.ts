// Run by sqlite.test.ts as a process to be killed: accepts without end, 20 at a time, and writes each queue id to
// stdout after the store has acknowledged it.
import { writeSync } from 'node:fs';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { acceptance, id } from './fixtures.ts';

const [folder = '', round = '0'] = process.argv.slice(2);
const store = await openSqliteStore({ folder, keepContent: 1_000 });
let last = 0;
for (let lane = 0; lane < 20; lane += 1) void acceptForever();

async function acceptForever(): Promise<never> {
  for (;;) {
    last += 1;
    const queueId = id(`R${round}${String(last).padStart(11, '0')}`);
    await store.accept(acceptance(queueId, { content: new Uint8Array(10_240).fill(last % 251) }));
    writeSync(1, `${queueId}\n`);
  }
}
