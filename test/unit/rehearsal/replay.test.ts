// A recorded day through other rules: the difference, and the table an admin reads.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { replay } from '../../../src/cli/replay.ts';
import { hour, minute, systemClock } from '../../../src/clock.ts';
import type { MailFacts } from '../../../src/mail/facts.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { expectBareJid } from '../../../src/presence/jid.ts';
import type { RecordedMail, RecordedPresence } from '../../../src/rehearsal/replay.ts';

const nine = Date.UTC(2026, 0, 5, 9);
const rules = (strategy: string) => `people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@example.org }
groups:
  support: { address: support@example.org, members: [alice, bob], strategy: ${strategy}, fallback: { mailbox: archive@example.org }, policy: p }
policies:
  p: { until: taken, steps: [{ name: next, after: 4h, to: next }] }
`;

const mail = (n: number): RecordedMail => {
  const at = nine + n * 10 * minute;
  const facts: MailFacts = {
    queueId: String(n).padStart(13, '0') as QueueId,
    receivedAt: at,
    reversePath: expectMailbox('ann@example.net'),
    recipients: [expectMailbox('support@example.org')],
    size: 1000,
    peer: '127.0.0.1',
    carriesMembers: false,
    subject: `Question ${n}`,
    references: [],
    autoSubmitted: false,
    headers: [],
    receivedCount: 1,
    deliveredTo: [],
  };
  const closed = { at: at + hour, state: 'acknowledged', ownedSince: at };
  const was = {
    person: 'alice',
    mailbox: expectMailbox('alice@example.org'),
    choice: 'member' as const,
    because: ['alice: first in order'],
  };
  return { facts, deliveries: [{ seq: 0, address: expectMailbox('support@example.org'), ...was, closed }] };
};
const present = (name: string, at: number): RecordedPresence => ({
  jid: expectBareJid(`${name}@example.org`),
  at,
  presence: { state: 'available', since: at, asOf: at },
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pointsman-replay-'));
  for (const strategy of ['in-order', 'least-busy']) {
    await mkdir(join(folder, strategy), { mode: 0o755 });
    await writeFile(join(folder, strategy, 'r.yaml'), rules(strategy), { mode: 0o644 });
  }
  const lines = [
    ...['alice', 'bob'].map((name) => ({ presence: present(name, nine - minute) })),
    ...Array.from({ length: 6 }, (_, n) => ({ mail: mail(n) })),
  ];
  await writeFile(join(folder, 'day.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
});
afterAll(() => rm(folder, { recursive: true }));

async function run(options: { rules: string; against?: string; json?: boolean }) {
  const written: string[] = [];
  const exitCode = await replay(
    {
      terminal: { write: (text) => void written.push(text), complain: () => undefined, columns: null },
      clock: systemClock,
      by: 'cli:test',
      folder,
      sourceOf: () => null,
      stateFolderOf: () => Promise.reject(new Error('not asked')),
    },
    { since: 24 * hour, limit: 50, from: 'day.jsonl', ...options },
  );
  return { out: written.join(''), exitCode };
}

test('against what happened: who would have had it instead, why, and how much each', async () => {
  const { out, exitCode } = await run({ rules: 'least-busy' });
  expect(exitCode).toBe(0);
  expect(out).toMatch(
    /^6 mails to 6 recipients, .*\n3 \(50 %\) would have gone elsewhere: rules [0-9a-f]{12} instead of as it was\.\n/,
  );
  expect(out).toMatch(/to alice +to bob +3 +bob: least busy: 0 open\n/);
  expect(out).toMatch(
    /2026-01-05 09:10 +support@example\.org +Question 1 +to alice +to bob +.*bob: least busy: 0 open/,
  );
  expect(out).toMatch(/alice +6 +3 +-3 +\d/);
  expect(out).toMatch(/bob +0 +3 +\+3 +\d/);
});

test('the same rules make no difference, and two sets are compared with each other', async () => {
  expect((await run({ rules: 'in-order' })).out).toContain('All would have gone where they went');
  const { out } = await run({ rules: 'least-busy', against: 'in-order', json: true });
  const report = JSON.parse(out) as { differences: unknown[]; loads: unknown[] };
  expect(report.differences).toHaveLength(3);
  expect(report.loads).toMatchObject([
    { person: 'alice', before: { given: 6 }, after: { given: 3 } },
    { person: 'bob', before: null, after: { given: 3 } },
  ]);
});
