// What a policy can say beyond delays: hours that count, everyone at once, more than one taker, where to begin again;
// and an operator who does not wait for the step's time.
import { afterEach, describe, expect, it } from 'vitest';
import { minute } from '../../src/clock.ts';
import { noFaults } from '../../src/fault-point.ts';
import { Story } from '../support/story.ts';

const people = `
people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@example.org }
  carol: { mail: carol@example.org, operator: true }
  dave: { mail: dave@example.org }
schedules:
  office: { zone: UTC, open: { days: mon-fri, from: '09:00', to: '17:00' } }
groups:
  support:
    address: support@example.org
    members: [alice, bob, dave]
    strategy: in-order
    fallback: unchanged
    policy: standard
`;
const policy = (text: string): string => `${people}policies:\n  standard:\n${text.replace(/^/gm, '    ')}`;

let story: Story;
afterEach(() => story.end());

/** A policy, everybody there, and a mail that alice has. `at`: the moment it comes. */
async function begin(text: string, at?: string): Promise<void> {
  story = await Story.begin(policy(text));
  if (at !== undefined) await story.clock.advance(Date.parse(at) - story.clock.now());
  for (const person of ['alice', 'bob', 'dave']) story.presence(person, 'available');
  await story.mail('support@example.org');
  await story.hears('alice', /Answer: ack/);
}

const only = async () => {
  const [tracked] = await story.store.listTracked({ limit: 1 });
  if (!tracked) throw new Error('nothing is tracked');
  return tracked;
};
const due = async () => new Date((await only()).nextStepAt ?? 0).toISOString().slice(0, 16);
const steps = () =>
  story.events.flatMap((event) =>
    event.event === 'escalated' ? [`${event.trigger}, ${event.step}: ${event.to}`] : [],
  );
const until = async (moment: string) => {
  await story.clock.advance(Date.parse(moment) - story.clock.now());
  await story.quiet();
};

describe('hours of a policy', () => {
  const text =
    'hours: office\nsteps:\n  - { name: next, after: 30m, to: next }\n  - { name: lead, after: 30m, to: { person: carol } }\n';

  it('mail of Friday evening goes on on Monday morning', async () => {
    await begin(text, '2027-02-05T16:45Z');
    expect(await due()).toBe('2027-02-08T09:15');
    await until('2027-02-08T09:14Z');
    expect(steps()).toEqual([]);
    await until('2027-02-08T09:15Z');
    expect(steps()).toEqual(['time, next: bob']);
    await story.ships('bob@example.org');
    expect(await due()).toBe('2027-02-08T09:45');
  });

  it('who passes in the night is followed at once by one who is there', async () => {
    await begin(text, '2027-02-05T22:00Z');
    await story.says('alice', 'pass');
    await story.ships('bob@example.org');
    expect(steps()).toEqual(['passed, passed: bob']);
    expect(await due()).toBe('2027-02-08T09:30');
  });

  it('with nobody else there the step waits for the morning, and the story says so', async () => {
    await begin(text, '2027-02-05T22:00Z');
    story.presence('bob', 'offline');
    story.presence('dave', 'offline');
    await story.says('alice', 'pass');
    const event = await story.event('escalated');
    expect(event).toMatchObject({ step: 'next', to: 'nobody yet', until: Date.parse('2027-02-08T09:00Z') });
    expect(await only()).toMatchObject({ state: 'tracked', owner: null });
    story.presence('bob', 'available');
    await until('2027-02-08T09:00Z');
    await story.ships('bob@example.org');
  });

  it('after a stop that lasted into the night nobody is woken', async () => {
    await begin(text, '2027-02-05T15:00Z');
    await story.quiet();
    await story.store.close();
    await story.clock.jumpTo(Date.parse('2027-02-05T22:00Z'));
    await story.crash();
    await story.quiet();
    story.expectErrors(/timer queue could not be read/);
    expect(steps()).toEqual([]);
    expect(await due()).toBe('2027-02-08T09:00');
  });
});

describe('a step for everyone', () => {
  const text =
    'until: taken\nsteps:\n  - { name: all, after: 10m, to: everyone }\n  - { name: lead, after: 10m, to: { person: carol } }\n';

  it('gives it to all who are there and have not had it; whoever takes it has it, and the others hear so', async () => {
    await begin(text);
    await story.clock.advance(10 * minute);
    await story.hears('dave', /everyone is asked/);
    await story.ships('dave@example.org');
    await story.ships('bob@example.org');
    expect(steps()).toEqual(['time, all: bob, dave']);
    expect(await only()).toMatchObject({ owner: 'alice', tried: { bob: expect.stringContaining('with everyone') } });
    await story.says('dave', 'ack');
    expect(await story.event('closed')).toMatchObject({ by: 'dave' });
    await story.hears('alice', /dave/);
  });

  it('goes to all of them also when the process ends before it has sent anything', async () => {
    await begin(text);
    const died = new Promise<void>((resolve) => {
      story.reach = (reached) => {
        if (reached !== 'step-advanced') return;
        resolve();
        throw new Error('ends here');
      };
    });
    await story.clock.advance(10 * minute);
    await died;
    await story.quiet();
    story.expectErrors(/work on a due item failed/);
    expect(story.shipped.flatMap(({ to }) => to)).not.toContain('dave@example.org');
    story.reach = noFaults;
    await story.crash();
    await story.ships('dave@example.org');
    await story.ships('bob@example.org');
    expect(await only()).toMatchObject({ owner: 'alice' });
  });

  it('is passed over when nobody else is there', async () => {
    await begin(text);
    story.presence('bob', 'offline');
    story.presence('dave', 'offline');
    await story.clock.advance(10 * minute);
    expect(await story.event('escalated')).toMatchObject({
      step: 'lead',
      to: 'carol',
      skipped: ['all: nobody else is eligible'],
    });
  });
});

describe('a step to another group', () => {
  const text = 'until: taken\nsteps:\n  - { name: second-line, after: 10m, to: { group: second } }\n';
  const second = `  second:
    address: second@example.org
    members: [carol, erin]
    strategy: in-order
    fallback: unchanged
    policy: none
policies:`;
  const rules = policy(text)
    .replace('policies:', second)
    .replace('schedules:', '  erin: { mail: erin@example.org }\nschedules:');

  it('goes to the best of that group at that moment, who owns it then', async () => {
    story = await Story.begin(rules);
    for (const person of ['alice', 'bob', 'erin']) story.presence(person, 'available');
    await story.mail('support@example.org');
    await story.hears('alice', /Answer: ack/);
    await story.clock.advance(10 * minute);
    await story.ships('erin@example.org');
    expect(steps()).toEqual(['time, second-line: erin']);
    expect(await only()).toMatchObject({ owner: 'erin' });
    await story.hears('erin', /Answer: ack/);
    await story.says('erin', 'ack');
    expect(await story.event('closed')).toMatchObject({ by: 'erin' });
  });

  it('is passed over, with the reason, when nobody of it is there', async () => {
    story = await Story.begin(rules);
    for (const person of ['alice', 'bob']) story.presence(person, 'available');
    await story.mail('support@example.org');
    await story.hears('alice', /Answer: ack/);
    await story.clock.advance(10 * minute);
    await story.event('closed');
    expect(await only()).toMatchObject({ state: 'expired' });
  });
});

describe('more than one taker', () => {
  const text = 'until: taken\ntakers: 2\nsteps:\n  - { name: next, after: 10m, to: next }\n';

  it('goes on until so many different people have taken it', async () => {
    await begin(text);
    await story.says('alice', 'ack');
    await story.quiet();
    expect(await only()).toMatchObject({ state: 'tracked', owner: 'alice', takenBy: ['alice'] });
    await story.says('alice', 'ack');
    await story.quiet();
    expect(await only()).toMatchObject({ state: 'tracked', takenBy: ['alice'] });
    await story.clock.advance(10 * minute);
    await story.hears('bob', /Answer: ack/);
    await story.quiet();
    await story.crash();
    await story.says('bob', 'ack');
    expect(await story.event('closed')).toMatchObject({ by: 'bob' });
    expect(await only()).toMatchObject({ state: 'acknowledged', takenBy: ['alice', 'bob'] });
  });

  it('an answer to the sender ends it all the same', async () => {
    await begin(text);
    const { messageId } = await only();
    await story.mail(story.ours.copies, { from: 'alice@example.org', headers: `In-Reply-To: ${messageId}\r\n` });
    expect(await story.event('closed')).toMatchObject({ state: 'answered' });
  });
});

describe('beginning again', () => {
  it('with the step that is named, so often', async () => {
    await begin(
      'repeat: 2\nrepeatFrom: room\nsteps:\n  - { name: next, after: 10m, to: next }\n  - { name: room, after: 5m, to: { room: duty@rooms.example.org } }\n  - { name: again, after: 5m, to: owner }\n',
    );
    for (let minutes = 0; minutes < 60; minutes += 5) {
      await story.clock.advance(5 * minute);
      await story.quiet();
    }
    expect(steps()).toEqual([
      'time, next: bob',
      ...Array.from({ length: 3 }, () => ['time, room: duty@rooms.example.org', 'time, again: bob']).flat(),
    ]);
    expect(await only()).toMatchObject({ state: 'expired' });
  });
});

it('beginning again with a step that asks nobody in particular, everybody but who said no may be asked anew', async () => {
  await begin(
    'repeat: 1\nrepeatFrom: room\nsteps:\n  - { name: next, after: 10m, to: next }\n  - { name: room, after: 5m, to: { room: duty@rooms.example.org } }\n  - { name: other, after: 5m, to: next }\n',
  );
  await story.says('dave', `pass ${(await only()).shortId}`);
  await story.quiet();
  await story.clock.advance(10 * minute);
  await story.hears('bob', /Answer: ack/);
  await story.quiet();
  for (let minutes = 0; minutes < 15; minutes += 5) {
    await story.clock.advance(5 * minute);
    await story.quiet();
  }
  // The first time nobody is left for "other"; the second time alice is asked again, and dave is not.
  expect(steps()).toEqual([
    'time, next: bob',
    'time, room: duty@rooms.example.org',
    'time, room: duty@rooms.example.org',
    'time, other: alice',
  ]);
  expect(await only()).toMatchObject({ owner: 'alice', tried: { dave: 'has passed' } });
});

describe('an operator takes a step', () => {
  const text =
    'steps:\n  - { name: next, after: 10m, to: next }\n  - { name: room, after: 5m, to: { room: duty@rooms.example.org } }\n  - { name: lead, after: 10m, to: { person: carol } }\n';

  it('the one that comes, now', async () => {
    await begin(text);
    await story.relay.takeStep(await only(), null, 'ops');
    await story.ships('bob@example.org');
    expect(await only()).toMatchObject({ owner: 'bob', step: 1 });
    expect(await story.event('operated')).toMatchObject({ action: 'take step next', by: 'ops' });
    await story.hears('alice', /bob/);
  });

  it('one by name, and the clock goes on from there', async () => {
    await begin(text);
    await story.relay.takeStep(await only(), 'lead', 'ops');
    await story.ships('carol@example.org');
    expect(await only()).toMatchObject({ owner: 'carol', step: 3 });
    expect(steps()).toEqual(['operator, lead: carol']);
  });

  it('not when it has moved on since it was looked at, is over, or there is no such step', async () => {
    await begin(text);
    const seen = await only();
    await expect(story.relay.takeStep(seen, 'boss', 'ops')).rejects.toThrow(
      'the policy standard has no step "boss"; it has next, room, lead',
    );
    await story.relay.takeStep(seen, null, 'ops', seen.revision);
    await expect(story.relay.takeStep(seen, null, 'ops', seen.revision)).rejects.toThrow(/has moved on meanwhile/);
    await story.relay.acknowledge(seen, 'ops', 'cli');
    await expect(story.relay.takeStep(seen, null, 'ops')).rejects.toThrow(/no step can be taken/);
  });
});
