// Taking and keeping: ack, claim, yes; a promise (`10m`), snooze; release. Every change is computed from what is stored
// and written only if nobody was quicker (compare-and-set): of any number who claim at once, one wins, and the others
// find on their second look who has it.

import type { Duration } from '../../clock.ts';
import { confirmText } from '../../notify/nudge.ts';
import { oneLine } from '../../notify/text.ts';
import type { Consequences, NewNudge } from '../../store/store.ts';
import { acknowledge } from '../../tracking/acknowledge.ts';
import { clockFor } from '../../tracking/advance.ts';
import type { StoryEvent } from '../../tracking/event.ts';
import { type Evidence, type Grade, grades } from '../../tracking/evidence.ts';
import { promise as pledge } from '../../tracking/pledge.ts';
import { isOpen, type Tracked } from '../../tracking/tracked.ts';
import { roomFor } from '../choosing.ts';
import { bareRef, tellOthers } from '../escalating.ts';
import { factsOf, noticeToRoom } from '../nudging.ts';
import { casTries, tellAll } from '../parts.ts';
import { pass } from './moving.ts';
import {
  type Answer,
  hasMovedOn,
  isClaimed,
  type Request,
  refOf,
  sourceOf,
  standingOf,
  timeFor,
  waitsWords,
} from './request.ts';

/** What a look at the message as it stands leads to: words only, or a change that is tried. */
type Step =
  | { readonly text: string; readonly record?: Consequences }
  | {
      readonly tracked: Tracked;
      readonly also: Consequences;
      readonly text: Answer;
      /** Called once it is on disk. */
      readonly written?: (after: Tracked) => void;
    };

/** Looks, tries, and looks again when somebody was quicker. */
export async function change(
  request: Request,
  found: Tracked,
  look: (tracked: Tracked) => Promise<Step>,
): Promise<Answer> {
  const { stage, p } = request;
  for (let attempt = 1; attempt <= casTries; attempt += 1) {
    const before = await stage.store.tracked(refOf(found));
    if (!before) return p.unknownId(found.shortId);
    const step = await look(before);
    if (!('tracked' in step)) {
      if (step.record) {
        await stage.store.record(step.record);
        tellAll(stage, step.record.events);
      }
      return step.text;
    }
    if ((await stage.store.advance(step.tracked, step.also)) === 'stale') continue;
    stage.ledger.moved(before, step.tracked);
    step.written?.(step.tracked);
    if (step.tracked.state !== 'tracked' || step.tracked.owner !== before.owner) await roomFor(stage, before.owner);
    tellAll(stage, step.also.events);
    stage.wake();
    return step.text;
  }
  return p.keepsMoving(found.shortId);
}

/** ack, claim, yes: one deed under three names. What it does to the clock is the policy's `until`. */
export function take(request: Request, found: Tracked): Promise<Answer> {
  const { stage, person, p, room } = request;
  return change(request, found, async (tracked) => {
    const now = stage.clock.now();
    const id = tracked.shortId;
    if (tracked.state === 'waiting' || tracked.state === 'held') return { text: waitsWords(tracked, p) };
    if (tracked.state === 'tracked' && !wantsMore(tracked, person.name) && (await isClaimed(stage, tracked))) {
      // Said again, or said too late: either way nothing changes.
      if (tracked.owner !== person.name) return { text: p.has(id, tracked.owner ?? p.nobody) };
      const closes = tracked.plan.policy.until !== 'answered';
      if (!closes) return { text: p.alreadyYours(id) };
    }
    if (tracked.state === 'tracked' && tracked.owner !== person.name && hasMovedOn(request, tracked)) {
      return { text: p.movedOn(id, standingOf(tracked, now, p), 'claim') };
    }
    const { evidence, events } = proof(request, tracked, grades.taken);
    const result = acknowledge(tracked, evidence, person.name, now);
    switch (result.kind) {
      case 'late':
        return { text: p.late(id, standingOf(tracked, now, p)), record: { evidence: [evidence], events } };
      case 'recorded':
        return { text: p.noted(id), record: { evidence: [evidence], events } };
      case 'owned':
      case 'closed': {
        // Whoever takes it gets the time of the step anew: "restart the clock on every move"; where the policy gives an
        // acknowledgement a life, that.
        const restarts = result.kind === 'owned' && !result.tracked.pledge;
        const after = restarts ? { ...result.tracked, nextStepAt: clockFor(result.tracked, now) } : result.tracked;
        const closed: StoryEvent[] = isOpen(after.state)
          ? []
          : [
              {
                event: 'closed',
                group: after.plan.group,
                at: now,
                ...refOf(after),
                state: after.state,
                by: person.name,
              },
            ];
        // While others are wanted besides, nobody is told that nothing is left to do.
        const nudges = wantsMore(after, null)
          ? []
          : await tellOthers(stage, after, person.name, person.name, room, now);
        const mine = result.kind === 'owned' ? p.owned(id) : confirmText(factsOf(stage, after, now), p);
        return {
          tracked: after,
          also: { evidence: [evidence], events: [...events, ...closed], withdrawNudgesOf: [bareRef(after)], nudges },
          text: room === null ? mine : p.takenBy(id, person.name),
        };
      }
      default:
        return result satisfies never;
    }
  });
}

/** Whether the policy wants more people to take it, this one among them. */
const wantsMore = ({ plan, takenBy = [], state }: Tracked, person: string | null): boolean =>
  state === 'tracked' &&
  takenBy.length < (plan.policy.takers ?? 1) &&
  (plan.policy.takers ?? 1) > 1 &&
  !(person !== null && takenBy.includes(person));

const toldIn = (room: string, nudges: readonly NewNudge[]): boolean =>
  nudges.some(({ to }) => to.kind === 'room' && to.room === room);

/** `10m`: "I can in ten minutes". Theirs from now on, if nobody else has said so; nobody is asked before. */
export function promise(request: Request, found: Tracked, lasting: Duration): Promise<Answer> {
  const { stage, person, p, room } = request;
  return change(request, found, async (tracked) => {
    const now = stage.clock.now();
    const id = tracked.shortId;
    if (tracked.state === 'waiting' || tracked.state === 'held') return { text: waitsWords(tracked, p) };
    const others = tracked.owner !== person.name;
    if (others && !wantsMore(tracked, person.name) && (await isClaimed(stage, tracked)))
      return { text: p.has(id, tracked.owner ?? p.nobody) };
    if (others && hasMovedOn(request, tracked)) {
      return { text: p.movedOn(id, standingOf(tracked, now, p), 'claim') };
    }
    const { evidence, events } = proof(request, tracked, grades.promise);
    const after = pledge(tracked, person.name, lasting, now);
    if (!after) return { text: p.late(id, standingOf(tracked, now, p)) };
    const nudges = others ? await tellOthers(stage, after, person.name, person.name, room, now) : [];
    return {
      tracked: after,
      also: { evidence: [evidence], events, withdrawNudgesOf: [bareRef(after)], nudges },
      text: p.promised(id, lasting, timeFor(request, after.nextStepAt ?? now + lasting)),
    };
  });
}

/** The owner wants quiet for a while. */
export function snooze(request: Request, found: Tracked, lasting: Duration): Promise<Answer> {
  const { stage, person, p } = request;
  return change(request, found, async (tracked) => {
    const now = stage.clock.now();
    const id = tracked.shortId;
    if (tracked.state !== 'tracked') return { text: p.late(id, standingOf(tracked, now, p)) };
    if (tracked.owner !== person.name) return { text: p.notWithYou(id, standingOf(tracked, now, p)) };
    const { evidence, events } = proof(request, tracked, grades.promise);
    const after = postponed(tracked, now + lasting);
    return {
      tracked: after,
      also: { evidence: [evidence], events, withdrawNudgesOf: [bareRef(after)] },
      text: p.snoozed(id, timeFor(request, after.nextStepAt ?? now + lasting)),
    };
  });
}

/** Quiet only postpones: a step that is later anyway stays where it is, and where no clock runs none is started. */
function postponed(tracked: Tracked, until: number): Tracked {
  const nextStepAt = tracked.nextStepAt === null ? null : Math.max(tracked.nextStepAt, until);
  return { ...tracked, revision: tracked.revision + 1, nextStepAt };
}

/** Where a room has been asked it is open there again; elsewhere it goes on as if passed. */
export async function release(request: Request, found: Tracked): Promise<Answer> {
  const { stage, person, p, room } = request;
  const rooms = (await stage.store.nudges(found.queueId)).flatMap(({ seq, kind, to, state }) =>
    seq === found.seq && kind === 'nudge' && to.kind === 'room' && state === 'sent' ? [to.room] : [],
  );
  if (rooms.length === 0) return pass(request, found);
  return change(request, found, async (tracked) => {
    const now = stage.clock.now();
    const id = tracked.shortId;
    if (tracked.state !== 'tracked') return { text: p.late(id, standingOf(tracked, now, p)) };
    if (tracked.owner !== person.name) return { text: p.notWithYou(id, standingOf(tracked, now, p)) };
    if (hasMovedOn(request, tracked)) return { text: p.movedOn(id, standingOf(tracked, now, p), 'release') };
    const free: Tracked = {
      ...tracked,
      revision: tracked.revision + 1,
      owner: null,
      ownedSince: null,
      pledge: null,
      tried: { ...tracked.tried, [person.name]: 'has released it' },
    };
    const after = { ...free, nextStepAt: clockFor(free, now) };
    const events: StoryEvent[] = [{ event: 'operated', at: now, ...refOf(after), action: 'release', by: person.name }];
    const nudges = [...new Set(rooms)].flatMap((each) =>
      noticeToRoom(stage, after, each, p.openAgain(id, oneLine(person.name, 60)), now),
    );
    return {
      tracked: after,
      also: { events, withdrawNudgesOf: [bareRef(after)], nudges },
      text: room !== null && toldIn(room, nudges) ? null : p.released(id),
    };
  });
}

function proof(request: Request, tracked: Tracked, grade: Grade): { evidence: Evidence; events: StoryEvent[] } {
  const { stage, person, reference } = request;
  const said = { person: person.name, grade, source: sourceOf(request), trusted: true };
  const at = stage.clock.now();
  return {
    evidence: { ...refOf(tracked), at, ...said, reference },
    events: [{ event: 'evidence', at, ...refOf(tracked), ...said, ...(reference === null ? {} : { reference }) }],
  };
}
