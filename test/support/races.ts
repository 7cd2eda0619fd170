// Every kind of evidence against every moment at which it may come, and what is to follow. test/story/race.test.ts lives
// each of them, and docs/reference/escalation.md shows them.
import type { Tracked } from '../../src/tracking/tracked.ts';

export const sources = [
  'ack',
  'promise',
  'pass',
  'reply',
  'read receipt',
  'IMAP \\Seen',
  'failure report',
  'operator’s ack',
] as const;
export type Source = (typeof sources)[number];

export const moments = {
  before: 'before the step is due',
  racing: 'in the instant of the step',
  moved: 'after it has moved on',
  over: 'after the end',
  twice: 'twice',
  restarted: 'after a restart',
} as const;
export type Moment = keyof typeof moments;

/** All of alice's, who had it first; bob is the next one. */
export const outcomes = {
  taken: 'acknowledged by alice',
  answered: 'answered by alice',
  ended: 'ended by the operator',
  hers: 'alice’s, and the steps wait',
  his: 'bob’s, and the clock runs',
  either: 'acknowledged by alice, or bob’s if the step was first',
  over: 'as it was: acknowledged by bob',
} as const;
export type Outcome = keyof typeof outcomes;

const row = (first: Outcome, racing: Outcome, moved: Outcome): Record<Moment, Outcome> => ({
  before: first,
  racing,
  moved,
  over: 'over',
  twice: first,
  restarted: first,
});

export const races: Readonly<Record<Source, Record<Moment, Outcome>>> = {
  ack: row('taken', 'taken', 'taken'),
  promise: row('hers', 'hers', 'hers'),
  pass: row('his', 'his', 'his'),
  reply: row('answered', 'answered', 'answered'),
  'read receipt': row('taken', 'either', 'his'),
  'IMAP \\Seen': row('taken', 'either', 'his'),
  'failure report': row('his', 'his', 'his'),
  'operator’s ack': row('ended', 'ended', 'ended'),
};

export function outcomeOf({ state, owner, closedBy, pledge }: Tracked): readonly Outcome[] {
  if (state === 'acknowledged') return closedBy === 'bob' ? ['over'] : owner === 'alice' ? ['taken', 'either'] : [];
  if (state === 'answered') return closedBy === 'alice' ? ['answered'] : closedBy === 'root' ? ['ended'] : [];
  if (state !== 'tracked') return [];
  if (owner === 'alice' && pledge?.kind === 'promise') return ['hers'];
  return owner === 'bob' && !pledge ? ['his', 'either'] : [];
}

/** The table of the reference page, in Markdown. */
export function racesTable(): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const kinds = Object.keys(moments) as Moment[];
  return [
    line(['of alice, who had it first', ...kinds.map((each) => moments[each])]),
    line(['---', ...kinds.map(() => '---')]),
    ...sources.map((source) => line([source, ...kinds.map((each) => outcomes[races[source][each]])])),
  ].join('\n');
}
