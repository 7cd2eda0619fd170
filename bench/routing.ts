// Speed of the rules: planning with 1,000 routes, choosing among 100, replaying 100,000 messages, a hostile subject.
// Run: node bench/routing.ts. Prints medians; ends with 1 when a bar of the project is missed.
import { performance } from 'node:perf_hooks';
import { type Instant, minute, second } from '../src/clock.ts';
import type { MailFacts } from '../src/mail/facts.ts';
import { expectMailbox } from '../src/mail/path.ts';
import type { QueueId } from '../src/mail/queue-id.ts';
import { expectBareJid } from '../src/presence/jid.ts';
import type { Presence } from '../src/presence/presence.ts';
import type { RecordedMail, RecordedPresence } from '../src/rehearsal/replay.ts';
import { Replay } from '../src/rehearsal/replay.ts';
import { choose, type Snapshot } from '../src/routing/choose.ts';
import { parseRules } from '../src/routing/parse.ts';
import { type GroupPlan, plan } from '../src/routing/plan.ts';
import type { Rules } from '../src/routing/rules.ts';

const start: Instant = Date.UTC(2026, 0, 5, 10);

function rulesOf(text: string): Rules {
  const { rules, problems } = parseRules([{ name: 'bench.yaml', text }]);
  if (!rules) throw new Error(problems.map(({ message }) => message).join('\n'));
  return rules;
}

/** @param named routes that name their recipient; the others ask for a subject and are looked at for every mail */
function manyRoutes(named: number, open: number, regexes: number): Rules {
  const people = Array.from({ length: 100 }, (_, n) => `  p${n}: { mail: p${n}@x.org }`).join('\n');
  const members = Array.from({ length: 100 }, (_, n) => `p${n}`).join(', ');
  const routes = [
    ...Array.from(
      { length: named },
      (_, n) => `  - { match: { recipient: r${n}@x.org, subject: { contains: word${n} } }, group: g }`,
    ),
    ...Array.from(
      { length: open },
      (_, n) => `  - { match: { sender: { glob: '*@s${n}.example' }, subject: { contains: 'thing ${n}' } }, group: g }`,
    ),
    ...Array.from(
      { length: regexes },
      (_, n) => `  - { match: { subject: { regex: '(?i)\\b(ticket|case)-?${n}[0-9]{4}\\b' } }, group: g }`,
    ),
  ].join('\n');
  return rulesOf(
    `people:\n${people}\ngroups:\n  g: { address: g@x.org, members: [${members}], strategy: longest-idle, policy: none, fallback: unchanged }\nroutes:\n${routes}\n`,
  );
}

const facts = (n: number, at: Instant, subject: string, to = 'g@x.org'): MailFacts => ({
  queueId: String(n).padStart(13, '0') as QueueId,
  receivedAt: at,
  reversePath: expectMailbox(`customer${n % 500}@elsewhere.example`),
  recipients: [expectMailbox(to)],
  size: 30_000,
  peer: '127.0.0.1',
  carriesMembers: false,
  messageId: `<${n}@elsewhere.example>`,
  subject,
  references: [],
  autoSubmitted: false,
  headers: Array.from({ length: 25 }, (_, h) => [`x-header-${h}`, `value ${h} of mail ${n}`] as const),
  receivedCount: 3,
  deliveredTo: [],
});

function median(times: number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
}

function measure(rounds: number, work: (round: number) => void): number {
  for (let round = 0; round < rounds / 5; round += 1) work(round);
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const before = performance.now();
    work(round);
    times.push((performance.now() - before) * 1000);
  }
  return median(times);
}

let missed = false;
function report(what: string, value: number, unit: string, bar: number): void {
  if (value > bar) missed = true;
  process.stdout.write(
    `${what.padEnd(64)} ${value.toFixed(1).padStart(9)} ${unit}  (bar ${bar} ${unit}) ${value > bar ? 'MISSED' : 'ok'}\n`,
  );
}

const group = expectMailbox('g@x.org');
for (const [what, named, open] of [
  ['planning: 950 routes that name recipients, 50 regular expressions', 950, 0],
  ['planning: 950 routes looked at for every mail, 50 regular expressions', 0, 950],
] as const) {
  const rules = manyRoutes(named, open, 50);
  const value = measure(2000, (n) =>
    plan(facts(n, start, `About the order ${n} of last week, ticket pending`), group, rules),
  );
  report(what, value, 'µs', 200);
}

{
  const rules = manyRoutes(0, 0, 1);
  const rule = plan(facts(1, start, 'x'), group, rules) as GroupPlan;
  const people = Object.fromEntries(
    rule.candidates.map(({ person }, n) => {
      const presence: Presence = { state: n % 3 === 0 ? 'away' : 'available', since: start - minute, asOf: start };
      return [person, { presence, open: n % 7, lastAssignedAt: start - ((n * 7919) % 100) * second }];
    }),
  );
  const snapshot: Snapshot = { now: start, people, lastInGroup: null, excluded: {}, holdUntil: null };
  report(
    'choosing among 100 candidates',
    measure(5000, () => void choose(rule, snapshot)),
    'µs',
    30,
  );
}

{
  const rules = rulesOf(
    `groups: {}\nroutes:\n  - { match: { subject: { regex: '^(a+)+$' } }, pass: true }\n  - { match: { subject: { regex: '(x*)*y' } }, pass: true }\n`,
  );
  const hostile = (length: number) => facts(1, start, `${'a'.repeat(length - 1)}!`);
  const [short, long] = [64_000, 1_000_000].map(hostile) as [MailFacts, MailFacts];
  report('a hostile subject of 64 kB', measure(20, () => void plan(short, group, rules)) / 1000, 'ms', 200);
  report(
    'a hostile subject of 1 MB (looked at to 64 kB)',
    measure(20, () => void plan(long, group, rules)) / 1000,
    'ms',
    200,
  );
}

{
  const count = 100_000;
  const people = Array.from({ length: 20 }, (_, n) => `  p${n}: { mail: p${n}@x.org, capacity: 50 }`).join('\n');
  const names = Array.from({ length: 20 }, (_, n) => `p${n}`);
  const rules = rulesOf(
    `people:\n${people}\ngroups:\n  g: { address: g@x.org, members: [${names.join(', ')}], strategy: least-busy, hold: 8h, fallback: unchanged, policy: p }\npolicies:\n  p: { until: taken, steps: [{ name: next, after: 10m, to: next }] }\nroutes:\n  - { match: { subject: { regex: '(?i)invoice' } }, group: g, cost: 2 }\n`,
  );
  const presence: RecordedPresence[] = Array.from({ length: 5000 }, (_, n) => {
    const at = start + n * 120 * second;
    return {
      jid: expectBareJid(`p${n % 20}@x.org`),
      at,
      presence: { state: n % 5 === 4 ? 'away' : 'available', since: at, asOf: at },
    };
  });
  const before = performance.now();
  const replay = new Replay(rules);
  for (const change of presence) replay.presence(change);
  for (let n = 0; n < count; n += 1) {
    const at = start + n * 6 * second;
    const mail: RecordedMail = {
      facts: facts(n, at, n % 7 === 0 ? 'Your invoice' : `Question ${n}`),
      deliveries: [
        {
          seq: 0,
          address: group,
          person: null,
          mailbox: null,
          choice: 'member',
          because: [],
          closed: n % 10 === 0 ? null : { at: at + 300 * second, state: 'acknowledged', ownedSince: at },
        },
      ],
    };
    replay.run(at - 1);
    replay.mail(mail);
  }
  replay.run(start + count * 6 * second + 86_400_000);
  report(`replaying ${count} recorded messages`, (performance.now() - before) / 1000, 's', 60);
  process.stdout.write(`  ${replay.result.routes.size} decided, ${replay.result.loads.size} people\n`);
}

process.exitCode = missed ? 1 : 0;
