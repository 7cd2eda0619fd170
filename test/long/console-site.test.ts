// The console over real servers: Postfix in front and behind, Prosody, people at their clients, and an operator in a
// browser who signs in, looks at every page in every size, colour and language, and presses every button there is. Ten
// thousand tries to sign in meanwhile do not keep the mail waiting.
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeUser } from '../../src/config/users.ts';
import { Browser, type Visitor } from '../support/browser.ts';
import { otherPages, pressAll, unsound } from '../support/console-walk.ts';
import { freePort } from '../support/free-port.ts';
import { type LiveSite, openLiveSite } from '../support/live-site.ts';
import { requirePeer } from '../support/peers.ts';
import { postfixMayRun } from '../support/postfix.ts';

const rules = `people:
  anna: { mail: anna@example.test }
  bert: { mail: bert@example.test }
  cleo: { mail: cleo@example.test }
groups:
  support:
    address: support@example.test
    members: [anna, bert]
    strategy: in-order
    eligible: [chat, available]
    hold: 2h
    fallback: { mailbox: duty@example.test }
    policy: patient
policies:
  patient:
    until: taken
    steps:
      - { name: second, after: 1h, to: next }
      - { name: chief, after: 1h, to: { mailbox: chief@example.test } }
`;
const password = 'as long as it must be';

describe.runIf(requirePeer('chromium', 'postfix', 'prosody', 'slixmpp') && postfixMayRun())(
  'the console over real servers',
  () => {
    let site: LiveSite;
    let browser: Browser;
    let url: string;
    let port: number;
    beforeAll(async () => {
      port = await freePort();
      url = `http://127.0.0.1:${port}`;
      [site, browser] = await Promise.all([
        openLiveSite(rules, { config: { console: { address: `127.0.0.1:${port}` } } }),
        Browser.start(),
      ]);
      await writeUser(join(site.pointsman.folder, 'state'), { name: 'ann', role: 'admin' }, password);
      await Promise.all([site.anna.login(), site.bert.login()]);
      site.anna.show('available');
      site.bert.show('available');
      await site.pointsman.untilPresent({ anna: 'available', bert: 'available' });
    });
    afterAll(async () => {
      await browser?.[Symbol.asyncDispose]();
      await site?.[Symbol.asyncDispose]();
    });

    async function signedIn(...look: Parameters<Browser['visitor']>): Promise<Visitor> {
      const visitor = await browser.visitor(...look);
      await visitor.page.goto(url);
      await visitor.page.locator('input[name=name]').fill('ann');
      await visitor.page.locator('input[name=password]').fill(password);
      await visitor.page.keyboard.press('Enter');
      await visitor.page.locator('.user', { hasText: 'ann' }).waitFor();
      return visitor;
    }

    /** A mail to the group, by way of the Postfix in front, until it is with somebody; its queue id. */
    async function posted(subject: string): Promise<string> {
      const chosen = site.pointsman.logged(`${subject} chosen`, (line) => line.event === 'chosen');
      await site.post('support@example.test', subject);
      return (await chosen).queueId ?? '';
    }

    test('a mail is seen to go to whoever is there, and made to move on', async () => {
      await using visitor = await signedIn();
      const { page } = visitor;
      await page.locator('.live[data-state="true"]').waitFor();
      const from = performance.now();
      await posted('Who sees this?');
      const line = page.locator('#watched .mail', { hasText: 'Who sees this?' });
      await line.locator('.owner', { hasText: 'anna' }).waitFor();
      expect(performance.now() - from).toBeLessThan(10_000);
      await line.getByRole('link').first().click();
      await page.getByRole('button', { name: 'Move it on now' }).click();
      await page.getByText('Escalated to bert').waitFor();
      await site.bert.message(/Who sees this\?/);
      expect(visitor.wrongs).toEqual([]);
    });

    test.each(
      [360, 768, 1440].flatMap((width) =>
        (['light', 'dark'] as const).flatMap((scheme) =>
          (['en', 'de'] as const).map((language) => ({ width, scheme, language })),
        ),
      ),
    )('every page is sound at $width px, $scheme, $language', async (look) => {
      await using visitor = await signedIn(look);
      const queueId = await posted(`Ein_sehr_langes_Wort_ohne_Luecke_${'x'.repeat(120)} <b>&amp;</b>`);
      const pages = ['/', `/message/${queueId}`, '/people/anna'];
      expect(await unsound(visitor, url, [...pages, ...otherPages])).toEqual({});
      expect(visitor.wrongs).toEqual([]);
    });

    test('every button and form is pressed, and is answered', async () => {
      await using visitor = await signedIn();
      const { page } = visitor;
      const mine = async (turn: number) => [`/message/${await posted(`Turn ${turn}`)}`, '/', '/people/anna'];
      const pressed = await pressAll(visitor, url, mine, otherPages);
      for (const key of [
        ...['ack', 'snooze', 'step', 'reassign'].map((verb) => `POST /message/:id/${verb}`),
        ...[
          'POST /people/:name/presence',
          'POST /people/:name/presence back=1',
          'POST /rules/try',
          'POST /rules/replay',
        ],
        ...['GET /queue', 'GET /people', 'GET /audit', 'GET /reports'],
      ])
        expect([...pressed]).toContain(key);
      await page.goto(url);
      await page.locator('form[action="/sign-out"] button').click();
      await page.waitForURL(`${url}/sign-in`);
      expect(visitor.wrongs).toEqual([]);
    });

    test('ten thousand tries to sign in keep neither mail nor pages waiting', async () => {
      await using visitor = await signedIn();
      const agent = new Agent({ keepAlive: true, maxSockets: 20 });
      const tried = (count: number) =>
        new Promise<number>((resolve, reject) => {
          const body = new URLSearchParams({
            name: count % 2 === 0 ? 'ann' : `user${count}`,
            password: `guess ${count}`,
          });
          const asked = request(
            {
              ...{ agent, host: '127.0.0.1', port, path: '/sign-in', method: 'POST' },
              headers: { 'content-type': 'application/x-www-form-urlencoded' },
            },
            (response) => {
              response.resume();
              response.on('end', () => resolve(response.statusCode ?? 0));
            },
          );
          asked.on('error', reject);
          asked.end(String(body));
        });
      const statuses = new Map<number, number>();
      let slowest = 0;
      const attack = Promise.all(
        Array.from({ length: 20 }, async (_, lane) => {
          for (let count = 0; count < 500; count += 1) {
            const status = await tried(lane * 500 + count);
            statuses.set(status, (statuses.get(status) ?? 0) + 1);
          }
        }),
      );
      let over = false;
      void attack.finally(() => {
        over = true;
      });
      for (let mail = 0; mail < 20 && !over; mail += 1) {
        const from = performance.now();
        await posted(`While they guess ${mail}`);
        slowest = Math.max(slowest, performance.now() - from);
      }
      await attack;
      agent.destroy();
      expect([...statuses.keys()].sort()).toEqual([403, 429]);
      expect([...statuses.values()].reduce((sum, one) => sum + one, 0)).toBe(10_000);
      // A password is looked at a few times only.
      expect(statuses.get(403)).toBeLessThan(60);
      expect(slowest).toBeLessThan(10_000);
      await visitor.page.goto(url);
      await visitor.page.locator('.user', { hasText: 'ann' }).waitFor();
    });
  },
);
