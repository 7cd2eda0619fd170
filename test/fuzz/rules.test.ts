// Rules and choices under chance: the loader never throws, and what the promises say of choices holds for any snapshot.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectMailbox } from '../../src/mail/path.ts';
import { expectBareJid } from '../../src/presence/jid.ts';
import { type State, states } from '../../src/presence/presence.ts';
import { choose, type Snapshot } from '../../src/routing/choose.ts';
import { replay } from '../../src/routing/explain.ts';
import { parseRules } from '../../src/routing/parse.ts';
import type { GroupPlan } from '../../src/routing/plan.ts';
import { formatProblem } from '../../src/routing/problem.ts';
import { strategies } from '../../src/routing/rules.ts';

const good = `people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@example.org, jid: none, operator: true }
groups:
  support: { address: support@example.org, members: [alice, bob], hold: 2m, fallback: { person: bob }, policy: p }
policies:
  p: { until: read, steps: [{ name: next, after: 10m, to: { room: r@x.org }, times: 2 }] }
routes:
  - { name: n, match: { subject: { regex: 'a+' }, header: { X-A: b } }, group: support, eligible: [dnd] }
  - { match: { sender: '<>' }, reject: no }
`;

// Words and marks that mean something to YAML or to us, in any order.
const pieces = fc.constantFrom(
  ...[
    'people',
    'groups',
    'policies',
    'routes',
    'a',
    'alice',
    'mail',
    'jid',
    'none',
    'address',
    'members',
    'match',
    'to',
    'next',
  ],
  ...[
    ': ',
    ':',
    '\n',
    '\n  ',
    '\n    ',
    '- ',
    '[',
    ']',
    '{',
    '}',
    ', ',
    '"',
    "'",
    '|',
    '>',
    '&a ',
    '*a',
    '!',
    '!!str ',
    '#',
    '? ',
    '---\n',
    '%',
    '@',
    '`',
  ],
  ...[
    'a@b',
    '10m',
    '~',
    'null',
    '<<',
    '__proto__',
    'constructor',
    'regex',
    '(',
    '\\',
    '\t',
    '\u0000',
    '\ud800',
    '\u{1f600}',
    '\r\n',
    '\ufeff',
  ],
);
const soup = fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join(''));
const damaged = fc
  .array(fc.tuple(fc.nat(good.length), fc.nat(20), soup), { minLength: 1, maxLength: 4 })
  .map((cuts) =>
    cuts.reduce((text, [at, length, put]) => text.slice(0, at) + put.slice(0, 30) + text.slice(at + length), good),
  );

function expectAnAnswer(text: string): void {
  const { rules, problems } = parseRules([{ name: 'a.yaml', text }]);
  const errors = problems.filter((problem) => problem.severity === 'error');
  expect(rules === undefined).toBe(errors.length > 0);
  const lines = text.split(/\r\n|\n|\r/).length;
  for (const problem of problems) {
    expect(problem.place.line).toBeGreaterThan(0);
    expect(problem.place.line).toBeLessThanOrEqual(lines + 1);
    expect(problem.place.column).toBeGreaterThan(0);
    // Nothing that was read may reach a terminal as it is.
    expect(formatProblem(problem)).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202a-\u202e]/);
  }
}

describe('the loader answers, whatever it is given', () => {
  test.each([
    ['soup of YAML', soup],
    ['good rules, damaged', damaged],
    ['any text', fc.string({ unit: 'binary', maxLength: 300 })],
    ['any value as JSON', fc.json({ maxDepth: 8 })],
  ])('%s', (_title, arbitrary) => {
    fc.assert(fc.property(arbitrary, expectAnAnswer), { numRuns: 400 });
  });
});

const names = ['alice', 'bob', 'carol', 'dave', 'erin', 'constructor'];
const now = 1_000_000_000;

const planArbitrary: fc.Arbitrary<GroupPlan> = fc.record({
  kind: fc.constant('group' as const),
  group: fc.constant('support'),
  address: fc.constant(expectMailbox('support@example.org')),
  candidates: fc.uniqueArray(fc.constantFrom(...names), { maxLength: 6 }).map((people) =>
    people.map((person) => ({
      person,
      mailbox: expectMailbox(`${person}@example.org`),
      jid: expectBareJid(`${person}@example.org`),
    })),
  ),
  strategy: fc.constantFrom(...strategies),
  eligible: fc.uniqueArray(fc.constantFrom<State>(...states), { minLength: 1 }),
  hold: fc.constant(null),
  fallback: fc.constant({ mailbox: expectMailbox('archive@example.org'), unchanged: false }),
  policy: fc.constant(null),
  rule: fc.constant({ file: 'a.yaml', line: 1, column: 1 }),
  rulesVersion: fc.constant('0123456789ab'),
  because: fc.constant([]),
});

const snapshotArbitrary: fc.Arbitrary<Snapshot> = fc.record({
  now: fc.constant(now),
  people: fc.dictionary(
    fc.constantFrom(...names),
    fc.record({
      presence: fc.record({
        state: fc.constantFrom<State>(...states),
        since: fc.option(fc.integer({ min: 0, max: now * 2 })),
        asOf: fc.option(fc.integer({ min: 0, max: now * 2 })),
      }),
      open: fc.nat(50),
      lastAssignedAt: fc.option(fc.integer({ min: 0, max: now * 2 })),
    }),
    { noNullPrototype: true },
  ),
  lastInGroup: fc.option(fc.constantFrom(...names, 'zoe')),
  excluded: fc.dictionary(fc.constantFrom(...names), fc.constant('has passed'), { noNullPrototype: true }),
  holdUntil: fc.option(fc.integer({ min: 0, max: now * 2 })),
});

describe('choices', () => {
  test('the same snapshot gives the same choice, also after it was stored', () => {
    fc.assert(
      fc.property(planArbitrary, snapshotArbitrary, (plan, snapshot) => {
        const choice = choose(plan, snapshot);
        expect(choose(plan, snapshot)).toEqual(choice);
        expect(replay(JSON.parse(JSON.stringify({ plan, snapshot, choice })))).toBe(true);
      }),
    );
  });

  test('nobody ineligible is ever chosen; somebody is whenever somebody is eligible; hold is bounded', () => {
    fc.assert(
      fc.property(planArbitrary, snapshotArbitrary, (plan, snapshot) => {
        const choice = choose(plan, snapshot);
        const stateOf = (person: string): State =>
          Object.hasOwn(snapshot.people, person) ? (snapshot.people[person]?.presence.state ?? 'unknown') : 'unknown';
        const eligible = plan.candidates.filter(
          ({ person }) => plan.eligible.includes(stateOf(person)) && !Object.hasOwn(snapshot.excluded, person),
        );
        expect(choice.kind === 'member').toBe(eligible.length > 0);
        expect(choice.considered.map(({ person }) => person)).toEqual(plan.candidates.map(({ person }) => person));
        expect(choice.considered.every(({ reason }) => reason.length > 0)).toBe(true);
        if (choice.kind === 'member') expect(eligible.map(({ person }) => person)).toContain(choice.person);
        if (choice.kind === 'hold') expect(choice.until).toBeGreaterThan(snapshot.now);
      }),
    );
  });

  // 10,000 messages to members who come and go; fair to those who stay.
  test.each(['round-robin', 'longest-idle'] as const)('%s is fair over 10,000 messages', (strategy) => {
    fc.assert(
      fc.property(planArbitrary, fc.infiniteStream(fc.nat(9)), (any, chance) => {
        const plan: GroupPlan = { ...any, strategy, eligible: ['available'], candidates: candidatesOf(5) };
        const counts = new Map<string, number>();
        const lastAt = new Map<string, number>();
        let last: string | null = null;
        let drawn = 0;
        for (let at = 1; at <= 10_000; at++) {
          // The last of the five is away half of the time, in runs; the others always stay.
          if (at % 50 === 0) drawn = chance.next().value ?? 0;
          const people = Object.fromEntries(
            plan.candidates.map(({ person }, index) => [
              person,
              {
                presence: { state: index === 4 && drawn < 5 ? 'away' : 'available', since: null, asOf: at } as const,
                open: 0,
                lastAssignedAt: lastAt.get(person) ?? null,
              },
            ]),
          );
          const choice = choose(plan, { now: at, people, lastInGroup: last, excluded: {}, holdUntil: null });
          if (choice.kind !== 'member') throw new Error('somebody is always there');
          last = choice.person;
          lastAt.set(last, at);
          counts.set(last, (counts.get(last) ?? 0) + 1);
        }
        const [alice = 0, bob = 0, carol = 0, dave = 0, erin = 0] = plan.candidates.map(
          ({ person }) => counts.get(person) ?? 0,
        );
        const spread = (...shares: number[]) => Math.max(...shares) - Math.min(...shares);
        expect(spread(alice, bob, carol, dave)).toBeLessThanOrEqual(1);
        expect(erin).toBeGreaterThan(0);
        expect(erin).toBeLessThanOrEqual(bob + 1);
      }),
      { numRuns: 4 },
    );
  });
});

function candidatesOf(count: number): GroupPlan['candidates'] {
  return names.slice(0, count).map((person) => ({
    person,
    mailbox: expectMailbox(`${person}@example.org`),
    jid: expectBareJid(`${person}@example.org`),
  }));
}
