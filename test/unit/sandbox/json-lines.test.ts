// What programs read of the sandbox: every line fits the schema, carries its subject, and is one line.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { eventLine, printedKinds, type Ready, readyLine, schema } from '../../../src/sandbox/json-lines.ts';
import { Messages } from '../../../src/sandbox/messages.ts';
import { mismatches } from './schema-checker.ts';
import { accepted, queueId, story } from './story.ts';

const ready: Ready = {
  smtp: { host: '127.0.0.1', port: 2525 },
  xmpp: { host: '127.0.0.1', port: 5222, domain: 'pointsman.test' },
  http: { url: 'http://127.0.0.1:8025' },
  console: { url: 'http://127.0.0.1:8026' },
  sink: { host: '127.0.0.1', port: 40_001, maildir: '/scratch/maildir' },
  groups: [{ address: 'support@pointsman.test', members: ['alice', 'bob'] }],
  people: [
    { name: 'alice', jid: 'alice@pointsman.test', password: 'sandbox', mailbox: 'alice@pointsman.test' },
    { name: 'zoe', jid: null, password: null, mailbox: 'zoe@pointsman.test' },
  ],
};

const messages = new Messages(async () => new Map());
for (const event of story) messages.note(event);
const lines = story.flatMap((event) => eventLine(event, messages.about(event.queueId)) ?? []);

test('the first line names everything, in the order that is documented', () => {
  expect(Object.keys(JSON.parse(readyLine(ready)))).toEqual([
    'event',
    'smtp',
    'xmpp',
    'http',
    'console',
    'sink',
    'groups',
    'people',
  ]);
  expect(mismatches(JSON.parse(readyLine(ready)), schema)).toEqual([]);
});

test('every line fits the schema', () => {
  for (const line of lines) expect(mismatches(JSON.parse(line), schema), line).toEqual([]);
});

test('exactly the nine kinds are printed', () => {
  expect(new Set(lines.map((line) => JSON.parse(line).event))).toEqual(new Set(printedKinds));
  expect(lines).toHaveLength(story.length - 4); // not: deferred, operated, reported, failed
});

test('every event carries subject and Message-ID of its mail, and its moment in ISO 8601', () => {
  for (const line of lines) {
    const { subject, messageId, at } = JSON.parse(line);
    expect({ subject, messageId }).toEqual({ subject: 'The printer is on fire', messageId: '<a@example.net>' });
    expect(new Date(at).toISOString()).toBe(at);
  }
  expect(JSON.parse(lines[1] ?? '').until).toBe('2026-01-05T09:00:11.000Z');
});

test('a mail without them, and one that is not known any more, has null', () => {
  const { subject: _, messageId: __, ...bare } = accepted as Extract<typeof accepted, { event: 'accepted' }>;
  const few = new Messages(async () => new Map());
  few.note(bare);
  for (const message of [few.about(queueId), undefined]) {
    const line = JSON.parse(eventLine(bare, message) ?? '');
    expect(line).toMatchObject({ subject: null, messageId: null });
    expect(mismatches(line, schema)).toEqual([]);
  }
});

test('nothing that is not documented slips out', () => {
  const line = eventLine(Object.assign({}, accepted, { secret: 'x' }), undefined) ?? '';
  expect(line).not.toContain('secret');
  expect(mismatches(JSON.parse(line), schema)).toEqual([]);
});

test('whatever a subject holds, an event is one line', () => {
  const nasty = { ...accepted, subject: 'a\nb\r\u2028"\\' } as typeof accepted;
  const few = new Messages(async () => new Map());
  few.note(nasty);
  const line = eventLine(nasty, few.about(queueId)) ?? '';
  expect(line).not.toMatch(/[\r\n]/);
  expect(JSON.parse(line).subject).toBe('a\nb\r\u2028"\\');
});

test('the schema in the documentation is this one', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/sandbox.md'), 'utf8');
  const shown = /```json schema\n([\s\S]*?)\n```/.exec(page)?.[1] ?? '';
  expect(JSON.parse(shown)).toEqual(JSON.parse(JSON.stringify(schema)));
});

describe('the checker', () => {
  const line = JSON.parse(lines[0] ?? '{}');

  test.each([
    ['a key too many', { ...line, more: 1 }],
    ['a key missing', { ...line, size: undefined }],
    ['a wrong type', { ...line, to: 'a' }],
    ['an unknown kind', { ...line, event: 'deferred' }],
    ['a moment in milliseconds', { ...line, at: 1 }],
    ['a negative size', { ...line, size: -1 }],
  ])('catches %s', (_, value) => {
    expect(mismatches(JSON.parse(JSON.stringify(value)), schema)).not.toEqual([]);
  });
});
