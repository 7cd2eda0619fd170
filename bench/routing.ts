// Speed of the rules: planning with 1,000 routes, choosing among 100, replaying 100,000 messages, a hostile subject.
// Run: node bench/routing.ts. Prints medians; ends with 1 when a bar of the project is missed.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { type Recording, readRecording, saveRecording } from '../src/cli/recording.ts';
import { runThrough } from '../src/cli/replay.ts';
import { describeReplay } from '../src/cli/replay-report.ts';
import { type Instant, minute, second } from '../src/clock.ts';
import type { MailFacts } from '../src/mail/facts.ts';
import { expectMailbox } from '../src/mail/path.ts';
import type { QueueId } from '../src/mail/queue-id.ts';
import { expectBareJid } from '../src/presence/jid.ts';
import type { Presence } from '../src/presence/presence.ts';
import type { RecordedMail, RecordedPresence } from '../src/rehearsal/replay.ts';
import { asItWas, compare } from '../src/rehearsal/replay.ts';
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
  const snapshotOf = (away: number): Snapshot => {
    const people = Object.fromEntries(
      rule.candidates.map(({ person }, n) => {
        const presence: Presence = { state: n % 3 < away ? 'away' : 'available', since: start - minute, asOf: start };
        return [person, { presence, open: n % 7, lastAssignedAt: start - ((n * 7919) % 100) * second }];
      }),
    );
    return { now: start, people, lastInGroup: null, excluded: {}, holdUntil: null };
  };
  for (const [what, away] of [
    ['choosing among 100 candidates, two of three eligible', 1],
    ['choosing among 100 candidates, all eligible', 0],
  ] as const) {
    const snapshot = snapshotOf(away);
    report(
      what,
      measure(5000, () => void choose(rule, snapshot)),
      'µs',
      30,
    );
  }
}

{
  const rules = rulesOf(
    `groups: {}\nroutes:\n  - { match: { subject: { regex: '^(a+)+$' } }, pass: true }\n  - { match: { subject: { regex: '(x*)*y' } }, pass: true }\n`,
  );
  const hostile = (length: number) => facts(1, start, `${'a'.repeat(length - 1)}!`);
  const [tiny, short, long] = [8_000, 64_000, 1_000_000].map(hostile) as [MailFacts, MailFacts, MailFacts];
  report('a hostile subject of 8 kB', measure(40, () => void plan(tiny, group, rules)) / 1000, 'ms', 25);
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
  const mails = Array.from({ length: count }, (_, n): RecordedMail => {
    const at = start + n * 6 * second;
    return {
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
  });
  const recording: Recording = { since: start, until: start + count * 6 * second + 86_400_000, mails, presence };
  const before = performance.now();
  const run = runThrough(rules, recording);
  report(`replaying ${count} recorded messages`, (performance.now() - before) / 1000, 's', 60);
  process.stdout.write(`  ${run.routes.size} decided, ${run.loads.size} people\n`);
  const folder = await mkdtemp(join(tmpdir(), 'pointsman-bench-'));
  try {
    await saveRecording(join(folder, 'days.jsonl.gz'), recording);
    const began = performance.now();
    const read = await readRecording(folder, 'days.jsonl.gz');
    const after = runThrough(rules, read);
    const difference = compare(read.mails, asItWas(read.mails), after, rules);
    const compared = { report: difference, since: read.since, until: read.until, before: 'as it was', after: 'new' };
    const shown = describeReplay(compared, 50, 120);
    report(`the same from a file, compared and shown`, (performance.now() - began) / 1000, 's', 60);
    process.stdout.write(`  ${shown.split('\n')[1]}\n`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

process.exitCode = missed ? 1 : 0;
