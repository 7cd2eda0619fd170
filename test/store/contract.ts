// What every store must do, whatever engine is behind the port. Each test gets a store of its own.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { day, hour, minute, second } from '../../src/clock.ts';
import { headOf } from '../../src/mail/content.ts';
import { PointsmanError } from '../../src/mail/error.ts';
import { newQueueId, type QueueId } from '../../src/mail/queue-id.ts';
import { expectBareJid } from '../../src/presence/jid.ts';
import { type Acceptance, type Due, ShortIdTaken, type Store } from '../../src/store/store.ts';
import type { TrackState } from '../../src/tracking/tracked.ts';
import * as make from './fixtures.ts';
import { alice, id, t0 } from './fixtures.ts';

export const keepContent = 7 * day;

export interface Opened {
  readonly store: Store;
  /** Closes the store and opens it anew on the same data. */
  reopen(): Promise<Opened>;
  dispose(): Promise<void>;
}

/** @param open with content kept for `keepContent` */
export function storeContract(name: string, open: () => Promise<Opened>): void {
  describe(`${name} keeps the store's contract`, () => {
    let opened: Opened;
    let store: Store;
    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened.dispose());

    const a = id('0000000000AAA');
    const b = id('0000000000BBB');
    const c = id('0000000000CCC');
    const ref = { queueId: a, seq: 0 };
    const claim = (kinds: Due['kind'][], now = t0, limit = 100, leaseFor = minute) =>
      store.claimDue({ kinds, now, limit, leaseFor });
    const attempts = async (now = t0) =>
      (await claim(['attempt'], now)).map((due) => (due.kind === 'attempt' ? due.delivery.queueId : 'wrong'));
    const delivered = { to: 'delivered', at: t0 + second, reply: '250 2.0.0 Ok', nextHop: 'inside' } as const;
    const octetsOf = ({ content }: Acceptance) => Buffer.from(content === null ? [] : headOf(content));
    const only = async (queueId = a) => (await store.message(queueId))?.deliveries[0];

    describe('accept', () => {
      it('keeps message, content, deliveries, tracked and events, also over a restart', async () => {
        const acceptance = make.groupAcceptance(a);
        await store.accept(acceptance);
        opened = await opened.reopen();
        store = opened.store;
        const kept = await store.message(a);
        expect(kept?.message).toEqual(acceptance.message);
        expect(kept?.contentKept).toBe(true);
        expect(kept?.tracked).toEqual(acceptance.tracked);
        const { firstAttemptAt, ...delivery } = make.delivery(0, {
          plan: make.groupPlan,
          path: { mailbox: make.support },
        });
        expect(kept?.deliveries).toEqual([
          {
            ...delivery,
            queueId: a,
            state: 'queued',
            attempts: 0,
            lastReply: null,
            lastHop: null,
            finalDotAt: null,
            onHoldBy: null,
            delayToldAt: null,
            nextAttemptAt: firstAttemptAt,
          },
        ]);
        expect(Buffer.from(headOf(await store.content(a)))).toEqual(octetsOf(acceptance));
        expect(await store.events(a)).toEqual(acceptance.events);
        expect((await store.counts()).deliveries.queued).toBe(1);
      });

      it('leaves the caller its content', async () => {
        const content = new Uint8Array([1, 2, 3]);
        await store.accept(make.acceptance(a, { content }));
        expect(content).toEqual(new Uint8Array([1, 2, 3]));
        expect(new Uint8Array(headOf(await store.content(a)))).toEqual(content);
      });

      it('takes empty content and a part of a larger buffer', async () => {
        const part = Buffer.from('xxhelloxx').subarray(2, 7);
        await store.accept(make.acceptance(a, { content: new Uint8Array() }));
        await store.accept(make.acceptance(b, { content: part }));
        expect(headOf(await store.content(a)).byteLength).toBe(0);
        expect(Buffer.from(headOf(await store.content(b))).toString()).toBe('hello');
      });

      it('rejects a queue id that is there already, and leaves the first as it was', async () => {
        await store.accept(make.acceptance(a));
        await expect(store.accept(make.acceptance(a, { content: Buffer.from('other') }))).rejects.toThrow(
          PointsmanError,
        );
        expect(headOf(await store.content(a)).byteLength).toBe(25);
        expect((await store.counts()).deliveries.queued).toBe(1);
      });

      it('rejects whole: nothing of it is kept', async () => {
        const twice = make.acceptance(a, { deliveries: [make.delivery(0), make.delivery(0)] });
        await expect(store.accept(twice)).rejects.toThrow(PointsmanError);
        expect(await store.message(a)).toBeNull();
        expect(await store.events(a)).toEqual([]);
        expect(await store.nextDueAt(['attempt'])).toBeNull();
      });

      it('says when a short id is taken by an open one, and takes it again after that has closed', async () => {
        await store.accept(make.groupAcceptance(a, { shortId: 'k7mf' }));
        const error = await store.accept(make.groupAcceptance(b, { shortId: 'k7mf' })).catch((thrown) => thrown);
        expect(error).toBeInstanceOf(ShortIdTaken);
        expect(error).toMatchObject({ shortId: 'k7mf', reply: { code: 451 } });
        expect(await store.message(b)).toBeNull();
        await store.accept(make.groupAcceptance(b, { shortId: 'k7mg' }));
        const closed = { shortId: 'k7mf', revision: 1, state: 'withdrawn', closedAt: t0 } as const;
        await store.advance(make.trackedOf(a, closed), {});
        await store.accept(make.groupAcceptance(c, { shortId: 'k7mf' }));
        expect((await store.trackedByShortId('k7mf'))?.queueId).toBe(c);
      });

      it('takes a hundred at once', async () => {
        const ids = Array.from({ length: 100 }, (_, index) => id(`M${String(index).padStart(12, '0')}`));
        await Promise.all(ids.map((one) => store.accept(make.acceptance(one))));
        expect(await attempts()).toEqual(ids);
      });
    });

    describe('the timer queue', () => {
      it('leases oldest first, up to the limit, and never to two', async () => {
        await store.accept(make.acceptance(b, { deliveries: [make.delivery(0, { firstAttemptAt: t0 - 2 })] }));
        await store.accept(make.acceptance(a, { deliveries: [make.delivery(0, { firstAttemptAt: t0 - 1 })] }));
        await store.accept(make.acceptance(c, { deliveries: [make.delivery(0, { firstAttemptAt: t0 + 1 })] }));
        const [first, second] = await Promise.all([claim(['attempt'], t0, 1), claim(['attempt'], t0, 1)]);
        expect(first.map((due) => due.dueAt)).toEqual([t0 - 2]);
        expect(second.map((due) => due.dueAt)).toEqual([t0 - 1]);
        expect(await claim(['attempt'])).toEqual([]);
        expect(await store.nextDueAt(['attempt'])).toBe(t0 + 1);
      });

      it('gives a work item again when its lease has run out', async () => {
        await store.accept(make.acceptance(a));
        expect(await attempts()).toEqual([a]);
        expect(await store.nextDueAt(['attempt'])).toBe(t0 + minute);
        expect(await attempts(t0 + minute - 1)).toEqual([]);
        expect(await attempts(t0 + minute)).toEqual([a]);
      });

      it('frees at start what a dead process had leased', async () => {
        await store.accept(make.acceptance(a));
        await store.accept(make.acceptance(b));
        expect(await attempts()).toEqual([a, b]);
        expect(await store.releaseLeases()).toBe(2);
        expect(await attempts()).toEqual([a, b]);
      });

      it('loads whole work items of the kinds asked for', async () => {
        const tracked = make.trackedOf(a, { nextStepAt: t0 });
        await store.accept(make.groupAcceptance(a, { nextStepAt: t0 }));
        await store.record({ nudges: [make.nudge('n1', a, { dueAt: t0 - 1 })] });
        expect(await claim(['retire'])).toEqual([]);
        const due = await claim(['step', 'nudge', 'attempt']);
        expect(due.map((one) => one.kind).toSorted()).toEqual(['attempt', 'nudge', 'step']);
        expect(due[0]).toEqual({
          kind: 'nudge',
          dueAt: t0 - 1,
          nudge: { ...make.nudge('n1', a, { dueAt: t0 - 1 }), state: 'pending', attempts: 0, sentAt: null },
        });
        expect(due.find((one) => one.kind === 'step')).toEqual({
          ...{ kind: 'step', dueAt: t0, tracked },
          forwards: { made: 0, onTheirWay: 0 },
        });
        const attempt = due.find((one) => one.kind === 'attempt');
        expect(attempt).toMatchObject({ message: make.groupAcceptance(a).message, delivery: { plan: make.groupPlan } });
      });

      it('answers null when nothing waits', async () => {
        expect(await store.nextDueAt(['attempt', 'step', 'nudge', 'retire'])).toBeNull();
        expect(await claim(['attempt'])).toEqual([]);
      });
    });

    describe('forward', () => {
      it('records whom it chose, the decision and the assignment', async () => {
        await store.accept(make.groupAcceptance(a));
        const chosen = { mailbox: alice, person: 'alice' };
        const assignment = { ...ref, person: 'alice', group: 'support', at: t0 };
        const also = { decisions: [make.decision('d1', a)], events: [make.event(a)] };
        expect(await store.recordChoice({ ...ref, chosen, assignment }, also)).toBe('done');
        expect((await only())?.chosen).toEqual(chosen);
        expect(await store.decisions(a)).toEqual([make.decision('d1', a)]);
        expect((await store.history()).assignments).toEqual([{ person: 'alice', group: 'support', lastAt: t0 }]);
      });

      it('counts the latest assignment per person and group', async () => {
        for (const [queueId, at] of [
          [a, 3],
          [b, 1],
          [c, 2],
        ] as const) {
          await store.accept(make.groupAcceptance(queueId));
          const assignment = {
            queueId,
            seq: 0,
            person: 'alice',
            group: queueId === c ? 'sales' : 'support',
            at: t0 + at,
          };
          await store.recordChoice({ queueId, seq: 0, chosen: { mailbox: alice, person: 'alice' }, assignment }, {});
        }
        expect((await store.history()).assignments).toEqual([
          { person: 'alice', group: 'sales', lastAt: t0 + 2 },
          { person: 'alice', group: 'support', lastAt: t0 + 3 },
        ]);
      });

      it('keeps that the final dot was near until the attempt is settled', async () => {
        await store.accept(make.acceptance(a));
        await store.recordFinalDot([ref], t0 + 5);
        expect((await only())?.finalDotAt).toBe(t0 + 5);
        const later = {
          to: 'queued',
          reply: '451 Later',
          nextHop: 'inside',
          nextAttemptAt: t0 + hour,
          counts: true,
        } as const;
        await store.settle([{ ...ref, ...later }], {});
        expect((await only())?.finalDotAt).toBeNull();
      });

      it.each([
        { to: 'queued', reply: null, nextHop: null, nextAttemptAt: t0 + hour, counts: false },
        { to: 'held', until: t0 + hour },
      ] as const)('keeps it where no attempt was made, if asked to: $to', async (settlement) => {
        await store.accept(make.groupAcceptance(a));
        await store.recordFinalDot([ref], t0 + 5);
        await store.settle([{ ...ref, ...settlement, mayHaveArrived: true }], {});
        expect((await only())?.finalDotAt).toBe(t0 + 5);
        await store.settle([{ ...ref, ...settlement }], {});
        expect((await only())?.finalDotAt).toBeNull();
      });

      it('settles: delivered is final, without a timer', async () => {
        await store.accept(make.acceptance(a));
        await attempts();
        expect(await store.settle([{ ...ref, ...delivered }], { events: [make.event(a)] })).toBe('done');
        expect(await only()).toMatchObject({
          state: 'delivered',
          attempts: 1,
          lastReply: '250 2.0.0 Ok',
          lastHop: 'inside',
          nextAttemptAt: null,
        });
        expect(await store.nextDueAt(['attempt'])).toBeNull();
        expect(await store.events(a)).toHaveLength(2);
        expect((await store.counts()).deliveries).toMatchObject({ queued: 0, delivered: 1 });
      });

      it('answers stale to a second settlement, and applies none of it', async () => {
        await store.accept(make.acceptance(a, { deliveries: [make.delivery(0), make.delivery(1)] }));
        await store.settle([{ ...ref, ...delivered }], {});
        const again = await store.settle(
          [
            { queueId: a, seq: 1, ...delivered },
            { ...ref, ...delivered },
          ],
          { events: [make.event(a)] },
        );
        expect(again).toBe('stale');
        expect((await store.message(a))?.deliveries.map((one) => one.state)).toEqual(['delivered', 'queued']);
        expect(await store.events(a)).toHaveLength(1);
        expect((await store.counts()).deliveries).toMatchObject({ queued: 1, delivered: 1 });
        expect(await store.settle([{ queueId: b, seq: 0, ...delivered }], {})).toBe('stale');
      });

      it('queues again, releasing the lease, and counts only real attempts', async () => {
        await store.accept(make.acceptance(a));
        await attempts();
        const back = {
          ...ref,
          to: 'queued',
          reply: null,
          nextHop: null,
          nextAttemptAt: t0 + 1,
          counts: false,
        } as const;
        await store.settle([back], {});
        expect(await only()).toMatchObject({ attempts: 0, nextAttemptAt: t0 + 1 });
        expect(await attempts(t0)).toEqual([]);
        expect(await attempts(t0 + 1)).toEqual([a]);
        const later = {
          ...back,
          reply: '451 Later',
          nextHop: 'inside',
          nextAttemptAt: t0 + 10.4,
          counts: true,
        } as const;
        await store.settle([later], {});
        expect(await only()).toMatchObject({
          attempts: 1,
          lastReply: '451 Later',
          lastHop: 'inside',
          nextAttemptAt: t0 + 11,
        });
      });

      it.each(['failed', 'dead', 'dropped'] as const)('ends as %s', async (to) => {
        await store.accept(make.acceptance(a));
        await store.settle([{ ...ref, to, at: t0, reply: '550 5.1.1 No such user', nextHop: null }], {});
        expect(await only()).toMatchObject({ state: to, attempts: 0, lastReply: '550 5.1.1 No such user' });
        expect((await store.counts()).deliveries[to]).toBe(1);
        expect(await attempts(t0 + day)).toEqual([]);
        expect((await store.listQueue({ states: [to], limit: 10 })).map((row) => row.queueId)).toEqual([a]);
        expect(await store.listQueue({ limit: 10 })).toEqual([]);
      });

      it('keeps a report to the sender with the failure it reports', async () => {
        await store.accept(make.acceptance(a));
        const report = make.acceptance(b);
        const reports = [{ ...report, message: { ...report.message, kind: 'report' as const } }];
        await store.settle([{ ...ref, to: 'failed', at: t0, reply: '550 No', nextHop: 'inside' }], { reports });
        expect((await store.message(b))?.message.kind).toBe('report');
        expect(Buffer.from(headOf(await store.content(b)))).toEqual(octetsOf(report));
        expect(octetsOf(report).byteLength).toBe(25);
        expect(await attempts()).toEqual([b]);
      });

      it('holds, and wakes the held of a group: oldest first, never later than they were due', async () => {
        for (const queueId of [b, a, c]) {
          await store.accept(make.groupAcceptance(queueId));
          await store.settle([{ queueId, seq: 0, to: 'held', until: queueId === c ? t0 + 5 : t0 + hour }], {});
        }
        expect((await store.counts()).deliveries).toMatchObject({ queued: 0, held: 3 });
        expect(await attempts(t0 + 1)).toEqual([]);
        expect(await store.wakeHeld('sales', t0 + 10)).toBe(0);
        expect(await store.wakeHeld('support', t0 + 10)).toBe(2);
        expect(await store.wakeHeld('support', t0 + 10)).toBe(0);
        expect(await only()).toMatchObject({ state: 'held', nextAttemptAt: t0 + 10 });
        expect(await attempts(t0 + 10)).toEqual([c, a, b]);
      });

      it('does not wake what is leased a second time', async () => {
        await store.accept(make.groupAcceptance(a));
        await store.settle([{ ...ref, to: 'held', until: t0 + 5 }], {});
        expect(await attempts(t0 + 5)).toEqual([a]);
        await store.wakeHeld('support', t0 + 1);
        expect(await attempts(t0 + 6)).toEqual([]);
      });

      it('claims what an escalation forwards before all else that is due', async () => {
        await store.accept(make.groupAcceptance(b));
        await store.settle([{ queueId: b, seq: 0, ...delivered }], {});
        await store.accept(make.acceptance(a));
        const { seq: _, ...forward } = make.delivery(0, { forwardOf: 0, firstAttemptAt: t0 + hour });
        await store.record({ forwards: [{ ...forward, queueId: b }] });
        expect((await claim(['attempt'], t0 + hour, 1)).map((due) => due.kind === 'attempt' && due.delivery)).toEqual([
          expect.objectContaining({ queueId: b, seq: 1, nextAttemptAt: t0 + hour }),
        ]);
        expect(await attempts(t0 + hour)).toEqual([a]);
      });

      it('brings near what a clock that was ahead has put off, and nothing else', async () => {
        const put = (id: typeof a, firstAttemptAt: number) =>
          store.accept(make.acceptance(id, { deliveries: [make.delivery(0, { firstAttemptAt })] }));
        await put(a, t0 + 50 * hour);
        await put(b, t0 + hour);
        expect(await store.hastenBeyond(t0 + 8 * hour, t0)).toBe(1);
        expect(await attempts(t0)).toEqual([a]);
        expect(await store.hastenBeyond(t0 + 8 * hour, t0)).toBe(0);
      });

      it('retries now at an operator’s word', async () => {
        await store.accept(
          make.acceptance(a, { deliveries: [make.delivery(0, { firstAttemptAt: t0 + hour }), make.delivery(1)] }),
        );
        await store.settle([{ queueId: a, seq: 1, ...delivered }], {});
        expect(await store.retryNow(a, t0, make.event(a))).toBe(1);
        expect(await attempts(t0)).toEqual([a]);
        expect(await store.events(a)).toHaveLength(2);
        await store.settle([{ ...ref, ...delivered }], {});
        expect(await store.retryNow(a, t0, make.event(a))).toBe(0);
        expect(await store.retryNow(b, t0, make.event(b))).toBe(0);
        expect(await store.events(b)).toEqual([]);
      });
    });

    describe('a clock that was ahead', () => {
      const noted = (queueId: typeof a, at: number) => ({ ...make.event(queueId), at });

      it('is known by what was written last', async () => {
        expect(await store.lastEventAt()).toBeNull();
        await store.accept(make.groupAcceptance(a));
        await store.record({ events: [noted(a, t0 + hour), noted(a, t0 + minute)] });
        expect(await store.lastEventAt()).toBe(t0 + hour);
      });

      it('has touched those whose last event is later than now, and no others', async () => {
        for (const queueId of [a, b, c]) {
          await store.accept(make.groupAcceptance(queueId));
          const own = { state: 'tracked', owner: 'alice', ownedSince: t0, revision: 1, nextStepAt: t0 + day } as const;
          await store.advance(make.trackedOf(queueId, own), { events: [noted(queueId, t0 + hour)] });
        }
        // Set right since.
        const right = { ...make.event(b, { by: 'clock set back' }), at: t0 };
        await store.record({ events: [right, noted(b, t0 + second)] });
        const request = { at: t0 + second, now: t0, after: null, limit: 2 } as const;
        const first = await store.openWrittenAfter({ ...request, at: t0 + minute });
        expect(first.found.map((each) => [each.tracked.queueId, each.lastEventAt])).toEqual([[a, t0 + hour]]);
        expect(first.next).toEqual({ queueId: b, seq: 0 });
        const rest = await store.openWrittenAfter({ ...request, at: t0 + minute, after: first.next });
        expect(rest.found.map((each) => each.tracked.queueId)).toEqual([c]);
        expect(rest.next).toBeNull();
        // What is due anyway needs no help.
        expect((await store.openWrittenAfter({ ...request, now: t0 + day })).found).toEqual([]);
      });
    });

    describe('planning anew', () => {
      const other = { ...make.groupPlan, group: 'other', rulesVersion: 'def456def456' };
      const held = async () => {
        await store.accept(make.groupAcceptance(a));
        await claim(['attempt']);
        await store.settle([{ ...ref, to: 'held', until: t0 + hour }], {});
      };
      const noted = make.event(a, { action: 'planned anew' });

      it('a held one is held for its new group, tracked under its new plan, and keeps its short id', async () => {
        await held();
        const before = await store.tracked(ref);
        const tracked = make.trackedOf(a, { plan: other, shortId: 'zzzz' });
        expect(await store.replan({ ...ref, plan: other, tracked, at: t0 }, { events: [noted] })).toBe('done');
        opened = await opened.reopen();
        store = opened.store;
        expect(await only()).toMatchObject({ plan: other, state: 'held' });
        const after = await store.tracked(ref);
        expect(after).toEqual({ ...before, plan: other, revision: (before?.revision ?? 0) + 1 });
        expect((await store.events(a)).at(-1)).toEqual(noted);
        expect(await store.wakeHeld('support', t0)).toBe(0);
        expect(await store.wakeHeld('other', t0)).toBe(1);
      });

      it('for no group: no longer held, and nobody’s task', async () => {
        await held();
        expect(await store.replan({ ...ref, plan: make.pass, tracked: null, at: t0 + second }, {})).toBe('done');
        expect(await only()).toMatchObject({ plan: make.pass, state: 'queued' });
        expect(await store.tracked(ref)).toMatchObject({
          state: 'withdrawn',
          closedBy: 'reload',
          closedAt: t0 + second,
        });
        expect((await store.history()).held).toEqual([]);
        const { deliveries, tracked } = await store.counts();
        expect([deliveries.held, deliveries.queued, tracked.withdrawn]).toEqual([0, 1, 1]);
      });

      it('what was not tracked is from now on; a short id in use is refused', async () => {
        await store.accept(make.groupAcceptance(b));
        await store.accept(
          make.acceptance(a, { deliveries: [make.delivery(0, { plan: { ...make.groupPlan, policy: null } })] }),
        );
        const again = make.trackedOf(a, { shortId: (await store.tracked({ queueId: b, seq: 0 }))?.shortId ?? '' });
        await expect(store.replan({ ...ref, plan: other, tracked: again, at: t0 }, {})).rejects.toThrow(ShortIdTaken);
        expect(await only()).toMatchObject({ plan: { group: 'support' } });
        const tracked = make.trackedOf(a, { plan: other });
        expect(await store.replan({ ...ref, plan: other, tracked, at: t0 }, {})).toBe('done');
        expect(await store.tracked(ref)).toMatchObject({ plan: other, state: 'waiting' });
      });

      it('is stale once somebody has it, and for what has ended or never was', async () => {
        await held();
        const tracked = await store.tracked(ref);
        if (!tracked) throw new Error('not tracked');
        await store.advance(
          { ...tracked, state: 'tracked', owner: 'alice', ownedSince: t0, revision: tracked.revision + 1 },
          {},
        );
        const change = { ...ref, plan: other, tracked: make.trackedOf(a, { plan: other }), at: t0 };
        expect(await store.replan(change, { events: [noted] })).toBe('stale');
        expect(await only()).toMatchObject({ plan: { group: 'support' }, state: 'held' });
        expect(await store.events(a)).not.toContainEqual(noted);
        await store.settle([{ ...ref, ...delivered }], {});
        expect(await store.replan({ ...change, tracked: null }, {})).toBe('stale');
        expect(await store.replan({ ...change, queueId: c }, {})).toBe('stale');
      });
    });

    describe('recordings', () => {
      it('say where mail went, who had it besides, and what escalation did with it', async () => {
        await store.accept(make.groupAcceptance(a));
        await store.accept(make.acceptance(b));
        const choice = {
          kind: 'member',
          person: 'alice',
          mailbox: alice,
          also: [{ person: 'bob', mailbox: alice }],
          group: 'second',
          considered: [],
          because: ['to all of them'],
        } as const;
        const snapshot = { now: t0, people: {}, lastInGroup: null, excluded: {}, holdUntil: null };
        const plan = { ...make.groupPlan, mode: 'observe' as const };
        await store.record({
          decisions: [{ ...ref, id: 'd1', at: t0, why: 'dispatch', plan, snapshot, choice }],
          events: [
            {
              event: 'forwarded',
              at: t0 + second,
              ...ref,
              to: alice,
              person: 'alice',
              nextHop: 'inside',
              reply: '250',
            },
            { event: 'escalated', at: t0 + minute, ...ref, step: 'next', trigger: 'passed', from: 'alice', to: 'bob' },
          ],
        });
        const span = { since: t0, until: t0 + second, limit: 10 };
        const [first, rest] = await store.recorded(span);
        expect(first?.deliveries).toEqual([
          {
            seq: 0,
            address: make.support,
            plan: { kind: 'group', group: 'support' },
            person: 'alice',
            mailbox: alice,
            choice: 'member',
            also: ['bob'],
            of: 'second',
            because: ['group address', 'to all of them'],
            givenAt: t0 + second,
            moves: [{ at: t0 + minute, trigger: 'passed', from: 'alice', to: 'bob' }],
            closed: null,
          },
        ]);
        expect(rest?.deliveries).toMatchObject([{ plan: { kind: 'pass' }, choice: null, person: null }]);
        expect((await store.recorded({ ...span, after: a })).map(({ facts }) => facts.queueId)).toEqual([b]);
        expect(await store.recorded({ ...span, since: t0 + 1 })).toEqual([]);
        expect((await store.recorded({ ...span, limit: 1 })).map(({ facts }) => facts.queueId)).toEqual([a]);
      });
    });

    describe('compare and set', () => {
      const taken = (owner: string, revision = 1) =>
        make.trackedOf(a, { revision, state: 'tracked', owner, ownedSince: t0, nextStepAt: t0 + hour });

      it('lets one of two writers win; the other changes nothing', async () => {
        await store.accept(make.groupAcceptance(a));
        const answers = await Promise.all([
          store.advance(taken('alice'), { events: [make.event(a, { by: 'alice' })] }),
          store.advance(taken('bob'), {
            events: [make.event(a, { by: 'bob' })],
            nudges: [make.nudge('n1', a)],
            decisions: [make.decision('d1', a)],
          }),
        ]);
        expect(answers).toEqual(['done', 'stale']);
        expect(await store.tracked(ref)).toEqual(taken('alice'));
        expect(await store.events(a)).toHaveLength(2);
        expect(await store.nudges(a)).toEqual([]);
        expect(await store.decisions(a)).toEqual([]);
        expect((await store.counts()).pendingNudges).toBe(0);
      });

      it('holds for tracked among the consequences of any verb', async () => {
        await store.accept(make.groupAcceptance(a));
        await store.advance(taken('alice'), {});
        expect(await store.settle([{ ...ref, ...delivered }], { tracked: [taken('bob')] })).toBe('stale');
        expect((await only())?.state).toBe('queued');
        expect(await store.settle([{ ...ref, ...delivered }], { tracked: [taken('bob', 2)] })).toBe('done');
        expect(await store.record({ tracked: [taken('carol', 2)] })).toBe('stale');
        expect((await store.tracked(ref))?.owner).toBe('bob');
      });

      it('answers stale for what was never tracked', async () => {
        await store.accept(make.acceptance(a));
        expect(await store.advance(taken('alice'), {})).toBe('stale');
      });

      it('keeps the step timer equal to nextStepAt', async () => {
        await store.accept(make.groupAcceptance(a));
        expect(await store.nextDueAt(['step'])).toBeNull();
        await store.advance(taken('alice'), {});
        expect(await claim(['step'], t0 + hour)).toHaveLength(1);
        await store.advance({ ...taken('bob', 2), nextStepAt: t0 + 2 * hour }, {});
        expect(await store.nextDueAt(['step'])).toBe(t0 + 2 * hour);
        await store.advance({ ...taken('bob', 3), nextStepAt: null }, {});
        expect(await store.nextDueAt(['step'])).toBeNull();
      });

      const closed = (state: TrackState, revision: number) =>
        make.trackedOf(a, { revision, state, closedAt: t0, closedBy: 'alice' });

      it.each([
        ['waiting', 'held'],
        ['waiting', 'tracked'],
        ['waiting', 'withdrawn'],
        ['held', 'waiting'],
        ['held', 'tracked'],
        ['tracked', 'tracked'],
        ['tracked', 'acknowledged'],
        ['tracked', 'answered'],
        ['tracked', 'expired'],
        ['tracked', 'withdrawn'],
        ['expired', 'acknowledged'],
        ['expired', 'answered'],
      ] as const)('lets %s become %s', async (from, to) => {
        await store.accept(make.groupAcceptance(a));
        await reach(from);
        const revision = ((await store.tracked(ref))?.revision ?? 0) + 1;
        const next = isOpen(to) ? make.trackedOf(a, { revision, state: to }) : closed(to, revision);
        expect(await store.advance(next, {})).toBe('done');
        expect((await store.tracked(ref))?.state).toBe(to);
        expect((await store.counts()).tracked[to]).toBe(1);
      });

      it.each([
        ['tracked', 'waiting'],
        ['tracked', 'held'],
        ['expired', 'tracked'],
        ['expired', 'withdrawn'],
        ['acknowledged', 'tracked'],
        ['acknowledged', 'answered'],
        ['answered', 'acknowledged'],
        ['withdrawn', 'tracked'],
      ] as const)('never lets %s become %s', async (from, to) => {
        await store.accept(make.groupAcceptance(a));
        await reach(from);
        const revision = ((await store.tracked(ref))?.revision ?? 0) + 1;
        const next = isOpen(to) ? make.trackedOf(a, { revision, state: to }) : closed(to, revision);
        await expect(store.advance(next, { events: [make.event(a)] })).rejects.toThrow(`from ${from} to ${to}`);
        expect((await store.tracked(ref))?.state).toBe(from);
        expect(await store.events(a)).toHaveLength(1);
      });

      const isOpen = (state: TrackState) => ['waiting', 'held', 'tracked'].includes(state);
      async function reach(state: TrackState): Promise<void> {
        if (state === 'waiting') return;
        if (state === 'held') await store.advance(make.trackedOf(a, { revision: 1, state }), {});
        else {
          await store.advance(taken('alice'), {});
          if (state !== 'tracked') await store.advance(closed(state, 2), {});
        }
      }

      it('expires without a closing moment, and refuses impossible states', async () => {
        await store.accept(make.groupAcceptance(a));
        await expect(store.advance(make.trackedOf(a, { revision: 1, state: 'acknowledged' }), {})).rejects.toThrow();
        await expect(
          store.advance(make.trackedOf(a, { revision: 1, state: 'withdrawn', closedAt: t0, nextStepAt: t0 }), {}),
        ).rejects.toThrow();
        expect(await store.advance(make.trackedOf(a, { revision: 1, state: 'expired' }), {})).toBe('done');
      });
    });

    describe('consequences', () => {
      it('adds forwards with the next free seq', async () => {
        await store.accept(make.groupAcceptance(a));
        await store.settle([{ ...ref, ...delivered }], {});
        const { seq: _, ...forward } = make.delivery(9, { forwardOf: 0, firstAttemptAt: t0 + 1 });
        const forwards = [
          { ...forward, queueId: a },
          { ...forward, queueId: a },
        ];
        expect(await store.advance(make.trackedOf(a, { revision: 1, state: 'tracked' }), { forwards })).toBe('done');
        const deliveries = (await store.message(a))?.deliveries ?? [];
        expect(deliveries.map((one) => [one.seq, one.forwardOf, one.state])).toEqual([
          [0, null, 'delivered'],
          [1, 0, 'queued'],
          [2, 0, 'queued'],
        ]);
        expect(await attempts(t0 + 1)).toEqual([a, a]);
      });

      it('gives forwards before all mail that is due', async () => {
        await store.accept(make.groupAcceptance(a));
        await store.settle([{ ...ref, ...delivered }], {});
        for (const older of ['01HZZZZZZ1001', '01HZZZZZZ1002']) await store.accept(make.acceptance(make.id(older)));
        const { seq: _, ...forward } = make.delivery(9, { forwardOf: 0, firstAttemptAt: t0 + 10 });
        const tracked = make.trackedOf(a, { revision: 1, state: 'tracked' });
        await store.advance(tracked, { forwards: [{ ...forward, queueId: a }] });
        const due = await store.claimDue({ kinds: ['attempt'], now: t0 + 10, limit: 1, leaseFor: minute });
        expect(due).toMatchObject([{ kind: 'attempt', delivery: { queueId: a, seq: 1 } }]);
      });

      it('hands forwards over with the change, leased, with the content, and not as sent yet', async () => {
        await store.accept(make.groupAcceptance(a));
        await store.settle([{ ...ref, ...delivered }], {});
        const { seq: _, ...one } = make.delivery(9, { forwardOf: 0, leasedUntil: t0 + minute, finalDotAt: t0 });
        const forwards = [
          { ...one, queueId: a },
          { ...one, queueId: a },
        ];
        const tracked = make.trackedOf(a, { revision: 1, state: 'tracked' });
        const { message } = make.groupAcceptance(a);
        const content = await store.content(a);
        expect(await store.advanceOnward(tracked, { forwards })).toEqual([
          {
            message,
            content,
            delivery: expect.objectContaining({ queueId: a, seq: 1, forwardOf: 0, finalDotAt: null }),
          },
          {
            message,
            content,
            delivery: expect.objectContaining({ queueId: a, seq: 2, forwardOf: 0, finalDotAt: null }),
          },
        ]);
        expect(await attempts(t0 + 1)).toEqual([]);
        // Should they never be heard of again, they may have been sent.
        const stored = (await store.message(a))?.deliveries.slice(1);
        expect(stored?.map(({ finalDotAt }) => finalDotAt)).toEqual([t0, t0]);
        expect(await attempts(t0 + minute)).toEqual([a, a]);
        expect(await store.advanceOnward(tracked, { forwards })).toBe('stale');
        expect((await store.message(a))?.deliveries).toHaveLength(3);
      });

      it('stores nothing when what must stand has moved on', async () => {
        await store.accept(make.groupAcceptance(a));
        const evidence = [make.evidenceOf(a)];
        expect(await store.settle([{ ...ref, ...delivered }], { evidence, standing: [{ ...ref, revision: 7 }] })).toBe(
          'stale',
        );
        expect((await store.message(a))?.deliveries[0]?.state).toBe('queued');
        expect(await store.evidence(a)).toEqual([]);
        const revision = (await store.tracked(ref))?.revision ?? -1;
        expect(await store.settle([{ ...ref, ...delivered }], { evidence, standing: [{ ...ref, revision }] })).toBe(
          'done',
        );
        expect(await store.evidence(a)).toEqual(evidence);
        expect((await store.tracked(ref))?.revision).toBe(revision);
      });

      it('records evidence', async () => {
        await store.accept(make.groupAcceptance(a));
        const evidence = [make.evidenceOf(a), make.evidenceOf(a, { trusted: false, person: null, reference: null })];
        expect(await store.record({ evidence })).toBe('done');
        expect(await store.evidence(a)).toEqual(evidence);
        expect(await store.evidence(b)).toEqual([]);
      });

      it('refuses evidence of what is not there', async () => {
        await expect(store.record({ evidence: [make.evidenceOf(b)] })).rejects.toThrow(PointsmanError);
      });
    });

    describe('nudges', () => {
      beforeEach(() => store.accept(make.groupAcceptance(a)));
      const stateOf = async (nudgeId: string) => (await store.nudges(a)).find((one) => one.id === nudgeId)?.state;

      it('adds an id once', async () => {
        await store.record({ nudges: [make.nudge('n1', a)] });
        await store.record({ nudges: [make.nudge('n1', a, { text: 'other', dueAt: t0 - 9 })] });
        expect(await store.nudges(a)).toMatchObject([{ id: 'n1', text: 'New mail: help', state: 'pending' }]);
        expect((await store.counts()).pendingNudges).toBe(1);
        expect(await store.nextDueAt(['nudge'])).toBe(t0);
      });

      it('is sent once', async () => {
        await store.record({ nudges: [make.nudge('n1', a)] });
        await claim(['nudge']);
        expect(await store.settleNudge('n1', { to: 'sent', at: t0 + 3 }, { events: [make.event(a)] })).toBe('done');
        expect(await store.nudges(a)).toMatchObject([{ state: 'sent', sentAt: t0 + 3, attempts: 1 }]);
        expect(await store.settleNudge('n1', { to: 'sent', at: t0 + 4 }, { events: [make.event(a)] })).toBe('stale');
        expect(await store.settleNudge('none', { to: 'stale' }, {})).toBe('stale');
        expect(await store.events(a)).toHaveLength(2);
        expect(await store.nextDueAt(['nudge'])).toBeNull();
        expect((await store.counts()).pendingNudges).toBe(0);
      });

      it('is tried again later, and goes stale', async () => {
        const room = { kind: 'room', room: expectBareJid('ops@rooms.example.org') } as const;
        await store.record({ nudges: [make.nudge('n1', a, { to: room })] });
        await claim(['nudge']);
        await store.settleNudge('n1', { to: 'pending', dueAt: t0 + 30 }, {});
        expect(await store.nextDueAt(['nudge'])).toBe(t0 + 30);
        expect(await claim(['nudge'], t0 + 30)).toMatchObject([{ nudge: { attempts: 1, to: room, dueAt: t0 + 30 } }]);
        await store.settleNudge('n1', { to: 'stale' }, {});
        expect(await stateOf('n1')).toBe('stale');
        expect(await store.nextDueAt(['nudge'])).toBeNull();
      });

      it('brings near what waits for its next try, and not what is being said right now', async () => {
        await store.record({ nudges: [make.nudge('n1', a), make.nudge('n2', a)] });
        await claim(['nudge']);
        await store.settleNudge('n1', { to: 'pending', dueAt: t0 + hour }, {});
        expect(await store.hastenNudges(t0 + 1)).toBe(1);
        expect(await store.hastenNudges(t0 + 1)).toBe(0);
        // It keeps when it was meant to go: that tells what it waited for.
        expect(await claim(['nudge'], t0 + 1)).toMatchObject([{ nudge: { id: 'n1', dueAt: t0 + hour } }]);
      });

      it('puts off all that waits for somebody, and what is claimed of it, as if it had not been tried', async () => {
        const bob = { kind: 'person', jid: expectBareJid('bob@example.org'), person: null } as const;
        const waits = { staleAt: t0 + hour };
        const mine = ['n1', 'n2', 'n3'].map((id) => make.nudge(id, a, waits));
        await store.record({ nudges: mine.slice(0, 2) });
        await claim(['nudge']);
        const soonStale = make.nudge('stale by then', a, { staleAt: t0 + 20 });
        const later = make.nudge('later', a, { ...waits, dueAt: t0 + 60 });
        await store.record({
          nudges: [...mine.slice(2), soonStale, later, make.nudge('of bob', a, { ...waits, to: bob })],
        });
        const [first] = mine;
        if (!first) throw new Error('no nudge');
        await store.putOffNudges(first.to, [{ id: 'n1', queueId: a, seq: 0 }], t0 + 30);
        const ids = (due: readonly Due[]) => due.map((each) => each.kind === 'nudge' && each.nudge.id).sort();
        expect(ids(await claim(['nudge'], t0 + 29))).toEqual(['of bob', 'stale by then']);
        const due = await claim(['nudge'], t0 + 30);
        // The second is still in somebody's hands.
        expect(ids(due)).toEqual(['n1', 'n3']);
        expect(due).toMatchObject([{ nudge: { attempts: 0, dueAt: first.dueAt } }, { nudge: { attempts: 0 } }]);
        await store.settleNudge('n1', { to: 'sent', at: t0 + 31 }, {});
        await store.putOffNudges(first.to, [{ id: 'n1', queueId: a, seq: 0 }], t0 + 40);
        expect(await stateOf('n1')).toBe('sent');
      });

      it('withdraws what is pending of kind nudge, before new ones are added', async () => {
        await store.record({
          nudges: [make.nudge('sent', a), make.nudge('pending', a), make.nudge('notice', a, { kind: 'notice' })],
        });
        await store.settleNudge('sent', { to: 'sent', at: t0 }, {});
        await store.record({ withdrawNudgesOf: [ref], nudges: [make.nudge('new', a, { step: 1 })] });
        expect(await Promise.all(['sent', 'pending', 'notice', 'new'].map(stateOf))).toEqual([
          'sent',
          'withdrawn',
          'pending',
          'pending',
        ]);
        expect((await claim(['nudge'])).map((due) => due.kind === 'nudge' && due.nudge.id).toSorted()).toEqual([
          'new',
          'notice',
        ]);
        expect(await store.settleNudge('pending', { to: 'sent', at: t0 }, {})).toBe('stale');
        expect((await store.counts()).pendingNudges).toBe(2);
      });
    });

    describe('retirement', () => {
      it('keeps content until everything has ended and a while longer', async () => {
        await store.accept(make.groupAcceptance(a));
        await store.settle([{ ...ref, ...delivered }], {
          tracked: [make.trackedOf(a, { revision: 1, state: 'tracked' })],
        });
        expect(await store.nextDueAt(['retire'])).toBeNull();
        await store.retireContent(a);
        expect((await store.message(a))?.contentKept).toBe(true);
        const closed = { revision: 2, state: 'acknowledged', closedAt: t0 + hour } as const;
        await store.advance(make.trackedOf(a, closed), {});
        const due = t0 + hour + keepContent;
        expect(await store.nextDueAt(['retire'])).toBe(due);
        expect(await claim(['retire'], due)).toEqual([{ kind: 'retire', dueAt: due, queueId: a }]);
        await store.retireContent(a);
        expect((await store.message(a))?.contentKept).toBe(false);
        expect(await store.events(a)).toHaveLength(1);
        await expect(store.content(a)).rejects.toThrow(PointsmanError);
        expect(await store.nextDueAt(['retire'])).toBeNull();
        await store.retireContent(a);
      });

      it('waits for the last of several deliveries', async () => {
        await store.accept(make.acceptance(a, { deliveries: [make.delivery(0), make.delivery(1)] }));
        await store.settle([{ ...ref, ...delivered, at: t0 + 9 }], {});
        expect(await store.nextDueAt(['retire'])).toBeNull();
        await store.settle([{ queueId: a, seq: 1, ...delivered, at: t0 + 10 }], {});
        expect(await store.nextDueAt(['retire'])).toBe(t0 + 10 + keepContent);
      });

      it('is put off when an escalation forwards once more in the very step that closes', async () => {
        await store.accept(make.groupAcceptance(a));
        await store.settle([{ ...ref, ...delivered }], {});
        const { seq: _, ...forward } = make.delivery(0, { forwardOf: 0 });
        await store.advance(make.trackedOf(a, { revision: 1, state: 'expired' }), {
          forwards: [{ ...forward, queueId: a }],
        });
        expect(await store.nextDueAt(['retire'])).toBeNull();
        await store.settle([{ queueId: a, seq: 1, ...delivered }], {});
        expect(await store.nextDueAt(['retire'])).not.toBeNull();
        await store.record({ forwards: [{ ...forward, queueId: a }] });
        expect(await store.nextDueAt(['retire'])).toBeNull();
      });

      it('never takes a dead letter’s content', async () => {
        await store.accept(make.acceptance(a));
        await store.settle([{ ...ref, to: 'dead', at: t0, reply: '550 No', nextHop: 'inside' }], {});
        expect(await store.nextDueAt(['retire'])).toBeNull();
        await store.retireContent(a);
        expect(headOf(await store.content(a)).byteLength).toBe(25);
      });

      it('refuses a forward of what is gone', async () => {
        await store.accept(make.acceptance(a));
        await store.settle([{ ...ref, ...delivered }], {});
        await store.retireContent(a);
        const { seq: _, ...forward } = make.delivery(0);
        await expect(store.record({ forwards: [{ ...forward, queueId: a }] })).rejects.toThrow('not kept');
      });
    });

    describe('forgetting', () => {
      const all = async (before: number, limit = 100) => {
        let pruned = 0;
        for (let after: QueueId | null = null; ; ) {
          const done = await store.prune({ before, after, limit });
          expect(done.pruned).toBeLessThanOrEqual(limit);
          pruned += done.pruned;
          after = done.next;
          if (after === null) return pruned;
        }
      };

      it('takes what ended before, with all that was noted of it, and its counts', async () => {
        const before = await store.counts();
        await store.accept(make.groupAcceptance(a));
        await store.recordChoice(
          {
            ...ref,
            chosen: { mailbox: alice, person: 'alice' },
            assignment: { ...ref, person: 'alice', group: 'support', at: t0 + 3 },
          },
          { decisions: [make.decision('d1', a)], nudges: [make.nudge('n1', a)], evidence: [make.evidenceOf(a)] },
        );
        await store.settle([{ ...ref, ...delivered }], { events: [make.event(a)] });
        await store.settleNudge('n1', { to: 'sent', at: t0 + 4 }, {});
        await store.advance(make.trackedOf(a, { revision: 1, state: 'acknowledged', closedAt: t0 + hour }), {});
        expect(await all(t0 + day)).toBe(0);
        await store.retireContent(a);
        expect(await all(t0 + hour)).toBe(0);
        expect(await all(t0 + hour + 1)).toBe(1);
        expect(await store.message(a)).toBeNull();
        for (const rest of [store.events(a), store.evidence(a), store.decisions(a), store.nudges(a)]) {
          expect(await rest).toEqual([]);
        }
        expect(await store.trackedByShortId(make.trackedOf(a).shortId)).toBeNull();
        expect(await store.counts()).toEqual(before);
        // Nobody has waited longer for mail than before.
        const last = [{ person: 'alice', group: 'support', lastAt: t0 + 3 }];
        expect((await store.history()).assignments).toEqual(last);
        opened = await opened.reopen();
        store = opened.store;
        expect((await store.history()).assignments).toEqual(last);
        expect(await store.counts()).toEqual(before);
      });

      it('takes mail that passed through, however it is kept', async () => {
        const leased = make.delivery(0, { leasedUntil: t0 + minute, finalDotAt: t0 });
        const two = [leased, { ...leased, seq: 1 }];
        for (const each of [a, b, c]) await store.accept(make.acceptance(each, { deliveries: two }));
        for (const each of [a, b]) {
          const settled = [0, 1].map((seq) => ({ queueId: each, seq, ...delivered }));
          await store.settle(settled, { events: [make.event(each)] });
        }
        expect(await all(t0 + 2 * day, 1)).toBe(2);
        expect(await store.message(a)).toBeNull();
        expect(await store.events(b)).toEqual([]);
        expect((await store.counts()).deliveries).toMatchObject({ queued: 2, delivered: 0 });
        expect(await only(c)).toMatchObject({ state: 'queued' });
      });

      it('leaves what waits, is open, was kept for somebody to read, or came later', async () => {
        const later = newQueueId(t0 + day, () => 0);
        await store.accept(make.acceptance(a));
        await store.accept(make.groupAcceptance(b));
        await store.settle([{ queueId: b, seq: 0, ...delivered }], {});
        await store.accept(make.acceptance(c));
        await store.settle([{ queueId: c, seq: 0, to: 'dead', at: t0, reply: '550 no', nextHop: 'inside' }], {});
        await store.accept(make.acceptance(later));
        await store.settle([{ queueId: later, seq: 0, ...delivered }], {});
        for (const each of [a, b, c, later]) await store.retireContent(each);
        expect(await all(t0 + day, 1)).toBe(0);
        for (const each of [a, b, c, later]) expect(await store.events(each)).toHaveLength(1);
        expect(await all(t0 + 2 * day, 1)).toBe(1);
        expect(await store.message(later)).toBeNull();
      });

      it('takes events of what never was a message, and faults that were cleared', async () => {
        await store.record({ events: [make.event(a)] });
        const fault = await store.openFault({ kind: 'k', subject: 's', severity: 'error', text: 'x', at: t0 });
        await store.openFault({ kind: 'k', subject: 'open', severity: 'error', text: 'x', at: t0 });
        await store.accept(make.acceptance(b));
        await store.settle([{ queueId: b, seq: 0, to: 'dead', at: t0, reply: '550 no', nextHop: 'inside' }], {});
        const seen = await store.openFault({ kind: 'dead', subject: b, severity: 'error', text: 'x', at: t0 });
        await store.changeFault({ ...seen, clearedAt: t0, clearedBy: 'ann', revision: 2 });
        await store.announcedFault(seen.number, 2);
        await store.changeFault({ ...fault, clearedAt: t0 + 5, clearedBy: null, revision: 2 });
        expect(await all(t0 + 10)).toBe(1);
        expect(await store.events(a)).toEqual([]);
        // Not before everybody who should has heard of it.
        expect(await store.faults('all')).toHaveLength(3);
        await store.announcedFault(fault.number, 2);
        await all(t0 + 5);
        expect(await store.faults('all')).toHaveLength(3);
        await all(t0 + 6);
        expect((await store.faults('all')).map(({ subject }) => subject)).toEqual([b, 'open']);
      });
    });

    describe('looking', () => {
      it('finds tracked ones by owner, group, short id and Message-ID', async () => {
        await store.accept(make.groupAcceptance(b, { acceptedAt: t0 + 2, messageId: '<m1@x>' }));
        await store.accept(make.groupAcceptance(a, { acceptedAt: t0 + 1, messageId: '<m2@x>' }));
        await store.accept(make.groupAcceptance(c, { acceptedAt: t0 + 3, messageId: '<m2@x>' }));
        const owned = { state: 'tracked', owner: 'alice', ownedSince: t0, revision: 1 } as const;
        await store.advance(make.trackedOf(a, { ...owned, messageId: '<m2@x>' }), {});
        await store.advance(make.trackedOf(c, { revision: 1, state: 'withdrawn', closedAt: t0 }), {});
        const ids = (list: readonly { queueId: string }[]) => list.map((one) => one.queueId);
        expect(ids(await store.openTracked({}))).toEqual([a, b]);
        expect(ids(await store.openTracked({ owner: 'alice' }))).toEqual([a]);
        expect(ids(await store.openTracked({ group: 'support' }))).toEqual([a, b]);
        expect(ids(await store.openTracked({ group: 'sales' }))).toEqual([]);
        expect(ids(await store.trackedByMessageId(['<m2@x>', '<m1@x>', '<m2@x>', '<m9@x>']))).toEqual([b, a, c]);
        expect((await store.trackedByShortId(`s${c}`))?.state).toBe('withdrawn');
        expect(await store.trackedByShortId('zzzz')).toBeNull();
        expect(await store.tracked({ queueId: a, seq: 7 })).toBeNull();
        expect(ids(await store.listTracked({ limit: 2 }))).toEqual([c, b]);
        expect(ids(await store.listTracked({ limit: 9, before: t0 + 3 }))).toEqual([b, a]);
        expect(ids(await store.listTracked({ limit: 9, states: ['waiting', 'tracked'] }))).toEqual([b, a]);
        expect(ids(await store.listTracked({ limit: 9, states: ['withdrawn'], group: 'support' }))).toEqual([c]);
        expect((await store.history()).open).toEqual([{ person: 'alice', count: 1, units: 1 }]);
        expect((await store.counts()).tracked).toMatchObject({ waiting: 1, tracked: 1, withdrawn: 1 });
      });

      it('lists the queue: waiting ones oldest first, then final ones newest first', async () => {
        for (const queueId of [c, b, a]) await store.accept(make.acceptance(queueId));
        const d = id('0000000000DDD');
        await store.accept(make.acceptance(d));
        await store.settle([{ queueId: a, seq: 0, ...delivered }], {});
        await store.settle([{ queueId: d, seq: 0, to: 'failed', at: t0, reply: '550 No', nextHop: null }], {});
        const list = async (filter: Parameters<Store['listQueue']>[0]) =>
          (await store.listQueue(filter)).map((row) => row.queueId);
        expect(await list({ limit: 10 })).toEqual([b, c]);
        expect(await list({ limit: 1 })).toEqual([b]);
        expect(await list({ limit: 10, states: ['queued', 'delivered', 'failed'] })).toEqual([b, c, d, a]);
        expect(await list({ limit: 10, states: [] })).toEqual([]);
        expect((await store.listQueue({ limit: 1 }))[0]).toMatchObject({
          acceptedAt: t0,
          reversePath: 'customer@example.net',
          size: 27,
          state: 'queued',
        });
        expect((await store.counts()).oldestQueuedAt).toBe(t0);
      });

      it('answers nothing for a message it does not know', async () => {
        expect(await store.message(a)).toBeNull();
        expect(await store.events(a)).toEqual([]);
        expect((await store.counts()).oldestQueuedAt).toBeNull();
      });

      it('keeps counts over a restart', async () => {
        await store.accept(make.groupAcceptance(a));
        await store.accept(make.groupAcceptance(b));
        await store.settle([{ ...ref, ...delivered }], { nudges: [make.nudge('n1', a)] });
        const before = await store.counts();
        opened = await opened.reopen();
        store = opened.store;
        expect(await store.counts()).toEqual(before);
        expect(before).toMatchObject({
          deliveries: { queued: 1, delivered: 1 },
          tracked: { waiting: 2 },
          pendingNudges: 1,
        });
      });
    });

    describe('small facts', () => {
      it('keeps presence as it changed', async () => {
        const jid = expectBareJid('alice@example.org');
        const other = expectBareJid('bob@example.org');
        const change = (at: number, who = jid) => ({
          jid: who,
          at,
          before: 'unknown' as const,
          presence: { state: 'dnd', since: at, asOf: at, status: 'in a meeting' } as const,
        });
        await store.recordPresence([change(t0 + 1), change(t0 + 2, other)]);
        await store.recordPresence([change(t0 + 3)]);
        await store.recordPresence([]);
        const at = async (filter: Parameters<Store['presenceHistory']>[0]) =>
          (await store.presenceHistory(filter)).map((one) => one.at - t0);
        expect(await at({ since: t0, until: t0 + 9, limit: 9 })).toEqual([1, 2, 3]);
        expect(await at({ since: t0 + 2, until: t0 + 3, limit: 9 })).toEqual([2]);
        expect(await at({ jid, since: t0, until: t0 + 9, limit: 9 })).toEqual([1, 3]);
        expect(await at({ jid, since: t0, until: t0 + 9, limit: 1 })).toEqual([1]);
        const { before: _, ...first } = change(t0 + 1);
        expect((await store.presenceHistory({ jid, since: t0, until: t0 + 9, limit: 1 }))[0]).toEqual(first);
      });

      it('remembers', async () => {
        expect(await store.recall('greeted alice')).toBeNull();
        await store.remember('greeted alice', 'yes');
        await store.remember('greeted alice', 'twice');
        await store.remember('greeted bob', 'once');
        await store.remember('Greeted carl', 'never');
        expect(await store.recallAll('greeted ')).toEqual([
          ['greeted alice', 'twice'],
          ['greeted bob', 'once'],
        ]);
        await store.forget(['greeted bob', 'greeted nobody']);
        expect(await store.recall('greeted bob')).toBeNull();
        expect(await store.recallAll('%')).toEqual([]);
        expect(await store.recall('greeted alice')).toBe('twice');
      });
    });

    describe('the end', () => {
      it('finishes what was called before, and refuses what comes after', async () => {
        const accepted = store.accept(make.acceptance(a));
        const closed = store.close();
        await expect(store.accept(make.acceptance(b))).rejects.toMatchObject({ reply: { code: 421 } });
        await accepted;
        await closed;
        await store.close();
        opened = await opened.reopen();
        store = opened.store;
        expect(await attempts()).toEqual([a]);
      });
    });
  });
}
