// What a message costs the milter without sockets and without writing down: the octets of one after the other go through
// session, rules, choice and edits in this process. For comparing two states of the code where nothing else is quiet:
// the best of many short rounds says most.
//
//   node bench/milter/inside.ts [--rounds 30] [--messages 2000] [--connections 10] [--warm 20000]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Clock } from '../../src/clock.ts';
import { turnByTurn } from '../../src/leisure.ts';
import { silentLog } from '../../src/log.ts';
import { expectMailbox } from '../../src/mail/path.ts';
import { createRouter, routerActions } from '../../src/milter/router.ts';
import { Session } from '../../src/milter/session.ts';
import { neverSeen } from '../../src/presence/presence.ts';
import { createRelay } from '../../src/relay.ts';
import { parseRules } from '../../src/routing/parse.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { Conversation, introduction, offered } from './conversation.ts';
import { group, rulesFor } from './systems.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '30' },
    messages: { type: 'string', default: '2000' },
    connections: { type: 'string', default: '10' },
    warm: { type: 'string', default: '20000' },
  },
});
const connections = Number(options.connections);
const messages = Number(options.messages);

/** Whoever sleeps sleeps for good: nothing is written down but what is first. */
const clock: Clock = {
  now: () => Date.now(),
  sleepUntil: (_at, signal) =>
    new Promise((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true })),
};
const folder = mkdtempSync(join(tmpdir(), 'inside-'));
const store = await openSqliteStore({ folder, keepContent: 0 });
const loaded = parseRules([{ name: 'rules/all.yaml', text: rulesFor('pointsman.test', 'no body') }]);
if (!loaded.rules) throw new Error(JSON.stringify(loaded.problems));
const rules = loaded.rules;
const there = { state: 'available', since: 0, asOf: 0 } as const;
const away = { ...neverSeen, reason: 'not-subscribed' } as const;
const hop = { name: 'default', host: '127.0.0.1', port: 10026, tls: 'none', maxConnections: 5 } as const;
const day = 86_400_000;
const relay = await createRelay({
  config: {
    hostname: 'mx.example.org',
    peers: [],
    domains: ['sink.test'],
    nextHops: { default: hop, byDomain: new Map() },
    queue: {
      lifetime: 5 * day,
      firstRetry: day,
      longestRetry: day,
      keepContent: day,
      keepHistory: day,
      reportLifetime: day,
      delayNotice: day,
    },
    reports: { languages: [] },
    postmaster: expectMailbox('chief@example.org'),
    limits: { messages: 60_000, recipients: null, most: 100_000, leastFree: 1_000 },
  },
  clock,
  leisure: turnByTurn,
  random: Math.random,
  store,
  rules: { current: () => rules },
  watcher: {
    presenceOf: (jid: string) => (/^(ann|ben|cyd)@/.test(jid) ? there : away),
    link: () => ({ state: 'up', since: 0 }),
    onChange: () => undefined,
    watch: () => undefined,
  } as never,
  notifier: null,
  transport: { close: async () => undefined } as never,
  composeReport: () => Buffer.alloc(0),
  freeSpace: async () => 1e9,
  ours: null,
  markKeys: () => [key],
  markKey: 'mark',
  log: silentLog,
  tell: () => undefined,
  reach: () => undefined,
});
const key = { id: 'k1', secret: Buffer.from('a secret of the benchmark') };
const router = createRouter({
  advisor: relay.advisor,
  log: silentLog,
  onFailure: 'tempfail',
  hold: null,
  carriesMembers: false,
  hostname: 'mx.example.org',
});
let written = 0;
const sessions = Array.from({ length: connections }, () => {
  const session = new Session({
    handlers: router,
    onFailure: 'tempfail',
    wants: () => ({ actions: routerActions, decidesAt: new Set(), body: false, fewReplies: true }),
    write: (octets) => {
      written += octets.length;
    },
    end: () => {
      throw new Error('ended');
    },
    complain: (_what, error) => {
      throw error;
    },
    largestMessage: 50_000_000,
    reserve: () => true,
  });
  session.receive(offered);
  session.receive(introduction);
  return session;
});
let number = 0;
const conversation = new Conversation(group);
async function round(count: number): Promise<number> {
  let took = 0;
  // A few at a time: what waits to be said must not be what is counted.
  for (let done = 0; done < count; done += atOnce) took += burst(atOnce);
  return (took * 1_000) / count;
}

const atOnce = 100;

function burst(count: number): number {
  const made = Array.from({ length: count }, () => conversation.of(number++));
  const from = performance.now();
  for (const [at, parts] of made.entries()) for (const part of parts) sessions[at % connections]?.receive(part);
  return performance.now() - from;
}
const warm = Number(options.warm);
for (let done = 0; done < warm; done += 2_000) {
  await round(2_000);
  await new Promise((resolve) => setImmediate(resolve));
}
const before = written;
const took: number[] = [];
for (let at = 0; at < Number(options.rounds); at += 1) {
  took.push(await round(messages));
  await new Promise((resolve) => setImmediate(resolve));
}
if (written - before < 150 * messages * took.length) throw new Error(`only ${written - before} octets were answered`);
took.sort((a, b) => a - b);
process.stdout.write(
  `${took[0]?.toFixed(1)} µs a message at best, ${took[took.length >> 1]?.toFixed(1)} in the middle, ${((written - before) / messages / took.length).toFixed(0)} octets answered\n`,
);
await store.close();
rmSync(folder, { recursive: true, force: true });
process.exit(0);
