// Which source gave which field of whoever was chosen, as a stored decision tells it.
import { describe, expect, test } from 'vitest';
import type { Directory } from '../../../src/directory/directory.ts';
import type { MailFacts } from '../../../src/mail/facts.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { choose, type Snapshot } from '../../../src/routing/choose.ts';
import { directoryText } from '../../../src/routing/directory-text.ts';
import { explain, replay } from '../../../src/routing/explain.ts';
import { parseRules } from '../../../src/routing/parse.ts';
import { plan } from '../../../src/routing/plan.ts';
import { standInsFor } from '../../../src/routing/stand-ins.ts';

const now = Date.UTC(2026, 0, 5, 10, 0, 0);
const support = expectMailbox('support@example.org');
const facts: MailFacts = {
  ...{ queueId: '0000000000000' as QueueId, receivedAt: now, reversePath: expectMailbox('c@elsewhere.example') },
  ...{ recipients: [support], size: 1000, peer: '127.0.0.1', carriesMembers: false, references: [] },
  ...{ autoSubmitted: false, headers: [], receivedCount: 1, deliveredTo: [] },
};

const person = (name: string, absent?: string) => ({
  ...{ id: `uid=${name},ou=people`, name, mail: expectMailbox(`${name}@example.org`), skills: ['german'] },
  ...(absent === undefined ? {} : { absent: { from: '2026-01-01', to: '2026-01-31', substitute: absent } }),
});
const members = (...names: readonly string[]) => [{ id: 'cn=duty', name: 'duty', members: names }];
const known: Directory = { people: [person('anna'), person('ben')], groups: members('anna') };

/** The last lines of the explanation: where mail went, and by whose word. */
function told(people: string, directory: Directory, who = '{ directory: duty }'): readonly string[] {
  const text = `groups:
  support: { address: support@example.org, members: ${who}, fallback: unchanged, policy: none }
${people}`;
  const files = [{ name: 'rules/people.yaml', text }];
  const { rules, problems } = parseRules([...files, directoryText(files, directory, 'office')], { ordered: true });
  if (!rules) throw new Error(JSON.stringify(problems));
  const made = plan(facts, support, rules);
  if (made.kind !== 'group') throw new Error(`a plan to ${made.kind}`);
  const presence = { state: 'available', since: now - 1000, asOf: now } as const;
  const names = [...rules.people.keys()];
  const snapshot: Snapshot = {
    ...{ now, lastInGroup: null, excluded: {}, holdUntil: null },
    people: Object.fromEntries(names.map((name) => [name, { presence, open: 0, lastAssignedAt: null }])),
    standIns: standInsFor(made.candidates, rules.people, () => presence, now),
  };
  const decision = { at: now, why: 'dispatch', plan: made, snapshot, choice: choose(made, snapshot) } as const;
  // As it comes back from the store.
  const stored = JSON.parse(JSON.stringify(decision)) as typeof decision;
  expect(replay(stored)).toBe(true);
  const lines = explain(stored);
  return [lines.find((line) => line.startsWith('  → ')) ?? '', lines.at(-1) ?? ''].map((line) => line.trim());
}

describe('an explanation says of whoever was chosen', () => {
  test('that the directory alone knows them', () => {
    expect(told('', known)).toEqual([
      '→ anna <anna@example.org>',
      'anna: mail, skills by the directory (uid=anna,ou=people)',
    ]);
  });

  test('which fields are the directory’s, and where the rest is said', () => {
    expect(told('people:\n  anna: { skills: [english] }\n', known)[1]).toBe(
      'anna: mail by the directory (uid=anna,ou=people); the rest by rules/people.yaml:4',
    );
  });

  test('that the rule files say all of it', () => {
    expect(told('people:\n  anna: { mail: a@example.org, skills: [english] }\n', known)).toEqual([
      '→ anna <a@example.org>',
      'anna: all of it by rules/people.yaml:4; the directory knows them (uid=anna,ou=people)',
    ]);
  });

  test('also when they stand in for somebody', () => {
    const away = { ...known, people: [person('anna', 'ben'), person('ben')] };
    expect(told('', away)).toEqual([
      '→ ben <ben@example.org>',
      'ben: mail, skills by the directory (uid=ben,ou=people)',
    ]);
  });

  test('nothing of sources, when the directory does not know them', () => {
    expect(told('people:\n  zoe: { mail: z@example.org }\n', known, '[zoe, { directory: duty }]')).toEqual([
      '→ zoe <z@example.org>',
      'zoe: first in order',
    ]);
  });
});
