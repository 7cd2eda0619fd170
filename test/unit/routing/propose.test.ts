// The mode `propose`: what the rules may say of it, and what a proposal makes of a choice.
import { describe, expect, it } from 'vitest';
import { minute } from '../../../src/clock.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import { choose, foundNobody, type Snapshot } from '../../../src/routing/choose.ts';
import { checkDoors } from '../../../src/routing/doors.ts';
import { replay } from '../../../src/routing/explain.ts';
import { parseRules } from '../../../src/routing/parse.ts';
import { type GroupPlan, plan } from '../../../src/routing/plan.ts';

const written = (group: string, policy = 'standard') => `people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@example.org }
  carol: { mail: carol@example.org, operator: true }
groups:
  support:
    address: support@example.org
    members: [alice, bob]
    fallback: unchanged
    policy: ${policy}
    mode: propose
    ${group}
policies:
  standard: { steps: [{ name: next, after: 10m, to: next }] }
`;

function planOf(text: string): GroupPlan {
  const { rules, problems } = parseRules([{ name: 'a.yaml', text }]);
  if (!rules) throw new Error(problems.map(({ message }) => message).join('\n'));
  const facts = {
    reversePath: '<>',
    receivedCount: 0,
    deliveredTo: [],
    headers: new Map(),
    receivedAt: 0,
  } as unknown as Parameters<typeof plan>[0];
  const planned = plan(facts, expectMailbox('support@example.org'), rules);
  if (planned.kind !== 'group') throw new Error(planned.kind);
  return planned;
}

const there = { presence: { state: 'available', since: 0, asOf: 0 }, open: 0, lastAssignedAt: null } as const;
const snapshot = (more: Partial<Snapshot>): Snapshot => ({
  now: minute,
  people: { alice: there, bob: there },
  lastInGroup: null,
  excluded: {},
  holdUntil: null,
  ...more,
});
const asked = { until: 3 * minute, asked: ['carol'] };

describe('the mode "propose"', () => {
  it('asks every operator for two minutes unless told otherwise', () => {
    expect(planOf(written('')).propose).toEqual({ to: ['carol'], within: 2 * minute });
    expect(planOf(written('propose: { to: [alice], within: 5m }')).propose).toEqual({
      to: ['alice'],
      within: 5 * minute,
    });
  });

  it.each([
    ['', 'none', /needs a policy/],
    ['strategy: everyone', 'standard', /nobody to pick/],
    ['strategy: first-to-claim', 'standard', /nobody to pick/],
    ['propose: { within: 2h }', 'standard', /2h/],
    ['propose: { to: nobody-known }', 'standard', /nobody-known/],
  ])('refuses %j with the policy %s', (group, policy, message) => {
    const { rules, problems } = parseRules([{ name: 'a.yaml', text: written(group, policy) }]);
    expect(rules).toBeUndefined();
    expect(problems.map((each) => each.message).join('\n')).toMatch(message);
  });

  it('is not for a milter or a lookup', () => {
    const { rules } = parseRules([{ name: 'a.yaml', text: written('') }]);
    expect(rules && checkDoors(rules, { hold: null }).map(({ message }) => message)).toEqual([
      expect.stringContaining('"mode: propose"'),
    ]);
  });
});

describe('a proposal', () => {
  const group = planOf(written(''));

  it('holds until its time is over, with everybody in the order of the strategy', () => {
    const choice = choose(group, snapshot({ proposal: asked, excluded: {} }));
    expect(choice).toMatchObject({ kind: 'hold', until: 3 * minute, proposed: ['alice', 'bob'] });
  });

  it('leaves out who is not eligible', () => {
    expect(choose(group, snapshot({ proposal: asked, excluded: { alice: 'has passed' } }))).toMatchObject({
      proposed: ['bob'],
    });
  });

  it('goes to the first when nobody picked, or nobody could be asked', () => {
    for (const proposal of [asked, { until: 9 * minute, asked: [] }]) {
      const now = proposal.asked.length === 0 ? minute : 3 * minute;
      expect(choose(group, snapshot({ now, proposal }))).toMatchObject({ kind: 'member', person: 'alice' });
    }
  });

  it('goes to whoever was picked, eligible or not, at once', () => {
    const proposal = { ...asked, picked: { person: 'bob', by: 'carol' } };
    for (const excluded of [{}, { bob: 'is away' }, { alice: 'x', bob: 'y' }]) {
      const choice = choose(group, snapshot({ proposal, excluded }));
      expect(choice).toMatchObject({ kind: 'member', person: 'bob' });
      expect(choice.because).toContain('bob: picked by carol');
      expect(choice.considered.filter(({ verdict }) => verdict === 'chosen').map(({ person }) => person)).toEqual([
        'bob',
      ]);
    }
  });

  it('does not keep mail from its fallback when nobody is eligible', () => {
    const choice = choose(group, snapshot({ proposal: asked, excluded: { alice: 'x', bob: 'y' } }));
    expect(choice.kind).toBe('fallback');
  });

  it('is not for an escalation, and can be replayed', () => {
    expect(foundNobody(choose(group, snapshot({})))).toBe(false);
    for (const proposal of [asked, { ...asked, picked: { person: 'bob', by: 'carol' } }]) {
      const taken = snapshot({ proposal });
      expect(replay({ plan: group, snapshot: taken, choice: choose(group, taken) })).toBe(true);
    }
  });
});
