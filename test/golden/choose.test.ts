// Golden choices: choose.yaml is read here into plans and snapshots. A change of wording shows up as a change of that
// file, on purpose: these words are what people read when they ask why.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseDuration } from '../../src/clock.ts';
import { expectMailbox } from '../../src/mail/path.ts';
import { expectBareJid } from '../../src/presence/jid.ts';
import type { Presence, State, UnknownReason } from '../../src/presence/presence.ts';
import { type Choice, choose, type Snapshot } from '../../src/routing/choose.ts';
import { replay } from '../../src/routing/explain.ts';
import type { FallbackTarget, GroupPlan } from '../../src/routing/plan.ts';
import type { Strategy } from '../../src/routing/rules.ts';

interface Known {
  state: State;
  for?: string;
  last?: string;
  reason?: UnknownReason;
  was?: State;
  ago?: string;
}

interface Case {
  title: string;
  members: string[];
  strategy: Strategy;
  eligible?: State[];
  nojid?: string[];
  lastInGroup?: string;
  holdFor?: string;
  excluded?: Record<string, string>;
  fallback?: 'unchanged' | { person: string };
  people: Record<string, Known>;
  choice: string;
  because: string[];
  considered: string[];
}

const cases = parse(readFileSync(new URL('choose.yaml', import.meta.url), 'utf8')) as Case[];
const now = Date.UTC(2026, 0, 5, 10, 0, 0);
const before = (text: string): number => now - (parseDuration(text) ?? 0);
const after = (text: string): number => now + (parseDuration(text) ?? 0);

function planOf(one: Case): GroupPlan {
  return {
    kind: 'group',
    group: 'support',
    address: expectMailbox('support@example.org'),
    candidates: one.members.map((person) => ({
      person,
      mailbox: expectMailbox(`${person}@example.org`),
      jid: one.nojid?.includes(person) ? null : expectBareJid(`${person}@example.org`),
    })),
    strategy: one.strategy,
    eligible: one.eligible ?? ['chat', 'available'],
    hold: null,
    fallback: fallbackOf(one),
    policy: null,
    rule: { file: 'rules/20-groups.yaml', line: 3, column: 3 },
    rulesVersion: 'abcdef012345',
    because: ['support@example.org is the address of the group support'],
  };
}

function fallbackOf({ fallback }: Case): FallbackTarget {
  if (fallback === undefined) return { mailbox: expectMailbox('archive@example.org'), unchanged: false };
  if (fallback === 'unchanged') return { mailbox: expectMailbox('support@example.org'), unchanged: true };
  return { mailbox: expectMailbox(`${fallback.person}@example.org`), person: fallback.person, unchanged: false };
}

function presenceOf(known: Known): Presence {
  const since = known.for === undefined ? null : before(known.for);
  return {
    state: known.state,
    since,
    asOf: since,
    ...(known.reason ? { reason: known.reason } : {}),
    ...(known.was && known.ago ? { lastKnown: { state: known.was, asOf: before(known.ago) } } : {}),
  };
}

function snapshotOf(one: Case): Snapshot {
  return {
    now,
    people: Object.fromEntries(
      Object.entries(one.people).map(([person, known]) => [
        person,
        {
          presence: presenceOf(known),
          open: 0,
          lastAssignedAt: known.last === undefined ? null : before(known.last),
        },
      ]),
    ),
    lastInGroup: one.lastInGroup ?? null,
    excluded: one.excluded ?? {},
    holdUntil: one.holdFor === undefined ? null : after(one.holdFor),
  };
}

function inWords(choice: Choice): string {
  switch (choice.kind) {
    case 'member':
      return choice.mailbox;
    case 'hold':
      return `hold ${(choice.until - now) / 1000}s`;
    case 'fallback':
      return [choice.mailbox, choice.person, choice.unchanged ? 'unchanged' : undefined].filter(Boolean).join(' ');
    default:
      return choice satisfies never;
  }
}

describe('choices', () => {
  test.each(cases)('$title', (one) => {
    const plan = planOf(one);
    const snapshot = snapshotOf(one);
    const choice = choose(plan, snapshot);
    expect({
      choice: inWords(choice),
      because: choice.because,
      considered: choice.considered.map(({ person, verdict, reason }) => `${person} ${verdict}: ${reason}`),
    }).toEqual({ choice: one.choice, because: one.because, considered: one.considered });
    // What comes back from the store went through JSON.
    const stored = JSON.parse(JSON.stringify({ plan, snapshot, choice })) as {
      plan: GroupPlan;
      snapshot: Snapshot;
      choice: Choice;
    };
    expect(replay(stored)).toBe(true);
    expect(replay({ ...stored, choice: { ...stored.choice, because: ['something else'] } })).toBe(false);
  });
});
