// The story as a newcomer reads it: one golden text over every kind of event and what goes over XMPP, and the layout.
import { expect, test } from 'vitest';
import { expectMailbox } from '../../../src/mail/path.ts';
import { expectBareJid } from '../../../src/presence/jid.ts';
import { neverSeen } from '../../../src/presence/presence.ts';
import type { Considered } from '../../../src/routing/choose.ts';
import type { Cast } from '../../../src/sandbox/cast.ts';
import { Layout, wrap } from '../../../src/sandbox/layout.ts';
import { Messages } from '../../../src/sandbox/messages.ts';
import { Storyteller } from '../../../src/sandbox/storyteller.ts';
import { parseXml } from '../../../src/sandbox/xmpp-server/xmpp-server.ts';
import { TestClock, testStart } from '../../support/clock.ts';
import { story } from './story.ts';

const cast: Cast = {
  domain: 'pointsman.test',
  bot: 'pointsman',
  players: ['alice', 'bob', 'dave'].map((name) => ({
    name,
    local: name,
    jid: expectBareJid(`${name}@pointsman.test`),
    mailbox: expectMailbox(`${name}@pointsman.test`),
  })),
  elsewhere: [],
  rooms: ['duty'],
  roomsElsewhere: [],
  groups: [],
  mailDomains: ['pointsman.test'],
};

const considered = (person: string, reason: string): Considered => ({
  person,
  reason,
  presence: neverSeen,
  open: 0,
  lastAssignedAt: null,
  verdict: 'eligible',
});

function teller(clock = new TestClock()) {
  let text = '';
  const messages = new Messages(async () => new Map([[0, 'k7mf']]));
  const storyteller = new Storyteller({
    cast,
    startedAt: testStart,
    clock,
    columns: null,
    moods: {},
    isElsewhere: (bare) => bare === 'dave@pointsman.test',
    messages,
    consideredIn: async (_, decision) =>
      decision === 'd1'
        ? [considered('alice', 'is dnd for 3s'), considered('bob', 'is offline for 0s')]
        : [considered('alice', 'is available for 0s; number 1 in order'), considered('bob', 'has passed')],
    write: (more) => {
      text += more;
    },
  });
  return {
    storyteller,
    messages,
    clock,
    async text() {
      await storyteller.settled();
      return text;
    },
  };
}

test('every kind of event, in words', async () => {
  const { storyteller, messages, text } = teller();
  storyteller.heading('What is going to be seen.');
  for (const event of story) {
    messages.note(event);
    storyteller.event(event);
  }
  expect(await text()).toBe(`
-- What is going to be seen.
    1s  #k7mf  ann@example.net writes to support@pointsman.test: “The printer is on fire”
               alice is dnd for 3s; bob is offline.
               Nobody can take it now. It waits until somebody can, up to 10s.
    4s  #k7mf  alice is available; bob has passed.
               → alice (first in order)
               The next hop does not take it now (451 later). It is tried again.
    9s  #k7mf  It is in alice’s mailbox.
   21s  #k7mf  alice has not answered in time: on to duty@rooms.pointsman.test (step “room”).
   25s  #k7mf  Somebody: reply, by a path that proves nothing. Noted, no more.
   26s  #k7mf  Closed: dave takes care of it.
   30s  #k7mf  Fault (error): A mail could be neither delivered nor reported.
   31s  #k7mf  Operator: retry (cli:root).
               The sender gets a report about alice@pointsman.test.
   32s  #k7mf  alice@pointsman.test refuses it for good: 550 no such user
`);
});

test('what goes over XMPP: presence, the first IM in full, later ones short, answers, the room', async () => {
  const { storyteller, clock, text } = teller();
  const bot = 'pointsman@pointsman.test/sandbox';
  const says = (from: string, xml: string) => storyteller.stanza(parseXml(xml), from);
  await clock.advance(2_000);
  says('dave@pointsman.test/simulated', '<presence/>'); // as he was
  says('dave@pointsman.test/simulated', '<presence type="unavailable"/>'); // a human is there as dave
  says('alice@pointsman.test/simulated', '<presence><show>dnd</show></presence>');
  says('alice@pointsman.test/phone', '<presence><show>dnd</show></presence>');
  says('alice@pointsman.test/phone', '<presence to="duty@rooms.pointsman.test/alice"/>');
  says('bob@pointsman.test/x', '<presence type="unavailable"/>');
  says('bob@pointsman.test/x', '<presence type="subscribed"/>');
  const question = '#k7mf Mail\nAnswer: ack k7mf (I have it), pass k7mf';
  says(bot, `<message to="alice@pointsman.test"><body>${question}</body></message>`);
  says(bot, `<message to="bob@pointsman.test"><body>${question}</body></message>`);
  says(
    bot,
    '<message to="duty@rooms.pointsman.test" type="groupchat"><body>#k7mf Mail\nWhoever takes it, answer here or to me: ack k7mf.</body></message>',
  );
  says('alice@pointsman.test/phone', '<message to="pointsman@pointsman.test"><body>ack k7mf</body></message>');
  says('alice@pointsman.test/phone', '<message to="bob@pointsman.test"><body>private</body></message>');
  says(
    'dave@pointsman.test/x',
    '<message to="duty@rooms.pointsman.test" type="groupchat"><body>ack k7mf</body></message>',
  );
  says(bot, '<message to="bob@pointsman.test"><body>#k7mf is taken by alice.\nIt was: “x”</body></message>');
  says(bot, '<message to="bob@pointsman.test"><received xmlns="urn:xmpp:receipts" id="1"/></message>');
  says(
    bot,
    '<message to="duty@rooms.pointsman.test" type="groupchat"><body>#k7mf Mail\nWhoever takes it, answer here or to me: ack k7mf.</body></message>',
  );
  storyteller.note(null, 'A word.');
  expect(await text()).toBe(`    2s         alice does not want to be disturbed (dnd).
               bob is offline.
    2s  #k7mf  alice gets this IM:
               | #k7mf Mail
               | Answer: ack k7mf (I have it), pass k7mf
               bob gets an IM: ack, pass or help?
               The room duty@rooms.pointsman.test gets this IM:
               | #k7mf Mail
               | Whoever takes it, answer here or to me: ack k7mf.
               alice answers: “ack k7mf”
               dave answers in the room: “ack k7mf”
               bob is told: “#k7mf is taken by alice. It was: “x””
               The room duty@rooms.pointsman.test is asked who takes it.
    2s         A word.
`);
});

test('what strangers write moves no cursor and widens no line', async () => {
  const { storyteller, messages, text } = teller();
  const event = { ...story[0], subject: `\u001b[2J\u202e${'long '.repeat(60)}` } as (typeof story)[number];
  messages.note(event);
  storyteller.event(event);
  const told = await text();
  expect(told).not.toMatch(/[\u001b\u202e]/);
  for (const line of told.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
});

test('lines are broken at spaces, and long words where they must', () => {
  expect(wrap('aa bb cc', 5)).toEqual(['aa bb', 'cc']);
  expect(wrap('aaaaaaaa b', 5)).toEqual(['aaaaa', 'aaa b']);
  expect(wrap('', 5)).toEqual(['']);
});

test('a narrow terminal is kept to, a very narrow one is not worth it', () => {
  for (const [columns, widest] of [
    [70, 70],
    [20, 60],
    [300, 100],
  ] as const) {
    const line = new Layout(columns).line(0, null, 'word '.repeat(50));
    expect(Math.max(...line.split('\n').map((each) => each.length))).toBeLessThanOrEqual(widest);
    expect(Math.max(...line.split('\n').map((each) => each.length))).toBeGreaterThan(widest - 6);
  }
});
