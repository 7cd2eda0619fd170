// Escalation beside mail: 1,000,000 tracked messages in the store, 10,000 of them due within one minute. How late their
// steps are taken, what the mail that comes meanwhile notices, and what memory it takes.
//
//   node bench/escalation.ts make FOLDER [--messages 1000000]
//   node bench/escalation.ts run FOLDER [--due 10000] [--seconds 60]
//
// Each step forwards the mail to a mailbox. A run uses the folder up.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import Database from 'better-sqlite3';
import { day, hour, second } from '../src/clock.ts';
import { expectMailbox } from '../src/mail/path.ts';
import { newQueueId } from '../src/mail/queue-id.ts';
import { sqliteMigrations } from '../src/store/migrations/sqlite.ts';
import { BatchRunner, type VerbRequest } from '../src/store/sqlite/batch.ts';
import { fileName, openDatabase } from '../src/store/sqlite/database.ts';
import { Sql } from '../src/store/sqlite/sql.ts';
import type { Settlement } from '../src/store/store.ts';
import * as make from '../test/store/fixtures.ts';
import { freePorts } from '../test/support/free-port.ts';
import { tempFolder } from '../test/support/temp-folder.ts';
import { measureLatency } from './relay/latency.ts';
import { enoughFor, runLoad } from './relay/load.ts';
import { residentMemory } from './relay/processes.ts';
import { Sink } from './relay/sink.ts';
import { startPointsman } from './relay/systems.ts';
import { quantile } from './relay/table.ts';

const say = (text: string) => process.stdout.write(`${text}\n`);
const load = { size: 10_240, sessions: 10, keep: false };

/** Accepted two hours ago, forwarded to alice, whose next step is far away. */
function tracked(now: number, index: number): Omit<VerbRequest, 'id'>[] {
  const at = now - 2 * hour + Math.floor(index / 1_000);
  // A thousand in a millisecond, each its own.
  const queueId = newQueueId(at, () => (index % 1_000) / 0x10_0000);
  const policy = {
    ...make.groupPlan.policy,
    steps: [
      {
        name: 'chief',
        after: day,
        to: { kind: 'mailbox' as const, mailbox: expectMailbox('chief@sink.test') },
        times: 1,
      },
    ],
  };
  const plan = { ...make.groupPlan, policy };
  const ref = { queueId, seq: 0 };
  const done: Settlement = { ...ref, to: 'delivered', at, reply: '250 2.0.0 Ok', nextHop: 'default' };
  const own = {
    state: 'tracked',
    owner: 'alice',
    ownedSince: at,
    plan,
    acceptedAt: at,
    shortId: index.toString(36),
  } as const;
  const made = make.groupAcceptance(queueId, { plan, acceptedAt: at, shortId: own.shortId });
  const before = {
    ...made,
    message: { ...made.message, acceptedAt: at },
    deliveries: made.deliveries.map((each) => ({ ...each, firstAttemptAt: at })),
    events: made.events.map((each) => ({ ...each, at })),
  };
  const choice = {
    ...ref,
    chosen: { mailbox: make.alice, person: 'alice' },
    assignment: { ...ref, person: 'alice', group: 'support', at },
  };
  return [
    { verb: 'accept', args: [before] },
    { verb: 'recordChoice', args: [choice, { events: [] }] },
    {
      verb: 'settle',
      args: [[done], { tracked: [make.trackedOf(queueId, { ...own, revision: 1, nextStepAt: now + 3 * day })] }],
    },
  ];
}

function fill(folder: string, messages: number): void {
  mkdirSync(join(folder, 'pointsman', 'state'), { recursive: true, mode: 0o700 });
  const { database, close } = openDatabase(join(folder, 'pointsman', 'state'), sqliteMigrations, { maxPages: null });
  const runner = new BatchRunner(new Sql(database), 30 * day);
  const now = Date.now();
  const portion = 1_000;
  for (let index = 0; index < messages; index += portion) {
    database.pragma('synchronous = OFF');
    const verbs = Array.from({ length: Math.min(portion, messages - index) }, (_, more) => tracked(now, index + more));
    const { answers } = runner.run(verbs.flat().map((verb, id) => ({ ...verb, id })));
    const wrong = answers.find((answer) => !answer.ok);
    if (wrong) throw new Error(JSON.stringify(wrong));
  }
  close();
}

/** Of all that are tracked, spread evenly; due one after the other. Returns the instants by queue id. */
function makeDue(file: string, due: number, from: number, span: number): Map<string, number> {
  const database = new Database(file);
  const rows = database
    .prepare<[number], { queue_id: string }>(
      `SELECT queue_id FROM tracked WHERE state = 'tracked' AND step = 0 AND rowid % max(1, (SELECT count(*) FROM tracked) / ?) = 0`,
    )
    .all(due)
    .slice(0, due);
  const instants = new Map<string, number>();
  const step = database.prepare('UPDATE tracked SET next_step_at = ? WHERE queue_id = ?');
  const timer = database.prepare(`UPDATE timers SET due_at = ? WHERE queue_id = ? AND kind = 'step'`);
  database.transaction(() => {
    for (const [index, { queue_id: queueId }] of rows.entries()) {
      const at = Math.round(from + (index * span) / rows.length);
      step.run(at, queueId);
      timer.run(at, queueId);
      instants.set(queueId, at);
    }
  })();
  database.close();
  return instants;
}

async function run(folder: string, due: number, seconds: number): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const scratch = undo.use(await tempFolder('escalation', { open: true }));
  const [sinkPort, port, httpPort] = (await freePorts(3)) as [number, number, number];
  const sink = new Sink(scratch.path, sinkPort);
  undo.defer(() => sink.stop());
  const where = { folder: join(folder, 'pointsman'), port, sinkPort };
  const file = join(where.folder, 'state', fileName);
  // Enough for the start, and for what is measured without any step.
  const begins = Date.now() + 1_000 * Number(process.env.BEGINS ?? 75);
  const instants = makeDue(file, due, begins, seconds * second);
  const system = await startPointsman(where, {
    httpPort,
    profile: process.env.PROFILE !== undefined,
    more: { limits: { waiting: 2_000_000 } },
  });
  undo.defer(() => system.stop());
  let peak = 0;
  const watching = setInterval(() => {
    peak = Math.max(peak, residentMemory(system.pid));
  }, 100);
  undo.defer(() => clearInterval(watching));
  say(`greeting after ${system.startedIn} ms, resident ${residentMemory(system.pid).toFixed(0)} MB`);
  if (process.env.QUIET) {
    await pause(Math.max(0, begins + seconds * second + 5_000 - Date.now()));
    await system.stop();
    report(file, instants, due, seconds);
    return;
  }
  const messages = await enoughFor(5_000, system, sink, load);
  const speed = async (): Promise<number> => (await runLoad(system, sink, load, messages)).accepted;
  const alone = [await speed(), await speed(), await speed()];
  const quiet = await measureLatency(system, 100, 10, load.size);
  say(`before: resident at most ${peak.toFixed(0)} MB; ${(begins - Date.now()) / 1_000} s left`);
  await pause(Math.max(0, begins - Date.now() + 2_000));
  peak = 0;
  const beside = [await speed(), await speed(), await speed()];
  const busy = await measureLatency(system, 100, 10, load.size);
  await pause(Math.max(0, begins + seconds * second + 5_000 - Date.now()));
  const resident = peak;
  await system.stop();
  report(file, instants, due, seconds);
  const median = (all: readonly number[]): number => quantile(all, 0.5);
  say(
    `accepted a second, 10 sessions: ${median(alone).toFixed(0)} alone, ${median(beside).toFixed(0)} beside the steps (${(median(beside) / median(alone)).toFixed(2)})`,
  );
  say(
    `final dot to 250 at 100 a second: p99 ${quiet.p99.toFixed(1)} ms alone, ${busy.p99.toFixed(1)} ms beside the steps`,
  );
  say(`resident at most ${resident.toFixed(0)} MB meanwhile`);
}

function report(file: string, instants: ReadonlyMap<string, number>, due: number, seconds: number): void {
  const database = new Database(file, { readonly: true });
  const late: number[] = [];
  const events = database
    .prepare<[], { queue_id: string; event: string }>(
      `SELECT queue_id, event FROM events WHERE event LIKE '%"escalated"%'`,
    )
    .all();
  for (const { queue_id: queueId, event } of events) {
    const at = instants.get(queueId);
    if (at !== undefined) late.push((JSON.parse(event) as { at: number }).at - at);
  }
  database.close();
  say(`${late.length} of ${due} steps taken, ${(due / seconds).toFixed(0)} due a second`);
  say(`late by: p50 ${quantile(late, 0.5)} ms, p99 ${quantile(late, 0.99)} ms, at most ${Math.max(...late)} ms`);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    messages: { type: 'string', default: '1000000' },
    due: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '60' },
  },
});
const [what, folder] = positionals;
if ((what !== 'make' && what !== 'run') || folder === undefined)
  throw new Error('node bench/escalation.ts make|run FOLDER [--messages 1000000] [--due 10000] [--seconds 60]');
if (what === 'make') fill(folder, Number(values.messages));
else await run(folder, Number(values.due), Number(values.seconds));
