// Picking: an operator says who of those that were proposed gets a mail. The first word counts; who is later, or slower
// than the time that was given, is told who has it.
import { oneLine } from '../../notify/text.ts';
import type { Person, PersonName } from '../../routing/rules.ts';
import type { StoryEvent } from '../../tracking/event.ts';
import type { Tracked } from '../../tracking/tracked.ts';
import type { Stage } from '../parts.ts';
import { tellAll } from '../parts.ts';
import { type Proposed, proposedFor } from '../proposing.ts';
import { type Answer, namesOf, personNamed, type Request, refOf, standingOf } from './request.ts';

/** Enough for every proposal that one person can have in mind. */
const mostLookedAt = 100;

export interface OpenProposal {
  readonly tracked: Tracked;
  readonly proposed: Proposed;
}

/** What waits for this person to pick, the oldest first. */
export async function proposalsFor(stage: Stage, person: Person): Promise<readonly OpenProposal[]> {
  const waiting = await stage.store.listTracked({ states: ['waiting', 'held'], limit: mostLookedAt });
  const found: OpenProposal[] = [];
  for (const tracked of waiting) {
    if (tracked.plan.mode !== 'propose') continue;
    const proposed = await proposedFor(stage, refOf(tracked));
    if (proposed && isOpenTo(person, proposed)) found.push({ tracked, proposed });
  }
  return found.toSorted((a, b) => (a.tracked.queueId < b.tracked.queueId ? -1 : 1));
}

const isOpenTo = (person: Person, { asked, picked, over }: Proposed): boolean =>
  !over && picked === null && asked.includes(person.name);

export async function pick(request: Request, found: Tracked): Promise<Answer> {
  const { stage, person, p } = request;
  const id = found.shortId;
  const proposed = await proposedFor(stage, refOf(found));
  const now = stage.clock.now();
  const standing = async () => standingOf((await stage.store.tracked(refOf(found))) ?? found, stage.clock.now(), p);
  if (!proposed || proposed.over) return p.late(id, await standing());
  if (!person.operator && !proposed.asked.includes(person.name)) return p.operatorsOnly('pick');
  const before = proposed.picked;
  if (before) return before.by === person.name ? p.picked(id, before.person) : p.pickedBy(id, before.person, before.by);
  const chosen = whoIsMeant(request, proposed);
  if (typeof chosen === 'string') return chosen;
  const { queueId, seq } = found;
  const event: StoryEvent = { event: 'picked', at: now, queueId, seq, person: chosen.name, by: person.name };
  const woken = await stage.store.retryNow(queueId, now, event);
  if (woken > 0) tellAll(stage, [event]);
  stage.wake();
  // Somebody may have been quicker, or the time may have run out while this was written.
  const after = await proposedFor(stage, refOf(found));
  if (after?.picked?.by === person.name) return p.picked(id, after.picked.person);
  return after?.picked ? p.pickedBy(id, after.picked.person, after.picked.by) : p.late(id, await standing());
}

function whoIsMeant({ stage, command, p }: Request, { candidates }: Proposed): { name: PersonName } | string {
  const { number, name } = command;
  if (number !== undefined) {
    const chosen = candidates[number - 1];
    return chosen === undefined ? p.noNumber(candidates.length) : { name: chosen };
  }
  if (name === undefined) return p.noNumber(candidates.length);
  const chosen = personNamed(stage, name)?.name;
  if (chosen === undefined) return p.unknownPerson(oneLine(name, 40), namesOf(candidates));
  return candidates.includes(chosen) ? { name: chosen } : p.notMember(chosen, namesOf(candidates));
}
