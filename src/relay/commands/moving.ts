// Moving on: pass (to the next one, or to somebody by name) and an operator's redirect.

import { oneLine } from '../../notify/text.ts';
import type { Tracked } from '../../tracking/tracked.ts';
import { escalate } from '../escalating.ts';
import { handedOver, handOver } from '../handing.ts';
import { casTries } from '../parts.ts';
import { namesFor } from '../standing-in.ts';
import {
  type Answer,
  hasMovedOn,
  namesOf,
  personNamed,
  type Request,
  refOf,
  standingOf,
  waitsWords,
} from './request.ts';
import { change } from './taking.ts';

/** pass, no: the next one is asked at once; who never had it is not offered it. */
export async function pass(request: Request, found: Tracked): Promise<Answer> {
  const { stage, person, p } = request;
  const id = found.shortId;
  for (let attempt = 1; attempt <= casTries; attempt += 1) {
    const tracked = await stage.store.tracked(refOf(found));
    const now = stage.clock.now();
    if (tracked?.state !== 'tracked') return p.late(id, standingOf(tracked ?? found, now, p));
    if (tracked.owner === person.name) {
      if (hasMovedOn(request, tracked)) return p.movedOn(id, standingOf(tracked, now, p), 'pass');
      const moved = await escalate(stage, tracked, { trigger: 'passed', owner: person.name });
      if (!moved) continue;
      return p.passed(id, moved.owner);
    }
    const how = standingOf(tracked, now, p);
    if (tracked.tried[person.name] === 'has passed') return p.passedBefore(id, how);
    const after: Tracked = {
      ...tracked,
      revision: tracked.revision + 1,
      tried: { ...tracked.tried, [person.name]: 'has passed' },
    };
    if ((await stage.store.advance(after, {})) === 'stale') continue;
    return p.notOffered(id, how);
  }
  return p.keepsMoving(id);
}

/** The owner may hand it to another candidate; an operator to anybody the rules name. */
export async function handTo(request: Request, found: Tracked, name: string): Promise<Answer> {
  const { stage, person, p, command } = request;
  const redirect = command.verb === 'redirect';
  if (redirect && !person.operator) return p.operatorsOnly(command.verb);
  const candidates = namesFor(stage, found.plan);
  const to = personNamed(stage, name);
  const names = person.operator ? [...stage.rules.current().people.keys()] : candidates;
  if (!to) return p.unknownPerson(oneLine(name, 40), namesOf(names));
  if (!person.operator && !candidates.includes(to.name)) return p.notMember(to.name, namesOf(candidates));
  return change(request, found, async (tracked) => {
    const now = stage.clock.now();
    const id = tracked.shortId;
    if (tracked.state === 'waiting' || tracked.state === 'held') return { text: waitsWords(tracked, p) };
    if (tracked.state !== 'tracked') return { text: p.late(id, standingOf(tracked, now, p)) };
    if (tracked.owner === to.name) return { text: p.hasAlready(id, to.name) };
    if (!redirect && tracked.owner !== person.name && !person.operator) {
      return { text: p.notWithYou(id, standingOf(tracked, now, p)) };
    }
    if (hasMovedOn(request, tracked)) return { text: p.movedOn(id, standingOf(tracked, now, p), command.verb) };
    const said = { word: command.verb, by: person.name, speaker: person.name };
    return {
      ...handOver(stage, tracked, to, said, now),
      written: (after) => handedOver(stage, after, to.name, now),
      text: p.movedTo(id, to.name),
    };
  });
}
