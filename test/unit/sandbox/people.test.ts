// The simulated people on the real embedded server: they answer when asked, and make room for a human.
import { expect, type TestContext, test } from 'vitest';
import { silentLog } from '../../../src/log.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import { expectBareJid } from '../../../src/presence/jid.ts';
import type { Cast } from '../../../src/sandbox/cast.ts';
import type { SunkMail } from '../../../src/sandbox/mail-sink.ts';
import { Messages } from '../../../src/sandbox/messages.ts';
import { People } from '../../../src/sandbox/people.ts';
import type { Reaction } from '../../../src/sandbox/reaction.ts';
import type { XmppServer } from '../../../src/sandbox/xmpp-server/xmpp-server.ts';
import { settle, TestClock } from '../../support/clock.ts';
import { accepted } from './story.ts';
import { stage } from './xmpp-server/raw-client.ts';

const alice = {
  name: 'alice',
  local: 'alice',
  jid: expectBareJid('alice@localhost'),
  mailbox: expectMailbox('alice@pointsman.test'),
};
const cast: Cast = {
  domain: 'localhost',
  bot: 'bob',
  players: [alice],
  elsewhere: [],
  rooms: ['ops'],
  roomsElsewhere: [],
  groups: [{ address: expectMailbox('support@pointsman.test'), name: 'support', members: ['alice'] }],
  mailDomains: ['pointsman.test'],
};

const question = 'Hello\n#k7mf Mail for support\nAnswer: ack k7mf (I have it), pass k7mf or help.';

async function cue(test: TestContext, script: readonly Reaction[]) {
  const clock = new TestClock();
  const scene = await stage(test, { sharedRoster: true });
  const ended = new AbortController();
  const messages = new Messages(async () => new Map([[0, 'k7mf']]));
  messages.note(accepted);
  const notes: string[] = [];
  const replies: SunkMail[] = [];
  const people = new People({
    cast,
    server: scene.server,
    address: { host: '127.0.0.1', port: scene.port },
    password: 'alice',
    messages,
    scriptOf: (messageId) => (messageId === '<a@example.net>' ? script : undefined),
    reply: async (_, mail) => void replies.push(mail),
    acts: () => undefined,
    takes: () => undefined,
    clock,
    linkClock: clock,
    log: silentLog,
    note: (_, text) => void notes.push(text),
    signal: ended.signal,
  });
  await people.start({});
  test.onTestFinished(async () => {
    ended.abort();
    await people.stop();
  });
  const bot = await scene.enter('bob', 'desk');
  /** Asks, and lets alice's reading time pass. */
  const ask = async (to = 'alice@localhost', type = 'chat', text = question) => {
    const sleeping = clock.sleeping;
    bot.say(`<message to='${to}' type='${type}' id='n1'><body>${text}</body></message>`);
    await clock.untilSleeping(sleeping + 1);
    await clock.advance(3_000);
  };
  const simulatedSays = (type: string | undefined) =>
    scene.server.until(
      'stanza',
      ({ direction, jid, stanza }) =>
        direction === 'in' &&
        jid === 'alice@localhost/simulated' &&
        stanza.is('presence') &&
        stanza.attrs.type === type,
    );
  return { ...scene, bot, people, clock, ask, notes, replies, simulatedSays };
}

test('who is asked answers with an ack by IM', async (test) => {
  const { ask, bot } = await cue(test, ['ack']);
  await ask();
  await bot.hears('from="alice@localhost/simulated"…<body>ack k7mf</body>');
});

test('a script goes on with each question', async (test) => {
  const { ask, bot, notes } = await cue(test, ['ignore', 'pass']);
  await ask();
  await settle();
  expect(notes).toEqual(['alice does not look.']);
  await ask();
  await bot.hears('<body>pass k7mf</body>');
});

test('in a room the answer is said there', async (test) => {
  const { ask, bot } = await cue(test, ['ack']);
  bot.say(`<presence to='ops@rooms.localhost/bot'><x xmlns='http://jabber.org/protocol/muc'/></presence>`);
  await bot.hears('<subject…/>');
  await ask('ops@rooms.localhost', 'groupchat', '#k7mf Mail\nWhoever takes it, answer here or to me: ack k7mf.');
  await bot.hears('from="ops@rooms.localhost/alice"…<body>ack k7mf</body>');
});

test('an answer by mail goes to the mail that was received', async (test) => {
  const { ask, people, replies } = await cue(test, ['reply']);
  const mail: SunkMail = {
    mailbox: alice.mailbox,
    path: 'x',
    messageId: '<a@example.net>',
    subject: 'The printer is on fire',
    replyTo: 'ann@example.net',
  };
  people.receive(mail);
  await ask();
  await settle();
  expect(replies).toEqual([mail]);
});

test('who leaves is offline, and comes back', async (test) => {
  const { ask, clock, simulatedSays } = await cue(test, ['leave']);
  const gone = simulatedSays('unavailable');
  const sleeping = clock.sleeping;
  await ask();
  await gone;
  await clock.untilSleeping(sleeping + 1);
  const back = simulatedSays(undefined);
  // Not past the link's patience with a silent server, which does not know of this clock.
  await clock.advance(20_000);
  await back;
});

test('the simulation makes room for a human, is silent meanwhile, and comes back', async (test) => {
  const { ask, bot, enter, simulatedSays, notes } = await cue(test, ['ack']);
  const gone = simulatedSays('unavailable');
  const human = await enter('alice', 'phone');
  await gone;
  expect(notes).toEqual(['Somebody has logged in as alice: the simulated alice makes room.']);
  bot.say(`<message to='alice@localhost' type='chat'><body>${question}</body></message>`);
  await human.hears('Answer: ack k7mf');
  const back = simulatedSays(undefined);
  human.socket.destroy();
  await back;
  expect(notes.at(-1)).toBe('Whoever played alice has left: the simulated alice is back.');
  await ask();
  await bot.hears('<body>ack k7mf</body>');
});

test('what was stored while nobody was there is not answered later', async (test) => {
  const { ask, bot, people, server, simulatedSays, notes } = await cue(test, ['ignore']);
  const gone = simulatedSays('unavailable');
  await people.become({ alice: 'offline' });
  await gone;
  bot.say(`<message to='alice@localhost' type='chat'><body>${question}</body></message>`);
  await bot.hearsUntilPong();
  expect(server.offlineMessages('alice')).toHaveLength(1);
  const back = simulatedSays(undefined);
  await people.become({});
  await back;
  await ask();
  await ask();
  await settle();
  expect(notes).toEqual(['alice does not look.', 'alice does not look.']);
});

test('a human who comes while the simulated one is still reading answers alone', async (test) => {
  const { ask, bot, enter, clock, server, simulatedSays } = await cue(test, ['ack']);
  const acks = countAcks(server);
  const sleeping = clock.sleeping;
  bot.say(`<message to='alice@localhost' type='chat'><body>${question}</body></message>`);
  await clock.untilSleeping(sleeping + 1);
  const gone = simulatedSays('unavailable');
  const human = await enter('alice', 'phone');
  await gone;
  await clock.advance(3_000);
  const back = simulatedSays(undefined);
  human.socket.destroy();
  await back;
  // Sent on the same stream as the answer that must not be there.
  await ask();
  await bot.hears('<body>ack k7mf</body>');
  expect(acks()).toBe(1);
});

function countAcks(server: XmppServer): () => number {
  let acks = 0;
  server.onStanza((stanza, direction) => {
    if (direction === 'in' && stanza.getChildText('body')?.startsWith('ack ')) acks += 1;
  });
  return () => acks;
}
