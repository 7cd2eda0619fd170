// The console in a real browser: every page with what the worst of strangers may have written, for those who see and
// those who do not, by keyboard, narrow and wide, light and dark; live within a second; two at once; roles.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hour, minute, systemClock } from '../../src/clock.ts';
import { serveConsole } from '../../src/console/server.ts';
import { type Console, createConsole } from '../../src/console/web/app.ts';
import { silentLog } from '../../src/log.ts';
import { type Operations, type PersonView, RefusedError } from '../../src/operations.ts';
import { Browser, type Visitor } from '../support/browser.ts';
import { hostile, nobodyPlays } from '../support/console-pages.ts';
import {
  fakeOperations,
  sampleDecision,
  sampleFault,
  sampleId,
  sampleStory,
  sampleTracked,
} from '../support/fake-operations.ts';
import { requirePeer } from '../support/peers.ts';

describe.skipIf(!requirePeer('chromium'))('the console in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await Browser.start();
  });
  afterAll(() => browser[Symbol.asyncDispose]());

  let served: { url: string; pages: Console; close(): Promise<void>; operations: ReturnType<typeof fakeOperations> };
  let visitors: Visitor[];
  beforeEach(() => {
    visitors = [];
  });
  afterEach(async () => {
    for (const visitor of visitors) {
      expect(visitor.wrongs).toEqual([]);
      await visitor[Symbol.asyncDispose]();
    }
    await served.close();
  });

  async function serve(over: Partial<Operations> = {}, more: Partial<Parameters<typeof createConsole>[0]> = {}) {
    const operations = fakeOperations(over);
    let hosts: readonly string[] = [];
    const pages = createConsole({
      ...{ operations, clock: systemClock, wall: systemClock, log: silentLog, hosts: () => hosts },
      ...{ secure: false, play: nobodyPlays, users: null },
      ...more,
    });
    const listening = await serveConsole({ host: '127.0.0.1', port: 0 }, pages);
    hosts = [`127.0.0.1:${listening.port}`];
    served = {
      url: `http://${hosts[0]}`,
      pages,
      operations,
      async close() {
        pages.end();
        await listening.close();
      },
    };
    return served;
  }

  async function visitor(...look: Parameters<Browser['visitor']>): Promise<Visitor> {
    const one = await browser.visitor(...look);
    visitors.push(one);
    return one;
  }

  const now = Date.now();
  const facts = { ...sampleStory.message.facts, subject: hostile, from: hostile };
  const tracked = {
    ...sampleTracked,
    ...{ subject: hostile, from: hostile, owner: 'alice', ownedSince: now - 5 * minute, nextStepAt: now + 10 * minute },
  };
  const considered = sampleDecision.choice.considered.map((one) => ({ ...one, person: hostile, reason: hostile }));
  const long = 'averylongwordwithoutanyplacetobreakit'.repeat(4);
  const alice: PersonView = {
    ...{ name: 'alice', mail: `${long}@example.org`, jid: 'alice@example.org', groups: ['support', long] },
    presence: { state: 'away', since: now - hour, asOf: now - minute, status: hostile, idleSince: now - hour },
    ...{ source: 'xmpp', age: minute, open: 3, lastAssignedAt: now - hour },
  };
  /** As full and as hostile as a site may be. */
  const worst: Partial<Operations> = {
    status: async () => ({ ...(await fakeOperations().status()), problems: [hostile] }),
    presence: async () => [alice, { ...alice, name: hostile }],
    groups: () => [
      {
        ...{ name: hostile, addresses: ['support@example.org'], members: ['alice', hostile], strategy: 'in-order' },
        ...{ eligible: ['available'], hold: null, policy: 'urgent' },
        next: {
          ...{ to: sampleTracked.address, decision: 'member', person: hostile, mailbox: sampleTracked.address },
          ...{ because: [hostile], considered, rulesVersion: 'abc' },
        },
      },
    ],
    story: async () => ({
      ...sampleStory,
      message: { ...sampleStory.message, facts },
      tracked: [tracked],
      deliveries: sampleStory.deliveries.map((one) => ({ ...one, lastReply: hostile, lastHop: long })),
      events: [
        ...sampleStory.events,
        { event: 'fault', at: now, queueId: sampleId, fault: hostile, severity: 'error', text: hostile },
      ],
      decisions: [{ ...sampleDecision, choice: { ...sampleDecision.choice, considered, because: [hostile] } }],
    }),
    candidates: async () => ({ tracked, considered }),
    soonest: async () => [tracked],
    listTracked: async () => [tracked],
    listQueue: async () => [
      {
        ...(sampleStory.deliveries[0] as never as object),
        acceptedAt: now,
        reversePath: hostile,
        size: 1,
        lastReply: hostile,
      } as never,
    ],
    faults: async () => [
      { ...sampleFault, text: hostile },
      { ...sampleFault, number: 4, severity: 'warning', owner: 'console:sandbox', ownedSince: now, byHand: true },
      { ...sampleFault, number: 5, clearedAt: now, text: long },
    ],
    ruleFiles: () => ({
      ...{ version: 'abc123def456', rejected: true },
      problems: [{ severity: 'error', place: { file: 'rules/x.yaml', line: 1, column: 1 }, message: hostile }],
      files: [{ name: 'rules/x.yaml', text: `people: # ${hostile}\n  alice: { mail: "${long}" }\n` }],
    }),
    report: async ({ since, until }) => ({
      ...{ since, until, mails: 9, watched: 8, escalated: 3, expired: 1 },
      toRead: { count: 7, values: [50, 75, 90, 95, 99].map((percent) => ({ percent, time: percent * minute })) },
      toTaken: { count: 7, values: [50, 75, 90, 95, 99].map((percent) => ({ percent, time: percent * hour })) },
      groups: [{ group: hostile, mails: 9, watched: 8, escalated: 3, taken: 7, medianToTaken: hour }],
      people: [
        {
          person: hostile,
          given: 9,
          taken: 7,
          medianToTaken: hour,
          hours: Array.from({ length: 24 }, (_, at) => at % 7),
        },
      ],
    }),
  };
  const everyPage = [
    '/',
    '/message/k7mf',
    '/queue',
    '/people',
    '/people/alice',
    '/events',
    '/events?kind=all',
    '/audit',
    '/reports',
    '/rules',
    '/rules/try',
    '/rules/replay',
    '/nothing-here',
  ];

  test.each([
    { width: 1440, scheme: 'light', language: 'en' },
    { width: 768, scheme: 'light', language: 'de' },
    { width: 768, scheme: 'dark', language: 'en' },
    { width: 360, scheme: 'dark', language: 'de' },
    { width: 360, scheme: 'light', language: 'en' },
    { width: 1440, scheme: 'dark', language: 'en' },
  ] as const)('every page is sound: $width px, $scheme, $language', async (look) => {
    const { url } = await serve(worst);
    const one = await visitor(look);
    const found: Record<string, unknown> = {};
    for (const path of everyPage) {
      await one.page.goto(url + path);
      await one.page.evaluate(`for (const details of document.querySelectorAll('details')) details.open = true`);
      expect(await one.page.locator('html').getAttribute('lang')).toBe(look.language);
      const wrong = { axe: await one.violations(), ...(await one.overflow()) };
      if (wrong.axe.length + wrong.clipped.length > 0 || wrong.sideways > 0) found[path] = wrong;
    }
    expect(found).toEqual({});
  });

  test('everything can be done with the keyboard, and one sees where one is', async () => {
    const { url, operations } = await serve();
    const one = await visitor();
    const { page } = one;
    const tabTo = async (selector: string) => {
      for (let count = 0; count < 30 && !(await one.focusOn(selector)); count += 1) await page.keyboard.press('Tab');
      expect(await one.focusOn(selector)).toBe(true);
    };
    await page.goto(`${url}/queue`);
    await page.keyboard.press('Tab');
    expect(await one.focusOn('a.skip')).toBe(true);
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await one.focusOn('main')).toBe(true);
    await tabTo('main input[type=checkbox]');
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).not.toBe('none');
    await page.keyboard.press('Space');
    await tabTo('button[value=hold]');
    await page.keyboard.press('Enter');
    await page.getByRole('status').filter({ hasText: 'Put on hold: 1.' }).waitFor();
    expect(operations.calls).toContainEqual(['intervene', sampleId, 'hold', 'console:sandbox']);
  });

  test('what happens is seen within a second, and what somebody was typing stays', async () => {
    let rows = 1;
    const { url, pages } = await serve({
      listQueue: async () =>
        Array.from({ length: rows }, (_, seq) => ({
          ...(sampleStory.deliveries[0] as (typeof sampleStory.deliveries)[number]),
          ...{ seq, acceptedAt: now, reversePath: 'cy@example.net', size: 1 },
        })),
    });
    const { page } = await visitor();
    await page.goto(`${url}/queue`);
    await page.locator('.live[data-state="true"]').waitFor();
    await page.getByRole('checkbox').first().check();
    await page.getByLabel('why (to drop)').fill('because of');
    for (const wanted of [2, 3, 5]) {
      rows = wanted;
      const from = performance.now();
      pages.touch();
      await page.locator(`.queued:nth-child(${wanted})`).waitFor();
      expect(performance.now() - from).toBeLessThan(1_000);
    }
    expect(await page.getByRole('checkbox').first().isChecked()).toBe(true);
    expect(await page.getByLabel('why (to drop)').inputValue()).toBe('because of');
  });

  test('of two who act at once one is first, and the other is told', async () => {
    let owner: string | null = null;
    const fault = () => ({ ...sampleFault, owner, ownedSince: owner === null ? null : now });
    const users = ['ann', 'bob'].map((name) => ({ name, role: 'operator' as const }));
    const find = (name: string) => users.find((one) => one.name === name);
    // Both have pressed before either is answered: what the first changes would take the button from under the other.
    let pressed = 0;
    const bothPressed = Promise.withResolvers<void>();
    const { url } = await serve(
      {
        faults: async () => [fault()],
        async actOnFault(_number, _action, by) {
          pressed += 1;
          if (pressed === 2) bothPressed.resolve();
          await bothPressed.promise;
          if (owner !== null) throw new RefusedError(`f3: ${owner} has it`);
          owner = by;
          return fault();
        },
      },
      { play: null, users: { find, verify: async (name) => find(name) } },
    );
    const both = await Promise.all(
      ['ann', 'bob'].map(async (name) => {
        const { page } = await visitor();
        await page.goto(url);
        await page.getByLabel('Name').fill(name);
        await page.getByLabel('Password').fill('right');
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.goto(`${url}/events`);
        await page.locator('.live[data-state="true"]').waitFor();
        return page;
      }),
    );
    await Promise.all(both.map((page) => page.getByRole('button', { name: /I take it/ }).click()));
    const said = await Promise.all(both.map((page) => page.locator('.said').innerText()));
    expect(said.filter((text) => text.startsWith('It is yours'))).toHaveLength(1);
    expect(said.filter((text) => text.includes(`f3: ${owner} has it`))).toHaveLength(1);
    for (const page of both)
      await page
        .locator('.fault')
        .filter({ hasText: `${owner} has it` })
        .waitFor();
  });

  test('whoever was signed in and is removed sees nothing more; a viewer gets nothing to press', async () => {
    let known: { name: string; role: 'viewer' | 'operator' } | undefined = { name: 'ann', role: 'viewer' };
    const { url } = await serve({}, { play: null, users: { find: () => known, verify: async () => known } });
    const { page } = await visitor();
    await page.goto(`${url}/queue`);
    expect(page.url()).toBe(`${url}/sign-in`);
    await page.getByLabel('Name').fill('ann');
    await page.getByLabel('Password').fill('right');
    await page.keyboard.press('Enter');
    await page.getByText('ann', { exact: true }).waitFor();
    for (const path of ['/queue', '/events', '/message/k7mf', '/people/alice']) {
      await page.goto(url + path);
      expect(await page.locator('main button:not(.conditions button)').count()).toBe(0);
    }
    known = undefined;
    await page.goto(`${url}/queue`);
    expect(page.url()).toBe(`${url}/sign-in`);
  });

  test('a form of another site is refused, though the browser is signed in', async () => {
    const { url, operations } = await serve();
    const { page, context } = await visitor();
    await page.goto(url);
    await context.route('http://evil.example/', (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<form method="post" action="${url}/message/k7mf/ack"><input name="token" value="x"><button>win</button></form>`,
      }),
    );
    await page.goto('http://evil.example/');
    await page.getByRole('button', { name: 'win' }).click();
    await page.waitForURL(`${url}/**`);
    expect(operations.calls.some(([verb]) => verb === 'ack')).toBe(false);
  });
});
