// Escalation beside mail: 1,000,000 tracked messages in the store, 10,000 of them due within one minute. How late their
// steps are taken, what the mail that comes meanwhile notices, and what memory it takes.
//
//   node bench/escalation.ts make FOLDER [--messages 1000000]
//   node bench/escalation.ts run FOLDER [--due 10000] [--seconds 60] [--mix]
//
// Each step forwards the mail to a mailbox; with --mix they are those of the sample rules (rules/20-groups.yaml), each as
// often as any other: next, room, supervisor of one policy, remind, next, next, supervisor of the other: 5 of 7 forward.
// A run uses up what it makes due. SLICE (ms): shorter slices of mail; QUIET: no mail, what a step alone costs.
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import Database from 'better-sqlite3';
import { day, hour, second } from '../src/clock.ts';
import { expectMailbox } from '../src/mail/path.ts';
import { newQueueId } from '../src/mail/queue-id.ts';
import { expectBareJid } from '../src/presence/jid.ts';
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
import { type System, startPointsman } from './relay/systems.ts';
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

type Steps = typeof make.groupPlan.policy.steps;
const after = day;
const supervisor = { kind: 'person', person: 'carol', mailbox: expectMailbox('carol@sink.test') } as const;
const quick: Steps = [
  { name: 'next', after, to: { kind: 'next' }, times: 1 },
  { name: 'room', after, to: { kind: 'room', room: expectBareJid('duty@rooms.sink.test') }, times: 1 },
  { name: 'supervisor', after, to: supervisor, times: 1 },
];
const careful: Steps = [
  { name: 'remind', after, to: { kind: 'owner' }, times: 1 },
  { name: 'next', after, to: { kind: 'next' }, times: 2 },
  { name: 'supervisor', after, to: supervisor, times: 1 },
];
/** With where one stands before each. */
const sampleSteps: readonly (readonly [steps: Steps, position: number, taken: number])[] = [
  [quick, 0, 0],
  [quick, 1, 0],
  [quick, 2, 0],
  [careful, 0, 0],
  [careful, 1, 0],
  [careful, 1, 1],
  [careful, 2, 0],
];

/** Nobody is seen here, so those of whom nothing is known may be chosen. */
function samplePlan(steps: Steps): typeof make.groupPlan {
  const candidates = ['alice', 'bob', 'dave'].map((person) => ({
    person,
    mailbox: expectMailbox(`${person}@sink.test`),
    jid: expectBareJid(`${person}@sink.test`),
  }));
  const policy = { ...make.groupPlan.policy, steps };
  return { ...make.groupPlan, candidates, eligible: ['chat', 'available', 'unknown'], policy };
}

/** Of all that are tracked, spread evenly; due one after the other. Returns the instants by queue id. */
function makeDue(file: string, due: number, from: number, span: number, mix: boolean): Map<string, number> {
  const database = new Database(file);
  const all = database.prepare<[], { count: number }>('SELECT count(*) AS count FROM tracked').get()?.count ?? 0;
  const apart = Math.max(1, Math.floor((0.9 * all) / due));
  const rows = database
    .prepare<[number, number], { queue_id: string }>(
      `SELECT queue_id FROM tracked WHERE state = 'tracked' AND step = 0 AND rowid % ? = ?`,
    )
    .all(apart, Math.floor(Math.random() * apart))
    .slice(0, due);
  if (rows.length < due) throw new Error(`only ${rows.length} of them are left to be made due`);
  const instants = new Map<string, number>();
  const step = database.prepare('UPDATE tracked SET next_step_at = ? WHERE queue_id = ?');
  const put = database.prepare('UPDATE tracked SET plan = ?, step = ?, step_taken = ? WHERE queue_id = ?');
  const timer = database.prepare(`UPDATE timers SET due_at = ? WHERE queue_id = ? AND kind = 'step'`);
  database.transaction(() => {
    for (const [index, { queue_id: queueId }] of rows.entries()) {
      const at = Math.round(from + (index * span) / rows.length);
      step.run(at, queueId);
      const [steps, position, taken] = sampleSteps[index % sampleSteps.length] as (typeof sampleSteps)[number];
      if (mix) put.run(JSON.stringify(samplePlan(steps)), position, taken, queueId);
      timer.run(at, queueId);
      instants.set(queueId, at);
    }
  })();
  database.close();
  return instants;
}

async function run(folder: string, due: number, seconds: number, mix: boolean): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const scratch = undo.use(await tempFolder('escalation', { open: true }));
  const [sinkPort, port, httpPort] = (await freePorts(3)) as [number, number, number];
  const sink = new Sink(scratch.path, sinkPort);
  undo.defer(() => sink.stop());
  const where = { folder: join(folder, 'pointsman'), port, sinkPort };
  const file = join(where.folder, 'state', fileName);
  // Enough for the start, and for what is measured without any step.
  const begins = Date.now() + 1_000 * Number(process.env.BEGINS ?? 50);
  const instants = makeDue(file, due, begins, seconds * second, mix);
  const system = await startPointsman(where, {
    httpPort,
    profile: process.env.PROFILE !== undefined,
    more: { limits: { waiting: 2_000_000 }, ...(process.env.LOG ? { log: { level: process.env.LOG } } : {}) },
  });
  undo.defer(() => system.stop());
  let peak = 0;
  const watching = setInterval(() => {
    peak = Math.max(peak, residentMemory(system.pid));
  }, 100);
  undo.defer(() => clearInterval(watching));
  say(`greeting after ${system.startedIn} ms, resident ${residentMemory(system.pid).toFixed(0)} MB`);
  if (process.env.QUIET) {
    await pause(Math.max(0, begins - 200 - Date.now()));
    const before = threadTimes(system.pid);
    const written = writtenBy(system.pid);
    await pause(Math.max(0, begins + seconds * second + 2_000 - Date.now()));
    const after = threadTimes(system.pid);
    for (const [name, time] of after)
      say(`${name}: ${(((time - (before.get(name) ?? 0)) * 1_000) / due).toFixed(3)} ms a step`);
    say(`${((writtenBy(system.pid) - written) / due / 1_024).toFixed(1)} kB written a step`);
    await system.stop();
    report(file, instants, due, seconds);
    return;
  }
  const messages = await enoughFor(Number(process.env.SLICE ?? 5_000), system, sink, load);
  // Programs run better the longer they run.
  await several(system, sink, messages);
  const alone = await several(system, sink, messages);
  const quiet = process.env.SLICE ? null : await measureLatency(system, 100, 10, load.size);
  say(`before: resident at most ${peak.toFixed(0)} MB; ${(begins - Date.now()) / 1_000} s left`);
  await pause(Math.max(0, begins - Date.now() + 2_000));
  peak = 0;
  const beside = await several(system, sink, messages);
  const busy = process.env.SLICE ? null : await measureLatency(system, 100, 10, load.size);
  await pause(Math.max(0, begins + seconds * second + 2_000 - Date.now()));
  const resident = peak;
  const after = await several(system, sink, messages);
  await system.stop();
  report(file, instants, due, seconds);
  say(
    `accepted a second, 10 sessions: ${alone.rate.toFixed(0)} before, ${beside.rate.toFixed(0)} beside the steps, ${after.rate.toFixed(0)} after (${((2 * beside.rate) / (alone.rate + after.rate)).toFixed(3)})`,
  );
  const steps = (beside.lasted * due) / seconds;
  for (const [name, time] of beside.times) {
    const each = (after.times.get(name) ?? 0) / after.mails;
    if (time > 0.02)
      say(
        `processor time, ${name}: ${(each * 1_000).toFixed(3)} ms a mail after, ${((time * 1_000) / beside.mails).toFixed(3)} beside the steps: ${(((time - each * beside.mails) * 1_000) / steps).toFixed(3)} ms a step`,
      );
  }
  const written = after.written / after.mails;
  say(
    `written: ${(written / 1_024).toFixed(1)} kB a mail alone, ${((beside.written - written * beside.mails) / steps / 1_024).toFixed(1)} kB a step`,
  );
  if (quiet && busy)
    say(
      `final dot to 250 at 100 a second: p99 ${quiet.p99.toFixed(1)} ms alone, ${busy.p99.toFixed(1)} ms beside the steps`,
    );
  say(`resident at most ${resident.toFixed(0)} MB meanwhile`);
}

interface Slices {
  /** Accepted a second; the median. */
  readonly rate: number;
  readonly mails: number;
  /** Seconds. */
  readonly lasted: number;
  /** Seconds of processor time by thread. */
  readonly times: ReadonlyMap<string, number>;
  /** Octets. */
  readonly written: number;
}

async function several(system: System, sink: Sink, messages: number): Promise<Slices> {
  const before = { times: threadTimes(system.pid), written: writtenBy(system.pid), at: Date.now() };
  const rates: number[] = [];
  while (rates.length < 3) rates.push((await runLoad(system, sink, load, messages)).accepted);
  const times = threadTimes(system.pid);
  for (const [name, time] of times) times.set(name, time - (before.times.get(name) ?? 0));
  return {
    rate: quantile(rates, 0.5),
    mails: rates.length * messages,
    lasted: (Date.now() - before.at) / 1_000,
    times,
    written: writtenBy(system.pid) - before.written,
  };
}

/** Seconds of processor time by thread. */
function threadTimes(pid: number): Map<string, number> {
  const all = new Map<string, number>();
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const line = readFileSync(`/proc/${pid}/task/${task}/stat`, 'latin1');
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    const name = task === String(pid) ? 'main' : line.slice(line.indexOf('(') + 1, line.lastIndexOf(')'));
    all.set(name, (all.get(name) ?? 0) + (Number(fields[11]) + Number(fields[12])) / 100);
  }
  return all;
}

const writtenBy = (pid: number): number =>
  Number(/^wchar: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1] ?? 0);

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
  say(`${late.length} of ${due} steps taken, ${(due / seconds).toFixed(0)} due a second`);
  const forwards = database
    .prepare<[number], { count: number }>(
      'SELECT count(*) AS count FROM deliveries WHERE forward_of IS NOT NULL AND ended_at >= ?',
    )
    .get(Math.min(...instants.values()))?.count;
  database.close();
  say(`${forwards} mails forwarded by them`);
  say(`late by: p50 ${quantile(late, 0.5)} ms, p99 ${quantile(late, 0.99)} ms, at most ${Math.max(...late)} ms`);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    messages: { type: 'string', default: '1000000' },
    due: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '60' },
    mix: { type: 'boolean', default: false },
  },
});
const [what, folder] = positionals;
if ((what !== 'make' && what !== 'run') || folder === undefined)
  throw new Error('node bench/escalation.ts make|run FOLDER [--messages 1000000] [--due 10000] [--seconds 60]');
if (what === 'make') fill(folder, Number(values.messages));
else await run(folder, Number(values.due), Number(values.seconds), values.mix);
