// The publisher by itself: the node is made when it is missing, what waits is bounded, a refusal is not hammered at, and a
// link that goes loses nothing that was under way.
import { beforeEach, describe, expect, test } from 'vitest';
import { second } from '../../../src/clock.ts';
import { silentLog } from '../../../src/log.ts';
import { publishedOf } from '../../../src/notify/published.ts';
import { expectBareJid } from '../../../src/presence/jid.ts';
import { IqError } from '../../../src/xmpp/iq.ts';
import { Publisher } from '../../../src/xmpp/pubsub.ts';
import { type Element, xml } from '../../../src/xmpp/stanza.ts';
import { settle, TestClock, testStart } from '../../support/clock.ts';

let clock: TestClock;
let asked: string[];
let answer: (payload: Element) => Promise<Element>;
let publisher: Publisher;

const event = (number: number) => ({ kind: 'routing', what: 'held', at: testStart, data: { number } }) as const;
const refuse = (condition: string) => async (): Promise<never> => {
  throw new IqError(condition, 'pubsub');
};
const names = () => asked.map((text) => /<(publish|create|affiliations)\b/.exec(text)?.[1]);

beforeEach(() => {
  clock = new TestClock();
  asked = [];
  answer = async () => xml('iq', { type: 'result' });
  publisher = new Publisher({
    config: { service: 'pubsub.x', node: 'n', events: ['routing'], subscribers: [expectBareJid('a@x')] },
    iq: {
      request: (_type, to, payload) => {
        expect(to).toBe('pubsub.x');
        asked.push(payload.toString());
        return answer(payload);
      },
    },
    clock,
    log: silentLog,
  });
});

describe('the publisher', () => {
  test('publishes in order once there is a session, and only what is wanted', async () => {
    publisher.publish(event(1));
    publisher.publish({ ...event(2), kind: 'faults' });
    publisher.publish(event(3));
    await settle();
    expect(asked).toEqual([]);
    publisher.opened();
    await settle();
    expect(asked.map((text) => /"number":(\d)/.exec(text.replaceAll('&quot;', '"'))?.[1])).toEqual(['1', '3']);
    expect(asked[0]).toContain('kind="routing" what="held" at="2026-01-05T09:00:00.000Z"');
  });

  test('makes the node when there is none, for the subscribers alone', async () => {
    let made = false;
    answer = async (payload) => {
      if (payload.getChild('create')) made = true;
      if (payload.getChild('publish') && !made) throw new IqError('item-not-found', 'publish');
      return xml('iq', { type: 'result' });
    };
    publisher.opened();
    publisher.publish(event(1));
    await settle();
    expect(names()).toEqual(['publish', 'create', 'affiliations', 'publish']);
    expect(asked[1]).toContain('whitelist');
    expect(asked[2]).toContain('jid="a@x" affiliation="member"');
  });

  test('waits after a refusal, and drops what was refused', async () => {
    answer = refuse('forbidden');
    publisher.opened();
    for (let number = 1; number <= 3; number += 1) publisher.publish(event(number));
    await settle();
    expect(asked).toHaveLength(1);
    answer = async () => xml('iq', { type: 'result' });
    await clock.advance(30 * second);
    expect(asked).toHaveLength(3);
  });

  test('keeps what was under way when the link goes, and of what waits the newest thousand', async () => {
    answer = refuse('link-down');
    publisher.opened();
    publisher.publish(event(0));
    await settle();
    for (let number = 1; number <= 1_200; number += 1) publisher.publish(event(number));
    await settle();
    asked = [];
    answer = async () => xml('iq', { type: 'result' });
    publisher.opened();
    await settle();
    for (let turns = 0; turns < 50 && asked.length < 1_000; turns += 1) await settle();
    expect(asked).toHaveLength(1_000);
    expect(asked.at(-1)).toContain('1200');
  });
});

test('what is told says nothing of the mail itself', () => {
  const head = { at: testStart, queueId: '01JC5Z0K3F7QX' as never };
  const told = [
    publishedOf({
      ...head,
      event: 'chosen',
      group: 'g',
      person: 'p',
      mailbox: 'secret@x',
      why: 'dispatch',
      because: ['b'],
      decision: 'd',
    }),
    publishedOf({
      ...head,
      event: 'accepted',
      from: 'secret@x',
      to: ['secret@x'],
      size: 1,
      peer: 'p',
      subject: 'secret',
    }),
    publishedOf({ ...head, event: 'evidence', grade: 4, source: 'imap', trusted: true }),
    publishedOf({ ...head, event: 'evidence', grade: 8, source: 'reply', trusted: false }),
    publishedOf({ ...head, event: 'evidence', person: 'p', grade: 7, source: 'im', trusted: true }),
    publishedOf({ ...head, event: 'escalated', step: 's', trigger: 'time', to: 'secret@x' }),
  ];
  expect(JSON.stringify(told)).not.toContain('secret');
  expect(told.map((one) => one && `${one.kind} ${one.what}`)).toEqual([
    'routing chosen',
    null,
    null,
    null,
    'claims evidence',
    'routing escalated',
  ]);
});
