// A person's own language comes before that of their group; a room has that of all groups.
import { expect, test } from 'vitest';
import { expectBareJid } from '../../../src/presence/jid.ts';
import { languageOfTarget } from '../../../src/relay/languages.ts';
import { parseRules } from '../../../src/routing/parse.ts';

test('who is spoken to in which language', () => {
  const { rules } = parseRules([
    {
      name: 'a.yaml',
      text: `people:
  ann: { mail: ann@example.org, language: de }
  bob: { mail: bob@example.org }
groups:
  g: { address: g@example.org, members: [ann, bob], language: en, policy: none, fallback: unchanged }
`,
    },
  ]);
  if (!rules) throw new Error('no rules');
  const stage = { rules: { current: () => rules } };
  const person = (jid: string) => languageOfTarget(stage, { kind: 'person', jid: expectBareJid(jid) });
  expect(person('ann@example.org')).toBe('de');
  expect(person('bob@example.org')).toBe('en');
  expect(languageOfTarget(stage, { kind: 'room', room: expectBareJid('r@rooms.example.org') })).toBe('en');
});
