// Whatever the stream does, in whatever order: the cache tells every change once, and never takes silence, a lost link
// or a missing subscription for "offline".
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PresenceCache, type PresenceFact, type Subscription } from '../../src/presence/cache.ts';
import { expectBareJid, type Jid } from '../../src/presence/jid.ts';
import type { PresenceChange, State } from '../../src/presence/presence.ts';
import { availability } from '../../src/presence/roll-up.ts';

const people = [expectBareJid('a@x.test'), expectBareJid('b@x.test')] as const;
const bare = fc.constantFrom(...people);
const full: fc.Arbitrary<Jid> = fc.record({ bare, resource: fc.constantFrom('r', 's') });

type Step =
  | { do: 'apply'; fact: PresenceFact }
  | { do: 'subscription'; jid: (typeof people)[number]; to: Subscription }
  | { do: 'flush' | 'settle' | 'linkDown' | 'resumed' | 'tick' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('apply' as const),
    fact: fc.oneof(
      fc.record({
        kind: fc.constant('available' as const),
        jid: full,
        resource: fc.record({
          show: fc.constantFrom(...availability),
          priority: fc.constantFrom(-1, 0, 5),
          since: fc.nat(9),
        }),
      }),
      fc.record({
        kind: fc.constant('unavailable' as const),
        jid: fc.oneof(full, fc.record({ bare })),
        since: fc.nat(9),
      }),
      fc.record({ kind: fc.constant('error' as const), jid: full }),
    ),
  }),
  fc.record({
    do: fc.constant('subscription' as const),
    jid: bare,
    to: fc.constantFrom<Subscription>('none', 'from', 'to', 'both'),
  }),
  fc.record({
    do: fc.constantFrom('flush' as const, 'settle' as const, 'linkDown' as const, 'resumed' as const, 'tick' as const),
  }),
);

function act(cache: PresenceCache, step: Step, now: number): readonly PresenceChange[] {
  switch (step.do) {
    case 'apply':
      return cache.apply(step.fact, now);
    case 'subscription':
      return cache.subscription(step.jid, step.to, now);
    case 'linkDown':
      cache.linkDown(now);
      return [];
    default:
      return cache[step.do](now);
  }
}

it('holds its promises in any order of events', () => {
  let offline = 0;
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.nat(90_000)), { maxLength: 40 }), (steps) => {
      const cache = new PresenceCache();
      cache.watch(people);
      const told = new Map<string, State>(people.map((jid) => [jid, 'unknown']));
      const subscribed = new Map<string, Subscription>();
      let now = 1_000_000;
      for (const [step, later] of steps) {
        now += later;
        const before = new Map(people.map((jid) => [jid, cache.presenceOf(jid)]));
        if (step.do === 'subscription') subscribed.set(step.jid, step.to);
        if (step.do === 'flush') subscribed.clear();
        for (const change of act(cache, step, now)) {
          expect(change.before).toBe(told.get(change.jid));
          expect(change.presence).toBe(cache.presenceOf(change.jid));
          told.set(change.jid, change.presence.state);
        }
        for (const jid of people) {
          const presence = cache.presenceOf(jid);
          expect(presence.state).toBe(told.get(jid));
          expect(presence.state === 'unknown').toBe(presence.reason !== undefined);
          if (presence.state !== 'offline' || before.get(jid)?.state === 'offline') continue;
          offline += 1;
          // Newly offline: by the server's word, by settling when it would have told us, or known before and resumed.
          if (step.do === 'settle') expect(['to', 'both']).toContain(subscribed.get(jid));
          else if (step.do === 'resumed') expect(before.get(jid)?.lastKnown?.state).toBe('offline');
          else expect(step).toMatchObject({ do: 'apply', fact: { jid: { bare: jid } } });
        }
      }
    }),
    { numRuns: 2_000 },
  );
  expect(offline).toBeGreaterThan(500);
});
