// Every button and form of the console, pressed in a real browser: what can be pressed is found by looking at the pages,
// and must be what stands here; each press does one thing, which is written down here too.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { minute, systemClock } from '../../src/clock.ts';
import { serveConsole } from '../../src/console/server.ts';
import { createConsole } from '../../src/console/web/app.ts';
import type { Play } from '../../src/console/web/play.ts';
import { silentLog } from '../../src/log.ts';
import type { Operations } from '../../src/operations.ts';
import { Browser, type Visitor } from '../support/browser.ts';
import { controlsOf, press } from '../support/console-controls.ts';
import { nobodyPlays } from '../support/console-pages.ts';
import { fakeOperations, sampleFault, sampleId, sampleStory, sampleTracked } from '../support/fake-operations.ts';
import { requirePeer } from '../support/peers.ts';

const now = Date.now();
const tracked = { ...sampleTracked, ownedSince: now - 5 * minute, nextStepAt: now + 10 * minute };
const delivery = sampleStory.deliveries[0] as (typeof sampleStory.deliveries)[number];
const storyWith = (onHoldBy: string | null): Partial<Operations> => ({
  story: async () => ({
    ...sampleStory,
    tracked: [tracked],
    deliveries: [{ ...delivery, state: 'queued', onHoldBy }],
  }),
  candidates: async () => ({
    tracked,
    considered: ['bob', 'carol'].map((person) => ({
      ...{ person, verdict: 'eligible' as const, reason: 'is there', open: 0, lastAssignedAt: null },
      presence: { state: 'available' as const, since: now, asOf: now },
    })) as never,
  }),
});
const over: Partial<Operations> = {
  ...storyWith(null),
  groups: () => [
    {
      ...{ name: 'support', addresses: ['support@example.org'], members: ['alice'], strategy: 'in-order' },
      ...{ eligible: ['available'], hold: null, policy: 'urgent' },
      next: {
        ...{ to: sampleTracked.address, decision: 'fallback', mailbox: sampleTracked.address },
        ...{ because: ['nobody is there'], considered: [], rulesVersion: 'abc' },
      },
    },
  ],
  listQueue: async () => [{ ...delivery, state: 'queued', acceptedAt: now, reversePath: 'cy@example.net', size: 1 }],
  faults: async () => [
    { ...sampleFault, number: 3, owner: null, ownedSince: null, clearedAt: null, byHand: true },
    { ...sampleFault, number: 4, owner: 'console:sandbox', ownedSince: now, clearedAt: null, byHand: true },
  ],
};

const byHand: Operations['presence'] = async () =>
  (await fakeOperations().presence()).map((one) => ({ ...one, source: 'manual' }));

/** What can be pressed, and what of the operations (or of the play) it asks for; null: it only looks. */
const does: Readonly<Record<string, string | null>> = {
  'POST /play/speed factor=1': 'setSpeed',
  'POST /play/speed factor=5': 'setSpeed',
  'POST /play/resume': 'resume',
  'POST /play/send': 'send',
  'POST /play/become mood=available': 'become',
  'POST /play/become mood=away': 'become',
  'POST /play/become mood=dnd': 'become',
  'POST /play/become mood=offline': 'become',
  'POST /play/answer answer=ack': 'answer',
  'POST /play/answer answer=pass': 'answer',
  'POST /play/answer answer=reply': 'answer',
  'POST /message/:id/ack': 'ack',
  'POST /message/:id/snooze': 'snooze',
  'POST /message/:id/step': 'takeStep',
  'POST /message/:id/reassign': 'reassign',
  'POST /message/:id/retry': 'retry',
  'POST /message/:id/hold': 'intervene hold',
  'POST /message/:id/release': 'intervene release',
  'POST /message/:id/requeue': 'requeue',
  'POST /message/:id/drop': 'intervene drop',
  'GET /queue': null,
  'POST /queue action=retry': 'retry',
  'POST /queue action=hold': 'intervene hold',
  'POST /queue action=release': 'intervene release',
  'POST /queue action=drop': 'intervene drop',
  'GET /people': null,
  'POST /people/:name/presence': 'setPresence',
  'POST /people/:name/presence back=1': 'setPresence',
  'POST /faults/:number action=claim': 'actOnFault claim',
  'POST /faults/:number action=release': 'actOnFault release',
  'POST /faults/:number action=clear': 'actOnFault clear',
  'GET /audit': null,
  'GET /reports': null,
  'POST /rules/try': 'tryOut',
  'POST /rules/replay': 'replayDays',
};
const pages = ['/', `/message/${sampleId}`, '/queue', '/people', '/people/alice', '/events', '/audit', '/reports'];
const more = ['/rules', '/rules/try', '/rules/replay'];

describe.skipIf(!requirePeer('chromium'))('every button and form', () => {
  let browser: Browser;
  let visitor: Visitor;
  beforeAll(async () => {
    browser = await Browser.start();
    visitor = await browser.visitor();
  });
  afterAll(() => browser[Symbol.asyncDispose]());

  async function serve(operations: ReturnType<typeof fakeOperations>, played: string[]) {
    const note = (verb: string) => async () => void played.push(verb);
    const play: Play = {
      ...nobodyPlays,
      people: () => [{ name: 'alice', mood: 'available', human: false }],
      scene: () => null,
      ...{ become: note('become'), send: note('send'), answer: note('answer') },
      setSpeed: () => void played.push('setSpeed'),
      resume: () => void played.push('resume'),
    };
    let hosts: readonly string[] = [];
    const made = createConsole({
      ...{ operations, clock: systemClock, wall: systemClock, log: silentLog, hosts: () => hosts },
      ...{ secure: false, play, users: null },
    });
    const listening = await serveConsole({ host: '127.0.0.1', port: 0 }, made);
    hosts = [`127.0.0.1:${listening.port}`];
    return {
      url: `http://${hosts[0]}`,
      async [Symbol.asyncDispose]() {
        made.end();
        await listening.close();
      },
    };
  }

  test('is known here, can be pressed, and does what it says', async () => {
    const done = new Map<string, string | null>();
    for (const [variant, paths] of [
      [over, [...pages, ...more]],
      [{ ...over, ...storyWith('console:ann'), presence: byHand }, [`/message/${sampleId}`, '/people/alice']],
    ] as const) {
      const operations = fakeOperations(variant);
      const played: string[] = [];
      await using site = await serve(operations, played);
      for (const path of paths) {
        await visitor.page.goto(site.url + path);
        for (const control of await controlsOf(visitor.page)) {
          if (done.has(control.key)) continue;
          await visitor.page.goto(site.url + path);
          const before = operations.calls.length;
          played.length = 0;
          const status = await press(visitor.page, control);
          expect([control.key, status < 400]).toEqual([control.key, true]);
          const wanted = does[control.key] ?? null;
          const [verb = '', word] = wanted?.split(' ') ?? [];
          const calls = operations.calls
            .slice(before)
            .filter(([name, ...rest]) => name === verb && (!word || rest.includes(word)));
          const found = calls.length > 0 || played.includes(verb);
          done.set(control.key, wanted !== null && found ? wanted : null);
        }
      }
    }
    expect(Object.fromEntries([...done].sort())).toEqual(Object.fromEntries(Object.entries(does).sort()));
    expect(visitor.wrongs).toEqual([]);
  });
});
