// Two hundred people look at the console while mail goes through: how soon their pages show what has happened, and what
// it costs the relay. Prints a page of markdown.
//
//   node bench/console/main.ts [--part latency|cost] [--viewers 200] [--pairs 7] [--seconds 3] [--paced 35] [--turns 3] [--mail group,passing]
//                              [--out docs/measurements/console.md] [--profile FOLDER]
//
// Needs Postfix's smtp-source and smtp-sink. The mail is for a group with a policy, so every mail makes events, and mail
// that passes through. Viewers, generator and next hop share the processors with the relay; so besides the throughput,
// the relay's own processor time for each message is compared.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cp, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeUser } from '../../src/config/users.ts';
import { controlSocketIn } from '../../src/console/server.ts';
import { freePorts } from '../../test/support/free-port.ts';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { type Latency, measureLatency } from '../relay/latency.ts';
import { enoughFor, type Load, nameOf, type Run, runLoad } from '../relay/load.ts';
import { processorTime } from '../relay/processes.ts';
import { Sink } from '../relay/sink.ts';
import { type System, startPointsman } from '../relay/systems.ts';
import { quantile } from '../relay/table.ts';
import { type Cost, type Freshness, page } from './report.ts';
import type { Asked, Look, Seen, Told } from './viewers.ts';

const { values: options } = parseArgs({
  options: {
    part: { type: 'string', default: 'latency,cost' },
    viewers: { type: 'string', default: '200' },
    pairs: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '3' },
    paced: { type: 'string', default: '35' },
    turns: { type: 'string', default: '3' },
    mail: { type: 'string', default: 'group,passing' },
    out: { type: 'string' },
    profile: { type: 'string' },
  },
});
const say = (text: string) => process.stderr.write(`${text}\n`);
const count = Number(options.viewers);
const startedWith = loadavg()[0] ?? Number.NaN;
const users = Array.from({ length: 10 }, (_, index) => `user${index}`);
const password = 'as long as it must be';

const rules = `people:
  anna: { mail: anna@bench.test }
  bert: { mail: bert@bench.test }
groups:
  desk:
    address: desk@bench.test
    members: [anna, bert]
    strategy: round-robin
    eligible: [chat, available, away, unknown]
    fallback: { mailbox: anna@bench.test }
    policy: calm
policies:
  calm:
    until: taken
    steps:
      - { name: chief, after: 2h, to: { mailbox: chief@bench.test } }
`;

/** Half look at the first page, the others at what else moves; in both languages, some who may act and some who may not. */
function looksOf(cookies: readonly string[]): readonly Look[] {
  const paths = ['/live/now', '/live/events?kind=all', '/live/now', '/live/queue?state=waiting', '/live/now'];
  const more = [
    '/live/events?kind=all',
    '/live/now',
    '/live/people?group=&name=',
    '/live/now',
    '/live/events?kind=all',
  ];
  const all = [...paths, ...more];
  return Array.from({ length: count }, (_, index) => ({
    path: all[index % all.length] ?? '/live/now',
    cookie: cookies[index % cookies.length] ?? '',
    language: Math.floor(index / all.length) % 4 === 0 ? ('de' as const) : ('en' as const),
  }));
}

class Viewers {
  readonly #child: ChildProcess = fork(fileURLToPath(new URL('viewers.ts', import.meta.url)), {
    env: { ...process.env, NODE_OPTIONS: '' },
  });

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async #ask(asked: Asked): Promise<Told> {
    const answered = once(this.#child, 'message');
    this.#child.send(asked);
    const [told] = (await answered) as [Told];
    if (told.kind === 'failed') throw new Error(told.message);
    return told;
  }

  async look(port: number, looks: readonly Look[]): Promise<void> {
    await this.#ask({ kind: 'look', host: '127.0.0.1', port, looks });
  }

  async leave(): Promise<readonly Seen[]> {
    const told = await this.#ask({ kind: 'leave' });
    return told.kind === 'left' ? told.seen : [];
  }

  stop(): void {
    this.#child.kill();
  }
}

async function signIn(port: number, name: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/sign-in`, {
    method: 'POST',
    body: new URLSearchParams({ name, password }),
    redirect: 'manual',
  });
  const cookie = response.headers.get('set-cookie')?.split(';')[0];
  if (response.status !== 303 || !cookie) throw new Error(`${name} could not sign in: ${response.status}`);
  return cookie;
}

function ask(socketPath: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, headers: { host: 'localhost' } }, async (response) => {
      try {
        resolve(JSON.parse(Buffer.concat(await response.toArray()).toString('utf8')));
      } catch (error) {
        reject(error as Error);
      }
    });
    asked.on('error', reject);
    asked.end();
  });
}

interface Happened {
  readonly number: number;
  readonly at: number;
}

/** All events from that number on, the oldest first. */
async function eventsSince(socket: string, first: number): Promise<readonly Happened[]> {
  const all: Happened[] = [];
  let before = '';
  for (;;) {
    const { events, next } = (await ask(socket, `/api/v1/events?limit=1000${before}`)) as {
      events: Happened[];
      next: number | null;
    };
    all.push(...events.filter(({ number }) => number >= first));
    if (next === null || next < first) return all.reverse();
    before = `&before=${next}`;
  }
}

/** How long after it happened each event was shown to each viewer of a page that says what it shows. */
function freshness(events: readonly Happened[], seen: readonly Seen[], from: number): Freshness {
  const waits: number[] = [];
  let pages = 0;
  let never = 0;
  for (const { events: shown, moments } of seen) {
    const marks = shown.length > 0 ? shown : moments;
    if (marks.length === 0) continue;
    pages += 1;
    let at = 0;
    for (const event of events) {
      if (event.at < from) continue;
      const wanted = shown.length > 0 ? event.number : event.at;
      while ((marks[at]?.[0] ?? Number.POSITIVE_INFINITY) < wanted) at += 1;
      const mark = marks[at];
      if (mark) waits.push(mark[1] - event.at);
      else never += 1;
    }
  }
  return {
    pages,
    waits: waits.length,
    never,
    p50: quantile(waits, 0.5),
    p99: quantile(waits, 0.99),
    most: waits.reduce((most, wait) => Math.max(most, wait), 0),
  };
}

async function main(): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const scratch = undo.use(await tempFolder('bench-console', { open: true }));
  const [sinkPort, port, httpPort, consolePort] = (await freePorts(4)) as [number, number, number, number];
  const sink = new Sink(scratch.path, sinkPort);
  undo.defer(() => sink.stop());
  const folder = join(scratch.path, 'pointsman');
  if (options.profile) {
    const to = options.profile;
    undo.defer(() => cp(join(folder, 'profiles'), to, { recursive: true }));
  }
  const system = await startPointsman(
    { folder, port, sinkPort },
    {
      ...{ httpPort, rules, to: 'desk@bench.test', profile: options.profile !== undefined },
      more: {
        console: { address: `127.0.0.1:${consolePort}` },
        domains: ['sink.test', 'pointsman.test', 'bench.test'],
      },
    },
  );
  undo.defer(() => system.stop());
  const passing: System = { ...system, recipient: 'b@sink.test' };
  const state = join(folder, 'state');
  for (const [index, name] of users.entries())
    await writeUser(state, { name, role: index % 2 === 0 ? 'operator' : 'viewer' }, password);
  const cookies: string[] = [];
  for (const name of users) cookies.push(await signIn(consolePort, name));
  const viewers = new Viewers();
  undo.defer(() => viewers.stop());
  const looks = looksOf(cookies);
  const socket = controlSocketIn(state);

  const warm: Load = { size: 10_240, sessions: 10, keep: false };
  await runLoad(passing, sink, warm, 3_000);
  await runLoad(system, sink, warm, 1_000);
  // And the pages.
  await viewers.look(consolePort, looks);
  await runLoad(system, sink, warm, 1_000);
  await viewers.leave();

  const fresh = options.part.includes('latency') ? await freshnessAt(Number(options.paced)) : null;
  const costs: Cost[] = [];
  if (options.part.includes('cost'))
    for (const [word, name, one] of [
      ['group', 'for a group', system],
      ['passing', 'passing through', passing],
    ] as const)
      if (options.mail.includes(word)) costs.push(await costOf(name, one));
  const text = await page({ startedWith, count, pairs: Number(options.pairs), fresh, costs });
  process.stdout.write(text);
  if (options.out) await writeFile(options.out, text);

  async function freshnessAt(rate: number) {
    const doors: Record<'without' | 'with', Latency[]> = { without: [], with: [] };
    const all: { fresh: Freshness; events: number; rate: number; octets: number; alone: number; processor: number }[] =
      [];
    for (let turn = 0; turn < Number(options.turns); turn += 1) {
      const idle = processorTime(system.pid);
      doors.without.push(await measureLatency(system, rate, 8, 10_240));
      const alone = (processorTime(system.pid) - idle) / 8;
      const [last] = ((await ask(socket, '/api/v1/events?limit=1')) as { events: Happened[] }).events;
      await viewers.look(consolePort, looks);
      const from = Date.now() + 1_000;
      const before = processorTime(system.pid);
      doors.with.push(await measureLatency(system, rate, 12, 10_240));
      const processor = processorTime(system.pid) - before;
      // What came last is shown within a second, too.
      await pause(1_500);
      const seen = await viewers.leave();
      const events = await eventsSince(socket, (last?.number ?? 0) + 1);
      const counted = events.filter(({ at }) => at >= from);
      const span = ((counted.at(-1)?.at ?? 0) - (counted[0]?.at ?? 0)) / 1_000;
      const one = {
        fresh: freshness(events, seen, from),
        events: counted.length,
        rate: counted.length / span,
        octets: seen.reduce((sum, { octets }) => sum + octets, 0) / 12,
        alone,
        processor: processor / 12,
      };
      say(JSON.stringify({ ...one, doors: doors.with.at(-1) }));
      all.push(one);
    }
    return { turns: all, doors };
  }

  async function costOf(name: string, of: System): Promise<Cost> {
    const load: Load = { size: 10_240, sessions: 10, keep: false };
    const messages = await enoughFor(Number(options.seconds) * 1_000, of, sink, load);
    const pairs: { without: Run; with: Run; viewers: number }[] = [];
    for (let pair = 0; pair < Number(options.pairs); pair += 1) {
      let [without, watched, cost]: [Run | undefined, Run | undefined, number] = [undefined, undefined, 0];
      // Each time the other one first.
      for (const turn of pair % 2 === 0 ? ['without', 'with'] : ['with', 'without']) {
        if (turn === 'without') {
          without = await runLoad(of, sink, load, messages);
          continue;
        }
        await viewers.look(consolePort, looks);
        // What counts is what it costs to keep them up to date, not that they come.
        await pause(2_500);
        const before = processorTime(viewers.pid);
        const started = performance.now();
        watched = await runLoad(of, sink, load, messages);
        cost = (processorTime(viewers.pid) - before) / ((performance.now() - started) / 1_000);
        await viewers.leave();
      }
      if (!without || !watched) throw new Error('a pair has two runs');
      say(
        `${nameOf(load)} ${name}: ${without.through.toFixed(0)}/s and ${watched.through.toFixed(0)}/s with viewers, ` +
          `CPU ${without.processor.toFixed(2)} and ${watched.processor.toFixed(2)} ms; viewers ${cost.toFixed(2)} processors`,
      );
      pairs.push({ without, with: watched, viewers: cost });
    }
    return { name, load: nameOf(load), messages, pairs };
  }
}

await main();
