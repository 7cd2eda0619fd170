// Who wrote, and what is not a word of anybody's.
import { describe, expect, it } from 'vitest';
import { minute } from '../../../src/clock.ts';
import { silentLog } from '../../../src/log.ts';
import type { IncomingMessage } from '../../../src/notify/notifier.ts';
import { expectBareJid } from '../../../src/presence/jid.ts';
import { parseXml } from '../../../src/sandbox/xmpp-server/xmpp-server.ts';
import { Iq } from '../../../src/xmpp/iq.ts';
import { Messages, type Receipt } from '../../../src/xmpp/messages.ts';
import { readPresence } from '../../../src/xmpp/presence-stanza.ts';
import { Rooms } from '../../../src/xmpp/rooms.ts';
import type { Element } from '../../../src/xmpp/stanza.ts';
import { xml } from '../../../src/xmpp/stanza.ts';
import { settle, TestClock } from '../../support/clock.ts';
import { heapNow } from '../../support/heap.ts';

const own = { bare: 'bot@example.test', full: 'bot@example.test/pm', domain: 'example.test' };
const ownBare = expectBareJid(own.bare);
const alice = expectBareJid('alice@example.test');
const room = expectBareJid('team@rooms.example.test');
const now = new TestClock().now();
const stamp = (ago: number): string => `<delay xmlns='urn:xmpp:delay' stamp='${new Date(now - ago).toISOString()}'/>`;
const read = (text: string): Element =>
  parseXml(text.replace(/^<(\w+)/, "<$1 xmlns='jabber:client'")) as unknown as Element;

function makeMessages() {
  const clock = new TestClock();
  const sent: Element[] = [];
  const send = async (stanza: Element): Promise<void> => {
    sent.push(stanza);
  };
  const iq = new Iq({ clock, send, own: () => own });
  const rooms = new Rooms({ clock, iq, send, nick: 'bot', log: silentLog });
  rooms.join([room]);
  rooms.sessionUp(false);
  const told: IncomingMessage[] = [];
  const receipts: Receipt[] = [];
  const messages = new Messages({
    clock,
    log: silentLog,
    ownBare,
    rooms,
    send,
    watches: (jid) => jid === alice,
    events: { message: (message) => told.push(message), receipt: (receipt) => receipts.push(receipt) },
  });
  const occupant = (nick: string, jid?: string, extra = ''): boolean =>
    rooms.onPresence(
      read(
        `<presence from='${room}/${nick}'><x xmlns='http://jabber.org/protocol/muc#user'><item ${jid ? `jid='${jid}'` : ''}/>${extra}</x></presence>`,
      ),
    );
  return { clock, iq, rooms, messages, told, receipts, sent, occupant };
}

describe('messages', () => {
  it.each([
    [
      'a chat message',
      `<message from='Alice@example.test/x' type='chat' id='1'><body>ack</body></message>`,
      { from: alice, body: 'ack', id: '1', delayed: false },
    ],
    [
      'one without a type',
      `<message from='alice@example.test/x'><body>ack</body></message>`,
      { from: alice, delayed: false },
    ],
    [
      'stored for an hour',
      `<message from='${alice}/x'><body>ack</body>${stamp(60 * minute)}</message>`,
      { delayed: true, at: now - 60 * minute },
    ],
    [
      'replayed after seconds',
      `<message from='${alice}/x'><body>ack</body>${stamp(5_000)}</message>`,
      { delayed: false, at: now - 5_000 },
    ],
    [
      'stamped in the future',
      `<message from='${alice}/x'><body>ack</body>${stamp(-minute)}</message>`,
      { delayed: false, at: now },
    ],
    [
      'a stamp that is none',
      `<message from='${alice}/x'><body>ack</body><delay xmlns='urn:xmpp:delay' stamp='soon'/></message>`,
      { delayed: true, at: now },
    ],
  ])('%s is told', (_, text, expected) => {
    const { messages, told } = makeMessages();
    messages.handle(read(text));
    expect(told).toMatchObject([expected]);
  });

  it.each([
    ['an error', `<message from='${alice}/x' type='error'><body>ack</body><error/></message>`],
    ['a headline', `<message from='${alice}/x' type='headline'><body>ack</body></message>`],
    [
      'no body',
      `<message from='${alice}/x' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`,
    ],
    ['an empty body', `<message from='${alice}/x' type='chat'><body/></message>`],
    ['our own account', `<message from='${own.bare}/phone' type='chat'><body>ack</body></message>`],
    [
      'a carbon that a stranger made up',
      `<message from='mallory@example.test/x'><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'><message from='${alice}'><body>ack</body></message></forwarded></received><body>ack</body></message>`,
    ],
    ['an archive result', `<message from='${alice}/x'><result xmlns='urn:xmpp:mam:2'/><body>ack</body></message>`],
    ['no sender', '<message><body>ack</body></message>'],
    [
      'a room we are not in',
      `<message from='other@rooms.example.test/alice' type='groupchat'><body>ack</body></message>`,
    ],
    ['the room itself', `<message from='${room}' type='groupchat'><body>welcome</body></message>`],
    ['our own nick in the room', `<message from='${room}/bot' type='groupchat'><body>nudge</body></message>`],
    [
      'a private message of a nick whose JID is hidden',
      `<message from='${room}/ghost' type='chat'><body>ack</body></message>`,
    ],
    ['a body that is no command', `<message from='${alice}/x'><body>${'x'.repeat(20_000)}</body></message>`],
  ])('%s is not', (_, text) => {
    const { messages, told } = makeMessages();
    messages.handle(read(text));
    expect(told).toEqual([]);
  });

  it('in a room the real JID counts, never the nick', () => {
    const { messages, told, occupant } = makeMessages();
    occupant('bot', undefined, "<status code='110'/>");
    occupant('al', `${alice}/desk`);
    occupant('alice');
    messages.handle(read(`<message from='${room}/al' type='groupchat'><body>ack</body></message>`));
    messages.handle(read(`<message from='${room}/alice' type='groupchat'><body>ack 2</body></message>`));
    messages.handle(read(`<message from='${room}/al' type='chat'><body>ack 3</body></message>`));
    expect(told).toMatchObject([
      { from: alice, room },
      { from: null, room },
      { from: alice, body: 'ack 3' },
    ]);
    expect(told[2]).not.toHaveProperty('room');
  });

  it('what the server sends twice is told once', () => {
    const { messages, told } = makeMessages();
    const text = `<message from='${alice}/x' id='7'><body>ack</body></message>`;
    messages.handle(read(text));
    messages.handle(read(text));
    messages.handle(read(text.replace('ack', 'pass')));
    expect(told.map(({ body }) => body)).toEqual(['ack', 'pass']);
  });

  it('answers a request for a receipt, to those who are watched', () => {
    const { messages, sent } = makeMessages();
    const before = sent.length;
    const text = `<message from='${alice}/x' type='chat' id='7'><body>ack</body><request xmlns='urn:xmpp:receipts'/></message>`;
    messages.handle(read(text.replaceAll('alice', 'mallory')));
    expect(sent).toHaveLength(before);
    messages.handle(read(text));
    expect(String(sent[before])).toBe(
      `<message to="${alice}/x" type="chat"><received xmlns="urn:xmpp:receipts" id="7"/></message>`,
    );
  });

  it('reads receipts and markers, from the server’s word for who sends them', () => {
    const { messages, receipts } = makeMessages();
    messages.handle(read(`<message from='${alice}/x'><received xmlns='urn:xmpp:receipts' id='n1'/></message>`));
    messages.handle(read(`<message from='${alice}/x'><displayed xmlns='urn:xmpp:chat-markers:0' id='n1'/></message>`));
    messages.handle(
      read(`<message from='${alice}/x' type='error'><received xmlns='urn:xmpp:receipts' id='n2'/></message>`),
    );
    expect(receipts.map(({ from, id, kind }) => [from, id, kind])).toEqual([
      [alice, 'n1', 'received'],
      [alice, 'n1', 'displayed'],
    ]);
  });
});

describe('presence stanzas', () => {
  it.each<[string, object | null]>([
    [`<presence from='${alice}/x'/>`, { kind: 'available', resource: { show: 'available', priority: 0, since: now } }],
    [
      `<presence from='${alice}/x'><show>dnd</show><priority>-200</priority><status> hi </status></presence>`,
      { resource: { show: 'dnd', priority: -128, status: 'hi' } },
    ],
    [
      `<presence from='${alice}/x'><show>busy</show><priority>high</priority></presence>`,
      { resource: { show: 'available', priority: 0 } },
    ],
    [
      `<presence from='${alice}/x'><idle xmlns='urn:xmpp:idle:1' since='2099-01-01T00:00:00Z'/>${stamp(minute)}</presence>`,
      { resource: { idleSince: now, since: now - minute } },
    ],
    [`<presence from='${alice}' type='unavailable'/>`, { kind: 'unavailable', since: now }],
    [`<presence from='${alice}/x' type='error'/>`, { kind: 'error' }],
    [`<presence from='${alice}' type='subscribe'/>`, null],
    [`<presence from='example.test'/>`, null],
    [`<presence/>`, null],
  ])('%s', (text, fact) => {
    if (fact === null) expect(readPresence(read(text), now)).toBeNull();
    else expect(readPresence(read(text), now)).toMatchObject(fact);
  });
});

describe('questions', () => {
  it.each([
    [null, undefined, true],
    [null, own.bare, true],
    [null, own.domain, true],
    [null, alice, false],
    [own.domain, own.domain, true],
    [own.domain, 'mallory@example.test/x', false],
    [`${room}/bot`, `${room}/bot`, true],
    [`${room}/bot`, `${room}/mallory`, false],
    [`${room}/bot`, undefined, false],
  ])('to %s, answered by %s: %s', async (to, from, believed) => {
    const { iq, sent } = makeMessages();
    const before = sent.length;
    let answered = false;
    iq.request('get', to, xml('ping', { xmlns: 'urn:xmpp:ping' })).then(
      () => {
        answered = true;
      },
      () => undefined,
    );
    const { id = '' } = sent[before]?.attrs ?? {};
    iq.handle(read(`<iq type='result' id='${id}' ${from === undefined ? '' : `from='${from}'`}/>`));
    await settle();
    expect(answered).toBe(believed);
  });

  it('ends by the time limit, and with the session', async () => {
    const { iq, clock } = makeMessages();
    const late = expect(iq.request('get', null, xml('ping', {}))).rejects.toMatchObject({ condition: 'timeout' });
    await clock.advance(minute);
    await late;
    const cut = iq.request('get', null, xml('ping', {}));
    iq.fail();
    await expect(cut).rejects.toMatchObject({ condition: 'link-down' });
  });

  it('remembers what it has heard, and nothing of what came with it', () => {
    const { messages, told } = makeMessages();
    const before = heapNow();
    for (let number = 0; number < 40; number += 1) {
      messages.handle(
        read(
          `<message from='${alice}/of-a-long-name' type='chat' id='an-id-of-its-own-${number}'><body>ack</body><x>${'x'.repeat(1_000_000)}</x></message>`,
        ),
      );
      told.length = 0;
    }
    expect((heapNow() - before) / 1e6).toBeLessThan(10);
  });
});
