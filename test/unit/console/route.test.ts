// POST /api/v1/route: the question is checked, and answered by the rules and the presence of this moment.
import { describe, expect, test } from 'vitest';
import { createApi } from '../../../src/console/api.ts';
import { silentLog } from '../../../src/log.ts';
import { createOperations } from '../../../src/operate.ts';
import { neverSeen } from '../../../src/presence/presence.ts';
import { fakeOperations } from '../../support/fake-operations.ts';
import { Story } from '../../support/story.ts';

const post = (body: unknown): RequestInit => ({
  method: 'POST',
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

describe('POST /route', () => {
  test.each([
    ['no JSON', 'x', /not JSON/],
    ['a list', [], /no object/],
    ['no recipients', { from: 'a@b.example', to: [] }, /1 to 100/],
    ['a recipient that is none', { to: ['nobody'] }, /"nobody", which is no mail address/],
    ['a number', { to: [1] }, /holds 1/],
    ['a sender that is none', { from: 7, to: ['a@b.example'] }, /"from" holds 7/],
    ['a header with a line end', { to: ['a@b.example'], headers: { Subject: 'a\r\nBcc: x' } }, /one line/],
    ['a name that is none', { to: ['a@b.example'], headers: { 'Sub ject': 'a' } }, /not a name/],
  ])('%s is refused', async (_, body, message) => {
    const operations = fakeOperations();
    const response = await createApi({ ...fakeOperations(), ...operations }, silentLog).request(
      '/api/v1/route',
      post(body),
    );
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error: { message: string } }).error.message).toMatch(message);
    expect(operations.calls).toEqual([]);
  });

  test('says who would have it and why, and changes nothing', async () => {
    const story = await Story.begin(`people:
  ann: { mail: ann@example.org }
  ben: { mail: ben@example.org }
groups:
  support: { address: support@example.org, members: [ann, ben], strategy: round-robin, fallback: unchanged, policy: none }
routes:
  - { name: spam, match: { subject: { contains: buy now } }, reject: No thanks }
`);
    story.presence('ann', 'available');
    story.presence('ben', 'available');
    const operations = createOperations({
      store: story.store,
      watcher: {
        presenceOf: () => neverSeen,
        onChange: () => undefined,
        watch: () => undefined,
        link: () => story.link,
      },
      rules: { current: () => story.rules, problems: () => [] },
      relay: story.relay,
      rotateMarkKey: () => 'k',
      reload: async () => ({ version: '', problems: [] }),
      clock: story.clock,
      version: '0',
    });
    const api = createApi({ ...fakeOperations(), ...operations }, silentLog);
    const ask = async (subject: string): Promise<unknown> => {
      const question = {
        from: 'cy@example.net',
        to: ['Support@example.org', 'x@example.net'],
        headers: { Subject: subject },
      };
      return (await api.request('/api/v1/route', post(question))).json();
    };
    for (let times = 0; times < 2; times += 1) {
      expect(await ask('Fire')).toMatchObject({
        recipients: [
          {
            to: 'Support@example.org',
            decision: 'member',
            person: 'ann',
            mailbox: 'ann@example.org',
            group: 'support',
            // Whoever sends it there by hand marks it as the doors do.
            addHeaders: [
              { name: 'Delivered-To', value: 'Support@example.org' },
              { name: 'X-Pointsman-Trace', value: expect.stringMatching(/^v1 k1 /) },
            ],
          },
          { to: 'x@example.net', decision: 'pass', mailbox: 'x@example.net' },
        ],
      });
    }
    expect(await ask('Buy Now')).toMatchObject({
      recipients: [{ decision: 'reject', reply: '550 5.7.1 No thanks' }, {}],
    });
    expect(await story.store.listQueue({ limit: 1 })).toEqual([]);
    await story.end();
  });
});
