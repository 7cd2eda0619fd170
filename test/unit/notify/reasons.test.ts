// Reasons in German: every clause that routing and tracking can write has German words. The clauses come from the code
// that writes them: choices of every strategy over snapshots of every kind, what becomes of a mail, and what few places
// say besides.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hour, minute, second } from '../../../src/clock.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { reasonIn } from '../../../src/notify/reasons.ts';
import { type Presence, states, type UnknownReason } from '../../../src/presence/presence.ts';
import { choose, type Snapshot } from '../../../src/routing/choose.ts';
import { parseRules } from '../../../src/routing/parse.ts';
import { type GroupPlan, plan } from '../../../src/routing/plan.ts';
import { formatProblem } from '../../../src/routing/problem.ts';
import { strategies } from '../../../src/routing/rules.ts';
import { triedWords } from '../../../src/tracking/advance.ts';
import type { Trigger } from '../../../src/tracking/event.ts';
import type { Tracked } from '../../../src/tracking/tracked.ts';

const now = Date.UTC(2026, 0, 5, 10, 0, 0);
const people = ['ann', 'bob', 'cleo', 'dave', 'eve'];
const loaded = parseRules([
  {
    name: 'r.yaml',
    text: `people:
  ann: { mail: ann@x.org, capacity: 5, hours: early, skills: [print, scan] }
  bob: { mail: bob@x.org, capacity: 5, skills: [print] }
  cleo: { mail: cleo@x.org, absent: [{ from: 2026-01-05, to: 2026-01-06 }], skills: [print] }
  dave: { mail: dave@x.org, jid: none }
  eve: { mail: eve@x.org, skills: [print] }
schedules:
  early: { zone: UTC, open: { days: daily, from: '06:00', to: '09:00' } }
groups:
  g:
    address: g@x.org
    members: [{ person: ann, tier: 2 }, { person: bob, weight: 3 }, cleo, dave, eve]
    prefers: [print, scan]
    maxAge: 2h
    maxIdle: 1h
    hold: 1h
    pace: 10m
    fallback: { mailbox: z@x.org }
    policy: p
  other: { address: o@x.org, members: [bob], fallback: { mailbox: z@x.org }, policy: p }
policies:
  p: { until: taken, steps: [{ name: last, after: 30d, to: { mailbox: z@x.org } }] }
`,
  },
]);

const unknowns: readonly UnknownReason[] = [
  'never-seen',
  'not-subscribed',
  'link-down',
  'resync',
  'error',
  'remote-silent',
  'no-answer',
  'untrusted',
  'no-jid',
];

/** The clauses that have no German words. */
function missingIn(clauses: Iterable<string>): string[] {
  const missing = new Set<string>();
  for (const clause of clauses) reasonIn('de', clause, (each) => missing.add(`${each} (in: ${clause})`));
  return [...missing];
}

function basePlan(): GroupPlan {
  if (!loaded.rules) throw new Error(loaded.problems.map(formatProblem).join('\n'));
  const facts = {
    queueId: '0000000000001' as QueueId,
    receivedAt: now,
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
  };
  return plan(facts, expectMailbox('g@x.org'), loaded.rules) as GroupPlan;
}

describe('a reason in German', () => {
  it('of any choice is in German from end to end', () => {
    const base = basePlan();
    const presences = fc.record({
      state: fc.constantFrom(...states),
      ago: fc.integer({ min: 0, max: 300 }),
      idle: fc.option(fc.integer({ min: 0, max: 120 })),
      reason: fc.constantFrom(...unknowns),
      known: fc.boolean(),
    });
    const five = <T>(each: fc.Arbitrary<T>) => fc.array(each, { minLength: 5, maxLength: 5 });
    const snapshots = fc.record({
      strategy: fc.constantFrom(...strategies),
      presence: five(presences),
      units: five(fc.integer({ min: 0, max: 6 })),
      last: five(fc.option(fc.integer({ min: 0, max: 1000 }))),
      cost: fc.integer({ min: 1, max: 7 }),
      lastInGroup: fc.option(fc.constantFrom(...people)),
      run: fc.integer({ min: 1, max: 4 }),
      excluded: fc.subarray(people),
      held: fc.boolean(),
      behind: fc.integer({ min: 0, max: 3 }),
      hold: fc.constantFrom(null, -minute, minute),
      lastHandler: fc.option(fc.constantFrom(...people)),
      proposal: fc.option(
        fc.record({ left: fc.integer({ min: -5, max: 5 }), asked: fc.subarray(['eve', 'dave']), picked: fc.boolean() }),
      ),
      requires: fc.boolean(),
      tierless: fc.boolean(),
      candidates: fc.integer({ min: 1, max: 5 }),
    });
    const seen = new Set<string>();
    fc.assert(
      fc.property(snapshots, (one) => {
        const candidates = base.candidates.slice(0, one.candidates).map(({ hours, tier, ...each }, index) => ({
          ...each,
          ...(one.tierless ? {} : { ...(tier ? { tier } : {}), ...(hours ? { hours } : {}) }),
          ...(one.requires && index === 3 ? { excluded: 'lacks the skill scan and print' } : {}),
        }));
        const rule: GroupPlan = { ...base, candidates, strategy: one.strategy, cost: one.cost };
        const proposal = one.proposal
          ? {
              until: now + one.proposal.left * minute,
              asked: one.proposal.asked,
              ...(one.proposal.picked ? { picked: { person: 'bob', by: 'eve' } } : {}),
            }
          : undefined;
        const snapshot: Snapshot = {
          now,
          people: Object.fromEntries(
            people.map((name, index) => {
              const said = one.presence[index];
              const at = now - (said?.ago ?? 0) * minute;
              const presence: Presence = {
                state: said?.state ?? 'unknown',
                since: said?.known === true ? at : null,
                asOf: at,
                ...(said?.state === 'unknown' ? { reason: said.reason } : {}),
                ...(said?.state === 'unknown' && said.known ? { lastKnown: { state: 'away', asOf: at } } : {}),
                ...(said?.idle == null ? {} : { idleSince: now - said.idle * minute }),
              };
              const last = one.last[index];
              return [
                name,
                {
                  presence,
                  open: 1,
                  units: one.units[index] ?? 0,
                  lastAssignedAt: last == null ? null : now - last * second,
                },
              ];
            }),
          ),
          lastInGroup: one.lastInGroup,
          runInGroup: one.run,
          excluded: Object.fromEntries(one.excluded.map((name) => [name, 'has passed'])),
          holdUntil: one.hold === null ? null : now + one.hold,
          ...(one.held ? { held: true } : {}),
          behind: one.behind,
          lastHandler: one.lastHandler,
          ...(proposal ? { proposal } : {}),
        };
        const choice = choose(rule, snapshot);
        const clauses = [...choice.because, ...choice.considered.map(({ reason, open }) => `${reason}; ${open} open`)];
        for (const clause of clauses) seen.add(clause.replace(/\d+/g, 'N'));
        expect(missingIn(clauses)).toEqual([]);
      }),
      { numRuns: 1_500 },
    );
    // It is about many kinds of sentences, and not the same few again and again.
    expect(seen.size).toBeGreaterThan(80);
  });

  it('of what became of a mail, and of what is said besides', () => {
    const triggers = Object.keys({
      time: 1,
      passed: 1,
      'owner offline': 1,
      undeliverable: 1,
      'ack expired': 1,
      'promise expired': 1,
      operator: 1,
    } satisfies Record<Trigger, 1>) as Trigger[];
    const tracked = { owner: 'ann', tried: {}, ownedSince: now - hour } as unknown as Tracked;
    const tried = triggers.flatMap((trigger) => [
      triedWords(tracked, trigger, now).ann ?? '',
      triedWords({ ...tracked, ownedSince: null }, trigger, now).ann ?? '',
    ]);
    expect(tried).toHaveLength(2 * triggers.length);
    const besides = [
      'has passed it to bob',
      'has released it',
      'has said away',
      'has said away until 2026-01-05T12:00Z',
      'console:ann gave it to bob',
      'their mailbox refused it (550 5.1.1 no such user; sorry)',
      'you are the next one',
      'everyone is asked',
      'was asked at 10:30 UTC, with everyone',
      'no answer',
      'nobody',
      'has it and has not answered',
      'wrote it',
      'left out by rules/a.yaml:3:5: subject contains "x; y"',
      'accepted already: waits here',
      'nobody has come in all that time',
      'observed only: ann (ann@x.org)',
      'refused: 451 4.3.0 nobody here',
      'fallback: on to g@x.org, unchanged',
      'fallback: all 3 members',
      'fallback: eve (eve@x.org)',
      'fallback: z@x.org',
      ...tried.map((words) => `you: ${words}`),
    ];
    expect(missingIn([...tried, ...besides])).toEqual([]);
  });

  it.each([
    ['alice: first in order', 'alice: steht an erster Stelle'],
    ['2 of 3 members of support eligible', '2 von 3 Mitgliedern von support kommen infrage'],
    ['is dnd for 12m; number 1 in order; 3 open', 'ist seit 12m nicht zu stören; an Stelle 1 der Reihe; 3 offen'],
    ['presence unknown: never seen; was away 5m ago', 'Anwesenheit unbekannt: nie gesehen; war kurz weg (vor 5m)'],
    ['you: had it for 10m without an answer', 'du: hatte sie 10m ohne Antwort'],
    ['something from an older version', 'something from an older version'],
  ])('%j is %j', (english, german) => {
    expect(reasonIn('de', english)).toBe(german);
    expect(reasonIn('en', english)).toBe(english);
  });
});
