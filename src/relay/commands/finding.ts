// Which message is meant: the one answered to, the one named, the only one there is; else a numbered list is asked.
import { formatDuration, type Instant } from '../../clock.ts';
import { headlineShort } from '../../notify/nudge.ts';
import type { Phrases } from '../../notify/phrases.ts';
import { oneLine } from '../../notify/text.ts';
import type { Person } from '../../routing/rules.ts';
import type { Tracked } from '../../tracking/tracked.ts';
import { factsOf } from '../nudging.ts';
import type { Stage } from '../parts.ts';
import { proposalsFor } from './picking.ts';
import { groupsOf, mayAct, type Request, standingOf } from './request.ts';

export type Found =
  | { readonly kind: 'one'; readonly tracked: Tracked }
  | { readonly kind: 'none'; readonly text: string }
  /** To be asked for by number. */
  | { readonly kind: 'several'; readonly list: readonly Tracked[] };

/** At most this many lines of a list: it is read on a telephone. */
export const longestList = 10;

export async function find(request: Request): Promise<Found> {
  const { stage, person, command, seen, p } = request;
  const tracked = seen
    ? await stage.store.tracked(seen.ref)
    : command.id === undefined
      ? undefined
      : await stage.store.trackedByShortId(command.id);
  if (tracked === null) return { kind: 'none', text: p.unknownId(oneLine(command.id ?? '?', 20)) };
  if (tracked) {
    if (mayAct(stage, person, tracked)) return { kind: 'one', tracked };
    return { kind: 'none', text: p.notYours(tracked.shortId, tracked.plan.group) };
  }
  const list = await meant(request);
  const [only] = list;
  if (command.verb === 'pick') return proposal(request, list);
  if (!only) return { kind: 'none', text: p.nothingWaiting };
  return list.length === 1 ? { kind: 'one', tracked: only } : { kind: 'several', list };
}

/** A number says nothing to which of several questions, so these are not asked for by another one. */
function proposal({ p }: Request, list: readonly Tracked[]): Found {
  const [only] = list;
  if (!only) return { kind: 'none', text: p.nothingToPick };
  if (list.length === 1) return { kind: 'one', tracked: only };
  return { kind: 'none', text: p.whichPick(oneLine(list.map(({ shortId }) => `#${shortId}`).join(', '), 200)) };
}

/** Without an id: what is with them; for what anybody may take or look at, else what is open in their groups. */
async function meant({ stage, person, command }: Request): Promise<readonly Tracked[]> {
  if (command.verb === 'pick') return (await proposalsFor(stage, person)).map(({ tracked }) => tracked);
  const mine = await stage.store.openTracked({ owner: person.name });
  const ofOthers = ['ack', 'claim', 'yes', 'promise', 'redirect', 'show', 'why', 'who'].includes(command.verb);
  if (!ofOthers || (mine.length > 0 && command.verb !== 'redirect' && command.verb !== 'claim')) return mine;
  const others = (await openFor(stage, person)).filter(({ owner }) => owner !== person.name);
  const free = command.verb === 'claim' || command.verb === 'ack' || command.verb === 'yes';
  const open = others.filter(({ state }) => state === 'tracked');
  // Who claims when there is nothing to claim of others means what they were given.
  return free ? (open.length > 0 ? open : mine) : command.verb === 'redirect' ? [...mine, ...others] : others;
}

/** Open messages of the groups somebody is in; of all groups for an operator. */
export async function openFor(stage: Stage, person: Person): Promise<readonly Tracked[]> {
  if (person.operator) return stage.store.openTracked({});
  const lists = await Promise.all(groupsOf(stage, person).map((group) => stage.store.openTracked({ group })));
  return lists.flat().toSorted((a, b) => a.acceptedAt - b.acceptedAt);
}

/** `1. #k7mf “The printer is on fire” from Ann, 12m old` */
export function listLines(
  stage: Stage,
  list: readonly Tracked[],
  now: Instant,
  p: Phrases,
  options: { first?: number; standing?: boolean } = {},
): string[] {
  const { first = 1, standing = false } = options;
  const shown = list.slice(0, longestList);
  const lines = shown.map((tracked, index) => {
    const how = standing ? `, ${standingOf(tracked, now, p)}` : '';
    const age = p.old(formatDuration(now - tracked.acceptedAt));
    return `${first + index}. ${headlineShort(factsOf(stage, tracked, now))}, ${age}${how}`;
  });
  if (list.length > shown.length) lines.push(p.more(list.length - shown.length));
  return lines;
}
