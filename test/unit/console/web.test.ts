// The console's pages without a browser: who gets in, what comes with every answer, and that nothing of what strangers
// write ever becomes a part of the page.
import { describe, expect, test } from 'vitest';
import { type Operations, RefusedError } from '../../../src/operations.ts';
import { host, hostile, openPages as open } from '../../support/console-pages.ts';
import { sampleDecision, sampleId, sampleStory, sampleTracked } from '../../support/fake-operations.ts';

describe('every answer', () => {
  test.each([
    '/',
    '/message/k7mf',
    '/nothing',
    '/assets/x/y',
    '/message/%00',
  ])('%s forbids all that is not ours', async (path) => {
    const { get } = open();
    const { headers } = await get(path);
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    );
    expect(Object.fromEntries(headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'same-origin',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store',
    });
    expect(headers.get('strict-transport-security')).toBeNull();
  });

  test('by HTTPS asks for HTTPS from now on, and the cookie goes nowhere else', async () => {
    const { get } = open({}, { secure: true });
    const { headers } = await get('/');
    expect(headers.get('strict-transport-security')).toBe('max-age=31536000');
    expect(headers.get('set-cookie')).toMatch(
      /^__Host-pointsman=[\w-]{43}; Max-Age=86400; Path=\/; HttpOnly; SameSite=Strict; Secure$/,
    );
  });

  test('holds nothing inline that the policy would have to allow', async () => {
    const { get } = open();
    for (const path of ['/', '/message/k7mf', '/nothing']) {
      const text = await (await get(path)).text();
      // What is text of strangers is escaped and holds no <: only real tags are looked into.
      for (const [tag] of text.matchAll(/<[a-z][^<>]*>/gi))
        expect(tag.replaceAll(/"[^"]*"/g, '""')).not.toMatch(/\sstyle=|<style|\son\w+=|hx-on/i);
      expect(text).not.toMatch(/"(?:javascript|js):|<script(?! src="\/assets\/)/i);
      expect(text).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    }
  });

  test('our files come under names that change with them, and are kept', async () => {
    const { get } = open();
    const text = await (await get('/')).text();
    const urls = [...text.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map((match) => match[1] ?? '');
    expect(urls).toHaveLength(6);
    for (const url of urls) {
      const response = await get(url);
      expect(response.status).toBe(200);
      expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect((await get(url.replace(/[0-9a-f]{12}/, '000000000000'))).status).toBe(404);
    }
  });
});

describe('who is let in', () => {
  test.each([
    'evil.example',
    `evil.example:8026`,
    '127.0.0.1',
    `${host}.evil.example`,
  ])('not by the name %s', async (name) => {
    const { get, operations } = open();
    const response = await get('/', { host: name });
    expect(response.status).toBe(421);
    expect(response.headers.get('set-cookie')).toBeNull();
    expect(operations.calls.filter(([verb]) => verb !== 'followPresence')).toEqual([]);
  });

  test('without the sandbox and without signing in nobody sees anything', async () => {
    const { get, operations } = open({}, { play: null });
    for (const path of ['/', '/message/k7mf', '/live/now', '/play/become']) expect((await get(path)).status).toBe(401);
    expect(operations.calls.filter(([verb]) => verb !== 'followPresence')).toEqual([]);
  });

  test('what changes something needs the token of the session, and comes from our own pages', async () => {
    const { post, visit, operations } = open();
    const { cookie, token } = await visit();
    const ack = async (form: Record<string, string>, headers: Record<string, string>) =>
      (await post('/message/k7mf/ack', form, headers)).status;
    expect(await ack({}, { cookie })).toBe(403);
    expect(await ack({ token: 'x'.repeat(43) }, { cookie })).toBe(403);
    expect(await ack({ token }, {})).toBe(403);
    expect(await ack({ token }, { cookie, origin: 'http://evil.example' })).toBe(403);
    expect(await ack({ token }, { cookie, origin: 'null' })).toBe(403);
    expect(await ack({ token }, { cookie, 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await ack({ token }, { cookie, 'sec-fetch-site': 'same-site' })).toBe(403);
    expect(operations.calls.some(([verb]) => verb === 'ack')).toBe(false);
    expect(await ack({ token }, { cookie, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' })).toBe(303);
    expect(operations.calls).toContainEqual(['ack', 'k7mf', 'console:sandbox']);
  });

  test('other methods and large bodies are refused', async () => {
    const { post, visit, pages } = open();
    const { cookie, token } = await visit();
    expect((await post('/message/k7mf/drop', { token, why: 'x'.repeat(100_000) }, { cookie })).status).toBe(413);
    const response = await pages.fetch(new Request(`http://${host}/`, { method: 'PUT', headers: { host, cookie } }));
    expect(response?.status).toBe(405);
  });
});

describe('what strangers write', () => {
  const facts = { ...sampleStory.message.facts, subject: hostile, from: hostile };
  const tracked = { ...sampleTracked, subject: hostile, from: hostile, owner: hostile };
  const considered = sampleDecision.choice.considered.map((one) => ({ ...one, person: hostile, reason: hostile }));
  const over: Partial<Operations> = {
    story: async () => ({
      ...sampleStory,
      message: { ...sampleStory.message, facts },
      tracked: [tracked],
      deliveries: sampleStory.deliveries.map((one) => ({
        ...one,
        lastReply: hostile,
        lastHop: hostile,
        onHoldBy: hostile,
      })),
      events: [
        ...sampleStory.events,
        { event: 'fault', at: 1, queueId: sampleId, fault: hostile, severity: 'error', text: hostile },
        { event: 'operated', at: 1, queueId: sampleId, action: hostile, by: hostile },
      ],
      decisions: [{ ...sampleDecision, choice: { ...sampleDecision.choice, considered, because: [hostile] } }],
    }),
    candidates: async () => ({ tracked, considered }),
    soonest: async () => [tracked],
    listTracked: async () => [tracked],
  };

  test.each(['/', '/message/k7mf'])('is text on %s, in either language', async (path) => {
    const { get } = open(over);
    for (const language of ['en', 'de']) {
      const text = await (await get(path, { 'accept-language': language })).text();
      expect(text).toContain(`lang="${language}"`);
      expect(text).toContain('&lt;script&gt;alert(1)');
      expect(text).not.toContain('<script>alert');
      expect(text).not.toContain('<img src=x');
      expect(text).not.toContain('\u202e');
      expect(text).not.toContain('\u0000');
    }
  });

  test.each([
    '/message/..%2f..%2fetc%2fpasswd',
    '/message/%3Cscript%3E',
    '/message/a%0d%0aSet-Cookie:x=1',
    `/message/${'a'.repeat(5000)}`,
    '/message/__proto__',
    '/language/%0d%0ax',
    '/assets/../../package.json',
    '/assets/%2e%2e/console.css',
    '//evil.example/',
  ])('%s is a page that is not there', async (path) => {
    const { get } = open();
    const response = await get(path);
    expect(response.status).toBe(404);
    expect(await response.text()).not.toContain('<script>');
  });

  test.each(['constructor', '__proto__', 'toString', 'explode'])('%s is no action', async (action) => {
    const { post, visit } = open();
    const { cookie, token } = await visit();
    expect((await post(`/message/k7mf/${action}`, { token }, { cookie })).status).toBe(404);
  });
});

describe('actions', () => {
  test.each([
    ['ack', {}, ['ack', 'k7mf', 'console:sandbox']],
    ['reassign', { person: 'bob' }, ['reassign', 'k7mf', 'bob', 'console:sandbox']],
    ['snooze', { for: '30m' }, ['snooze', 'k7mf', 1_800_000, 'console:sandbox']],
    ['hold', {}, ['intervene', sampleId, 'hold', 'console:sandbox']],
    ['release', {}, ['intervene', sampleId, 'release', 'console:sandbox']],
    ['drop', { why: 'spam' }, ['intervene', sampleId, 'drop', 'console:sandbox (spam)']],
    ['retry', {}, ['retry', sampleId, 'console:sandbox']],
    ['requeue', { to: 'eve@example.org' }, ['requeue', sampleId, 'eve@example.org', 'console:sandbox']],
  ] as [string, Record<string, string>, unknown[]][])('%s does it, and says so once', async (action, form, call) => {
    const { get, post, visit, operations } = open();
    const { cookie, token } = await visit();
    const response = await post(`/message/k7mf/${action}`, { token, ...form }, { cookie });
    expect(response.status).toBe(303);
    expect(response.headers.get('location')).toBe(`/message/${sampleId}`);
    expect(operations.calls).toContainEqual(call);
    const page = async () => (await get('/', { cookie })).text();
    expect(await page()).toContain('class="said good"');
    expect(await page()).not.toContain('class="said');
  });

  test.each([
    ['reassign', {}],
    ['snooze', { for: 'ever' }],
    ['drop', {}],
    ['drop', { why: 'a\nb' }],
    ['requeue', { to: '' }],
  ] as [string, Record<string, string>][])('%s with %j is no such form', async (action, form) => {
    const { post, visit } = open();
    const { cookie, token } = await visit();
    expect((await post(`/message/k7mf/${action}`, { token, ...form }, { cookie })).status).toBe(400);
  });

  test('what is refused is said on the page', async () => {
    const { get, post, visit } = open({ intervene: () => Promise.reject(new RefusedError('it has <ended>')) });
    const { cookie, token } = await visit();
    await post('/message/k7mf/hold', { token }, { cookie });
    expect(await (await get('/', { cookie })).text()).toMatch(
      /class="said bad" role="alert">[^<]*it has &lt;ended&gt;/,
    );
  });
});

test('times are in the viewer’s zone; a zone that is none is nobody’s', async () => {
  const { get } = open();
  expect(await (await get('/', { cookie: 'zone=Asia%2FTokyo' })).text()).toContain('Times are in Asia/Tokyo.');
  for (const zone of ['Nowhere%2FLand', '%3Cscript%3E', '%E0%A4%A', 'x'.repeat(200)])
    expect(await (await get('/', { cookie: `zone=${zone}` })).text()).toContain('Times are in UTC.');
});

test('the language is the browser’s until one is chosen', async () => {
  const { get } = open();
  expect(await (await get('/', { 'accept-language': 'fr, de;q=0.8, en;q=0.5' })).text()).toContain('<html lang="de">');
  const chosen = await get('/language/en', { referer: `http://${host}/message/k7mf` });
  expect(chosen.headers.get('location')).toBe('/message/k7mf');
  expect((await get('/language/en', { referer: 'http://evil.example/x' })).headers.get('location')).toBe('/');
  expect(chosen.headers.getSetCookie().join()).toContain('language=en;');
});

describe('signing in', () => {
  let asked = 0;
  let known: { name: string; role: 'viewer' | 'operator' | 'admin' } | undefined;
  const users = {
    find: (name: string) => (known?.name === name ? known : undefined),
    async verify(name: string, password: string) {
      asked += 1;
      return known?.name === name && password === 'right' ? known : undefined;
    },
  };
  const openFor = (role: 'viewer' | 'operator' | 'admin') => {
    known = { name: 'ann', role };
    asked = 0;
    const opened = open({}, { play: null, users });
    const signIn = (name: string, password: string, headers: Record<string, string> = {}) =>
      opened.post('/sign-in', { name, password }, headers);
    const cookieOf = (response: Response) => (response.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    return { ...opened, signIn, cookieOf };
  };

  test('is asked for first, and then one is who one is', async () => {
    const { get, signIn, cookieOf } = openFor('operator');
    const first = await get('/', { accept: 'text/html' });
    expect([first.status, first.headers.get('location')]).toEqual([303, '/sign-in']);
    expect((await get('/live/now')).status).toBe(401);
    const response = await signIn('ann', 'right');
    expect(response.status).toBe(303);
    const page = await (await get('/', { cookie: cookieOf(response) })).text();
    expect(page).toContain('<span class="user">ann</span>');
  });

  test('a wrong password and an unknown name look the same', async () => {
    const { signIn } = openFor('admin');
    const texts = await Promise.all(
      [await signIn('ann', 'wrong'), await signIn('eve', 'right')].map(async (response) => {
        expect(response.status).toBe(403);
        expect(response.headers.get('set-cookie')).toBeNull();
        return response.text();
      }),
    );
    expect(texts[0]).toBe(texts[1]);
  });

  test('not from a page of somebody else’s', async () => {
    const { signIn } = openFor('admin');
    expect((await signIn('ann', 'right', { origin: 'http://evil.example' })).status).toBe(403);
    expect((await signIn('ann', 'right', { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect(asked).toBe(0);
  });

  test('ten thousand tries are a handful of looks at a password, and whoever is in stays in', async () => {
    const { get, signIn, cookieOf } = openFor('admin');
    const cookie = cookieOf(await signIn('ann', 'right'));
    const counts = new Map<number, number>();
    for (let round = 0; round < 100; round += 1) {
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, index) => signIn(index % 2 ? 'ann' : `user${index}`, `guess${round}`)),
      );
      for (const { status } of answers) counts.set(status, (counts.get(status) ?? 0) + 1);
    }
    expect(asked).toBeLessThan(20);
    expect((counts.get(429) ?? 0) + asked - 1).toBe(10_000);
    expect((await get('/', { cookie })).status).toBe(200);
  });

  test('a viewer may look, and no more', async () => {
    const { get, post, signIn, cookieOf, operations } = openFor('viewer');
    const cookie = cookieOf(await signIn('ann', 'right'));
    const page = await (await get('/message/k7mf', { cookie })).text();
    const token = /name="token" value="([^"]+)"/.exec(page)?.[1] ?? '';
    expect(page).not.toContain('/k7mf/ack');
    expect((await post('/message/k7mf/ack', { token }, { cookie })).status).toBe(403);
    expect((await post('/play/send', { token }, { cookie })).status).toBe(404);
    expect(operations.calls.some(([verb]) => verb === 'ack')).toBe(false);
  });

  test('the record says who did it', async () => {
    const { get, post, signIn, cookieOf, operations } = openFor('operator');
    const cookie = cookieOf(await signIn('ann', 'right'));
    const token = /name="token" value="([^"]+)"/.exec(await (await get('/', { cookie })).text())?.[1] ?? '';
    await post('/message/k7mf/ack', { token }, { cookie });
    expect(operations.calls).toContainEqual(['ack', 'k7mf', 'console:ann']);
  });

  test('signing out, being removed, and another role end it; so does a session of another', async () => {
    const { get, post, signIn, cookieOf } = openFor('operator');
    const enter = async () => cookieOf(await signIn('ann', 'right'));
    const status = async (cookie: string) => (await get('/', { cookie })).status;
    const cookie = await enter();
    const token = /name="token" value="([^"]+)"/.exec(await (await get('/', { cookie })).text())?.[1] ?? '';
    expect((await post('/sign-out', {}, { cookie })).status).toBe(403);
    expect((await post('/sign-out', { token }, { cookie })).status).toBe(303);
    expect(await status(cookie)).toBe(401);
    const second = await enter();
    known = { name: 'ann', role: 'viewer' };
    expect(await status(second)).toBe(401);
    const third = await enter();
    known = undefined;
    expect(await status(third)).toBe(401);
    expect(await status('pointsman=made-up')).toBe(401);
  });
});
