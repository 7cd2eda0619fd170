// The audit: written before anything is done, ended with what came of it, whatever comes of it.
import { beforeEach, expect, test } from 'vitest';
import { withAudit } from '../../../src/operate/auditing.ts';
import { type Operations, RefusedError } from '../../../src/operations.ts';
import type { NewAudit, Standing } from '../../../src/store/look-back.ts';
import { TestClock } from '../../support/clock.ts';
import { fakeOperations, sampleId } from '../../support/fake-operations.ts';

type Line = readonly ['begin', NewAudit] | readonly ['end', number, string, Standing] | readonly ['done', string];
let lines: Line[];
beforeEach(() => {
  lines = [];
});

function audited(over: Partial<Operations> = {}): Operations {
  const watched = Object.entries(over).map(([verb, run]) => [
    verb,
    (...args: unknown[]) => {
      lines.push(['done', verb]);
      return (run as (...all: unknown[]) => unknown)(...args);
    },
  ]);
  return withAudit(fakeOperations(Object.fromEntries(watched)), {
    clock: new TestClock(),
    store: {
      async audit(entry) {
        lines.push(['begin', entry]);
        return 5;
      },
      async auditEnd(number, outcome, after) {
        lines.push(['end', number, outcome, after]);
      },
    },
  });
}

test('says who, what and how things stand before it is done, and what came of it after', async () => {
  await audited({ intervene: async () => ({ done: [0, 1], busy: [2] }) }).intervene(sampleId, 'hold', 'console:ann');
  expect(lines).toEqual([
    [
      'begin',
      {
        at: expect.any(Number),
        by: 'console:ann',
        action: 'hold',
        subject: sampleId,
        wish: {},
        before: { deliveries: '0 queued', state: 'tracked', owner: 'alice', shortId: 'k7mf' },
      },
    ],
    ['done', 'intervene'],
    ['end', 5, 'done', { done: '0, 1', busy: '2' }],
  ]);
});

test('a refusal and a failure are told apart, and still reach whoever asked', async () => {
  const refusing = audited({ retry: () => Promise.reject(new RefusedError('nothing waits')) });
  await expect(refusing.retry(sampleId, 'x')).rejects.toThrow('nothing waits');
  expect(lines.at(-1)).toEqual(['end', 5, 'refused', { why: 'nothing waits' }]);
  const failing = audited({ retry: () => Promise.reject(new Error('a secret of the disk')) });
  await expect(failing.retry(sampleId, 'x')).rejects.toThrow('a secret');
  expect(lines.at(-1)).toEqual(['end', 5, 'failed', {}]);
});

test('nothing is done that cannot be written down', async () => {
  const operations = fakeOperations();
  const silent = withAudit(operations, {
    clock: new TestClock(),
    store: { audit: () => Promise.reject(new Error('disk full')), auditEnd: async () => undefined },
  });
  await expect(silent.setPresence('alice', null, 'x')).rejects.toThrow('disk full');
  expect(operations.calls.some(([verb]) => verb === 'setPresence')).toBe(false);
});

test('every verb that changes something is audited', async () => {
  const operations = audited();
  const changes: [action: string, run: () => Promise<unknown>][] = [
    ['retry', () => operations.retry(sampleId, 'x')],
    ['drop', () => operations.intervene(sampleId, 'drop', 'x')],
    ['requeue', () => operations.requeue(sampleId, 'eve@example.org', 'x')],
    ['ack', () => operations.ack('k7mf', 'x')],
    ['reassign', () => operations.reassign('k7mf', 'bob', 'x')],
    ['snooze', () => operations.snooze('k7mf', 60_000, 'x')],
    ['presence', () => operations.setPresence('alice', { state: 'away', until: null }, 'x')],
    ['presence back', () => operations.setPresence('alice', null, 'x')],
    ['fault claim', () => operations.actOnFault(3, 'claim', 'x')],
    ['rotate-mark-key', () => operations.rotateMarkKey('x')],
    ['reload', () => operations.reload('x')],
  ];
  for (const [, run] of changes) await run();
  const begun = lines.flatMap((line) => (line[0] === 'begin' ? [[line[1].action, line[1].by]] : []));
  expect(begun).toEqual(changes.map(([action]) => [action, 'x']));
  // Looking is not.
  lines = [];
  await operations.status();
  await operations.listQueue({ limit: 1 });
  expect(lines).toEqual([]);
});
