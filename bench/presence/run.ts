// Presence at size: 10,000 people with three clients each. `npx node bench/presence/run.ts [--json]`
//
//   visible   from a presence stanza on the wire to the desk's answer, at 500 changes a second, through the real adapter
//   memory    heap for each person, in cache and board together
//   choose    one choice among 1,000 candidates
//   resync    a new session on a real Prosody with a shared roster of 10,000, until everybody is known (when installed)
//
// Each beside an idle baseline: the same process doing nothing for as long, for what the machine itself costs.
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock, systemRandom } from '../../src/clock.ts';
import { silentLog } from '../../src/log.ts';
import { Board } from '../../src/presence/board.ts';
import { PresenceCache } from '../../src/presence/cache.ts';
import { expectBareJid } from '../../src/presence/jid.ts';
import { createPresenceDesk } from '../../src/presence-desk.ts';
import { choose, type Snapshot } from '../../src/routing/choose.ts';
import type { GroupPlan } from '../../src/routing/plan.ts';
import { createXmppServer } from '../../src/sandbox/xmpp-server/xmpp-server.ts';
import { createXmpp } from '../../src/xmpp/adapter.ts';
import { missingPeers } from '../../test/support/peers.ts';
import { Prosody } from '../../test/support/prosody-server.ts';

const people = 10_000;
const jids = Array.from({ length: people }, (_, index) => expectBareJid(`person${index}@example.test`));
const shows = ['chat', '', 'away', 'xa', 'dnd'] as const;
const clients = ['desk', 'phone', 'tablet'] as const;
const store = { remember: async () => undefined, recall: async () => null, forgetPresence: async () => 0 };

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

async function visible(): Promise<void> {
  const server = createXmppServer({ domain: 'example.test', accounts: { bot: 'pw' } });
  const address = await server.start();
  const config = {
    jid: expectBareJid('bot@example.test'),
    resource: 'pm',
    password: 'pw',
    server: address,
    tls: 'none',
    ca: null,
    nick: 'pm',
    rate: 1_000_000,
  } as const;
  const xmpp = createXmpp(config, { clock: systemClock, random: systemRandom });
  const desk = await createPresenceDesk({
    stream: xmpp,
    clock: systemClock,
    log: silentLog,
    store,
    damping: { up: 0, down: 0 },
  });
  desk.start();
  xmpp.start();
  while (xmpp.link().state !== 'up') await rest(10);
  // In the roster already, as a shared one has them: else each would be asked, and that would be measured too.
  for (const [index, jid] of jids.entries()) {
    const item = `<item jid='${jid}' subscription='both'/>`;
    const push = `<iq type='set' id='r${index}'><query xmlns='jabber:iq:roster'>${item}</query></iq>`;
    server.faults.inject('bot@example.test/pm', push);
    if (index % 200 === 0) await rest(20);
  }
  await rest(2_000);
  desk.follow(jids.map((jid, index) => ({ name: `person${index}`, jid })));
  await rest(2_000);
  const sentAt = new Map<string, number>();
  const latencies: number[] = [];
  desk.onPersonChange(({ jid }) => {
    const at = jid === null ? undefined : sentAt.get(jid);
    if (at === undefined || jid === null) return;
    sentAt.delete(jid);
    latencies.push(performance.now() - at);
  });
  let turn = 0;
  const change = (count: number): void => {
    for (let each = 0; each < count; each += 1) {
      turn += 1;
      const jid = jids[(turn * 7919) % people] ?? 'nobody';
      const show = shows[turn % 5];
      // Each round speaks for its person: what another client says better is no visible change.
      const priority = Math.floor(turn / people);
      sentAt.set(jid, performance.now());
      server.faults.inject(
        'bot@example.test/pm',
        `<presence from='${jid}/${clients[turn % 3]}'>${show ? `<show>${show}</show>` : ''}<status>turn ${turn}</status><priority>${priority}</priority></presence>`,
      );
    }
  };
  // Everybody with three clients first.
  for (let filled = 0; filled < 3 * people; filled += 200) {
    change(200);
    await rest(20);
  }
  latencies.length = 0;
  const stall = await stallDuring(async () => {
    // 500 a second: five in each hundredth of a second.
    const until = performance.now() + 10_000;
    while (performance.now() < until) {
      change(5);
      await rest(10);
    }
  });
  say('a change is visible, median', quantile(latencies, 0.5), 'ms', 2);
  say('a change is visible, 99 %', quantile(latencies, 0.99), 'ms');
  say('longest stall of the event loop at 500 a second', stall, 'ms', 50);
  desk.stop();
  await xmpp.stop();
  await server.stop('abruptly');
}

function memory(): void {
  global.gc?.();
  const before = process.memoryUsage().heapUsed;
  const cache = new PresenceCache();
  const board = new Board();
  cache.watch(jids);
  const now = systemClock.now();
  board.people(
    jids.map((jid, index) => ({ name: `person${index}`, jid })),
    (jid) => cache.presenceOf(jid),
    now,
  );
  for (const [index, jid] of jids.entries()) {
    for (const resource of clients) {
      const status = `at my desk ${index}`;
      const fact = { show: 'available', priority: 0, since: now, status } as const;
      for (const { presence } of cache.apply(
        { kind: 'available', jid: { bare: jid, resource }, resource: fact },
        now,
      )) {
        board.live(jid, presence, now);
      }
    }
  }
  global.gc?.();
  say('memory for each person', (process.memoryUsage().heapUsed - before) / people, 'octets', global.gc ? 4_096 : null);
  if (board.presenceOf(jids[0] as (typeof jids)[0]).state !== 'available') throw new Error('nobody is there');
}

function choosing(): void {
  const candidates = jids
    .slice(0, 1_000)
    .map((jid, index) => ({ person: `person${index}`, jid, mailbox: jid as string }));
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
  const entries = candidates.map(({ person }, index) => {
    const state = index % 2 === 0 ? 'available' : 'away';
    return [person, { presence: { state, since: now, asOf: now }, open: 0, lastAssignedAt: now - index }] as const;
  });
  const snapshot = {
    now,
    people: Object.fromEntries(entries),
    lastInGroup: null,
    excluded: {},
    holdUntil: null,
  } as Snapshot;
  const times: number[] = [];
  for (let turn = 0; turn < 500; turn += 1) {
    const from = performance.now();
    choose(plan, snapshot);
    times.push(performance.now() - from);
  }
  say('a choice among 1,000 with all reasons, median', quantile(times, 0.5) * 1000, 'µs', 200);
}

async function resync(): Promise<void> {
  const domain = 'example.test';
  await using prosody = await Prosody.start({
    domain,
    accounts: { pointsman: 'pw' },
    sharedRoster: [`pointsman@${domain}`, ...jids],
    unlimited: true,
  });
  const config = {
    jid: expectBareJid(`pointsman@${domain}`),
    resource: 'pm',
    password: 'pw',
    server: { host: '127.0.0.1', port: prosody.port },
    tls: 'required',
    ca: readFileSync(prosody.caFile, 'utf8'),
    nick: 'pm',
    rate: 1_000_000,
  } as const;
  const xmpp = createXmpp(config, { clock: systemClock, random: systemRandom });
  const desk = await createPresenceDesk({ stream: xmpp, clock: systemClock, log: silentLog, store });
  desk.start();
  desk.follow(jids.map((jid, index) => ({ name: `person${index}`, jid })));
  let known = 0;
  const done = new Promise<void>((resolve) => {
    desk.onPersonChange(({ change }) => {
      if (change.before === 'unknown' && change.presence.state === 'offline') known += 1;
      if (known === people) resolve();
    });
  });
  const from = performance.now();
  const stall = await stallDuring(async () => {
    xmpp.start();
    await done;
  });
  say('resync of 10,000 on Prosody', (performance.now() - from) / 1000, 's', 5);
  say('longest stall of the event loop meanwhile', stall, 'ms', 50);
  desk.stop();
  await xmpp.stop();
}

say('idle: longest stall of the event loop in 3 s', await stallDuring(() => rest(3_000)), 'ms');
memory();
choosing();
await visible();
if (missingPeers(['prosody']).length === 0) await resync();

if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(measured, null, 2)}\n`);
else {
  for (const { what, value, unit, bar } of measured) {
    const verdict = bar === null ? '' : value <= bar ? `  (bar ${bar}: kept)` : `  (bar ${bar}: MISSED)`;
    process.stdout.write(`${what.padEnd(52)} ${String(value).padStart(10)} ${unit}${verdict}\n`);
  }
}
