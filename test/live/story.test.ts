// One message's life on real parts: Postfix hands mail to Pointsman, Pointsman hands it to another Postfix, Prosody
// tells who is there, and the people are slixmpp clients. Nothing sleeps: each wait is for an event, with a deadline
// that only a failure meets; how long it really took is printed at the end.
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { bot, type LiveSite, mailWith, openLiveSite, room } from '../support/live-site.ts';
import { requirePeer } from '../support/peers.ts';
import type { LogLine } from '../support/pointsman-process.ts';
import { postfixMayRun } from '../support/postfix.ts';
import { SmtpTalk } from '../support/smtp-talk.ts';

const rules = (members: string) => `people:
  anna: { mail: anna@example.test }
  bert: { mail: bert@example.test }
  cleo: { mail: cleo@example.test }
groups:
  support: # nothing happens by itself within a test
    address: support@example.test
    members: [${members}]
    strategy: in-order
    eligible: [chat, available]
    fallback: { mailbox: duty@example.test }
    policy: patient
  sales: # everything happens within a test
    address: sales@example.test
    members: [${members}]
    strategy: in-order
    eligible: [chat, available]
    fallback: { mailbox: duty@example.test }
    policy: brisk
policies:
  patient:
    until: taken
    steps:
      - { name: second, after: 1h, to: next }
  brisk:
    until: taken
    steps:
      - { name: second, after: 2s, to: next }
      - { name: room, after: 2s, to: { room: ${room} } }
      - { name: chief, after: 2s, to: { mailbox: chief@example.test } }
`;

const measured: [string, number][] = [];
async function timed<T>(what: string, work: Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work;
  measured.push([what, Math.round(performance.now() - start)]);
  return result;
}

describe.runIf(requirePeer('postfix', 'prosody', 'slixmpp') && postfixMayRun())('one message on real parts', () => {
  let site: LiveSite;

  beforeAll(async () => {
    site = await timed('the whole site is up', openLiveSite(rules('anna, bert')));
  });
  afterAll(async () => {
    await site?.[Symbol.asyncDispose]();
    console.log(measured.map(([what, took]) => `${String(took).padStart(7)} ms  ${what}`).join('\n'));
  });

  beforeEach(async () => {
    onTestFailed(async () => {
      const lines = site.pointsman.log.seen().slice(-40);
      console.log(lines.map((line) => JSON.stringify(line)).join('\n'), site.pointsman.complaints);
      console.log(
        (await site.front.log()).slice(-4000),
        (await site.back.log()).slice(-4000),
        site.people.complaints(),
      );
    });
    const { anna, bert } = site;
    await Promise.all([anna.login(), bert.login()]);
    anna.show('available');
    bert.show('available');
    await timed('Pointsman sees both available', site.pointsman.untilPresent({ anna: 'available', bert: 'available' }));
  });
  afterEach(() => {
    for (const person of [site.anna, site.bert, site.cleo, site.mallory]) person.told.skip();
  });

  const box = (name: string) => site.back.maildir(name.includes('@') ? name : `${name}@example.test`);
  const delivered = (name: string, subject: string) =>
    timed(`${subject}: in the Maildir of ${name}`, box(name).next(subject));
  const shortIdIn = (text: string): string => {
    const id = /#(\w{4})\b/.exec(text)?.[1];
    if (id === undefined) throw new Error(`no short id in ${JSON.stringify(text)}`);
    return id;
  };
  const noneElsewhere = (subject: string, ...names: string[]) => {
    for (const name of names) expect(box(name).mails.seen((mail) => mail.subject === subject)).toEqual([]);
  };

  test('first member available: the first has it, is told, and an ack by IM closes', async () => {
    const subject = 'first member available';
    await site.post('support@example.test', subject);
    const mail = await delivered('anna', subject);
    expect(mail.headers.filter(([name]) => name === 'delivered-to').map(([, value]) => value)).toEqual([
      'anna@example.test',
      'support@example.test',
    ]);
    const nudge = await timed(`${subject}: nudge`, site.anna.message(new RegExp(subject)));
    expect(nudge.from).toBe(bot);
    expect(nudge.body).toMatch(/Hello, this is Pointsman/); // the first one ever says who it is
    const id = shortIdIn(nudge.body);

    const explained = await site.pointsman.cli('explain', id);
    expect(explained).toContain('anna');
    expect(explained).toMatch(/10-all\.yaml:\d+/);

    site.anna.say(bot, `ack ${id}`);
    await timed(`${subject}: confirmation`, site.anna.message(new RegExp(`#${id} is yours`)));
    const { tracked } = await site.pointsman.client.tracked(id);
    expect(tracked.map(({ state, closedBy }) => ({ state, closedBy }))).toEqual([
      { state: 'acknowledged', closedBy: 'anna' },
    ]);
    noneElsewhere(subject, 'bert', 'duty');
    expect(site.bert.messages.join()).not.toContain(subject);
  });

  test('first dnd, second available: the second', async () => {
    const subject = 'first is busy';
    site.anna.show('dnd', { status: 'in a meeting' });
    await site.pointsman.untilPresent({ anna: 'dnd' });
    await site.post('support@example.test', subject);
    await delivered('bert', subject);
    await site.bert.message(new RegExp(subject));
    noneElsewhere(subject, 'anna', 'duty');
    expect(site.anna.messages.join()).not.toContain(subject);
  });

  test('nobody there: the fallback', async () => {
    const subject = 'nobody is there';
    await Promise.all([site.anna.logout(), site.bert.logout()]);
    await site.pointsman.untilPresent({ anna: 'offline', bert: 'offline' });
    await site.post('support@example.test', subject);
    await delivered('duty', subject);
    noneElsewhere(subject, 'anna', 'bert');
  });

  test('silence: the next member, then the room, then the chief, in that order', async () => {
    const subject = 'nobody reads this';
    await site.cleo.login();
    await site.cleo.join(room);
    await site.post('sales@example.test', subject);
    await delivered('anna', subject);
    await delivered('bert', subject);
    const line = await timed(`${subject}: in the room`, site.cleo.roomMessage(new RegExp(subject)));
    expect(line.body).toContain('anna had it');
    await delivered('chief', subject);
    expect(site.anna.messages.join()).toMatch(/has moved on to bert/);
    const { events } = await site.pointsman.client.tracked(shortIdIn(line.body));
    expect(events.filter(({ event }) => event === 'escalated').map((event) => 'to' in event && event.to)).toEqual([
      'bert',
      room,
      'chief@example.test',
    ]);
    await site.cleo.logout();

    // All of its life, from the log alone, by one grep of what was in its 250.
    const { queueId } = events[0] ?? {};
    const ended = (line: LogLine) => line.event === 'nudged' && line.to === room && line.queueId === queueId;
    await site.pointsman.logged('the room was told', ended);
    const lines = site.pointsman.log.seen((line) => JSON.stringify(line).includes(String(queueId)));
    expect(lines.every((line) => line.queueId === queueId)).toBe(true);
    const life = lines.flatMap(({ event, to, person }) => (event ? [`${event} ${person ?? to ?? ''}`.trim()] : []));
    const inOrder = ['accepted', 'chosen anna', 'forwarded anna', 'nudged anna', 'escalated bert', 'forwarded bert'];
    const rest = life.filter((one) => inOrder.some((each) => one.startsWith(each)));
    expect(inOrder.map((each) => rest.findIndex((one) => one.startsWith(each)))).toEqual([0, 1, 2, 3, 4, 5]);
    expect(life).toContain(`escalated ${room}`);
    expect(life).toContain('escalated chief@example.test');
  });

  test('an ack in the room closes, and the chief is not bothered', async () => {
    const subject = 'taken in the room';
    await site.bert.join(room);
    await site.post('sales@example.test', subject);
    const line = await timed(`${subject}: in the room`, site.bert.roomMessage(new RegExp(subject)));
    const id = shortIdIn(line.body);
    site.bert.shout(room, `ack ${id}`);
    await timed(`${subject}: closed`, site.bert.roomMessage(new RegExp(`#${id} is taken by bert`)));
    const { tracked } = await site.pointsman.client.tracked(id);
    expect(tracked[0]).toMatchObject({ state: 'acknowledged', closedBy: 'bert', nextStepAt: null });
    noneElsewhere(subject, 'chief');
  });

  test.for([
    'logout',
    'vanish',
  ] as const)('the owner goes offline (%s) before reading: the next at once', async (how) => {
    const subject = `owner goes by ${how}`;
    await site.post('support@example.test', subject);
    await delivered('anna', subject);
    await site.anna.message(new RegExp(subject));
    await site.anna[how]();
    await delivered('bert', subject); // the policy's own step is an hour away
    const { body } = await site.bert.message(new RegExp(subject));
    expect(body).toContain('went offline');
  });

  test('pass: the next one at once', async () => {
    const subject = 'not mine';
    await site.post('support@example.test', subject);
    const { body } = await site.anna.message(new RegExp(subject));
    site.anna.say(bot, `pass ${shortIdIn(body)}`);
    await delivered('bert', subject);
    await site.anna.message(/off your hands/);
  });

  test('reload by SIGHUP: new rules at once, and after a mistake the last good ones', async () => {
    await site.pointsman.writeRules(rules('bert, anna'));
    site.pointsman.signal('SIGHUP');
    await site.pointsman.logged('reload', ({ msg }) => msg === 'rules in force');
    await site.post('support@example.test', 'after the reload');
    await delivered('bert', 'after the reload');

    await site.pointsman.writeRules(rules('bert, nobody-we-know'));
    site.pointsman.signal('SIGHUP');
    await site.pointsman.logged('rejected reload', ({ msg }) => msg === 'the last good rules stay in force');
    await expect(site.pointsman.cli('check')).rejects.toThrow(/10-all\.yaml:\d+:\d+.*nobody-we-know/);
    const ready = await fetch(`http://127.0.0.1:${site.pointsman.httpPort}/readyz`);
    expect({ status: ready.status, body: await ready.json() }).toMatchObject({
      status: 200,
      body: { state: 'degraded' },
    });
    await site.post('support@example.test', 'after the mistake');
    await delivered('bert', 'after the mistake');

    await site.pointsman.writeRules(rules('anna, bert'));
    site.pointsman.signal('SIGHUP');
    await site.pointsman.logged('reload', ({ msg }) => msg === 'rules in force');
  });

  test('mail for no group passes untouched and untracked', async () => {
    const subject = 'untouched';
    // What careless software would change: odd folding, trailing blanks, 8-bit content, dots, a header without a value.
    const content = Buffer.concat([
      mailWith(subject, 'plain@desk.example.test').subarray(0, -'\r\n'.length),
      Buffer.from(
        '.\r\n..two dots\r\ntrailing blanks   \t\r\n\r\n\r\n\tT\xe4st \xff\xfe 8-bit\r\nFrom here on\r\n',
        'latin1',
      ),
      Buffer.from(`${'x'.repeat(990)}\r\n\r\n`),
    ]);
    const odd = Buffer.from('X-Odd:\r\nX-Folded: one\r\n \t two  \r\nx-oDD-caSe:no blank\r\n');
    const whole = Buffer.concat([odd, content]);
    await site.post('plain@desk.example.test', subject, { content: whole });
    const { raw } = await delivered('plain@desk.example.test', subject);
    // A Maildir has LF line ends; everything before the first line of ours was prepended on the way.
    const arrived = Buffer.from(raw.toString('latin1').replaceAll('\n', '\r\n'), 'latin1');
    const start = arrived.indexOf('X-Odd:');
    expect(start).toBeGreaterThan(0);
    const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('base64');
    expect(arrived.subarray(start).toString('latin1')).toBe(whole.toString('latin1'));
    expect(hash(arrived.subarray(start))).toBe(hash(whole)); // so a DKIM signature over it still holds
    expect(arrived.subarray(0, start).toString('latin1')).toMatch(/^Received: .*pointsman\.test/ms);
    expect((await site.pointsman.client.listTracked({ limit: 100 })).map((one) => one.subject)).not.toContain(subject);
  });

  test('local mail does not go through Pointsman at all', async () => {
    await site.post('local@example.test', 'local');
    const mail = await site.front.maildir('local@example.test').next('local');
    expect(mail.raw.toString('latin1')).not.toContain('pointsman.test');
  });

  describe('bad input', () => {
    test('a peer that is not listed: 550 5.7.1', async () => {
      using talk = await SmtpTalk.open(site.pointsman.port, { from: '127.0.0.2' });
      const greeting = await talk.reply();
      // Refused where it says hello or where it names a recipient, never later.
      const replies = [greeting];
      if (greeting.startsWith('220'))
        for (const line of ['EHLO x.test', 'MAIL FROM:<a@elsewhere.test>', 'RCPT TO:<support@example.test>'])
          replies.push(await talk.say(line));
      expect(replies.at(-1)).toMatch(/^55[04] 5\.7\.1 /);
    });

    test('a domain that is not relayed, from a listed peer: 550 5.7.1', async () => {
      using talk = await SmtpTalk.open(site.pointsman.port);
      await talk.hello();
      await talk.say('MAIL FROM:<anna@example.test>');
      expect(await talk.say('RCPT TO:<victim@elsewhere.test>')).toMatch(/^550 5\.7\.1 /);
      expect(await talk.say('RCPT TO:<support@example.test>')).toMatch(/^250 /);
    });

    test('a message over size: 552, announced or not, and the connection lives', async () => {
      using talk = await SmtpTalk.open(site.pointsman.port);
      await talk.hello();
      expect(await talk.say('MAIL FROM:<a@elsewhere.test> SIZE=900000')).toMatch(/^552 5\.3\.4 /);
      expect(await talk.say('MAIL FROM:<a@elsewhere.test>')).toMatch(/^250 /);
      expect(await talk.say('RCPT TO:<support@example.test>')).toMatch(/^250 /);
      expect(await talk.say('DATA')).toMatch(/^354 /);
      expect(
        await talk.content(Buffer.from(`Subject: big\r\n\r\n${'x'.repeat(78).concat('\r\n').repeat(4000)}`)),
      ).toMatch(/^552 5\.3\.4 /);
      expect(await talk.say('NOOP')).toMatch(/^250 /);
    });

    test('a subject full of control characters: the nudge arrives, and the link lives', async () => {
      const downs = () => site.pointsman.log.seen(({ msg }) => msg === 'xmpp link down').length;
      const before = downs();
      const word = Buffer.from('en\0co\x08ded \u{fffe}\u{ffff}\u202e ]]> </message>', 'utf8').toString('base64');
      const subject = `bad \x01\x07\x1b[31mred\x0b ]]></body></message><presence type='unavailable'/>&#0; =?utf-8?B?${word}?= end`;
      {
        using talk = await SmtpTalk.open(site.pointsman.port);
        await talk.hello();
        await talk.mail('c@elsewhere.test', 'support@example.test', mailWith(subject, 'support@example.test'));
      }
      const { body } = await timed('control characters: nudge', site.anna.message(/bad .*end/s));
      expect(body).not.toMatch(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\u202e]/);
      expect(body).toContain("<presence type='unavailable'/>"); // as text
      await site.post('support@example.test', 'the link lives');
      await site.anna.message(/the link lives/);
      expect(downs()).toBe(before);
    });

    test('a command from a stranger, or from somebody of another group, is refused and changes nothing', async () => {
      const subject = 'hands off';
      await site.post('support@example.test', subject);
      const { body } = await site.anna.message(new RegExp(subject));
      const id = shortIdIn(body);
      const [before] = (await site.pointsman.client.tracked(id)).tracked;
      await Promise.all([site.mallory.login(), site.cleo.login()]);
      site.mallory.say(bot, `ack ${id}`);
      await site.mallory.message(/do not know you/);
      await site.pointsman.logged('refusal', ({ msg }) => msg === 'command from a stranger refused');
      site.cleo.say(bot, `ack ${id}`);
      await site.cleo.message(new RegExp(`#${id} is not yours`));
      const [after] = (await site.pointsman.client.tracked(id)).tracked;
      expect(after).toEqual(before);
      await Promise.all([site.mallory.logout(), site.cleo.logout()]);
    });
  });

  test('Prosody dies by kill -9 and returns: mail flows meanwhile, presence is known again after', async () => {
    const { anna, bert, prosody, pointsman } = site;
    bert.show('dnd');
    await pointsman.untilPresent({ bert: 'dnd' });
    await prosody.kill9();
    await Promise.all([anna.lost(), bert.lost()]);
    await pointsman.logged('link down', ({ msg }) => msg === 'xmpp link down');
    await site.post('support@example.test', 'without Prosody');
    await delivered('anna', 'without Prosody'); // by what was last known, for its first two minutes
    await prosody.start();
    await bert.login(); // anna does not come back
    const expected = { anna: 'offline', bert: 'available' } as const;
    await timed('after a crash of Prosody: presence is known again', pointsman.untilPresent(expected, 60_000));
    await site.post('support@example.test', 'Prosody is back');
    await delivered('bert', 'Prosody is back');
  });

  test('SIGTERM drains and ends with 0', async () => {
    expect(await timed('drained', site.pointsman.stop())).toEqual({ code: 0, signal: null });
  });
});
