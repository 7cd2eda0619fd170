// Escalation beside mail: 1,000,000 tracked messages in the store, 10,000 of them due within one minute. How late their
// steps are taken, what the mail that comes meanwhile notices, and what memory it takes.
//
//   node bench/escalation.ts make FOLDER [--messages 1000000]
//   node bench/escalation.ts run FOLDER [--due 10000] [--seconds 60] [--turns 1] [--mix]
//
// Programs run better the longer they run: first there is mail and 1,000 steps that are not measured. Then stretches with
// mail alone and stretches with as much mail and `due` steps in `seconds` take turns, with mail alone first and last; each
// with steps is compared with the two beside it.
// Each step forwards the mail to a mailbox; with --mix they are those of the sample rules (rules/20-groups.yaml), each as
// often as any other: next, room, supervisor of one policy, remind, next, next, supervisor of the other: 5 of 7 forward.
// A run uses up what it makes due. SLICE (ms): shorter slices of mail, and no 100 a second; QUIET: no mail, what a step
// alone costs.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
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

interface Stretch {
  readonly from: number;
  /** Milliseconds. */
  readonly span: number;
  readonly due: number;
}

/** Of all that are tracked, spread evenly; due one after the other. Returns the instants by queue id, of each stretch. */
function makeDue(file: string, stretches: readonly Stretch[], mix: boolean): readonly Map<string, number>[] {
  const database = new Database(file);
  const all = database.prepare<[], { count: number }>('SELECT count(*) AS count FROM tracked').get()?.count ?? 0;
  const due = stretches.reduce((sum, each) => sum + each.due, 0);
  const apart = Math.max(1, Math.floor((0.9 * all) / due));
  const rows = database
    .prepare<[number, number], { queue_id: string }>(
      `SELECT queue_id FROM tracked WHERE state = 'tracked' AND step = 0 AND rowid % ? = ?`,
    )
    .all(apart, Math.floor(Math.random() * apart))
    .slice(0, due);
  if (rows.length < due) throw new Error(`only ${rows.length} of them are left to be made due`);
  const step = database.prepare('UPDATE tracked SET next_step_at = ? WHERE queue_id = ?');
  const put = database.prepare('UPDATE tracked SET plan = ?, step = ?, step_taken = ? WHERE queue_id = ?');
  const timer = database.prepare(`UPDATE timers SET due_at = ? WHERE queue_id = ? AND kind = 'step'`);
  const made = stretches.map(() => new Map<string, number>());
  database.transaction(() => {
    let taken = 0;
    for (const [number, { from, span, due: some }] of stretches.entries()) {
      // Every so many, so that each stretch has its own all over the store.
      for (let index = 0; index < some; index += 1, taken += 1) {
        const { queue_id: queueId } = rows[(taken * 7_919) % rows.length] as (typeof rows)[number];
        const at = Math.round(from + (index * span) / some);
        step.run(at, queueId);
        const [steps, position, before] = sampleSteps[taken % sampleSteps.length] as (typeof sampleSteps)[number];
        if (mix) put.run(JSON.stringify(samplePlan(steps)), position, before, queueId);
        timer.run(at, queueId);
        made[number]?.set(queueId, at);
      }
    }
  })();
  database.close();
  if (made.reduce((sum, { size }) => sum + size, 0) < due) throw new Error(`--due: ${due} in all is divided by 7,919`);
  return made;
}

const warm: Omit<Stretch, 'from'> = { due: 1_000, span: 10 * second };
/** Before and behind what is measured of a stretch. */
const margin = second;

async function run(folder: string, due: number, seconds: number, turns: number, mix: boolean): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const scratch = undo.use(await tempFolder('escalation', { open: true }));
  const [sinkPort, port, httpPort] = (await freePorts(3)) as [number, number, number];
  const sink = new Sink(scratch.path, sinkPort);
  undo.defer(() => sink.stop());
  const where = { folder: join(folder, 'pointsman'), port, sinkPort };
  const file = join(where.folder, 'state', fileName);
  const span = seconds * second;
  // Enough for the start.
  const begins = Date.now() + 1_000 * Number(process.env.BEGINS ?? 25);
  const measured: readonly Stretch[] = Array.from({ length: turns }, (_, turn) => {
    return { from: begins + warm.span + span + 2 * turn * span, span, due };
  });
  const end = begins + warm.span + (2 * turns + 1) * span;
  const slow = { from: end + 12 * second, span: 12 * second, due: Math.round((12 * due) / seconds) };
  const withLatency = !process.env.SLICE && !process.env.QUIET;
  const instants = makeDue(file, [{ ...warm, from: begins }, ...measured, ...(withLatency ? [slow] : [])], mix);
  // Of the run before.
  rmSync(join(where.folder, 'installed'), { recursive: true, force: true });
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
  const until = (at: number) => pause(Math.max(0, at - Date.now()));
  const reported = () => report(file, instants.slice(1, 1 + turns), due * turns, due / seconds);
  if (process.env.QUIET) {
    for (const { from } of measured) {
      await until(from - 200);
      const before = threadTimes(system.pid);
      const written = writtenBy(system.pid);
      await until(from + span + 500);
      for (const [name, time] of threadTimes(system.pid))
        say(`${name}: ${(((time - (before.get(name) ?? 0)) * 1_000) / due).toFixed(3)} ms a step`);
      say(`${((writtenBy(system.pid) - written) / due / 1_024).toFixed(1)} kB written a step`);
    }
    await system.stop();
    reported();
    return;
  }
  const messages = await enoughFor(Number(process.env.SLICE ?? 3_000), system, sink, load);
  await several(system, sink, messages, begins + warm.span);
  say(`before: resident at most ${peak.toFixed(0)} MB; too late by ${Math.max(0, Date.now() - begins - warm.span)} ms`);
  const alone: Slices[] = [];
  const beside: Slices[] = [];
  let resident = 0;
  for (const { from } of measured) {
    await until(from - span + margin);
    alone.push(await several(system, sink, messages, from - margin));
    await until(from + margin);
    peak = 0;
    beside.push(await several(system, sink, messages, from + span - margin));
    resident = Math.max(resident, peak);
  }
  await until(end - span + margin);
  alone.push(await several(system, sink, messages, end));
  const quiet = withLatency ? await measureLatency(system, 100, 10, load.size) : null;
  await until(slow.from + margin);
  const busy = withLatency ? await measureLatency(system, 100, 10, load.size) : null;
  if (withLatency) await until(slow.from + slow.span + 2 * second);
  await system.stop();
  reported();
  const shares: number[] = [];
  for (const [turn, { rate, rates }] of beside.entries()) {
    const [before, after] = alone.slice(turn) as [Slices, Slices];
    const share = rate / Math.sqrt(before.rate * after.rate);
    shares.push(share);
    const all = rates.map((each) => each.toFixed(0)).join(' ');
    say(
      `accepted a second, 10 sessions: ${before.rate.toFixed(0)} before, ${rate.toFixed(0)} beside the steps, ${after.rate.toFixed(0)} after: ${share.toFixed(3)} (${all})`,
    );
  }
  say(
    `${quantile(shares, 0.5).toFixed(3)} of what is accepted alone (median), ${Math.min(...shares).toFixed(3)} at least`,
  );
  costs(sumOf(alone), sumOf(beside), due / seconds);
  if (quiet && busy)
    say(
      `final dot to 250 at 100 a second: p99 ${quiet.p99.toFixed(1)} ms alone, ${busy.p99.toFixed(1)} ms beside the steps`,
    );
  say(`resident at most ${resident.toFixed(0)} MB meanwhile`);
}

function costs(alone: Used, beside: Used, stepsPerSecond: number): void {
  const steps = beside.lasted * stepsPerSecond;
  for (const [name, time] of beside.times) {
    const each = (alone.times.get(name) ?? 0) / alone.mails;
    if (time > 0.02)
      say(
        `processor time, ${name}: ${(each * 1_000).toFixed(3)} ms a mail alone, ${((time * 1_000) / beside.mails).toFixed(3)} beside the steps: ${(((time - each * beside.mails) * 1_000) / steps).toFixed(3)} ms a step`,
      );
  }
  const written = alone.written / alone.mails;
  say(
    `written: ${(written / 1_024).toFixed(1)} kB a mail alone, ${((beside.written - written * beside.mails) / steps / 1_024).toFixed(1)} kB a step`,
  );
}

interface Used {
  readonly mails: number;
  /** Seconds. */
  readonly lasted: number;
  /** Seconds of processor time by thread. */
  readonly times: ReadonlyMap<string, number>;
  /** Octets. */
  readonly written: number;
}

interface Slices extends Used {
  readonly rates: readonly number[];
  /** Accepted a second; the median. */
  readonly rate: number;
}

function sumOf(all: readonly Used[]): Used {
  const times = new Map<string, number>();
  for (const used of all) for (const [name, time] of used.times) times.set(name, (times.get(name) ?? 0) + time);
  const sum = (of: (used: Used) => number) => all.reduce((before, used) => before + of(used), 0);
  return {
    times,
    mails: sum(({ mails }) => mails),
    lasted: sum(({ lasted }) => lasted),
    written: sum(({ written }) => written),
  };
}

/** As many slices as end by then, one at least. */
async function several(system: System, sink: Sink, messages: number, until: number): Promise<Slices> {
  const before = { times: threadTimes(system.pid), written: writtenBy(system.pid), at: Date.now() };
  const rates: number[] = [];
  const lasted = () => Date.now() - before.at;
  while (rates.length === 0 || Date.now() + lasted() / rates.length < until)
    rates.push((await runLoad(system, sink, load, messages)).accepted);
  const times = threadTimes(system.pid);
  for (const [name, time] of times) times.set(name, time - (before.times.get(name) ?? 0));
  return {
    rates,
    rate: quantile(rates, 0.5),
    mails: rates.length * messages,
    lasted: lasted() / 1_000,
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

function report(file: string, stretches: readonly ReadonlyMap<string, number>[], due: number, rate: number): void {
  const instants = new Map(stretches.flatMap((each) => [...each]));
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
  say(`${late.length} of ${due} steps taken, ${rate.toFixed(0)} due a second`);
  const sent = database
    .prepare<[number], { queue_id: string }>(
      'SELECT queue_id FROM deliveries WHERE forward_of IS NOT NULL AND ended_at >= ?',
    )
    .all(Math.min(...instants.values()));
  database.close();
  const forwards = sent.filter(({ queue_id: queueId }) => instants.has(queueId)).length;
  say(`${forwards} mails forwarded by them`);
  say(`late by: p50 ${quantile(late, 0.5)} ms, p99 ${quantile(late, 0.99)} ms, at most ${Math.max(...late)} ms`);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    messages: { type: 'string', default: '1000000' },
    due: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '60' },
    turns: { type: 'string', default: '1' },
    mix: { type: 'boolean', default: false },
  },
});
const [what, folder] = positionals;
if ((what !== 'make' && what !== 'run') || folder === undefined)
  throw new Error(
    'node bench/escalation.ts make|run FOLDER [--messages 1000000] [--due 10000] [--seconds 60] [--turns 1] [--mix]',
  );
if (what === 'make') fill(folder, Number(values.messages));
else await run(folder, Number(values.due), Number(values.seconds), Number(values.turns), values.mix);
