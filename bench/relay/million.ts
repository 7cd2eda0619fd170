// A store with very much in it: how fast Pointsman starts on it, what memory that takes, and what those notice who send
// mail meanwhile.
//
//   node bench/relay/million.ts make KIND FOLDER [--messages 1000000]
//   node bench/relay/million.ts run KIND FOLDER
//
// KIND is `queued` (all deferred, for hours), `due` (all of it to be sent at once) or `ended` (delivered, a tenth of it
// to groups, and old enough to be forgotten). FOLDER gets the state folder; a run uses it up, except of `queued`.
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import Database from 'better-sqlite3';
import { day, hour, minute } from '../../src/clock.ts';
import { expectMailbox } from '../../src/mail/path.ts';
import { newQueueId } from '../../src/mail/queue-id.ts';
import { sqliteMigrations } from '../../src/store/migrations/sqlite.ts';
import { BatchRunner, type VerbRequest } from '../../src/store/sqlite/batch.ts';
import { fileName, openDatabase } from '../../src/store/sqlite/database.ts';
import { deliveredOf, parcelOf } from '../../src/store/sqlite/passing.ts';
import { Sql } from '../../src/store/sqlite/sql.ts';
import type { Settlement } from '../../src/store/store.ts';
import * as make from '../../test/store/fixtures.ts';
import { freePorts } from '../../test/support/free-port.ts';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { measureLatency } from './latency.ts';
import { residentMemory } from './processes.ts';
import { Sink } from './sink.ts';
import { startPointsman } from './systems.ts';

type Verb = Omit<VerbRequest, 'id'>;

const kinds = ['queued', 'due', 'ended'] as const;
type Kind = (typeof kinds)[number];
const recipient = expectMailbox('b@sink.test');
const content = Buffer.from(`Subject: waiting\r\n\r\n${`${'x'.repeat(70)}\r\n`.repeat(27)}`);
/** Messages a second while it is looked at. */
const rate = 50;
const say = (text: string) => process.stdout.write(`${text}\n`);

function waiting(kind: Kind, now: number, index: number): Verb[] {
  const acceptedAt = now - 2 * hour + Math.floor(index / 1_000);
  // The last two characters differ for each of one millisecond.
  const counted = [0, 0, (index % 1_000) / 1_024, (index % 32) / 32];
  const queueId = newQueueId(acceptedAt, () => counted.shift() ?? 0);
  const { message } = make.acceptance(queueId);
  const firstAttemptAt = kind === 'due' ? acceptedAt : now + hour + ((index * 17) % (3 * hour));
  const deliveries = [make.delivery(0, { path: { mailbox: recipient }, firstAttemptAt })];
  return [
    { verb: 'accept', args: [make.acceptance(queueId, { message: { ...message, acceptedAt }, content, deliveries })] },
  ];
}

function over(now: number, index: number): Verb[] {
  const at = now - 40 * day + index;
  const queueId = newQueueId(at, Math.random);
  const done: Settlement = { queueId, seq: 0, to: 'delivered', at, reply: '250 2.0.0 Ok', nextHop: 'default' };
  if (index % 10 > 0) {
    const deliveries = [make.delivery(0, { leasedUntil: at + minute, finalDotAt: at })];
    const parcel = parcelOf(make.acceptance(queueId, { deliveries })) ?? [];
    const told = [[queueId, JSON.stringify(make.event(queueId))]];
    return [
      { verb: 'acceptPassing', args: parcel },
      { verb: 'settleDelivered', args: [deliveredOf([done]), told] },
    ];
  }
  const ref = { queueId, seq: 0 };
  const closed = { revision: 1, state: 'acknowledged', closedAt: at } as const;
  const assignment = { ...ref, person: 'alice', group: 'support', at };
  const choice = { ...ref, chosen: { mailbox: recipient, person: 'alice' }, assignment };
  const noted = {
    nudges: [make.nudge(`n${queueId}`, queueId)],
    decisions: [make.decision(`d${queueId}`, queueId)],
    evidence: [make.evidenceOf(queueId)],
  };
  const events = [make.event(queueId), make.event(queueId)];
  return [
    { verb: 'accept', args: [make.groupAcceptance(queueId)] },
    { verb: 'recordChoice', args: [choice, { ...noted, events }] },
    { verb: 'settle', args: [[done], { events }] },
    { verb: 'settleNudge', args: [`n${queueId}`, { to: 'sent', at }, {}] },
    { verb: 'advance', args: [make.trackedOf(queueId, closed), { events }] },
    { verb: 'retireContent', args: [queueId] },
  ];
}

/** With the store's own verbs, but without syncing. */
function fill(kind: Kind, folder: string, messages: number): void {
  mkdirSync(join(folder, 'pointsman', 'state'), { recursive: true, mode: 0o700 });
  const { database, close } = openDatabase(join(folder, 'pointsman', 'state'), sqliteMigrations, { maxPages: null });
  const runner = new BatchRunner(new Sql(database), day);
  database.pragma('synchronous = OFF');
  const now = Date.now();
  const portion = 1_000;
  for (let index = 0; index < messages; index += portion) {
    const verbs = Array.from({ length: Math.min(portion, messages - index) }, (_, more) =>
      kind === 'ended' ? over(now, index + more) : waiting(kind, now, index + more),
    ).flat();
    const { answers } = runner.run(verbs.map((verb, id) => ({ ...verb, id })));
    const wrong = answers.find((answer) => !answer.ok);
    if (wrong) throw new Error(JSON.stringify(wrong));
    database.pragma('synchronous = OFF');
  }
  close();
}

async function run(kind: Kind, folder: string): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const scratch = undo.use(await tempFolder('million', { open: true }));
  const [sinkPort, port, httpPort] = (await freePorts(3)) as [number, number, number];
  const sink = new Sink(scratch.path, sinkPort);
  undo.defer(() => sink.stop());
  const where = { folder: join(folder, 'pointsman'), port, sinkPort };
  await rm(join(where.folder, 'installed'), { recursive: true, force: true });
  const system = await startPointsman(where, {
    httpPort,
    more: { limits: { waiting: 2_000_000, connectionsPerPeer: 400 } },
  });
  undo.defer(() => system.stop());
  let peak = 0;
  const watching = setInterval(() => {
    peak = Math.max(peak, residentMemory(system.pid));
  }, 100);
  undo.defer(() => clearInterval(watching));
  say(`${kind}: from the start of the process to its greeting ${system.startedIn} ms`);
  const paced = async (what: string, seconds: number): Promise<void> => {
    peak = 0;
    const before = sink.count;
    const { p50, p99, messages } = await measureLatency(system, rate, seconds, 10_240);
    const sent = ((sink.count - before) / seconds).toFixed(0);
    say(
      `${what}: final dot to 250 p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms (${messages} messages, ${rate} a second); ` +
        `the next hop got ${sent} a second; resident at most ${peak.toFixed(0)} MB`,
    );
  };
  await paced('at once', 20);
  await paced('after that', 20);
  if (kind === 'queued') return;
  if (kind === 'ended') {
    // The first minute belongs to others.
    await pause(Math.max(0, 61_000 - performance.now() + begun));
    await paced('while records are deleted', 30);
    await paced('while records are deleted', 30);
    await system.stop();
    const database = new Database(join(where.folder, 'state', fileName), { readonly: true });
    const rows = (table: string) => database.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
    say(`left: ${rows('passed')} that passed, ${rows('messages')} others`);
    database.close();
    return;
  }
  await paced('after that', 20);
}

const begun = performance.now();
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { messages: { type: 'string', default: '1000000' } },
});
const [what, name, folder] = positionals;
const kind = kinds.find((one) => one === name);
if ((what !== 'make' && what !== 'run') || !kind || folder === undefined) {
  throw new Error('node bench/relay/million.ts make|run queued|due|ended FOLDER [--messages 1000000]');
}
if (what === 'make') fill(kind, folder, Number(values.messages));
else await run(kind, folder);
