// `pointsman presence` as an admin meets it: the table, setting by hand, following, and moments as people type them.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseMoment } from '../../../src/cli/moment.ts';
import { runProgram } from '../../../src/cli/program.ts';
import { createApi } from '../../../src/console/api.ts';
import { controlSocketIn, type Listening, serveControl } from '../../../src/console/server.ts';
import { silentLog } from '../../../src/log.ts';
import type { Operations, PersonView } from '../../../src/operations.ts';
import { TestClock } from '../../support/clock.ts';
import { type FakeOperations, fakeOperations, sampleNow, sampleStatus } from '../../support/fake-operations.ts';

let folder: string;
let server: Listening | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pointsman-'));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

async function running(over: Partial<Operations> = {}): Promise<FakeOperations> {
  const operations = fakeOperations(over);
  server = await serveControl(controlSocketIn(folder), createApi(operations, silentLog));
  return operations;
}

async function ask(
  argv: readonly string[],
  columns: number | null = 100,
  onWrite: (out: string) => void = () => undefined,
) {
  let [out, err] = ['', ''];
  const terminal = {
    write: (text: string) => {
      out += text;
      onWrite(out);
    },
    complain: (text: string) => {
      err += text;
    },
    columns,
  };
  const never = () => Promise.reject(new Error('not here'));
  const deps = {
    version: '0',
    terminal,
    clock: new TestClock(sampleNow),
    user: 'ann',
    folder,
    serve: never,
    sandbox: never,
    sourceOf: () => null,
    table: never,
  };
  const exitCode = await runProgram([...argv, '--socket', controlSocketIn(folder)], deps);
  return { exitCode, out, err };
}

const view = (over: Partial<PersonView> = {}): PersonView => ({
  name: 'bob',
  mail: 'bob@example.org',
  jid: null,
  groups: ['support'],
  presence: { state: 'away', since: sampleNow - 60_000, asOf: sampleNow - 60_000, awayBy: 'idle' },
  source: 'xmpp',
  age: 60_000,
  open: 0,
  lastAssignedAt: null,
  ...over,
});

describe('pointsman presence', () => {
  test('says who stands in', async () => {
    const presence = { state: 'offline', since: sampleNow, asOf: sampleNow, source: 'absence', substitute: 'cleo' };
    await running({
      presence: async () => [view({ presence: presence as PersonView['presence'], source: 'absence' })],
    });
    expect((await ask(['presence'])).out).toMatch(/^bob +offline .* cleo stands in$/m);
  });

  test('shows at a glance who is there, since when, by which source, how sure', async () => {
    const manual = view({
      name: 'cleo',
      source: 'manual',
      presence: {
        state: 'offline',
        since: sampleNow,
        asOf: sampleNow,
        source: 'manual',
        until: sampleNow + 3_600_000,
        live: { state: 'chat', since: sampleNow, asOf: sampleNow },
      },
    });
    const fault = {
      id: 'xmpp-link-tls',
      about: 'xmpp',
      severity: 'error',
      since: 0,
      text: 'no session',
      action: 'look at the certificate',
    } as const;
    await running({
      presence: async () => [view(), manual],
      status: async () => ({ ...sampleStatus, faults: [fault] }),
    });
    const { out, exitCode } = await ask(['presence'], 120);
    expect(exitCode).toBe(0);
    expect(out).toMatch(/^PERSON +STATE +SINCE +SOURCE +HEARD +UNTIL +OPEN +STATUS/);
    expect(out).toMatch(/bob +away \(idle\) +1m ago +xmpp +1m ago +- +0/);
    expect(out).toMatch(/cleo +offline \(now chat\) +\S+( \S+)? +manual +\S+( \S+)? +in 1h/);
    expect(out).toMatch(/fault +no session; look at the certificate/);
  });

  test('asks of one person or a group', async () => {
    const operations = await running();
    await ask(['presence', 'alice', '--group', 'support', '--json']);
    expect(operations.calls).toContainEqual(['presence', { person: 'alice', group: 'support' }]);
  });

  test('set says what was understood; clear takes it back', async () => {
    const operations = await running();
    const { out, exitCode } = await ask([
      'presence',
      'set',
      'alice',
      'away',
      '--until',
      '2h',
      '--note',
      'dentist',
      '--substitute',
      'bob',
    ]);
    expect([exitCode, out]).toEqual([0, 'alice: away by manual\n']);
    await ask(['presence', 'clear', 'alice']);
    expect(operations.calls).toEqual([
      [
        'setPresence',
        'alice',
        { state: 'away', until: sampleNow + 7_200_000, note: 'dentist', substitute: 'bob' },
        'cli:ann',
      ],
      ['setPresence', 'alice', null, 'cli:ann'],
    ]);
  });

  test.each([
    [['presence', 'set', 'alice', 'asleep'], /no such state: "asleep"; known are chat/],
    [['presence', 'set', 'alice', 'away', '--until', 'noon'], /not a time to come: "noon"; one looks like 14:00/],
    [['presence', 'set', 'alice', 'away', '--until', '2001-01-01'], /not a time to come/],
  ])('%j is wrong usage', async (argv, message) => {
    await running();
    const { exitCode, err } = await ask(argv);
    expect(exitCode).toBe(2);
    expect(err).toMatch(message);
  });

  test.each([
    ['as lines', [], null, /^PERSON.*\nalice.*\n\S+Z {2}bob: away \(idle\) by xmpp; heard 1m ago\n$/s],
    ['as JSON, one object a line', ['--json'], null, /^\{"at":\d+,"name":"alice".*\}\n\{"at":\d+,"name":"bob".*\}\n$/],
    ['as a table drawn anew', [], 100, /alice[\s\S]*\u001b\[H\u001b\[2JPERSON[\s\S]*bob +away/],
  ])('--watch follows it %s, until Pointsman stops', async (_, flags, columns, pattern) => {
    let tell: (one: PersonView) => void = () => undefined;
    await running({
      followPresence: (listener) => {
        tell = listener;
        return () => undefined;
      },
    });
    let told = false;
    const { exitCode, out, err } = await ask(['presence', '--watch', ...flags], columns, (sofar) => {
      if (!told) {
        told = true;
        tell(view());
      } else if (sofar.includes('bob')) void server?.close();
    });
    expect(out).toMatch(pattern);
    expect([exitCode, err]).toEqual([1, 'pointsman: Pointsman has stopped\n']);
  });
});

describe('parseMoment', () => {
  const now = Date.parse('2026-11-23T12:00:00Z'); // 13:00 in Berlin
  test.each([
    ['14:00', '2026-11-23T13:00:00Z'],
    ['13:00', '2026-11-24T12:00:00Z'],
    ['1h30m', '2026-11-23T13:30:00Z'],
    ['2026-12-24', '2026-12-23T23:00:00Z'],
    ['2026-12-24 08:00', '2026-12-24T07:00:00Z'],
    ['2026-12-24T08:00', '2026-12-24T07:00:00Z'],
  ])('%s', (text, expected) => {
    expect(parseMoment(text, now, 'Europe/Berlin')).toBe(Date.parse(expected));
  });
  test.each([
    '',
    'noon',
    '25:00',
    '2026-02-30',
    '2026-11-22',
    '2026-12-24 8',
    '14:00 tomorrow',
    '-1h',
  ])('not %j', (text) => {
    expect(parseMoment(text, now, 'Europe/Berlin')).toBeUndefined();
  });
});
