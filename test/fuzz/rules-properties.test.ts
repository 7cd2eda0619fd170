// What the promises say of choices, under chance: the same snapshot gives the same choice, nobody ineligible is chosen,
// turns are fair, capacity is kept, and a hold neither loses nor reorders.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { minute, second } from '../../src/clock.ts';
import type { MailFacts } from '../../src/mail/facts.ts';
import { expectMailbox } from '../../src/mail/path.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { type Presence, states } from '../../src/presence/presence.ts';
import type { Happening, Outcome } from '../../src/rehearsal/happening.ts';
import { World } from '../../src/rehearsal/world.ts';
import { isOpenAt } from '../../src/routing/calendar.ts';
import { choose, type Snapshot } from '../../src/routing/choose.ts';
import { replay } from '../../src/routing/explain.ts';
import { parseRules } from '../../src/routing/parse.ts';
import { type GroupPlan, plan } from '../../src/routing/plan.ts';
import { formatProblem } from '../../src/routing/problem.ts';
import { type Rules, strategies } from '../../src/routing/rules.ts';

const start = Date.UTC(2026, 0, 5, 10, 0, 0);
const people = ['a', 'b', 'c', 'd', 'e'];

function rulesOf(text: string): Rules {
  const { rules, problems } = parseRules([{ name: 'r.yaml', text }]);
  if (!rules) throw new Error(problems.map(formatProblem).join('\n'));
  return rules;
}

const facts = (number: number, at: number, more: Partial<MailFacts> = {}): MailFacts => ({
  queueId: String(number).padStart(13, '0') as QueueId,
  receivedAt: at,
  reversePath: expectMailbox('x@elsewhere.example'),
  recipients: [expectMailbox('g@x.org')],
  size: 1000,
  peer: '127.0.0.1',
  carriesMembers: false,
  references: [],
  autoSubmitted: false,
  headers: [],
  receivedCount: 1,
  deliveredTo: [],
  ...more,
});

const rulesWith = (group: string, person = (_: string) => '') =>
  rulesOf(`people:
${people.map((name) => `  ${name}: { mail: ${name}@x.org${person(name)} }`).join('\n')}
schedules:
  early: { zone: UTC, open: { days: daily, from: '06:00', to: '14:00' } }
groups:
  g: { address: g@x.org, members: [${people.join(', ')}], fallback: { mailbox: z@x.org }, policy: p, ${group} }
policies:
  p: { until: taken, steps: [{ name: last, after: 30d, to: { mailbox: z@x.org } }] }
`);

const is = (state: Presence['state'], asOf: number): Presence => ({ state, since: asOf, asOf });

describe('any snapshot', () => {
  const snapshots = fc.record({
    strategy: fc.constantFrom(...strategies),
    presence: fc.array(fc.constantFrom(...states), { minLength: 5, maxLength: 5 }),
    age: fc.array(fc.integer({ min: 0, max: 180 }), { minLength: 5, maxLength: 5 }),
    units: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 5, maxLength: 5 }),
    last: fc.array(fc.option(fc.integer({ min: 0, max: 1000 })), { minLength: 5, maxLength: 5 }),
    hour: fc.integer({ min: 0, max: 23 }),
    cost: fc.integer({ min: 1, max: 3 }),
    lastInGroup: fc.option(fc.constantFrom(...people)),
    excluded: fc.subarray(people),
    held: fc.boolean(),
  });

  test('gives the same choice again, and nobody who is not eligible', () => {
    const rules = rulesWith('maxAge: 2h, hold: 1h, pace: 10m', (name) =>
      name < 'c' ? ', capacity: 5, hours: early' : '',
    );
    fc.assert(
      fc.property(snapshots, (one) => {
        const now = start - 10 * 60 * minute + one.hour * 60 * minute;
        const base = plan(facts(1, now), expectMailbox('g@x.org'), rules) as GroupPlan;
        const rule: GroupPlan = { ...base, strategy: one.strategy, cost: one.cost };
        const snapshot: Snapshot = {
          now,
          people: Object.fromEntries(
            people.map((name, index) => [
              name,
              {
                presence: is(one.presence[index] ?? 'offline', now - (one.age[index] ?? 0) * minute),
                open: 0,
                units: one.units[index] ?? 0,
                lastAssignedAt: one.last[index] == null ? null : now - (one.last[index] ?? 0) * second,
              },
            ]),
          ),
          lastInGroup: one.lastInGroup,
          excluded: Object.fromEntries(one.excluded.map((name) => [name, 'has passed'])),
          holdUntil: now + minute,
          ...(one.held ? { held: true } : {}),
        };
        const choice = choose(rule, snapshot);
        // Whoever is in a hurry hears the same, without those who were considered.
        expect(choose(rule, snapshot, false)).toEqual({ ...choice, considered: [] });
        const stored = JSON.parse(JSON.stringify({ plan: rule, snapshot, choice })) as Parameters<typeof replay>[0];
        expect(replay(stored)).toBe(true);
        if (choice.kind !== 'member') return;
        for (const person of [choice.person, ...(choice.also ?? []).map((each) => each.person)]) {
          const known = snapshot.people[person];
          const index = people.indexOf(person);
          expect(['chat', 'available']).toContain(known?.presence.state);
          expect(one.age[index]).toBeLessThanOrEqual(120);
          expect(one.excluded).not.toContain(person);
          if (one.held && one.last[index] != null) expect(one.last[index]).toBeGreaterThanOrEqual(600);
          if (person >= 'c') continue;
          expect((one.units[index] ?? 0) + one.cost).toBeLessThanOrEqual(5);
          const early = rules.schedules?.get('early');
          expect(early && isOpenAt(early, now)).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

interface Counted {
  readonly outcomes: readonly Outcome[];
  readonly given: Record<string, number>;
}

function run(rules: Rules, happenings: readonly Happening[], units?: Record<string, number>): Counted {
  const outcomes: Outcome[] = [];
  const world = new World({
    rules,
    tell: (outcome) => outcomes.push(outcome),
    behaviour: (one) => ({ after: (Number(one.queueId) % 97) * second, does: 'done' }),
    ...(units ? { units } : {}),
  });
  for (const one of happenings) world.add(one);
  world.run(start + 300 * 24 * 60 * minute);
  const given: Record<string, number> = {};
  for (const { told } of outcomes)
    if (told.kind === 'chosen' && told.choice.kind === 'member')
      given[told.choice.person] = (given[told.choice.person] ?? 0) + 1;
  return { outcomes, given };
}

const arrive = (states: Presence['state'][]): Happening[] =>
  people.map((person, index) => ({
    at: start - minute,
    kind: 'presence',
    person,
    presence: is(states[index] ?? 'offline', start),
  }));
const mails = (count: number, every: number): Happening[] =>
  Array.from({ length: count }, (_, n) => ({
    at: start + n * every,
    kind: 'mail',
    name: `m${n}`,
    facts: facts(n, start + n * every),
  }));

test.each(['longest-idle', 'round-robin'])('%s is fair over 10,000 messages', (strategy) => {
  const all = arrive(people.map(() => 'available'));
  const { given } = run(rulesWith(`strategy: ${strategy}, eligible: [available]`), [
    ...all,
    ...mails(10_000, 7 * second),
  ]);
  for (const person of people) expect(given[person]).toBe(2000);
});

test('capacity is never exceeded, and a hold loses nothing and keeps the order', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          at: fc.integer({ min: 0, max: 3600 }),
          person: fc.constantFrom(...people),
          state: fc.constantFrom('available' as const, 'offline' as const, 'away' as const),
        }),
        { maxLength: 60 },
      ),
      fc.integer({ min: 1, max: 4 }),
      fc.constantFrom(...(['in-order', 'least-busy', 'most-spare', 'longest-idle', 'round-robin'] as const)),
      (changes, capacity, strategy) => {
        const rules = rulesWith(`strategy: ${strategy}, hold: 7d, pace: 20s`, () => `, capacity: ${capacity}`);
        const happenings: Happening[] = [
          ...mails(150, 5 * second),
          ...changes.map(({ at, person, state }): Happening => {
            const moment = start + at * second;
            return { at: moment, kind: 'presence', person, presence: is(state, moment) };
          }),
          // In the end somebody stays.
          ...people.map(
            (person): Happening => ({
              at: start + 4000 * second,
              kind: 'presence',
              person,
              presence: is('available', start + 4000 * second),
            }),
          ),
        ];
        const { outcomes } = run(rules, happenings);
        const first = outcomes.filter(({ told }) => told.kind === 'chosen');
        // Each once, none to the fallback, in the order in which they came.
        expect(first.map(({ mail }) => mail)).toEqual(Array.from({ length: 150 }, (_, n) => `m${n}`));
        for (const { told } of outcomes) {
          if (told.kind !== 'chosen') continue;
          expect(told.choice.kind).toBe('member');
          if (told.choice.kind !== 'member') continue;
          const units = told.snapshot.people[told.choice.person]?.units ?? 0;
          expect(units + 1).toBeLessThanOrEqual(capacity);
        }
      },
    ),
    { numRuns: 60 },
  );
});
