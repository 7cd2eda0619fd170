// The API as a document: it is what is served, each route is called through it, and every answer fits what it says.
import { describe, expect, test } from 'vitest';
import { endpoints, openApi, routesPage } from '../../../src/console/api/openapi.ts';
import { createApi } from '../../../src/console/api.ts';
import { silentLog } from '../../../src/log.ts';
import type { Operations } from '../../../src/operations.ts';
import { TestClock } from '../../support/clock.ts';
import { fakeOperations, sampleId } from '../../support/fake-operations.ts';
import { faultsOf, OpenApi } from '../../support/openapi.ts';

type Json = Readonly<Record<string, unknown>>;

const clock = new TestClock();
const tokens = {
  add: () => 'pmt_x',
  list: () => [],
  revoke: () => true,
  verify: () => undefined,
  holder: () => null,
};
const apiOver = (over: Partial<Operations> = {}) => createApi(fakeOperations(over), silentLog, { tokens, clock });

test('every route that is served stands in it, and none else', () => {
  const served = apiOver()
    .routes.filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => `${method} ${path.replace('/api/v1', '').replace(/(.)\/$/, '$1')}`);
  const said = endpoints.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
  expect([...new Set(served)].sort()).toEqual([...said].sort());
});

test('the page for people is made of it', async () => {
  await expect(routesPage()).toMatchFileSnapshot('../../../docs/reference/api-routes.md');
});

test('it is sound: one id for each operation, every parameter of a path declared, every reference there', () => {
  const document = openApi('1.2.3') as { paths: Record<string, Record<string, Json>>; components: { schemas: Json } };
  const ids = new Set<unknown>();
  let operations = 0;
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const operation of Object.values(methods)) {
      operations += 1;
      ids.add(operation.operationId);
      const parameters = operation.parameters as { name: string; in: string; required: boolean; schema: Json }[];
      const inPath = parameters.filter((one) => one.in === 'path').map(({ name }) => name);
      expect(inPath).toEqual([...path.matchAll(/{(\w+)}/g)].map((match) => match[1]));
      expect(parameters.every(({ schema, required }) => typeof required === 'boolean' && schema !== undefined)).toBe(
        true,
      );
      expect(new Set(parameters.map(({ name }) => name)).size).toBe(parameters.length);
      for (const response of Object.values(operation.responses as Record<string, Json>))
        expect(response.description).toMatch(/\S/);
    }
  }
  expect([ids.size, operations]).toEqual([endpoints.length, endpoints.length]);
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
  expect(references.length).toBeGreaterThan(0);
  for (const [, name = ''] of references) expect(Object.keys(document.components.schemas)).toContain(name);
});

const document = new OpenApi(openApi('1.2.3'));

test('a validator of others finds nothing wrong with it', async () => {
  expect(await faultsOf(openApi('1.2.3'))).toBeNull();
  expect(await faultsOf({ ...openApi('1.2.3'), info: {} })).toContain('title');
});

test('answers that do not fit are found', () => {
  const faults = { path: '/api/v1/faults', method: 'GET' };
  expect(document.misfits(faults, 200, [])).toEqual([]);
  for (const wrong of [{}, null, [{}], [{ number: 'x' }]]) expect(document.misfits(faults, 200, wrong)).not.toEqual([]);
  expect(document.misfits(faults, 400, { error: { message: 'x' } })).toEqual([]);
  expect(document.misfits(faults, 400, { error: 'x' })).not.toEqual([]);
  expect(document.misfits(faults, 299, [])).not.toEqual([]);
});

/** What makes sense to ask, by the name of what is asked for. */
const sense: Readonly<Record<string, unknown>> = {
  ...{ id: 'k7mf', number: 3, action: 'claim', name: 'alice', since: 1_000, until: 86_400_000, by: 'test', for: '30m' },
  ...{
    to: 'support@example.org',
    person: 'alice',
    message: 'To: support@example.org\n\nhi',
    at: 1_000,
    scopes: ['read'],
  },
  wish: { state: 'away', until: null },
};
const senseFor: Readonly<Record<string, Json>> = {
  '/route': { to: ['support@example.org'] },
  '/tokens': { name: 'x' },
};

const calls = endpoints.map((each) => {
  const properties = (schema: Json | undefined) =>
    ((schema?.required ?? []) as string[]).map((key) => [key, senseFor[each.path]?.[key] ?? sense[key]] as const);
  const path = each.path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(sense[name])));
  const query = new URLSearchParams(
    properties(each.query?.json).map(([key, value]): [string, string] => [key, String(value)]),
  );
  const body = each.body ? JSON.stringify(Object.fromEntries(properties(each.body.json))) : null;
  const init = { method: each.method.toUpperCase(), ...(body === null ? {} : { body }) };
  return { name: `${init.method} ${path}`, each, url: `/api/v1${path}?${query}`, init };
});

test.each(calls)('$name answers as it says', async ({ each, url, init }) => {
  const response = await apiOver().request(url, init);
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    expect.stringContaining(each.stream ? 'text/event-stream' : 'application/json'),
  ]);
  if (each.stream) {
    await response.body?.cancel();
    return;
  }
  const path = `/api/v1${each.path.replaceAll(/:(\w+)/g, '{$1}')}`;
  expect(document.misfits({ path, method: init.method }, 200, await response.json())).toEqual([]);
});

describe('what does not fit is refused with a reason', () => {
  test.each([
    ['GET', '/faults?which=some', undefined, 'the one of open, all'],
    ['GET', '/faults?wich=all', undefined, 'the query has no "wich"; it may have which'],
    ['POST', '/faults/3/explode', { by: 'x' }, 'one of claim, release, clear'],
    ['POST', '/faults/x/claim', { by: 'x' }, 'a whole number from 1'],
    ['POST', '/faults/3/claim', {}, 'the body lacks "by"'],
    ['POST', '/faults/3/claim', { by: 'a\nb' }, '"by" is a text of at most 100'],
    ['POST', '/faults/3/claim', [], 'the body is an object'],
    ['GET', '/audit?limit=0', undefined, 'from 1 to 1000'],
    ['GET', '/audit?before=-1', undefined, 'a whole number'],
    ['GET', '/events?kinds=closed,__proto__', undefined, 'is one of accepted'],
    ['GET', '/presence-days?since=5&until=4', undefined, '"until" is after "since"'],
    ['POST', '/rules/try', { message: 'x', at: 1, to: ['nobody'] }, 'no mail address'],
    ['POST', '/rules/try', { message: 'x', at: 1, people: { ann: 'gone' } }, 'one of chat'],
    ['POST', '/rules/try', { message: 'x', at: 1e15 }, 'milliseconds since 1970'],
    ['POST', '/rules/replay', { since: 1 }, 'lacks "until"'],
  ])('%s %s %j', async (method, path, body, said) => {
    const init = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await apiOver().request(`/api/v1${path}`, init);
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as { error: { message: string } };
    expect(error.message).toContain(said.replace('the one of', 'is one of'));
  });
});

test('pages of the audit go on where the one before ended', async () => {
  const [entry] = await fakeOperations().audited({ limit: 1 });
  if (!entry) throw new Error('no entry');
  const all = [9, 8, 7, 6].map((number) => ({ ...entry, number }));
  const api = apiOver({
    audited: async ({ before = 99, limit }) => all.filter(({ number }) => number < before).slice(0, limit),
  });
  const page = async (query: string) =>
    (await (await api.request(`/api/v1/audit?limit=3${query}`)).json()) as { entries: Json[]; next: number | null };
  const first = await page('');
  expect([first.entries.length, first.next]).toEqual([3, 7]);
  const second = await page(`&before=${first.next}`);
  expect([second.entries.length, second.next]).toEqual([1, null]);
});

test('large bodies: some megabytes where files go up, little elsewhere', async () => {
  const send = async (path: string, body: Json) =>
    (await apiOver().request(`/api/v1${path}`, { method: 'POST', body: JSON.stringify(body) })).status;
  const files = [{ name: 'rules/x.yaml', text: '#'.repeat(900_000) }];
  expect(await send('/rules/try', { message: 'x', at: 1, files })).toBe(200);
  expect(await send('/rules/try', { message: 'x'.repeat(9_000_000), at: 1 })).toBe(413);
  expect(await send(`/queue/${sampleId}/retry`, { by: 'x'.repeat(20_000) })).toBe(413);
  expect(await send('/faults/3/claim', { by: 'x'.repeat(20_000) })).toBe(413);
});
