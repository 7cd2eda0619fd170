// `pointsman token` over a real control socket: made once, shown once, in force at once.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runProgram } from '../../../src/cli/program.ts';
import { createApi } from '../../../src/console/api.ts';
import { controlSocketIn, type Listening, serveControl } from '../../../src/console/server.ts';
import { openTokens, type Tokens } from '../../../src/console/tokens.ts';
import { silentLog } from '../../../src/log.ts';
import { TestClock } from '../../support/clock.ts';
import { fakeOperations, sampleNow } from '../../support/fake-operations.ts';

let folder: string;
let server: Listening;
let tokens: Tokens;
const clock = new TestClock(sampleNow);
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pointsman-'));
  tokens = openTokens(folder, (text) => expect.fail(text));
  server = await serveControl(controlSocketIn(folder), createApi(fakeOperations(), silentLog, { tokens, clock }));
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

async function run(...argv: readonly string[]) {
  const said = { out: '', err: '' };
  const exitCode = await runProgram(['token', ...argv, '--socket', controlSocketIn(folder)], {
    version: '0.1.0',
    terminal: {
      write: (text) => {
        said.out += text;
      },
      complain: (text) => {
        said.err += text;
      },
      columns: 80,
    },
    clock,
    user: 'ann',
    folder,
    serve: () => Promise.reject(new Error('not here')),
    sandbox: () => Promise.reject(new Error('not here')),
    sourceOf: () => null,
    table: () => Promise.reject(new Error('not here')),
  });
  return { exitCode, ...said };
}

test('what add writes is the token and nothing else; revoke ends it', async () => {
  const made = await run('add', 'tickets', '--scope', 'route', '--scope', 'presence');
  expect(made).toMatchObject({ exitCode: 0, err: 'Keep it now: it is not shown again.\n' });
  const token = made.out.trim();
  expect(tokens.verify(token, sampleNow)).toMatchObject({ name: 'tickets', scopes: ['route', 'presence'] });
  const list = await run('list');
  expect(list.out).toMatch(/NAME\s+SCOPES\s+CREATED\s+UNTIL\s+tickets\s+route,presence\s+\S+ \S+\s+-/);
  expect(list.out).not.toContain(token.slice(17));
  expect(await run('revoke', 'tickets')).toMatchObject({ exitCode: 0, out: 'tickets lets nobody in any more\n' });
  expect(tokens.verify(token, sampleNow)).toBeUndefined();
  expect((await run('list')).out).toBe('There are no tokens.\n');
});

test('one with an end', async () => {
  const { out } = await run('add', 'guest', '--scope', 'read', '--until', '2h', '--json');
  const { token } = JSON.parse(out) as { token: string };
  expect(tokens.verify(token, sampleNow + 7_199_000)).toBeDefined();
  expect(tokens.verify(token, sampleNow + 7_200_000)).toBeUndefined();
});

test.each([
  [['add', 'x'], 2, /--scope/],
  [['add', 'x', '--scope', 'everything'], 2, /one or more of route, presence, metrics, read, act/],
  [['add', 'a b', '--scope', 'route'], 2, /"name" is 1 to 64 letters/],
  [['add', 'x', '--scope', 'route', '--until', 'soon'], 2, /not a time to come: "soon"/],
  [['revoke', 'nobody'], 1, /no token "nobody"/],
] as const)('%j is refused in a sentence', async (argv, exitCode, message) => {
  const refused = await run(...argv);
  expect(refused.exitCode).toBe(exitCode);
  expect(refused.err).toMatch(message);
  expect(tokens.list()).toEqual([]);
});
