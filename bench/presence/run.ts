// Presence at size: 10,000 people with three clients each. `node --expose-gc bench/presence/run.ts [--json] [WHAT …]`
//
//   memory    heap for each person, in cache and board together
//   choose    one choice among 1,000 candidates, and the snapshot it is made from
//   whole     the whole program, with the rules, the store and the relay: from a new session until everybody is known;
//             the same after the server was killed; and from a presence stanza on the wire of another process until the
//             answer that choices are made from has changed, at 500 a second
//   prosody   a new session on a real Prosody with a shared roster of 10,000, all of them offline (when installed)
//
// Beside an idle baseline: the same process doing nothing for as long, for what the machine itself costs.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock } from '../../src/clock.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { XmppConfig } from '../../src/config.ts';
import { silentLog } from '../../src/log.ts';
import { type Pointsman, startPointsman } from '../../src/main.ts';
import { Board } from '../../src/presence/board.ts';
import { PresenceCache } from '../../src/presence/cache.ts';
import { expectBareJid } from '../../src/presence/jid.ts';
import { Ledger } from '../../src/relay/ledger.ts';
import { choose } from '../../src/routing/choose.ts';
import type { GroupPlan } from '../../src/routing/plan.ts';
import { freePorts } from '../../test/support/free-port.ts';
import { missingPeers } from '../../test/support/peers.ts';
import { Prosody } from '../../test/support/prosody-server.ts';
import { domain, nameOf, type Order, people, stampOf } from './crowd.ts';

const jids = Array.from({ length: people }, (_, index) => expectBareJid(`${nameOf(index)}@${domain}`));

interface Measured {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly bar: number | null;
}
const measured: Measured[] = [];
const say = (what: string, value: number, unit: string, bar: number | null = null): void => {
  measured.push({ what, value: Math.round(value * 1000) / 1000, unit, bar });
};

function quantile(values: readonly number[], q: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * q)] ?? Number.NaN;
}

async function stallDuring(work: () => Promise<void>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  await work();
  delay.disable();
  return Math.max(0, delay.max / 1e6 - 5);
}

const rest = (ms: number): Promise<void> => systemClock.sleepUntil(systemClock.now() + ms);

function memory(): void {
  global.gc?.();
  const before = process.memoryUsage().heapUsed;
  const cache = new PresenceCache();
  const board = new Board();
  cache.watch(jids);
  const now = systemClock.now();
  board.people(
    jids.map((jid, index) => ({ name: nameOf(index), jid })),
    (jid) => cache.presenceOf(jid),
    now,
  );
  for (const [index, jid] of jids.entries()) {
    for (const resource of ['desk', 'phone', 'tablet']) {
      const status = `at my ${resource} ${index}`;
      const said = { show: 'available', priority: 0, since: now, status } as const;
      const fact = { kind: 'available', jid: { bare: jid, resource }, resource: said } as const;
      for (const { presence } of cache.apply(fact, now)) board.live(jid, presence, now);
    }
  }
  global.gc?.();
  say('memory for each person', (process.memoryUsage().heapUsed - before) / people, 'octets', global.gc ? 4_096 : null);
  if (board.presenceOf(jids[0] as (typeof jids)[0]).state !== 'available') throw new Error('nobody is there');
}

function choosing(): void {
  const candidates = jids.slice(0, 1_000).map((jid, index) => ({ person: nameOf(index), jid, mailbox: jid as string }));
  const plan = {
    kind: 'group',
    group: 'all',
    candidates,
    strategy: 'longest-idle',
    eligible: ['chat', 'available'],
    hold: null,
    fallback: { mailbox: 'x@example.test', unchanged: false },
    policy: null,
    because: [],
    address: 'all@example.test',
    rule: null,
    rulesVersion: 'x',
  } as unknown as GroupPlan;
  const now = systemClock.now();
  const board = new Board({ damping: { up: 0, down: 0 } });
  const states = jids.map((_, index) => (index % 2 === 0 ? ('available' as const) : ('away' as const)));
  board.people(
    candidates.map(({ person, jid }) => ({ name: person, jid })),
    (jid) => ({ state: states[jids.indexOf(jid)] ?? 'offline', since: now - 60_000, asOf: now }),
    now,
  );
  const watcher = {
    presenceOf: (jid: (typeof jids)[0]) => board.presenceOf(jid),
    presenceOfPerson: (name: string) => board.presenceOfPerson(name),
    onChange: () => undefined,
    watch: () => undefined,
    link: () => ({ state: 'up' as const, since: now }),
  };
  const assignments = candidates.map(({ person }, index) => ({ person, group: 'all', lastAt: now - 1000 - index }));
  const ledger = new Ledger({ assignments, open: [] });
  const [choices, snapshots]: [number[], number[]] = [[], []];
  // The first ones pay for what is compiled once: a program that runs for months has that behind it.
  const warmUp = 1_000;
  for (let turn = 0; turn < warmUp + 1_000; turn += 1) {
    const from = performance.now();
    const snapshot = ledger.snapshot(plan, watcher, { now, excluded: {}, holdUntil: null });
    const between = performance.now();
    const choice = choose(plan, snapshot);
    const done = performance.now();
    if (turn >= warmUp) {
      choices.push(done - between);
      snapshots.push(between - from);
    }
    if (choice.kind !== 'member' || choice.person !== nameOf(998)) throw new Error('the wrong one');
  }
  say('a choice among 1,000, median', quantile(choices, 0.5) * 1000, 'µs', 200);
  say('the snapshot for it, median', quantile(snapshots, 0.5) * 1000, 'µs');
}

/** The whole program on the given XMPP server, not yet heard of anybody. */
async function start(xmpp: XmppConfig): Promise<{ pointsman: Pointsman; stop(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-presence-'));
  const [smtpPort, httpPort] = await freePorts(2);
  mkdirSync(join(folder, 'rules'), { mode: 0o700 });
  const members = (count: number): string =>
    jids
      .slice(0, count)
      .map((_, index) => nameOf(index))
      .join(', ');
  const group = (name: string, count: number): string =>
    `  ${name}: { address: ${name}@${domain}, members: [${members(count)}], strategy: longest-idle, policy: none, fallback: unchanged }\n`;
  const rules = `people:\n${jids.map((jid, index) => `  ${nameOf(index)}: { mail: ${jid} }\n`).join('')}groups:\n${group('all', people)}${group('some', 1_000)}`;
  writeFileSync(join(folder, 'rules', 'all.yaml'), rules, { mode: 0o600 });
  const lines = [
    'hostname: bench.example.test',
    'state: state',
    'rules: rules',
    `listen: ["127.0.0.1:${smtpPort}"]`,
    `http: "127.0.0.1:${httpPort}"`,
    'peers: ["127.0.0.1"]',
    `domains: [${domain}]`,
    'nextHops: { default: "127.0.0.1:9" }',
    // What is measured is how soon a change counts, not how long a flap is waited out.
    'presence: { up: none, down: none }',
  ];
  writeFileSync(join(folder, 'pointsman.yaml'), `${lines.join('\n')}\n`, { mode: 0o600 });
  const { config, problems } = loadConfig(join(folder, 'pointsman.yaml'));
  if (!config) throw new Error(problems.map(({ message }) => message).join('\n'));
  const pointsman = await startPointsman({ ...config, xmpp }, { log: silentLog, anyRuleMode: true });
  const stop = async (): Promise<void> => {
    await pointsman.stop();
    rmSync(folder, { recursive: true });
  };
  return { pointsman, stop };
}

const account = { resource: 'pm', password: 'pw', nick: 'pm', rate: 1_000_000 } as const;

/** From a session to the moment when something is known of everybody, who all became unknown with it. */
async function untilAllKnown(pointsman: Pointsman, begin: () => void): Promise<number> {
  const known = new Set<string>();
  const before = pointsman.watcher.link().counts?.sessions ?? 0;
  const done = Promise.withResolvers<void>();
  const end = pointsman.watcher.onPersonChange?.(({ person, change }) => {
    if (change.presence.state === 'unknown') known.delete(person);
    else if (change.before === 'unknown') known.add(person);
    if (known.size === people) done.resolve();
  });
  begin();
  while ((pointsman.watcher.link().counts?.sessions ?? 0) <= before) await rest(2);
  const from = performance.now();
  await done.promise;
  end?.();
  return performance.now() - from;
}

async function whole(): Promise<void> {
  const crowd: ChildProcess = fork(new URL('crowd.ts', import.meta.url), ['--serve']);
  const order = (what: Order): void => void crowd.send(what);
  const [{ port }] = (await once(crowd, 'message')) as [{ port: number }];
  const jid = expectBareJid(`bot@${domain}`);
  const server = { host: '127.0.0.1', port };
  const { pointsman, stop } = await start({ ...account, jid, server, tls: 'none', ca: null });
  let took = 0;
  let stall = await stallDuring(async () => {
    took = await untilAllKnown(pointsman, () => undefined);
    await rest(2_000);
  });
  say('first sync of 10,000 with 30,000 clients', took / 1000, 's', 5);
  say('  longest stall of the event loop meanwhile', stall, 'ms', 50);
  await rest(5_000);
  stall = await stallDuring(async () => {
    took = await untilAllKnown(pointsman, () => order('restart'));
    await rest(2_000);
  });
  say('the same after the server was killed', took / 1000, 's', 5);
  say('  longest stall of the event loop meanwhile', stall, 'ms', 50);
  await rest(3_000);
  const latencies: number[] = [];
  pointsman.watcher.onPersonChange?.(({ person }) => {
    const stamp = stampOf(pointsman.watcher.presenceOfPerson?.(person).status);
    if (stamp !== null) latencies.push(Number(process.hrtime.bigint() - stamp) / 1e6);
  });
  stall = await stallDuring(async () => {
    // 500 a second: five in each hundredth of a second.
    for (let turn = 0; turn < 1_000; turn += 1) {
      order({ change: 5 });
      await rest(10);
    }
  });
  say('a change is visible to a choice, median', quantile(latencies, 0.5), 'ms', 2);
  say('  99 %', quantile(latencies, 0.99), 'ms');
  say('  changes seen of 5,000', latencies.length, '');
  say('  longest stall of the event loop at 500 a second', stall, 'ms', 50);
  await stop();
  crowd.disconnect();
}

async function prosody(): Promise<void> {
  if (missingPeers(['prosody']).length > 0) return;
  await using server = await Prosody.start({
    domain,
    accounts: { pointsman: 'pw' },
    sharedRoster: [`pointsman@${domain}`, ...jids],
    unlimited: true,
  });
  const jid = expectBareJid(`pointsman@${domain}`);
  const ca = readFileSync(server.caFile, 'utf8');
  const at = { host: '127.0.0.1', port: server.port };
  const { pointsman, stop } = await start({ ...account, jid, server: at, tls: 'required', ca });
  let took = 0;
  const stall = await stallDuring(async () => {
    took = await untilAllKnown(pointsman, () => undefined);
  });
  say('sync of 10,000 on Prosody', took / 1000, 's', 5);
  say('  longest stall of the event loop meanwhile', stall, 'ms', 50);
  await stop();
}

const parts = { memory, choose: choosing, whole, prosody } as const;
const wanted = process.argv.slice(2).filter((word) => word in parts);
say('idle: longest stall of the event loop in 3 s', await stallDuring(() => rest(3_000)), 'ms');
for (const [name, part] of Object.entries(parts)) if (wanted.length === 0 || wanted.includes(name)) await part();

if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(measured, null, 2)}\n`);
else {
  for (const { what, value, unit, bar } of measured) {
    const verdict = bar === null ? '' : value <= bar ? `  (bar ${bar}: kept)` : `  (bar ${bar}: MISSED)`;
    process.stdout.write(`${what.padEnd(52)} ${String(value).padStart(10)} ${unit}${verdict}\n`);
  }
}
