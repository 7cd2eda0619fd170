// The audit, what happened lately, mail for groups by the moments that count, and how people were over a day: on SQLite.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { hour, minute, second } from '../../src/clock.ts';
import { newQueueId, type QueueId } from '../../src/mail/queue-id.ts';
import { expectBareJid } from '../../src/presence/jid.ts';
import type { NewAudit } from '../../src/store/look-back.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import type { Store } from '../../src/store/store.ts';
import { type TempFolder, tempFolder } from '../support/temp-folder.ts';
import * as make from './fixtures.ts';
import { alice, t0 } from './fixtures.ts';

let folder: TempFolder;
let store: Store;
const open = () => openSqliteStore({ folder: folder.path, keepContent: hour });
beforeEach(async () => {
  folder = await tempFolder('look-back');
  store = await open();
});
afterEach(async () => {
  await store.close();
  await folder.remove();
});

const entry = (more: Partial<NewAudit> = {}): NewAudit => ({
  at: t0,
  by: 'console:ann',
  action: 'hold',
  subject: '01JC5Z0K3F7QX',
  wish: { for: 60 },
  before: { state: 'queued', owner: null },
  ...more,
});

it('keeps who did what, also what never ended, over a restart', async () => {
  const first = await store.audit(entry());
  await store.auditEnd(first, 'done', { done: '0' });
  const second = await store.audit(entry({ by: 'cli:bob', action: 'drop' }));
  await store.close();
  store = await open();
  expect(await store.audited({ limit: 9 })).toEqual([
    { ...entry({ by: 'cli:bob', action: 'drop' }), number: second, after: {}, outcome: 'begun' },
    { ...entry(), number: first, after: { done: '0' }, outcome: 'done' },
  ]);
});

it('finds what was done by who, what or whom, in pages; words are no patterns', async () => {
  for (const by of ['cli:bob', 'console:ann', 'cli:bob']) await store.audit(entry({ by, action: `do ${by} 100%` }));
  const numbers = async (filter: { text?: string; before?: number }) =>
    (await store.audited({ limit: 2, ...filter })).map(({ number }) => number);
  expect(await numbers({})).toEqual([3, 2]);
  expect(await numbers({ before: 2 })).toEqual([1]);
  expect(await numbers({ text: 'BOB' })).toEqual([3, 1]);
  expect(await numbers({ text: '100%' })).toEqual([3, 2]);
  expect(await numbers({ text: '10_%' })).toEqual([]);
});

it('tells of events of the kinds asked for, the newest first, in pages that end', async () => {
  const queueId = make.id('0000000000AAA');
  for (let index = 1; index <= 5; index += 1)
    await store.record({
      events: [
        { at: t0 + index, queueId, event: 'operated', action: `${index}`, by: 'x' },
        { at: t0 + index, queueId, event: 'closed', state: 'acknowledged' },
      ],
    });
  const kinds = ['operated'] as const;
  const first = await store.lately({ kinds, limit: 3 });
  expect(first.events.map((event) => event.event === 'operated' && event.action)).toEqual(['5', '4', '3']);
  const second = await store.lately({ kinds, limit: 3, before: first.next ?? 0 });
  expect(second.events.map((event) => event.event === 'operated' && event.action)).toEqual(['2', '1']);
  expect(second.next).toBeNull();
  expect(await store.lately({ kinds: ['failed'], limit: 3 })).toEqual({ events: [], next: null });
});

it('does not look through all that ever happened at once, and says where to go on', async () => {
  const queueId = make.id('0000000000AAA');
  await store.record({ events: [{ at: t0, queueId, event: 'operated', action: 'long ago', by: 'x' }] });
  const many = Array.from(
    { length: 6_000 },
    (_, index) => ({ at: t0 + index, queueId, event: 'closed', state: 'x' }) as const,
  );
  await store.record({ events: many });
  const first = await store.lately({ kinds: ['operated'], limit: 3 });
  expect(first.events).toEqual([]);
  expect(first.next).toBeGreaterThan(1);
  const second = await store.lately({ kinds: ['operated'], limit: 3, before: first.next ?? 0 });
  expect(second.events).toMatchObject([{ action: 'long ago' }]);
  expect(second.next).toBeNull();
});

/** A queue id as one accepted then has. */
const idAt = (at: number, chance = 0): QueueId => newQueueId(at, () => chance);

it('gives mail for groups by the moments that count, in pages, and no other', async () => {
  const ids = [0, 1, 2].map((index) => idAt(t0 + index * minute));
  const [a, b, c] = ids as [QueueId, QueueId, QueueId];
  for (const queueId of ids) await store.accept(make.groupAcceptance(queueId));
  await store.accept(make.acceptance(idAt(t0 + 30 * second)));
  const ref = { queueId: b, seq: 0 };
  const evidence = (grade: 0 | 4 | 7, at: number, trusted = true) =>
    ({ ...ref, at, person: 'alice', grade, source: 'x', reference: null, trusted }) as const;
  await store.recordChoice(
    {
      ...ref,
      chosen: { mailbox: alice, person: 'alice' },
      assignment: { ...ref, person: 'alice', group: 'support', at: t0 + 61 * second },
    },
    {
      evidence: [evidence(4, t0 + 90), evidence(4, t0 + 80), evidence(7, t0 + 70, false), evidence(0, t0 + 60)],
      events: [
        { at: t0, ...ref, event: 'escalated', step: 'next', trigger: 'time', to: 'bob' },
        { at: t0 + 1, ...ref, event: 'escalated', step: 'remind', trigger: 'time', from: 'bob', to: 'bob' },
        {
          at: t0 + 2,
          ...ref,
          event: 'escalated',
          step: 'room',
          trigger: 'time',
          from: 'bob',
          to: 'duty@rooms.example.org',
        },
        { at: t0, queueId: b, seq: 9, event: 'escalated', step: 'next', trigger: 'time', to: 'bob' },
      ],
    },
  );
  const span = { since: t0, until: t0 + 2 * minute + 1, limit: 2 };
  const first = await store.handled(span);
  expect(first.map(({ queueId }) => queueId)).toEqual([a, b]);
  expect(first[1]).toEqual({
    ...ref,
    group: 'support',
    acceptedAt: expect.any(Number),
    state: 'waiting',
    closedAt: null,
    owner: null,
    escalations: 2,
    given: [
      { person: 'bob', at: t0 },
      { person: 'alice', at: t0 + 61 * second },
    ],
    evidence: [
      { grade: 0, at: t0 + 60 },
      { grade: 4, at: t0 + 80 },
    ],
  });
  const last = first.at(-1);
  const rest = await store.handled({ ...span, ...(last ? { after: last } : {}) });
  expect(rest.map(({ queueId }) => queueId)).toEqual([c]);
  // The end does not count, the beginning does.
  expect(
    (await store.handled({ ...span, since: t0 + 1, until: t0 + 2 * minute, limit: 9 })).map((one) => one.queueId),
  ).toEqual([b]);
});

it('tells how people were when the day began, and every change in it', async () => {
  const jid = expectBareJid('alice@example.org');
  const was = { state: 'available', since: t0, asOf: t0 } as const;
  const change = (at: number, state: 'available' | 'away' | 'offline', who = jid) =>
    ({ jid: who, at, before: 'unknown', presence: { ...was, state } }) as const;
  await store.recordPresence([
    change(t0 - 2, 'offline'),
    change(t0 - 1, 'away'),
    change(t0, 'available'),
    change(t0 + hour, 'offline'),
    change(t0 + 2 * hour, 'away'),
    change(t0 + 1, 'away', expectBareJid('bob@example.org')),
  ]);
  const nobody = expectBareJid('eve@example.org');
  expect(await store.presenceSpans({ jids: [jid, nobody], since: t0, until: t0 + 2 * hour })).toEqual([
    {
      jid,
      first: 'away',
      changes: [
        { at: t0, state: 'available' },
        { at: t0 + hour, state: 'offline' },
      ],
    },
    { jid: nobody, first: null, changes: [] },
  ]);
});
