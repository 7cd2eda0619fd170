// Who plays and what is played, from the sample rules and from others.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadRules } from '../../../src/routing/load.ts';
import { parseRules } from '../../../src/routing/parse.ts';
import type { Rules } from '../../../src/routing/rules.ts';
import { castOf } from '../../../src/sandbox/cast.ts';
import { programmeOf } from '../../../src/sandbox/episodes.ts';
import { reactionTo } from '../../../src/sandbox/reaction.ts';

function rulesOf(text: string): Rules {
  const { rules, problems } = parseRules([{ name: 'rules/a.yaml', text }]);
  if (!rules) throw new Error(JSON.stringify(problems));
  return rules;
}

const mixed = rulesOf(`
people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@mail.example, jid: bob@example.org }
  carl: { mail: carl@example.org, jid: carl@elsewhere.example }
  dora: { mail: dora@example.org, jid: none }
  bot: { mail: bot@example.org, jid: pointsman@example.org }
policies:
  p:
    until: read
    steps:
      - { name: here, after: 1m, to: { room: duty@rooms.example.org } }
      - { name: there, after: 1m, to: { room: duty@conference.elsewhere.example } }
      - { name: archive, after: 1m, to: { mailbox: archive@archive.example } }
groups:
  g: { addresses: [g@example.org, h@lists.example], members: [alice, carl], policy: p, fallback: unchanged }
`);

test('the domain that most JIDs have is ours; who is elsewhere has no account', () => {
  const cast = castOf(mixed);
  expect(cast).toMatchObject({
    domain: 'example.org',
    bot: 'pointsman2',
    elsewhere: ['carl', 'dora'],
    rooms: ['duty'],
    roomsElsewhere: ['duty@conference.elsewhere.example'],
    groups: [
      { address: 'g@example.org', members: ['alice', 'carl'] },
      { address: 'h@lists.example', members: ['alice', 'carl'] },
    ],
  });
  expect(cast.players.map(({ name, local, mailbox }) => [name, local, mailbox])).toEqual([
    ['alice', 'alice', 'alice@example.org'],
    ['bob', 'bob', 'bob@mail.example'],
    ['bot', 'pointsman', 'bot@example.org'],
  ]);
  expect([...cast.mailDomains].sort()).toEqual(['archive.example', 'example.org', 'lists.example', 'mail.example']);
});

test('with the sample rules the opening shows presence at work, then somebody and the room after silence', async () => {
  const { rules } = await loadRules(join(import.meta.dirname, '../../../rules'), { anyMode: true });
  if (!rules) throw new Error('the sample rules are wrong');
  const { opening, afterwards } = programmeOf(rules, castOf(rules));
  expect(opening.map(({ mail, moods, script }) => ({ to: mail.to, moods, script }))).toEqual([
    { to: 'support@pointsman.test', moods: { alice: 'dnd' }, script: ['ack'] },
    { to: 'support@pointsman.test', moods: {}, script: ['ignore', 'ignore', 'ack'] },
  ]);
  expect(afterwards.length).toBeGreaterThan(4);
});

test('where nobody can play, nothing is played', () => {
  const rules = rulesOf(`
people: { zoe: { mail: zoe@example.org, jid: none } }
groups: { g: { address: g@example.org, members: [zoe], fallback: unchanged, policy: none } }
`);
  expect(programmeOf(rules, castOf(rules))).toEqual({ opening: [], afterwards: [] });
});

test('a group of one has nobody to be replaced by', () => {
  const rules = rulesOf(`
people: { zoe: { mail: zoe@example.org } }
groups: { g: { address: g@example.org, members: [zoe], fallback: unchanged, policy: none } }
`);
  expect(programmeOf(rules, castOf(rules)).opening[0]?.moods).toEqual({});
});

test.each([
  ['without a script everybody helps', 'Hello', undefined, 1, 'ack'],
  ['the subject may say it', 'Hello [pass]', undefined, 1, 'pass'],
  ['… to everybody who is asked', 'Hello [IGNORE] ', ['ack'], 5, 'ignore'],
  ['an unknown word says nothing', 'Hello [urgent]', undefined, 1, 'ack'],
  ['only at the end', '[pass] Hello', undefined, 1, 'ack'],
  ['a script goes word by word', null, ['ignore', 'pass', 'reply'], 2, 'pass'],
  ['its last word stays', null, ['ignore', 'leave'], 7, 'leave'],
] as const)('%s', (_, subject, script, asked, expected) => {
  expect(reactionTo(subject, script, asked)).toBe(expected);
});
