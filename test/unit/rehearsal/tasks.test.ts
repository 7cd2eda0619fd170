// Trying rules out as a task: rule texts in, what comes of a message or of recorded days out; on the thread beside, too.
import { describe, expect, test } from 'vitest';
import { day, hour, minute, systemClock } from '../../../src/clock.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import { neverSeen } from '../../../src/presence/presence.ts';
import { perform, type Task } from '../../../src/rehearsal/tasks.ts';
import { createRehearsals } from '../../../src/rehearsing/host.ts';
import { gather } from '../../../src/routing/gather.ts';
import { TestClock } from '../../support/clock.ts';

const people = {
  name: 'rules/10-people.yaml',
  text: 'people:\n  ann: { mail: ann@example.org }\n  bob: { mail: bob@example.org }\n',
};
const groups = {
  name: 'rules/20-groups.yaml',
  text: `groups:
  support:
    addresses: [support@example.org]
    members: [ann, bob]
    strategy: in-order
    fallback: unchanged
    policy: urgent
policies:
  urgent:
    until: taken
    steps:
      - { name: second, after: 10m, to: next }
`,
};
const at = Date.UTC(2026, 0, 5, 10);
const here = (name: string) => ({
  name,
  presence: { state: 'available', since: at - hour, asOf: at - minute } as const,
  open: 0,
  lastAssignedAt: null,
});
const trial = (more: Partial<Task & { kind: 'try' }> = {}): Task => ({
  kind: 'try',
  files: [groups, people],
  message: 'From: Cy <cy@example.net>\nTo: Support <support@example.org>\nSubject: Fire\n\nhelp\n',
  at,
  people: [here('ann'), here('bob')],
  ...more,
});

describe('one message', () => {
  test('goes to whoever is there, and every later step is told with its time and reasons', () => {
    const { story, problems, version } = perform(trial());
    expect(problems).toEqual([]);
    expect(version).toMatch(/^[0-9a-f]{12}$/);
    expect(story?.map((line) => [line.at - at, line.text])).toEqual([
      [0, '0s to ann'],
      [10 * minute, '10m step second: to bob'],
      [20 * minute, '20m every step was taken, nobody has answered'],
    ]);
    expect(story?.[0]?.reasons.join('\n')).toContain('ann chosen');
  });

  test('with others there it goes elsewhere; those whom the rules do not name do not matter', () => {
    const { story } = perform(trial({ people: [{ ...here('ann'), presence: neverSeen }, here('bob'), here('eve')] }));
    expect(story?.[0]?.text).toBe('0s to bob');
  });

  test('the envelope counts where it is said, and without a recipient nothing can be tried', () => {
    expect(perform(trial({ to: [expectMailbox('x@example.org')] })).story?.[0]?.text).toBe(
      '0s passed through to x@example.org',
    );
    expect(perform(trial({ message: 'Subject: x\n\n' }))).toMatchObject({
      refused: expect.stringContaining('To or Cc'),
    });
  });

  test('wrong rules are told with their place', () => {
    const { version, problems, story } = perform(trial({ files: [{ ...people, text: 'people:\n  ann: 7\n' }] }));
    expect([version, story]).toEqual([null, undefined]);
    expect(problems[0]).toMatchObject({ severity: 'error', place: { file: 'rules/10-people.yaml', line: 2 } });
  });
});

describe('texts instead of a folder', () => {
  test('are ordered by name, each after what it includes', () => {
    const all = gather([
      { name: 'rules/b.yaml', text: 'include: [more/a.yaml]\n' },
      { name: 'rules/more/a.yaml', text: people.text },
      { name: 'rules/c.yaml', text: groups.text },
      { name: 'rules/more/unused.yaml', text: 'nonsense: [' },
    ]);
    expect(all.problems).toEqual([]);
    expect(all.files?.map(({ name }) => name)).toEqual(['rules/more/a.yaml', 'rules/b.yaml', 'rules/c.yaml']);
  });

  test.each([
    [
      'a circle',
      [
        { name: 'rules/a.yaml', text: 'include: [more/x.yaml]\n' },
        { name: 'rules/more/x.yaml', text: 'include: [more/x.yaml]\n' },
      ],
      'circle',
    ],
    ['what is not there', [{ name: 'rules/a.yaml', text: 'include: [more/x.yaml]\n' }], 'is not among the files'],
    ['nothing', [], 'there is no rule file'],
  ])('%s is an error', (_, files, said) => {
    const { rules, problems } = gather(files);
    expect(rules).toBeUndefined();
    expect(problems.map(({ message }) => message).join()).toContain(said);
  });
});

describe('beside the program', () => {
  test('it comes to the same', async () => {
    const rehearse = createRehearsals(systemClock);
    expect(await rehearse(trial())).toEqual(perform(trial()));
  });

  test('recorded days are replayed; who would have it now, and the load it makes', async () => {
    const rehearse = createRehearsals(systemClock);
    const presence = ['ann', 'bob'].map((name) => ({
      jid: `${name}@example.org` as never,
      at: at - hour,
      presence: here(name).presence,
    }));
    const facts = {
      ...(await import('../../support/fake-operations.ts')).sampleStory.message.facts,
      receivedAt: at,
      recipients: [expectMailbox('support@example.org')],
    };
    const delivery = {
      ...{
        seq: 0,
        address: expectMailbox('support@example.org'),
        person: 'bob',
        mailbox: expectMailbox('bob@example.org'),
      },
      ...{ choice: 'member' as const, plan: { kind: 'group' as const }, because: ['it was so'], closed: null },
    };
    const mails = [{ facts, deliveries: [delivery] }];
    const answered = await rehearse({
      kind: 'replay',
      files: [people, groups],
      mails,
      presence,
      until: at + day,
      most: 10,
    });
    expect(answered.report).toMatchObject({
      mails: 1,
      moved: 1,
      differences: [{ before: { where: 'to bob' }, after: { where: 'to ann' } }],
      loads: [
        { person: 'ann', before: null, after: { given: 1 } },
        { person: 'bob', before: { given: 1 }, after: { given: 0, peak: 1 } },
      ],
    });
  });

  test('one that goes on for too long is ended, and the next one is done', async () => {
    const clock = new TestClock();
    const rehearse = createRehearsals(clock);
    // Handing them over alone takes longer than the clock gives, which stands still otherwise.
    const mail = { kind: 'replay', files: [people, groups], presence: [], until: at + day, most: 1 } as const;
    const facts = (await import('../../support/fake-operations.ts')).sampleStory.message.facts;
    const many = Array.from({ length: 30_000 }, () => ({ facts, deliveries: [] }));
    const long = rehearse({ ...mail, mails: many });
    const ended = expect(long).rejects.toThrow('longer than 60 s');
    // The time limit stands, and the thread has only just begun.
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(61_000);
    await ended;
    expect((await rehearse(trial())).story).toHaveLength(3);
  });

  test('only a few wait', async () => {
    const rehearse = createRehearsals(systemClock);
    const all = await Promise.allSettled([1, 2, 3, 4].map(() => rehearse(trial())));
    expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
  });
});
