// Nothing unread falls through: silence, a pass, an owner who leaves, and what comes after.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { minute, second } from '../../src/clock.ts';
import { Story } from '../support/story.ts';
import { rules } from './rules.ts';

let story: Story;
beforeEach(async () => {
  story = await Story.begin(rules);
  story.presence('alice', 'available');
  story.presence('bob', 'available');
});
afterEach(() => story.end());

async function nudged(who: string): Promise<string> {
  const { text } = await story.hears(who, /Answer: ack/);
  return /ack (\w{4})/.exec(text)?.[1] ?? '';
}

describe('silence', () => {
  it('moves the mail to the next member, then to the room, then to the supervisor, then it expires', async () => {
    const queueId = await story.mail('support@example.org');
    await nudged('alice');
    await story.clock.advance(10 * minute);
    await story.ships('bob@example.org');
    await nudged('bob');
    await story.hears('alice', /has moved on to bob \(you: had it for 10m without an answer\)/);
    // Nobody else is there: the second "next" has no target, and the room comes at once.
    await story.clock.advance(10 * minute);
    const { text } = await story.hears('duty@rooms.example.org', /Nobody has taken it for 20m/);
    expect(text).toMatch(/alice had it for 10m without an answer; bob has it and has not answered/);
    await story.clock.advance(10 * minute);
    await story.ships('carol@example.org');
    await story.clock.advance(10 * minute);
    expect(await story.event('closed')).toMatchObject({ queueId, state: 'expired' });
    expect(await story.event('fault')).toMatchObject({ fault: 'escalation-exhausted' });
    const steps = story.events.flatMap((event) => (event.event === 'escalated' ? [`${event.step}: ${event.to}`] : []));
    expect(steps).toEqual(['next: bob', 'room: duty@rooms.example.org', 'boss: carol']);
    expect(story.shipped.map(({ to }) => to[0])).toEqual(['alice@example.org', 'bob@example.org', 'carol@example.org']);
  });

  it('says in a header line why whoever is next gets it', async () => {
    await story.mail('support@example.org');
    await nudged('alice');
    await story.clock.advance(10 * minute);
    const { text } = await story.ships('bob@example.org');
    expect(text.split('\r\n')).toContain(
      'X-Pointsman-Escalated: step next of policy standard; time; was with alice; 2026-01-05T09:10:00.000Z',
    );
    expect((await story.ships('alice@example.org')).text).not.toContain('X-Pointsman-Escalated');
  });

  it('is told of at its end, also when the process dies between the end and the telling', async () => {
    const queueId = await story.mail('support@example.org');
    await nudged('alice');
    Object.assign(story.store, { openFault: () => Promise.reject(new Error('the process ends here')) });
    for (let step = 0; step < 4; step += 1) {
      await story.clock.advance(10 * minute);
      await story.quiet();
    }
    expect(await story.event('closed')).toMatchObject({ queueId, state: 'expired' });
    expect(await story.store.faults('all')).toEqual([]);
    await story.crash();
    await story.quiet();
    expect(await story.store.faults('open')).toMatchObject([{ kind: 'escalation-exhausted', subject: queueId }]);
    // What was told is not told again.
    await story.crash();
    await story.quiet();
    expect(await story.store.faults('all')).toHaveLength(1);
  });

  it('moves it on also when whoever is told of the step fails at that', async () => {
    await story.mail('support@example.org');
    await nudged('alice');
    story.told = ({ event }) => {
      if (event === 'escalated') throw new Error('the console has failed');
    };
    await story.clock.advance(10 * minute);
    await story.ships('bob@example.org');
    await nudged('bob');
    story.expectErrors(/work on a due item failed/);
  });

  it('chooses by presence at the step’s instant', async () => {
    await story.mail('support@example.org');
    await nudged('alice');
    story.presence('bob', 'dnd');
    story.presence('dave', 'chat');
    await story.clock.advance(10 * minute);
    await story.ships('dave@example.org');
  });
});

describe('the owner', () => {
  it('goes offline: the next at once', async () => {
    const queueId = await story.mail('support@example.org');
    await nudged('alice');
    await story.clock.advance(5 * second);
    story.presence('alice', 'offline');
    await story.clock.advance(2 * second);
    await story.ships('bob@example.org');
    expect(await story.event('escalated')).toMatchObject({
      queueId,
      trigger: 'owner offline',
      from: 'alice',
      to: 'bob',
    });
  });

  it('becomes absent, as the rules say, though their client is there: the next at once; off duty they keep it', async () => {
    await story.mail('support@example.org');
    await nudged('alice');
    await story.clock.advance(5 * second);
    const at = story.clock.now();
    const live = { state: 'available', since: at, asOf: at } as const;
    story.presence('alice', 'offline', story.clock.now(), { source: 'schedule', live });
    await story.clock.advance(2 * second);
    await story.quiet();
    expect(story.events.some(({ event }) => event === 'escalated')).toBe(false);
    story.presence('alice', 'available');
    story.presence('alice', 'offline', story.clock.now(), { source: 'absence', live });
    await story.clock.advance(2 * second);
    await story.ships('bob@example.org');
    expect(await story.event('escalated')).toMatchObject({ trigger: 'owner offline', from: 'alice', to: 'bob' });
  });

  it('reconnects within two seconds: nothing moves', async () => {
    await story.mail('support@example.org');
    await nudged('alice');
    story.presence('alice', 'offline');
    await story.clock.advance(1 * second);
    story.presence('alice', 'available');
    await story.clock.advance(5 * second);
    story.presence('alice', 'offline');
    await story.clock.advance(1 * second);
    await story.quiet();
    expect(story.shipped).toHaveLength(1);
    await story.clock.advance(1 * second);
    await story.ships('bob@example.org');
  });

  it('is offline after the chat server was restarted: they get a minute to come back', async () => {
    await story.mail('support@example.org');
    await nudged('alice');
    for (const person of ['alice', 'bob']) story.presence(person, 'unknown');
    for (const person of ['alice', 'bob']) story.presence(person, 'offline');
    await story.clock.advance(30 * second);
    await story.quiet();
    for (const person of ['alice', 'bob']) story.presence(person, 'available');
    await story.clock.advance(5 * minute);
    await story.quiet();
    expect(story.events.filter(({ event }) => event === 'escalated')).toEqual([]);
  });

  it('is merely no longer known (the link went down): nothing moves', async () => {
    await story.mail('support@example.org');
    await nudged('alice');
    story.presence('alice', 'unknown');
    await story.clock.advance(9 * minute);
    await story.quiet();
    expect(story.shipped).toHaveLength(1);
  });

  it('passes: the next at once, and it never comes back to them', async () => {
    await story.mail('support@example.org');
    const id = await nudged('alice');
    await story.says('alice', `pass ${id}`);
    await story.ships('bob@example.org');
    await story.hears('alice', /off your hands; bob is asked now/);
    await story.quiet();
    expect(story.said.filter(({ to, text }) => to === 'alice@example.org' && /has moved on/.test(text))).toEqual([]);
    await nudged('bob');
    await story.says('bob', 'pass');
    await story.hears('duty@rooms.example.org', /alice has passed; bob has passed/);
  });

  it('whose mailbox refuses it is passed over, and the sender is not bothered', async () => {
    story.outcomes.set('alice@example.org', [
      { kind: 'permanent', reply: { code: 550, enhanced: '5.2.1', text: 'mailbox disabled' }, cause: '' },
    ]);
    const queueId = await story.mail('support@example.org');
    await story.ships('bob@example.org');
    await nudged('bob');
    const decisions = await story.store.decisions(queueId);
    expect(decisions.at(-1)?.choice.considered[0]?.reason).toMatch(
      /their mailbox refused it \(550 5\.2\.1 mailbox disabled\)/,
    );
    await story.quiet();
    expect(story.events.filter(({ event }) => event === 'reported')).toEqual([]);
  });

  it('and everybody else refuses it: the sender hears of it, and nothing stays open', async () => {
    const reply = { code: 550, enhanced: '5.2.1', text: 'mailbox disabled' } as const;
    for (const address of ['alice@example.org', 'bob@example.org', 'archive@example.org'])
      story.outcomes.set(address, [{ kind: 'permanent', reply, cause: '' }]);
    const queueId = await story.mail('support@example.org');
    expect(await story.event('closed')).toMatchObject({ queueId, state: 'withdrawn', by: 'undeliverable' });
    expect(await story.event('reported')).toMatchObject({ queueId });
    expect((await story.store.counts()).tracked).toMatchObject({ waiting: 0, held: 0, tracked: 0, withdrawn: 1 });
  });
});

describe('an ack', () => {
  it('by another candidate, from the room, closes it; the owner is told who has it', async () => {
    await story.mail('support@example.org');
    const id = await nudged('alice');
    await story.clock.advance(10 * minute);
    await nudged('bob');
    await story.clock.advance(10 * minute);
    await story.hears('duty@rooms.example.org', /Nobody has taken it/);
    await story.says('dave', `ack ${id}`, { room: 'duty@rooms.example.org' as never });
    expect(await story.event('closed')).toMatchObject({ by: 'dave' });
    await story.hears('bob', /is taken by dave/);
    await story.hears('duty@rooms.example.org', /is taken by dave/);
    await story.clock.advance(second);
    await story.quiet();
    const inRoom = story.said.filter(({ to, text }) => to === 'duty@rooms.example.org' && /is taken/.test(text));
    expect(inRoom).toHaveLength(1);
  });

  it('that comes late says so and changes nothing', async () => {
    await story.mail('support@example.org');
    const id = await nudged('alice');
    await story.says('alice', 'ack');
    await story.event('closed');
    await story.clock.advance(3 * minute);
    await story.says('bob', `ack ${id}`);
    await story.hears('bob', /already acknowledged by alice 3m ago/);
    expect(story.events.filter(({ event }) => event === 'closed')).toHaveLength(1);
  });

  it('crossing with the step changes hands once: whoever is first wins, the other is told', async () => {
    await story.mail('support@example.org');
    const id = await nudged('alice');
    await Promise.all([story.says('alice', `ack ${id}`), story.clock.advance(10 * minute)]);
    await story.event('closed');
    const tracked = (await story.store.listTracked({ limit: 1 }))[0];
    expect(tracked).toMatchObject({ state: 'acknowledged', owner: 'alice', nextStepAt: null });
  });

  it('by a stranger is refused, logged, and changes nothing', async () => {
    await story.mail('support@example.org');
    const id = await nudged('alice');
    await story.says('mallory@evil.example', `ack ${id}`);
    await story.hears('mallory@evil.example', /I do not know you/);
    await story.says('mallory@evil.example', `ack ${id}`);
    await story.says('alice', 'list');
    await story.hears('alice', /#\w{4} Mail for support/);
    await story.quiet();
    expect(story.said.filter(({ to }) => to.startsWith('mallory'))).toHaveLength(1);
    expect(
      story.events
        .filter(({ event }) => event === 'closed' || event === 'evidence')
        .filter((event) => event.event === 'closed'),
    ).toEqual([]);
    expect(story.logged).toContainEqual(
      expect.objectContaining({ level: 'warn', message: 'command from a stranger refused' }),
    );
  });

  it('that was stored while its writer was offline is answered, not executed', async () => {
    await story.mail('support@example.org');
    const id = await nudged('alice');
    await story.says('alice', `ack ${id}`, { delayed: true });
    await story.hears('alice', /reached me late/);
    await story.quiet();
    expect(story.events.filter(({ event }) => event === 'closed')).toEqual([]);
  });

  it('without an id where several are open asks which', async () => {
    await story.mail('support@example.org', { subject: 'One' });
    await story.hears('alice', /“One”/);
    await story.mail('support@example.org', { subject: 'Two' });
    await story.hears('alice', /“Two”/);
    await story.says('alice', 'ack');
    const { text } = await story.hears('alice', /Which one\?/);
    expect(text.split('\n')).toHaveLength(3);
  });
});

describe('a reply in the thread', () => {
  const reply = { headers: '', subject: 'Re: The printer is on fire' };

  it('by the owner, through a listener that carries members’ mail, closes it as answered', async () => {
    const queueId = await story.mail('support@example.org');
    await nudged('alice');
    const messageId = (await story.store.message(queueId))?.message.facts.messageId;
    await story.mail('ann@example.net', {
      ...reply,
      from: 'alice@example.org',
      headers: `In-Reply-To: ${messageId}\r\n`,
      client: { carriesMembers: true },
    });
    expect(await story.event('closed')).toMatchObject({ queueId, state: 'answered', by: 'alice' });
  });

  it.each([
    ['by any other path', { client: { carriesMembers: false } }],
    ['by a stranger', { from: 'mallory@example.net', client: { carriesMembers: true } }],
  ])('%s is recorded and changes nothing', async (_name, more) => {
    const queueId = await story.mail('support@example.org');
    await nudged('alice');
    const messageId = (await story.store.message(queueId))?.message.facts.messageId;
    await story.mail('ann@example.net', {
      from: 'alice@example.org',
      ...reply,
      headers: `References: ${messageId}\r\n`,
      ...more,
    });
    expect(await story.event('evidence', ({ source }) => source === 'reply')).toMatchObject({ trusted: false });
    await story.quiet();
    expect(story.events.filter(({ event }) => event === 'closed')).toEqual([]);
  });

  it('by an automatic responder is nobody’s answer', async () => {
    const queueId = await story.mail('support@example.org');
    await nudged('alice');
    const messageId = (await story.store.message(queueId))?.message.facts.messageId;
    await story.mail('ann@example.net', {
      from: 'alice@example.org',
      headers: `In-Reply-To: ${messageId}\r\nAuto-Submitted: auto-replied\r\n`,
      client: { carriesMembers: true },
    });
    expect(await story.event('evidence', ({ source }) => source === 'automatic reply')).toMatchObject({
      trusted: false,
    });
  });
});
