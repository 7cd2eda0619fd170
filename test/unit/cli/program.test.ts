// The command line as a user meets it: over a real unix socket to a real API with scripted operations behind it.
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ProgramDeps, runProgram } from '../../../src/cli/program.ts';
import { createApi } from '../../../src/console/api.ts';
import { controlSocketIn, type Listening, serveControl } from '../../../src/console/server.ts';
import { silentLog } from '../../../src/log.ts';
import { type Operations, RefusedError } from '../../../src/operations.ts';
import type { Delivery } from '../../../src/store/store.ts';
import { TestClock } from '../../support/clock.ts';
import {
  type FakeOperations,
  fakeOperations,
  sampleDecision,
  sampleId,
  sampleNow,
  sampleStatus,
} from '../../support/fake-operations.ts';

let folder: string;
let socket: string;
let server: Listening | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pointsman-'));
  socket = controlSocketIn(folder);
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

async function running(over: Partial<Operations> = {}): Promise<FakeOperations> {
  const operations = fakeOperations(over);
  server = await serveControl(socket, createApi(operations, silentLog));
  return operations;
}

async function run(argv: readonly string[], over: Partial<ProgramDeps> = {}) {
  let out = '';
  let err = '';
  const terminal = {
    write: (text: string) => {
      out += text;
    },
    complain: (text: string) => {
      err += text;
    },
    columns: 80,
  };
  const exitCode = await runProgram(argv, {
    version: '0.1.0',
    terminal,
    clock: new TestClock(sampleNow),
    user: 'ann',
    folder,
    serve: () => Promise.reject(new Error('not here')),
    sandbox: () => Promise.reject(new Error('not here')),
    sourceOf: () => null,
    table: () => Promise.reject(new Error('not here')),
    ...over,
  });
  return { exitCode, out, err };
}

const ask = (...argv: readonly string[]) => run([...argv, '--socket', socket]);

const everyView: readonly (readonly string[])[] = [
  ['queue', 'list'],
  ['queue', 'show', sampleId],
  ['track', 'list'],
  ['track', 'show', 'k7mf'],
  ['track', 'report'],
  ['explain', sampleId],
  ['presence'],
];

describe('views', () => {
  test.each(everyView)('%s %s %s fits 80 columns and lets no control character through', async (...argv) => {
    await running();
    const { exitCode, out, err } = await ask(...argv.filter((word) => word !== undefined));
    expect(err).toBe('');
    expect(exitCode).toBe(0);
    expect(out).not.toBe('');
    expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    const long = out.split('\n').filter((line) => line.length > 80);
    // An explanation and the fields of one message are prose, which the terminal folds; tables and time-lines fit.
    expect(long.filter((line) => !/^(subject|from) {2}|^ *(alice|bob|group) /.test(line))).toEqual([]);
  });

  test.each(everyView)('%s %s %s --json is one JSON value', async (...argv) => {
    await running();
    const { exitCode, out } = await ask(...argv.filter((word) => word !== undefined), '--json');
    expect(exitCode).toBe(0);
    expect(JSON.parse(out)).toBeTruthy();
  });

  test('the queue is a table', async () => {
    await running();
    const { out } = await ask('queue', 'list');
    expect(out.split('\n')[0]).toMatch(/^QUEUE ID +STATE +AGE +TRIES +NEXT +TO +LAST REPLY$/);
    expect(out).toMatch(/01JC5Z0K3F7QX +queued +4m +2 +in 5m +support@example.o… +451 4.7.1 Try/);
  });

  test('a story is a time-line with distances', async () => {
    await running();
    const { out } = await ask('track', 'show', 'k7mf');
    expect(out).toMatch(/\d\d:\d\d:\d\d {12}accepted 2048 octets from customer@example.net/);
    expect(out).toMatch(/\d\d:\d\d:\d\d {2}\+3s {7}deferred by inside for alice@example.org/);
    expect(out).toMatch(/next step +next-person, in 1m/);
    expect(out).toMatch(/tried +bob: has passed/);
  });

  test('an explanation shows candidate, presence, rule and version, and that it replays', async () => {
    await running();
    const { out } = await ask('explain', sampleId);
    for (const part of ['alice', 'available', 'rules/20-groups.yaml:4', 'abc123def456', 'replayed']) {
      expect(out).toContain(part);
    }
  });

  test('an explanation that does not replay is a problem', async () => {
    await running({ explain: async () => [{ decision: sampleDecision, replayed: false }] });
    const { exitCode, out } = await ask('explain', sampleId);
    expect(out).toContain('REPLAY DIFFERS');
    expect(exitCode).toBe(1);
  });

  test('mail that no rule chose for is explained by its plan', async () => {
    await running({ explain: async () => [] });
    const { exitCode, out } = await ask('explain', sampleId);
    expect(out).toContain('group support has the address support@example.org');
    expect(exitCode).toBe(0);
  });

  test('filters reach the server', async () => {
    const operations = await running();
    await ask('queue', 'list', '--state', 'dead', '--limit', '7');
    await ask('track', 'list', '--group', 'support');
    await ask('track', 'list', '--all');
    expect(operations.calls).toEqual([
      ['listQueue', { states: ['dead'], limit: 7 }],
      ['listTracked', { states: ['waiting', 'held', 'tracked'], group: 'support', limit: 100 }],
      ['listTracked', { limit: 100 }],
    ]);
  });
});

describe('verbs', () => {
  test('retry and ack act in the name of the user', async () => {
    const operations = await running();
    expect(await ask('queue', 'retry', sampleId)).toMatchObject({ exitCode: 0, out: '1 delivery is due now\n' });
    expect(await ask('track', 'ack', 'k7mf')).toMatchObject({ exitCode: 0, out: 'k7mf is acknowledged\n' });
    expect(operations.calls).toContainEqual(['retry', sampleId, 'cli:ann']);
    expect(operations.calls).toContainEqual(['ack', 'k7mf', 'cli:ann']);
  });

  test('give, snooze and step steer a message, and say how it stands then', async () => {
    const operations = await running();
    const stands = /^k7mf is tracked, with alice; next step in 1m\n$/;
    for (const words of [
      ['give', 'k7mf', 'bob'],
      ['snooze', 'k7mf', '30m'],
      ['step', 'k7mf'],
      ['step', 'k7mf', '--to', 'lead'],
    ]) {
      const { exitCode, out, err } = await ask('track', ...words);
      expect(err).toBe('');
      expect(out).toMatch(stands);
      expect(exitCode).toBe(0);
    }
    expect(operations.calls).toEqual([
      ['reassign', 'k7mf', 'bob', 'cli:ann'],
      ['snooze', 'k7mf', 1_800_000, 'cli:ann'],
      ['takeStep', 'k7mf', null, 'cli:ann'],
      ['takeStep', 'k7mf', 'lead', 'cli:ann'],
    ]);
    const wrong = await ask('track', 'snooze', 'k7mf', '2d');
    expect(wrong).toMatchObject({ exitCode: 2, err: expect.stringContaining('"for" is a time from 1s to 1d') });
  });

  test('export writes everything of each mail, a page at a time; CSV makes nothing a formula', async () => {
    const mail = (seq: number) => ({
      queueId: sampleId,
      seq,
      group: seq === 500 ? '=cmd()' : 'support',
      acceptedAt: sampleNow - 60_000,
      state: 'acknowledged' as const,
      closedAt: sampleNow,
      owner: 'alice',
      escalations: 1,
      given: [{ person: 'alice', at: sampleNow - 50_000 }],
      evidence: [
        { grade: 0, at: sampleNow - 50_000 },
        { grade: 7, at: sampleNow },
      ],
    });
    const all = Array.from({ length: 501 }, (_, seq) => mail(seq));
    await running({
      handled: async ({ after, limit }) => all.slice(after ? after.seq + 1 : 0, (after ? after.seq + 1 : 0) + limit),
    });
    const csv = (await ask('track', 'export', '--csv')).out.split('\r\n');
    expect(csv).toHaveLength(503);
    expect(csv[0]).toBe(
      'queue_id,delivery,group,accepted,state,owner,given_to,escalations,first_read,first_taken,closed',
    );
    const now = new Date(sampleNow).toISOString();
    expect(csv[1]).toContain(`${sampleId},0,support,`);
    expect(csv[1]).toMatch(new RegExp(`,acknowledged,alice,alice,1,${now},${now},${now}$`));
    expect(csv[501]).toContain(`,500,'=cmd(),`);
    const lines = (await ask('track', 'export', '--group', '=cmd()')).out.trim().split('\n');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ seq: 500, story: { message: { queueId: sampleId } } });
  });

  test('hold, release, drop and requeue-to take several ids; one that cannot be done stops nothing', async () => {
    const operations = await running({
      async intervene(_id, action) {
        if (action === 'release') throw new RefusedError('nothing to release');
        return { done: [0, 1], busy: action === 'drop' ? [2] : [] };
      },
    });
    expect(await ask('queue', 'hold', 'k7mf', sampleId)).toMatchObject({
      exitCode: 0,
      out: `k7mf: 2 deliveries put on hold\n${sampleId}: 2 deliveries put on hold\n`,
    });
    expect(await ask('queue', 'drop', 'k7mf')).toMatchObject({
      exitCode: 1,
      out: 'k7mf: 2 deliveries dropped; 1 being attempted just now, left alone\n',
    });
    const { exitCode, err } = await ask('queue', 'release', 'zzzz', 'k7mf');
    expect(exitCode).toBe(1);
    expect(err).toContain('zzzz: no message zzzz\nk7mf: nothing to release\n');
    await ask('queue', 'requeue-to', 'joe@example.org', 'k7mf');
    expect(operations.calls).toContainEqual(['requeue', sampleId, 'joe@example.org', 'cli:ann']);
  });

  test('the queue is narrowed and counted', async () => {
    const operations = await running();
    await ask('queue', 'list', '--dead', '--to', 'eve', '--hop', 'inside');
    expect(operations.calls).toContainEqual(['listQueue', { states: ['dead'], to: 'eve', hop: 'inside', limit: 100 }]);
    const { out } = await ask('queue', 'counts');
    expect(out).toMatch(/NEXT HOP +TOTAL +HOLD +<5m +<10m +10m\+/);
    expect(out).toMatch(/inside +3 +1 +1 +0 +2/);
  });

  test('nothing left to retry is a problem', async () => {
    const sample = await fakeOperations().story(sampleId);
    const standing = (over: Partial<Delivery>): Partial<Operations> => ({
      retry: async () => 0,
      story: async () => sample && { ...sample, deliveries: sample.deliveries.map((one) => ({ ...one, ...over })) },
    });
    await running(standing({ state: 'delivered' }));
    expect(await ask('queue', 'retry', sampleId)).toMatchObject({
      exitCode: 1,
      out: '',
      err: `nothing to retry: every delivery of ${sampleId} has ended\n`,
    });
    await server?.close();
    await running(standing({ state: 'queued', onHoldBy: 'cli:eve' }));
    expect(await ask('queue', 'retry', sampleId)).toMatchObject({
      exitCode: 1,
      err: `nothing to retry: what waits of ${sampleId} is on hold; "pointsman queue release ${sampleId}" lets it go on\n`,
    });
  });

  test('a list that is narrowed does not call the queue empty', async () => {
    await running({ listQueue: async () => [] });
    expect(await ask('queue', 'list')).toMatchObject({ exitCode: 0, out: 'The queue is empty.\n' });
    for (const narrowed of [['--older', '4h'], ['--to', 'eve'], ['--dead'], ['--on-hold'], ['--state', 'held']]) {
      expect(await ask('queue', 'list', ...narrowed)).toMatchObject({ out: 'Nothing in the queue is like that.\n' });
    }
  });

  test('a late ack says who was quicker', async () => {
    await running({ ack: async () => ({ kind: 'late', tracked: {} as never, text: 'bob took it at 10:30' }) });
    const { exitCode, err } = await ask('track', 'ack', 'k7mf');
    expect(exitCode).toBe(1);
    expect(err).toContain('bob took it at 10:30');
  });

  test('a rejected reload lists every problem and is a matter of configuration', async () => {
    const place = { file: 'rules/a.yaml', line: 1, column: 2 };
    await running({
      reload: async () => ({ version: 'old', problems: [{ severity: 'error', place, message: 'no group "x"' }] }),
    });
    const { exitCode, err } = await ask('reload');
    expect(err).toContain('rules/a.yaml:1:2: error: no group "x"\n');
    expect(err).toContain('version old stays in force');
    expect(exitCode).toBe(78);
    expect(JSON.parse((await ask('reload', '--json')).out)).toMatchObject({ problems: [{ place }] });
  });
});

describe('usage', () => {
  test.each([
    ['no command', []],
    ['an unknown command', ['que']],
    ['an unknown option', ['queue', 'list', '--colour']],
    ['a missing id', ['explain']],
    ['a limit that is no number', ['queue', 'list', '--limit', 'many']],
    ['a time that is none', ['sandbox', '--for', 'ever']],
    ['two ids', ['explain', 'a', 'b']],
    ['a domain that is none', ['init', '--domain', 'not a domain']],
  ])('%s is wrong usage', async (_, argv) => {
    const { exitCode, out, err } = await run(argv);
    expect(exitCode).toBe(2);
    expect(out).toBe('');
    expect(err).not.toBe('');
  });

  test('an id of the wrong shape is wrong usage, an unknown one is a problem', async () => {
    await running();
    expect((await ask('explain', 'not an id')).exitCode).toBe(2);
    expect(await ask('explain', 'zzzz')).toMatchObject({ exitCode: 1, err: 'pointsman: no message zzzz\n' });
  });

  test.each([[['--help']], [['queue', '--help']], [['--version']]])('%j is fine', async (argv) => {
    expect(await run(argv)).toMatchObject({ exitCode: 0, err: '' });
  });

  test('nobody on the socket is told in one sentence', async () => {
    const { exitCode, err } = await ask('queue', 'list');
    expect(exitCode).toBe(1);
    expect(err).toMatch(/^pointsman: no Pointsman answers on .*control\.sock; start one with "pointsman serve"/);
  });

  test('no configuration is code 78', async () => {
    const { exitCode, err } = await run(['queue', 'list', '--config', 'nowhere.yaml']);
    expect(exitCode).toBe(78);
    expect(err).toContain('no configuration file');
  });

  test('serve and sandbox are handed what they need, and their code is the end', async () => {
    await writeFile(join(folder, 'pointsman.yaml'), '');
    const asked: unknown[] = [];
    const take = (code: number) => async (options: unknown) => {
      asked.push(options);
      return code;
    };
    const deps = { serve: take(78), sandbox: take(1) };
    expect((await run(['serve'], deps)).exitCode).toBe(78);
    expect((await run(['sandbox', '--json', '--for', '30s', '--rules', 'mine'], deps)).exitCode).toBe(1);
    expect((await run(['sandbox'], deps)).exitCode).toBe(1);
    expect(asked).toEqual([
      { config: join(folder, 'pointsman.yaml') },
      { json: true, for: 30_000, rules: 'mine', speed: null, record: null },
      { json: false, for: null, rules: null, speed: null, record: null },
    ]);
  });
});

describe('init and check', () => {
  test('what init writes, check finds good', async () => {
    const { exitCode, out } = await run(['init', '.', '--domain', 'Corp.Example']);
    expect(exitCode).toBe(0);
    expect(out).toContain('wrote pointsman.yaml\n');
    expect(await readFile(join(folder, 'pointsman.yaml'), 'utf8')).toContain('- corp.example');
    expect((await stat(join(folder, 'pointsman.yaml'))).mode & 0o007).toBe(0);
    const checked = await run(['check']);
    expect(checked).toMatchObject({ exitCode: 0, err: '' });
    expect(checked.out).toMatch(/pointsman\.yaml: good; rules [0-9a-f]{12}: /);
  });

  test('init never overwrites, and then writes nothing at all', async () => {
    await writeFile(join(folder, 'pointsman.yaml'), 'mine');
    const { exitCode, err } = await run(['init']);
    expect(exitCode).toBe(1);
    expect(err).toContain('there already');
    expect(await readdir(folder)).toEqual(['pointsman.yaml']);
  });

  test('check tells every problem of configuration and rules at once, by place', async () => {
    await run(['init']);
    const config = join(folder, 'pointsman.yaml');
    await writeFile(config, (await readFile(config, 'utf8')).replace('size: 50MB', 'size: lots\ncolour: red'));
    const first = await run(['check']);
    expect(first.exitCode).toBe(78);
    expect(first.err).toMatch(/pointsman\.yaml:\d+:\d+: error: .*lots/);
    expect(first.err).toMatch(/pointsman\.yaml:\d+:\d+: error: .*colour/);
    await writeFile(config, (await readFile(config, 'utf8')).replace('size: lots\ncolour: red', 'size: 50MB'));
    await writeFile(join(folder, 'rules', '90-mine.yaml'), 'groups:\n  x: 1\nnonsense: 2\n');
    const second = await run(['check', '--json']);
    expect(second.exitCode).toBe(1);
    const { problems } = JSON.parse(second.out);
    expect(problems.length).toBeGreaterThanOrEqual(2);
    expect(problems[0]).toMatchObject({ severity: 'error', place: { file: 'rules/90-mine.yaml' } });
  });

  test('check for a CI job: each problem beside its line, as GitHub reads it; text and JSON say the same', async () => {
    await mkdir(join(folder, 'rules'), { mode: 0o700 });
    const text = 'people:\n  ann: { mail: ann@example.org, jdi: "100%,\\n" }\n  bob: {}\n';
    await writeFile(join(folder, 'rules', 'a.yaml'), text, { mode: 0o600 });
    const github = await run(['check', '--rules', 'rules', '--format', 'github']);
    expect(github.exitCode).toBe(1);
    expect(github.out.split('\n')).toEqual([
      '::error file=rules/a.yaml,line=2,col=33::unknown key "jdi" in a person (did you mean "jid"?)',
      '::error file=rules/a.yaml,line=3,col=8::a person needs the key "mail": a mail address such as alice@example.org',
      '',
    ]);
    const json = await run(['check', '--rules', 'rules', '--format', 'json']);
    expect(json.exitCode).toBe(1);
    expect(JSON.parse(json.out)).toMatchObject({
      rulesVersion: null,
      problems: [{ place: { file: 'rules/a.yaml', line: 2, column: 33 } }, { place: { line: 3, column: 8 } }],
      tests: { run: 0, failed: 0 },
    });
    const plain = await run(['check', '--rules', 'rules']);
    expect(plain.err).toContain('rules/a.yaml:2:33: error: unknown key "jdi"');
    // The line, and a caret under the place.
    expect(plain.err).toMatch(/\n {3}2 \| {3}ann: \{ mail: .*\n {5}\| {33}\^\n/);
    expect((await run(['check', '--rules', 'rules', '--format', 'xml'])).exitCode).toBe(2);
  });

  test('simulate: the recipient and every later step with its time, for people who come and go', async () => {
    await mkdir(join(folder, 'rules'), { mode: 0o700 });
    const rules = `people:
  ann: { mail: ann@example.org }
  bob: { mail: bob@example.org }
  eve: { mail: eve@example.org }
groups:
  desk: { address: desk@example.org, members: [ann, bob], hold: 10m, fallback: { person: eve }, policy: p }
policies:
  p: { until: taken, steps: [{ name: remind, after: 10m, to: owner }, { name: next, after: 10m, to: next }, { name: lead, after: 5m, to: { person: eve } }] }
`;
    await writeFile(join(folder, 'rules', 'a.yaml'), rules, { mode: 0o600 });
    await writeFile(
      join(folder, 'm.eml'),
      'From: x@example.net\r\nTo: desk@example.org\r\nSubject: Help\r\n\r\nHello\r\n',
    );
    await writeFile(
      join(folder, 'p.json'),
      JSON.stringify({
        presence: { ann: 'dnd', bob: 'offline' },
        later: [
          { after: '2m', presence: { ann: 'available' } },
          { after: '15m', presence: { bob: 'chat' } },
        ],
      }),
    );
    const args = [
      'simulate',
      '--rules',
      'rules',
      '--message',
      'm.eml',
      '--presence',
      'p.json',
      '--at',
      '2026-01-05 10:00 Europe/Berlin',
    ];
    const { out, exitCode } = await run(args);
    expect(exitCode).toBe(0);
    expect(
      out
        .split('\n')
        .filter((line) => /^2026/.test(line))
        .slice(1),
    ).toEqual([
      '2026-01-05 09:00:00  +0s  held',
      '2026-01-05 09:02:00  +2m  to ann',
      '2026-01-05 09:12:00  +12m  step remind: ann is reminded',
      '2026-01-05 09:22:00  +22m  step next: to bob',
      '2026-01-05 09:27:00  +27m  step lead: to eve',
      '2026-01-05 09:32:00  +32m  every step was taken, nobody has answered',
    ]);
    expect(out).toContain('bob excluded: is offline');
    expect(await run(args)).toEqual({ out, exitCode, err: '' });
  });

  test('check tells what the running one complains of', async () => {
    await run(['init']);
    await running({
      status: async () => ({ ...sampleStatus, problems: ['rules on disk are not in force: \u001b[2Jx'] }),
    });
    const { exitCode, out, err } = await ask('check');
    expect(err).toBe('running: rules on disk are not in force: \ufffd[2Jx\n');
    expect(out).toContain('the running Pointsman uses rules abc123def456');
    expect(exitCode).toBe(1);
  });

  test('a command whose configuration is wrong says what is wrong with it', async () => {
    await writeFile(join(folder, 'pointsman.yaml'), 'hostname: [\n');
    const { exitCode, err } = await run(['queue', 'list']);
    expect(exitCode).toBe(78);
    expect(err).toMatch(/pointsman\.yaml:\d+:\d+: error: /);
  });
});
