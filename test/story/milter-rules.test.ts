// What rules can say where an MTA asks and delivers itself: each feature of docs/reference/milter.md's table at work.
// The MTA's side is played; relay, rules and store are real.
import { afterEach, describe, expect, test } from 'vitest';
import { MilterStory } from '../support/milter-story.ts';
import type { Mail, Mta } from '../support/mta.ts';
import type { Story } from '../support/story.ts';

const rules = (group: string, rest = ''): string => `people:
  ann: { mail: ann@example.org }
  ben: { mail: ben@example.org }
  eve: { mail: eve@example.org }
groups:
  support:
    address: support@example.org
    members: [ann, ben]
${group.replace(/^/gm, '    ')}
  second:
    address: second@example.org
    members: [eve]
    fallback: unchanged
    policy: none
policies:
  brisk:
    until: taken
    steps:
      - { name: second, after: 10m, to: next }
${rest}`;
const plain = 'fallback: unchanged\npolicy: none';
const mail: Mail = {
  from: '<cy@example.net>',
  to: ['<support@example.org>'],
  headers: [
    ['Subject', 'Fire'],
    ['Message-ID', '<m1@example.net>'],
  ],
  body: 'Please come.\r\n',
};

describe('rules at the milter door', () => {
  let undo: AsyncDisposableStack;
  afterEach(() => undo.disposeAsync());

  async function begin(
    text: string,
    options: Parameters<typeof MilterStory.begin>[1] = {},
  ): Promise<{ story: Story; mta: Mta }> {
    undo = new AsyncDisposableStack();
    const made = undo.use(await MilterStory.begin(text, options));
    for (const person of ['ann', 'ben', 'eve']) made.story.presence(person, 'available');
    return made;
  }
  /** Without the headers that are put on top. */
  const told = async (mta: Mta, sent: Mail): Promise<string[]> =>
    (await mta.message(sent)).filter((each) => !/Delivered-To|X-Pointsman-Trace/.test(each));
  const orcpt = 'ORCPT=rfc822;support@example.org';

  test('everyone: all of them, and all are written down', async () => {
    const { story, mta } = await begin(rules(`${plain}\nstrategy: everyone`));
    expect(await told(mta, mail)).toEqual([
      `2 <ann@example.org> ${orcpt}`,
      `2 <ben@example.org> ${orcpt}`,
      '- <support@example.org>',
      'a',
    ]);
    const { queueId } = await story.event('forwarded');
    const stored = await story.store.message(queueId);
    expect(stored?.deliveries.map(({ state, chosen }) => [state, chosen?.mailbox ?? null])).toEqual([
      ['delivered', 'ann@example.org'],
      ['delivered', 'ben@example.org'],
    ]);
    expect(stored?.deliveries[1]?.path.mailbox).toBe('ben@example.org');
  });

  test('first-to-claim: all are asked, the first to take it has it', async () => {
    const { story, mta } = await begin(rules('fallback: unchanged\npolicy: brisk\nstrategy: first-to-claim'));
    expect(await told(mta, mail)).toHaveLength(4);
    await story.hears('ann', /Fire/);
    await story.hears('ben', /Fire/);
    expect((await story.store.listTracked({ limit: 1 }))[0]).toMatchObject({ state: 'tracked', owner: null });
    await story.says('ben', 'claim');
    expect(await story.event('closed')).toMatchObject({ state: 'acknowledged' });
  });

  test('sticky: whoever had the last mail of the thread', async () => {
    const { mta } = await begin(rules('fallback: unchanged\npolicy: brisk\nstrategy: sticky\notherwise: round-robin'));
    const first = await told(mta, mail);
    expect(first[0]).toMatch(/^2 <ann@/);
    expect((await told(mta, { ...mail, headers: [['Message-ID', '<m2@example.net>']] }))[0]).toMatch(/^2 <ben@/);
    const answer = (id: string): Mail => ({
      ...mail,
      headers: [
        ['Message-ID', id],
        ['References', '<m2@example.net>'],
      ],
    });
    expect((await told(mta, answer('<m3@example.net>')))[0]).toMatch(/^2 <ben@/);
    expect((await told(mta, answer('<m4@example.net>')))[0]).toMatch(/^2 <ben@/);
  });

  test('a chain: the next group, then a hold that is told as "later", then a mailbox', async () => {
    const chain = 'fallback: [{ group: second }, { hold: 10m }, { mailbox: chief@example.org }]\npolicy: none';
    const { story, mta } = await begin(rules(chain), { hold: 'tempfail' });
    for (const person of ['ann', 'ben']) story.presence(person, 'offline');
    expect((await told(mta, mail))[0]).toBe(`2 <eve@example.org> ${orcpt}`);
    story.presence('eve', 'offline');
    const later: Mail = { ...mail, headers: [['Message-ID', '<m2@example.net>']] };
    expect(await told(mta, later)).toEqual([expect.stringMatching(/^y 451 4\.7\.1 /)]);
    await story.clock.advance(10 * 60_000);
    expect((await told(mta, later))[0]).toBe(`2 <chief@example.org> ${orcpt}`);
  });

  test('a chain that refuses says so to the sender', async () => {
    const { story, mta } = await begin(
      rules('fallback: [{ group: second }, { reject: Closed for today }]\npolicy: none'),
    );
    for (const person of ['ann', 'ben', 'eve']) story.presence(person, 'offline');
    expect(await told(mta, mail)).toEqual([expect.stringMatching(/^y 550 5\.7\.1 Closed for today/)]);
  });

  test('observe: nothing changes, and what would have been is written down', async () => {
    const { story, mta } = await begin(rules(`${plain}\nmode: observe`));
    expect(await mta.message(mail)).toEqual(['a']);
    const chosen = await story.event('chosen');
    expect(chosen).toMatchObject({
      mailbox: 'support@example.org',
      because: [expect.stringMatching(/^observed only/), expect.anything(), expect.anything()],
    });
    expect((await story.store.decisions(chosen.queueId))[0]?.choice).toMatchObject({ kind: 'member', person: 'ann' });
    expect(story.said).toEqual([]);
  });

  test('copies and headers, of mail for a group and of mail that passes; nobody gets it twice', async () => {
    const added = `routes:
  - { name: fires, match: { subject: { contains: fire } }, copy: [{ mailbox: chief@example.org }, { person: ann }], addHeader: { X-Fire: big } }
`;
    const { mta } = await begin(rules(plain, added));
    expect(await told(mta, mail)).toEqual([
      `2 <ann@example.org> ${orcpt}`,
      '2 <chief@example.org> NOTIFY=NEVER',
      expect.stringMatching(/X-Fire {2}big$/),
      '- <support@example.org>',
      'a',
    ]);
    expect(await told(mta, { ...mail, to: ['<chief@example.org>', '<cy@example.net>'] })).toEqual([
      '2 <ann@example.org> NOTIFY=NEVER',
      expect.stringMatching(/X-Fire {2}big$/),
      'a',
    ]);
  });

  test('conditions on size and attachments read the body; what is too large is refused for good', async () => {
    const by = `routes:
  - { name: big, match: { size: { over: 200 } }, group: second }
  - { name: pdf, match: { attachment: { name: { glob: '*.pdf' } } }, reject: No papers }
`;
    const { mta } = await begin(rules(plain, by), { largest: 1_000 });
    expect(mta.protocol & 0x10).toBe(0);
    expect((await told(mta, mail))[0]).toMatch(/^2 <ann@/);
    expect((await told(mta, { ...mail, body: `${'x'.repeat(300)}\r\n` }))[0]).toMatch(/^2 <eve@/);
    expect(await told(mta, { ...mail, body: `${'x'.repeat(1_300)}\r\n` })).toEqual([
      'y 552 5.3.4 Message exceeds the size limit',
    ]);
    const paper: Mail = {
      ...mail,
      headers: [['Content-Type', 'application/pdf; name=a.pdf']],
      body: 'JVBERi0=\r\n',
    };
    expect(await told(mta, paper)).toEqual(['y 550 5.7.1 No papers']);
  });

  test('conditions on the thread and on presence', async () => {
    const by = `routes:
  - { name: known, match: { recipient: support@example.org, thread: seen }, group: support, policy: brisk }
  - { name: eve, match: { recipient: support@example.org, presence: { person: eve, is: dnd } }, reject: Eve is busy }
`;
    const { story, mta } = await begin(rules('fallback: unchanged\npolicy: brisk', by));
    expect((await told(mta, mail))[0]).toMatch(/^2 <ann@/);
    story.presence('eve', 'dnd');
    expect(await told(mta, { ...mail, headers: [['Message-ID', '<m2@example.net>']] })).toEqual([
      'y 550 5.7.1 Eve is busy',
    ]);
    const answer: Mail = { ...mail, headers: [['References', '<m1@example.net>']] };
    expect((await told(mta, answer))[0]).toMatch(/^2 <ann@/);
  });

  test('a fallback that is another recipient stays where it is: added and removed it would be gone', async () => {
    const { story, mta } = await begin(rules('fallback: { mailbox: second@example.org }\npolicy: none'));
    for (const person of ['ann', 'ben']) story.presence(person, 'offline');
    const both: Mail = { ...mail, to: ['<support@example.org>', '<second@example.org>', '<second@example.org>'] };
    expect(await told(mta, both)).toEqual([
      '2 <eve@example.org> ORCPT=rfc822;second@example.org',
      '- <support@example.org>',
      'a',
    ]);
  });
});
