// Who stands in for whom, and where.
import { expect, it } from 'vitest';
import { expectBareJid } from '../../../src/presence/jid.ts';
import { neverSeen, type Presence } from '../../../src/presence/presence.ts';
import type { Candidate, Pool } from '../../../src/routing/plan.ts';
import type { Person } from '../../../src/routing/rules.ts';
import { standInsFor, withStandIns } from '../../../src/routing/stand-ins.ts';

const now = Date.parse('2026-12-24T12:00Z');
const jid = (name: string) => expectBareJid(`${name}@example.org`);
const candidate = (person: string, more: Partial<Candidate> = {}) =>
  ({ person, mailbox: `${person}@example.org`, jid: jid(person), ...more }) as Candidate;
const people = new Map(
  ['ann', 'ben', 'cleo', 'dan'].map((name) => [
    name,
    { name, mail: `${name}@example.org`, jid: jid(name), operator: false } as unknown as Person,
  ]),
);
const away = (substitute: string): Presence => ({ state: 'offline', since: now, asOf: now, substitute });
const names = (of: readonly Candidate[] | undefined) => of?.map(({ person }) => person);

function found(candidates: readonly Candidate[], said: Record<string, Presence>) {
  return standInsFor(candidates, people, ({ person }) => said[person] ?? neverSeen, now);
}

it('a substitute by hand, or of an absence in the rules while it lasts', () => {
  expect(names(found([candidate('ann')], { ann: away('ben') }).ann)).toEqual(['ben']);
  const period = { from: '2026-12-24', to: '2026-12-24', zone: 'UTC', substitute: 'cleo' };
  expect(names(found([candidate('ann', { absent: [period] })], {}).ann)).toEqual(['cleo']);
  const past = { ...period, from: '2026-12-01', to: '2026-12-23' };
  expect(found([candidate('ann', { absent: [past] })], {})).toEqual({});
});

it('a chain is followed to its end, and no circle is', () => {
  const said = { ann: away('ben'), ben: away('cleo'), cleo: away('ann') };
  expect(names(found([candidate('ann')], said).ann)).toEqual(['ben', 'cleo']);
  expect(found([candidate('ann')], { ann: away('nobody') })).toEqual({});
});

it('comes right behind the one whose place it is, with their tier and weight; once, and not who is a member', () => {
  const candidates = [candidate('ann', { tier: 2, weight: 3 }), candidate('ben'), candidate('cleo')];
  const said = { ann: away('dan'), ben: away('dan'), cleo: away('ann') };
  const standIns = found(candidates, said);
  const pool = { group: 'g', candidates, eligible: ['available'], strategy: 'in-order' } as Pool;
  const all = withStandIns(pool, standIns, ({ person }) => said[person as 'ann'] ?? neverSeen, now);
  expect(names(all)).toEqual(['ann', 'dan', 'ben', 'cleo']);
  expect(all[1]).toMatchObject({ standsInFor: 'ann', tier: 2, weight: 3 });
});

it('whom the rules leave out of this mail has no place to be taken', () => {
  const candidates = [candidate('ann', { excluded: 'wrote it' })];
  const pool = { group: 'g', candidates, eligible: ['available'], strategy: 'in-order' } as Pool;
  const standIns = found(candidates, { ann: away('dan') });
  expect(names(withStandIns(pool, standIns, () => away('dan'), now))).toEqual(['ann']);
});

it('whoever is absent by the rules has their place taken although a client of theirs is on', () => {
  const period = { from: '2026-12-24', to: '2026-12-24', zone: 'UTC', substitute: 'dan' };
  const on: Presence = { state: 'available', since: now, asOf: now };
  const candidates = [candidate('ann', { absent: [period] })];
  const pool = { group: 'g', candidates, eligible: ['available'], strategy: 'in-order' } as Pool;
  expect(names(withStandIns(pool, found(candidates, { ann: on }), () => on, now))).toEqual(['ann', 'dan']);
});
