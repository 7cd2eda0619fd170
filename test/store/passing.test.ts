// Mail that passes through is one row while it is on its way (src/store/sqlite/passing.ts). Nobody who looks, and nothing
// that happens to it, may see a difference from mail that has its rows in every table.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { minute } from '../../src/clock.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import type { Acceptance, Store } from '../../src/store/store.ts';
import { keepContent } from './contract.ts';
import * as make from './fixtures.ts';
import { id, t0 } from './fixtures.ts';

let folder: string;
let store: Store;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pointsman-store-'));
  store = await openSqliteStore({ folder, keepContent });
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const leased = (name: string, more: Partial<Acceptance> = {}): Acceptance =>
  make.acceptance(id(name), {
    deliveries: [make.delivery(0, { leasedUntil: t0 + minute, finalDotAt: t0 })],
    ...more,
  });
const delivered = (name: string) =>
  store.settle(
    [{ queueId: id(name), seq: 0, to: 'delivered', at: t0 + 20, reply: '250 2.0.0 Ok', nextHop: 'default' }],
    { events: [make.event(id(name))] },
  );
const rows = (table: string): number => {
  const database = new Database(join(folder, 'pointsman.db'), { readonly: true });
  try {
    return (database.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n;
  } finally {
    database.close();
  }
};
const reopen = async (): Promise<void> => {
  await store.close();
  store = await openSqliteStore({ folder, keepContent });
};

describe('mail that passes through', () => {
  it('is one row on its way, and one without content when it was delivered', async () => {
    await store.accept(leased('A'));
    expect([rows('passing'), rows('messages'), rows('deliveries'), rows('events')]).toEqual([1, 0, 0, 0]);
    expect((await store.counts()).deliveries.queued).toBe(1);
    await delivered('A');
    expect([rows('passing'), rows('passed'), rows('messages')]).toEqual([0, 1, 0]);
    const { deliveries } = await store.counts();
    expect([deliveries.queued, deliveries.delivered]).toEqual([0, 1]);
  });

  it('looks afterwards as other mail does', async () => {
    await store.accept(leased('A'));
    await delivered('A');
    // The same with rows in every table: looked at on its way.
    await store.accept(leased('B'));
    await store.message(id('B'));
    expect(rows('messages')).toBe(1);
    await delivered('B');
    const [a, b] = [await store.message(id('A')), await store.message(id('B'))];
    const asA = (value: unknown) => JSON.parse(JSON.stringify(value).replaceAll('"B"', '"A"').replaceAll('<B@', '<A@'));
    expect(a?.message).toEqual(asA(b?.message));
    expect(a?.deliveries).toEqual(asA(b?.deliveries));
    expect(await store.events(id('A'))).toEqual(asA(await store.events(id('B'))));
    const rowsOf = await store.listQueue({ states: ['delivered'], limit: 10 });
    expect(rowsOf.map(({ queueId }) => queueId).sort()).toEqual(['A', 'B']);
    // Its content is needed by nobody, and is gone.
    expect([a?.contentKept, b?.contentKept]).toEqual([false, true]);
  });

  it('comes again after a crash, with its content and the mark of a possible duplicate', async () => {
    await store.accept(leased('A'));
    await reopen();
    expect((await store.counts()).deliveries.queued).toBe(1);
    expect(await store.releaseLeases()).toBe(1);
    const [due] = await store.claimDue({ kinds: ['attempt'], now: t0, limit: 9, leaseFor: minute });
    expect(due).toMatchObject({ kind: 'attempt', delivery: { queueId: 'A', finalDotAt: t0 } });
    expect(Buffer.from((await store.content(id('A'))) as Uint8Array).toString('latin1')).toBe(
      'Subject: help\r\n\r\n\x00\xff bytes',
    );
  });

  it('comes again when its lease runs out, and not before', async () => {
    await store.accept(leased('A'));
    expect(await store.nextDueAt(['attempt'])).toBe(t0 + minute);
    const claim = (now: number) => store.claimDue({ kinds: ['attempt'], now, limit: 9, leaseFor: minute });
    expect(await claim(t0 + minute - 1)).toEqual([]);
    expect(await claim(t0 + minute)).toHaveLength(1);
  });

  it('that is deferred, or delivered to some of its recipients only, is queued like any other', async () => {
    const two = [0, 1].map((seq) => make.delivery(seq, { leasedUntil: t0 + minute, finalDotAt: t0 }));
    await store.accept(leased('A', { deliveries: two }));
    await delivered('A');
    expect(rows('passed')).toBe(0);
    const later = {
      to: 'queued',
      reply: '451 4.3.0 Later',
      nextHop: 'default',
      nextAttemptAt: t0 + 99,
      counts: true,
    } as const;
    await store.settle([{ queueId: id('A'), seq: 1, ...later }], {});
    const found = await store.message(id('A'));
    expect(found?.deliveries.map(({ state, attempts }) => [state, attempts])).toEqual([
      ['delivered', 1],
      ['queued', 1],
    ]);
    expect(found?.contentKept).toBe(true);
  });

  it('keeps its place in memory and on disk alike when a batch around it fails', async () => {
    const outcomes = await Promise.allSettled([
      store.accept(leased('A')),
      store.accept(leased('A')),
      store.accept(leased('B')),
      store.record({ evidence: [make.evidenceOf(id('NOBODY'))] }),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
    await Promise.all([delivered('A'), delivered('B')]);
    expect([rows('passing'), rows('passed')]).toEqual([0, 2]);
    expect((await store.counts()).deliveries).toMatchObject({ queued: 0, delivered: 2 });
  });
});
