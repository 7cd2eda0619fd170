// Mail that an MTA asks about and delivers itself: who gets it, what is kept, watched and escalated, and what happens
// when something is amiss. The MTA's side is played; relay, rules and store are real.
import { afterEach, describe, expect, test } from 'vitest';
import { headOf } from '../../src/mail/content.ts';
import { isMarked, markField } from '../../src/mail/mark.ts';
import { expectMailbox } from '../../src/mail/path.ts';
import { settle } from '../support/clock.ts';
import { MilterStory } from '../support/milter-story.ts';
import type { Mail, Mta } from '../support/mta.ts';
import { Story } from '../support/story.ts';

const rules = (group = '') => `people:
  ann: { mail: ann@example.org }
  ben: { mail: ben@example.org }
groups:
  support:
    address: support@example.org
    members: [ann, ben]
    fallback: { mailbox: duty@example.org }
${group}
policies:
  brisk:
    until: taken
    steps:
      - { name: second, after: 10m, to: next }
`;
const watched = rules('    policy: brisk');
const unwatched = rules('    policy: none');
const mail: Mail = {
  from: '<cy@example.net>',
  to: ['<Support@Example.org>'],
  headers: [
    ['Subject', 'Fire'],
    ['Message-ID', '<m1@example.net>'],
  ],
  body: 'Please come.\r\n',
};

describe('the milter door', () => {
  let undo: AsyncDisposableStack;
  afterEach(() => undo.disposeAsync());

  async function begin(
    text: string,
    options: Parameters<typeof MilterStory.begin>[1] = {},
  ): Promise<{ story: Story; mta: Mta; dial: MilterStory['dial'] }> {
    undo = new AsyncDisposableStack();
    const made = undo.use(await MilterStory.begin(text, options));
    return { story: made.story, mta: made.mta, dial: (more) => made.dial(more) };
  }
  const instead = (person: string) => [
    `2 <${person}@example.org> ORCPT=rfc822;Support@Example.org`,
    expect.stringContaining('X-Pointsman-Trace  v1 k1 '),
    expect.stringContaining('Delivered-To  Support@Example.org'),
    '- <Support@Example.org>',
    'a',
  ];

  test('what was decided in a hurry is written down whole: all headers, and everybody who was considered', async () => {
    const { story, mta } = await begin(unwatched);
    story.presence('ann', 'available');
    const headers: Mail['headers'] = [...(mail.headers ?? []), ['X-Nobody-Asks', ' folded\n value'], ['Date', 'today']];
    expect(await mta.message({ ...mail, headers })).toEqual(instead('ann'));
    const { queueId, decision } = await story.event('chosen');
    expect((await story.store.message(queueId))?.message.facts.headers).toEqual([
      ['subject', 'Fire'],
      ['message-id', '<m1@example.net>'],
      ['x-nobody-asks', 'folded value'],
      ['date', 'today'],
    ]);
    const [written] = await story.store.decisions(queueId);
    expect(written?.id).toBe(decision);
    expect(written?.choice.considered.map(({ person, verdict }) => [person, verdict])).toEqual([
      ['ann', 'chosen'],
      ['ben', 'excluded'],
    ]);
  });

  test('watched mail is on disk before the answer, then nudged, escalated with a mark, and closed by an ack', async () => {
    const { story, mta } = await begin(watched);
    story.presence('ann', 'available');
    story.presence('ben', 'available');
    expect(await mta.message(mail)).toEqual(instead('ann'));
    const [tracked] = await story.store.listTracked({ limit: 1 });
    expect(tracked).toMatchObject({ state: 'tracked', owner: 'ann', subject: 'Fire' });
    const queueId = tracked?.queueId ?? ('' as never);
    expect(Buffer.from(headOf(await story.store.content(queueId))).toString()).toBe(
      'Subject: Fire\r\nMessage-ID: <m1@example.net>\r\n\r\nPlease come.\r\n',
    );
    expect(await story.store.counts()).toMatchObject({ deliveries: { queued: 0, delivered: 1 } });
    await story.hears('ann', /Fire/);
    expect(story.shipped).toEqual([]);
    await story.clock.advance(10 * 60_000);
    const shipped = await story.ships('ben@example.org');
    const mark = /^X-Pointsman-Forward: (.*)\r\n/.exec(shipped.text)?.[1] ?? '';
    expect(isMarked('key', [mark], expectMailbox('ben@example.org'))).toBe(true);
    expect(isMarked('key', [mark], expectMailbox('support@example.org'))).toBe(false);
    expect(isMarked('other', [mark], expectMailbox('ben@example.org'))).toBe(false);
    await story.hears('ben', /Fire/);
    await story.says('ben', 'ack');
    expect(await story.event('closed')).toMatchObject({ state: 'acknowledged' });
    expect((await story.store.decisions(queueId)).map(({ why }) => why)).toEqual(['dispatch', 'escalation']);
  });

  test('mail to our own addresses for evidence stays as it is, whatever the rules say', async () => {
    const { story, mta } = await begin(`${watched}routes:
  - { name: all, match: { recipient: { glob: '*' } }, group: support }
`);
    story.presence('ann', 'available');
    expect(await mta.message({ ...mail, to: [`<${story.ours.copies}>`] })).toEqual(['a']);
    expect(await story.store.listTracked({ limit: 1 })).toEqual([]);
    // The rule is meant for all others.
    expect(await mta.message(mail)).toEqual(instead('ann'));
  });

  test('a reply that passes closes what it answers; a receipt, of which only the header is seen, does not', async () => {
    const { story, mta } = await begin(watched, { carriesMembers: true });
    story.presence('ann', 'available');
    await mta.message(mail);
    const queueId = (await story.store.listTracked({ limit: 1 }))[0]?.queueId ?? ('' as never);
    const answer = (id: string, type: string) =>
      mta.message({
        ...mail,
        from: '<ann@example.org>',
        to: ['<cy@example.net>'],
        headers: [
          ['Message-ID', id],
          ['In-Reply-To', '<m1@example.net>'],
          ['Content-Type', type],
        ],
      });
    await answer('<receipt@example.org>', 'multipart/report; report-type=disposition-notification; boundary=b');
    await answer('<reply@example.org>', 'text/plain');
    expect(await story.event('closed')).toMatchObject({ queueId });
    const heard = (await story.store.events(queueId)).flatMap((each) =>
      each.event === 'evidence' && each.source === 'reply' ? [each.reference] : [],
    );
    expect(heard).toEqual(['<reply@example.org>']);
  });

  test('what bears our mark for a group is left alone; a copied mark frees no other recipient', async () => {
    const { story, mta } = await begin(`${unwatched}routes:
  - { name: fires, match: { subject: { contains: fire } }, group: support }
`);
    story.presence('ann', 'available');
    const mark = markField('key', '01HZZZZZZ0000.1', expectMailbox('ben@example.org')).trim();
    const headers = [...(mail.headers ?? []), ['X-Pointsman-Forward', mark.slice(mark.indexOf(' ') + 1)]] as const;
    expect(await mta.message({ ...mail, to: ['<ben@example.org>'], headers })).toEqual(['a']);
    expect((await mta.message({ ...mail, headers })).at(-2)).toBe('- <Support@Example.org>');
    expect((await mta.message({ ...mail, to: ['<ben@example.org>'] })).at(-2)).toBe('- <ben@example.org>');
  });

  test('unwatched mail is answered first and written down after, without its content', async () => {
    const { story, mta } = await begin(unwatched);
    expect(mta.protocol & 0x10).toBe(0x10);
    story.presence('ben', 'available');
    expect(await mta.message(mail)).toEqual(instead('ben'));
    const { queueId } = await story.event('forwarded');
    expect(await story.store.message(queueId)).toMatchObject({ contentKept: false, tracked: [] });
    expect(await story.store.decisions(queueId)).toHaveLength(1);
    await story.hears('ben', /Fire/);
  });

  test('nobody eligible: the fallback. Presence not known: the recipient stays, and is watched', async () => {
    const { story, mta } = await begin(watched);
    story.presence('ann', 'dnd');
    story.presence('ben', 'offline');
    expect((await mta.message(mail))[0]).toBe('2 <duty@example.org> ORCPT=rfc822;Support@Example.org');
    story.presence('ben', 'unknown');
    expect(await mta.message({ ...mail, queueId: 'Q2' })).toEqual(['a']);
    const [latest] = await story.store.listTracked({ limit: 1 });
    expect(latest).toMatchObject({ state: 'tracked', owner: null });
  });

  test('the sender’s NOTIFY and ORCPT stay with whoever gets it', async () => {
    const { story, mta } = await begin(unwatched);
    story.presence('ann', 'available');
    const to = ['<support@example.org>\0NOTIFY=SUCCESS,DELAY\0ORCPT=rfc822;first+40example.org'];
    expect((await mta.message({ ...mail, to }))[0]).toBe(
      '2 <ann@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;first+40example.org',
    );
  });

  test('a member beyond ASCII is added only to mail that came with SMTPUTF8', async () => {
    const { story, mta } = await begin(
      unwatched.replace('mail: ann@example.org', 'mail: änn@example.org, jid: ann@example.org'),
    );
    story.presence('ann', 'available');
    expect(await mta.message(mail)).toEqual(['a']);
    const international = await mta.message({ ...mail, from: '<cy@example.net>\0SMTPUTF8' });
    expect(international[0]).toBe('2 <änn@example.org> ORCPT=rfc822;Support@Example.org');
    expect(international.slice(-2)).toEqual(['- <Support@Example.org>', 'a']);
  });

  test('an MTA that cannot add or remove recipients keeps them', async () => {
    const { story, dial } = await begin(unwatched);
    story.presence('ann', 'available');
    const mta = await dial({ actions: 0x1 });
    expect(await mta.message(mail)).toEqual(['a']);
  });

  test('a hold begins when the mail comes first, however often it comes again, and over a restart', async () => {
    const held = rules('    policy: none\n    hold: 1h');
    const { story, mta, dial } = await begin(held, { hold: 'tempfail' });
    story.presence('ann', 'away');
    story.presence('ben', 'away');
    const later = ['y 451 4.7.1 Nobody can take it now, try again later'];
    const fallback = expect.stringMatching(/^2 <duty@example.org> /);
    expect(await mta.message(mail)).toEqual(later);
    await story.clock.advance(40 * 60_000);
    expect(await mta.message({ ...mail, queueId: 'Q2' })).toEqual(later);
    await story.crash();
    await story.clock.advance(19 * 60_000);
    const again = await dial({ hold: 'tempfail' });
    expect(await again.message({ ...mail, queueId: 'Q3' })).toEqual(later);
    await story.clock.advance(2 * 60_000);
    // Its hour is over; the hour of another mail, though of the same sender, begins.
    expect((await again.message({ ...mail, queueId: 'Q4' }))[0]).toEqual(fallback);
    const other = {
      ...mail,
      headers: [
        ['Subject', 'Fire'],
        ['Message-ID', '<m2@example.net>'],
      ],
    } as const;
    expect(await again.message(other)).toEqual(later);
    // Whoever sends it once more sends another mail.
    expect(await again.message({ ...mail, queueId: 'Q5' })).toEqual(later);
    // What crashed goes on within this process, without its store.
    const others = story.logged.filter(({ fields }) => !/the store is closed/.test(String(fields.err)));
    story.logged.splice(0, story.logged.length, ...others);
  });

  test('mail without a Message-ID is known again by author, subject and date', async () => {
    const { story, mta } = await begin(rules('    policy: none\n    hold: 1h'), { hold: 'tempfail' });
    story.presence('ann', 'away');
    story.presence('ben', 'away');
    const dated = (date: string) => ({
      ...mail,
      headers: [
        ['Subject', 'Fire'],
        ['Date', date],
      ] as const,
    });
    expect((await mta.message(dated('Mon, 1 Jan 2026 10:00:00 +0000')))[0]).toMatch(/^y 451/);
    await story.clock.advance(61 * 60_000);
    expect((await mta.message(dated('Mon, 1 Jan 2026 11:00:00 +0000')))[0]).toMatch(/^y 451/);
    expect((await mta.message(dated('Mon, 1 Jan 2026 10:00:00 +0000')))[0]).toMatch(/^2 <duty@/);
  });

  test('a member sends it back to the group: our mark is met, though Delivered-To was lost', async () => {
    const { story, mta } = await begin(unwatched);
    story.presence('ann', 'available');
    const sent = await mta.message(mail);
    const trace = sent.find((each) => each.includes('X-Pointsman-Trace'))?.replace(/^.*X-Pointsman-Trace\s+/, '') ?? '';
    const back: Mail = {
      ...mail,
      from: '<ann@example.org>',
      headers: [...(mail.headers ?? []), ['X-Pointsman-Trace', trace]],
    };
    expect(await mta.message(back)).toEqual(['y 554 5.4.6 Routing loop detected']);
    const another: Mail = {
      ...back,
      headers: [
        ['Message-ID', '<m2@example.net>'],
        ['X-Pointsman-Trace', trace],
      ],
    };
    expect((await mta.message(another))[0]).toMatch(/^2 <ann@/);
  });

  test('one Message-ID to one member too often is a circle, whatever marks are left', async () => {
    const { story, mta } = await begin(unwatched);
    story.presence('ann', 'available');
    for (let count = 1; count <= 20; count += 1) expect((await mta.message(mail))[0]).toMatch(/^2 <ann@/);
    expect(await mta.message(mail)).toEqual(['y 554 5.4.6 Routing loop detected']);
    await story.clock.advance(61 * 60_000);
    expect((await mta.message(mail))[0]).toMatch(/^2 <ann@/);
  });

  test('what was chosen counts before it is stored: a burst does not overfill a member', async () => {
    const { story, mta, dial } = await begin(
      watched.replace('ann: { mail: ann@example.org }', 'ann: { mail: ann@example.org, capacity: 1 }'),
    );
    story.presence('ann', 'available');
    story.presence('ben', 'available');
    const { accept } = story.store;
    const goOn = Promise.withResolvers<void>();
    let reached = 0;
    story.store.accept = async (acceptance) => {
      reached += 1;
      await goOn.promise;
      return accept(acceptance);
    };
    const second = await dial();
    const both = [mta.message(mail), second.message({ ...mail, headers: [['Message-ID', '<m2@example.net>']] })];
    while (reached < 2) await settle();
    goOn.resolve();
    const given = (await Promise.all(both)).map(([one]) => one);
    expect(given.toSorted()).toEqual([expect.stringMatching(/^2 <ann@/), expect.stringMatching(/^2 <ben@/)]);
    expect(story.relay.load('ann')).toMatchObject({ open: 1 });
  });

  test('what could not be stored counts no more', async () => {
    const { story, mta } = await begin(
      watched.replace('ann: { mail: ann@example.org }', 'ann: { mail: ann@example.org, capacity: 1 }'),
    );
    story.presence('ann', 'available');
    story.presence('ben', 'available');
    const { accept } = story.store;
    story.store.accept = () => Promise.reject(new Error('the disk is gone'));
    expect((await mta.message(mail))[0]).toMatch(/^y 451 4\.3\.0/);
    story.store.accept = accept;
    expect((await mta.message(mail))[0]).toMatch(/^2 <ann@/);
    expect((await mta.message({ ...mail, headers: [] }))[0]).toMatch(/^2 <ben@/);
  });

  test('who has said "away" is not chosen', async () => {
    const { story, mta } = await begin(unwatched);
    story.presence('ann', 'available');
    story.presence('ben', 'available');
    await story.says('ann', 'away 1h');
    await story.quiet();
    expect((await mta.message(mail))[0]).toMatch(/^2 <ben@/);
  });

  test('mail that the rules would hold: try later, or quarantine, as is said', async () => {
    const held = rules('    policy: none\n    hold: 1h');
    const { story, mta } = await begin(held, { hold: 'tempfail' });
    story.presence('ann', 'away');
    story.presence('ben', 'away');
    expect(await mta.message(mail)).toEqual(['y 451 4.7.1 Nobody can take it now, try again later']);
    await undo.disposeAsync();
    const second = await begin(held, { hold: 'quarantine' });
    second.story.presence('ann', 'away');
    second.story.presence('ben', 'away');
    expect((await second.mta.message(mail)).map((one) => one[0])).toEqual(['q', 'a']);
    expect(await second.story.store.listQueue({ limit: 1 })).toEqual([]);
  });

  test('a rule that appears in the middle of a connection without bodies: try again, nothing is half done', async () => {
    const { story, mta } = await begin(unwatched);
    story.presence('ann', 'available');
    const other = await Story.begin(watched);
    undo.defer(() => other.end());
    story.rules = other.rules;
    expect(await mta.message(mail)).toEqual([expect.stringMatching(/^y 452 4\.3\.1/)]);
    expect(await story.store.listTracked({ limit: 1 })).toEqual([]);
  });

  test.each([
    ['tempfail', [expect.stringMatching(/^y 451 4\.3\.0/)]],
    ['accept', ['a']],
  ] as const)('the store fails: %s', async (onFailure, answer) => {
    const { story, mta } = await begin(watched, { onFailure });
    story.presence('ann', 'available');
    story.store.accept = () => Promise.reject(new Error('the disk is gone'));
    expect(await mta.message(mail)).toEqual(answer);
  });

  test('the same mail again, for its answer was lost in a crash: one watch is left', async () => {
    const { story, mta } = await begin(watched);
    story.presence('ann', 'available');
    await mta.message(mail);
    await mta.message({ ...mail, from: '<another@example.net>' });
    await mta.message(mail);
    expect((await story.store.listTracked({ limit: 9 })).map(({ state }) => state).sort()).toEqual([
      'tracked',
      'tracked',
      'withdrawn',
    ]);
  });

  test('the MTA is gone before the answer: it will be asked again, so this one is withdrawn', async () => {
    const { story, mta } = await begin(watched);
    story.presence('ann', 'available');
    const { accept } = story.store;
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    story.store.accept = async (acceptance) => {
      reached.resolve();
      await goOn.promise;
      return accept(acceptance);
    };
    const lost = mta.message(mail).catch(() => 'lost');
    await reached.promise;
    mta.close();
    await lost;
    for (let turn = 0; turn < 20; turn += 1) await settle();
    goOn.resolve();
    expect(await story.event('closed')).toMatchObject({ state: 'withdrawn' });
  });
});
