// Looking: list, show, who, why. Nothing is changed; what is said comes from what is stored.
import { formatDuration } from '../../clock.ts';
import { senderOf, subjectOf } from '../../notify/nudge.ts';
import { reasonIn, stateIn } from '../../notify/reasons.ts';
import { oneLine, outsideWords } from '../../notify/text.ts';
import { neverSeen } from '../../presence/presence.ts';
import type { Group, Person, PersonName } from '../../routing/rules.ts';
import type { Tracked } from '../../tracking/tracked.ts';
import { factsOf, historyIn } from '../nudging.ts';
import { listLines, longestList, openFor } from './finding.ts';
import { type Answer, groupsOf, namesOf, type Request, refOf, standingOf, timeFor } from './request.ts';

/** Mine first, then what is open in my groups. The numbers go on, so that each can be answered with. */
export async function list(request: Request): Promise<{ text: string; listed: readonly Tracked[] }> {
  const { stage, person, p } = request;
  const now = stage.clock.now();
  const open = await openFor(stage, person);
  const mine = open.filter(({ owner }) => owner === person.name);
  const others = open.filter(({ owner }) => owner !== person.name);
  const lines: string[] = [];
  if (mine.length > 0) lines.push(p.mineHead, ...listLines(stage, mine, now, p));
  else lines.push(p.nothingWaiting);
  const first = Math.min(mine.length, longestList) + 1;
  if (others.length > 0) lines.push(p.othersHead, ...listLines(stage, others, now, p, { first, standing: true }));
  return { text: lines.join('\n'), listed: [...mine.slice(0, longestList), ...others.slice(0, longestList)] };
}

export async function show(request: Request, found: Tracked): Promise<Answer> {
  const { stage, p, language } = request;
  const tracked = (await stage.store.tracked(refOf(found))) ?? found;
  const now = stage.clock.now();
  const facts = factsOf(stage, tracked, now);
  const { steps } = tracked.plan.policy;
  const step = tracked.nextStepAt === null ? undefined : (steps[tracked.step] ?? steps.at(-1));
  const next = step && tracked.nextStepAt !== null ? `${step.name} ${timeFor(request, tracked.nextStepAt)}` : null;
  const tried = historyIn(language, tracked);
  return [
    `#${tracked.shortId} ${subjectOf({ ...facts, language }, 120)}`,
    `${senderOf({ ...facts, language })} → ${oneLine(tracked.address, 100)}, ${p.old(formatDuration(facts.age))}`,
    `${standingOf(tracked, now, p)}${tracked.state === 'tracked' ? `; ${p.steps(next)}` : ''}`,
    ...(tried.length === 0 ? [] : [oneLine(tried.join('; '), 200)]),
  ].join('\n');
}

/** Of a message: who has it. Else who is there, of one group or of all that the person is in. */
export function whoHas({ stage, p }: Request, tracked: Tracked): Answer {
  const now = stage.clock.now();
  const since =
    tracked.state === 'tracked' && tracked.ownedSince !== null ? ` (${formatDuration(now - tracked.ownedSince)})` : '';
  return `#${tracked.shortId}: ${standingOf(tracked, now, p)}${since}.`;
}

export function whoIsThere(request: Request): Answer {
  const { stage, person, command, p } = request;
  const all = [...stage.rules.current().groups.values()];
  const mine = groupsOf(stage, person);
  const visible = all.filter(({ name }) => person.operator || mine.includes(name));
  const wanted = command.name;
  const groups = wanted === undefined ? visible : visible.filter(({ name }) => name.toLowerCase() === wanted);
  if (groups.length === 0 && wanted !== undefined) {
    return p.unknownGroup(oneLine(wanted, 40), namesOf(visible.map(({ name }) => name)));
  }
  const lines = groups.slice(0, 5).map((group) => `${group.name}: ${membersOf(request, group)}`);
  if (groups.length > lines.length) lines.push(p.more(groups.length - lines.length));
  return lines.length === 0 ? p.nothingWaiting : lines.join('\n');
}

function membersOf({ stage, p, ...request }: Request, { members }: Group): string {
  const { people } = stage.rules.current();
  const now = stage.clock.now();
  const words = members.slice(0, 20).map((name) => {
    const person: Person | undefined = people.get(name);
    const presence = person?.jid ? stage.watcher.presenceOf(person.jid) : neverSeen;
    const away = stage.absences.away(name, now);
    const until = away?.until ? timeFor({ stage, p, ...request }, away.until) : null;
    const open = stage.ledger.open(name);
    const status = presence.status === undefined ? '' : ` ${p.quote(outsideWords(presence.status, 40))}`;
    return `${name} ${away?.by === name ? p.awayUntil(until) : stateIn(request.language, presence.state)}${status}${open === 0 ? '' : `, ${p.openCount(open)}`}`;
  });
  const more = members.length > words.length ? [p.more(members.length - words.length)] : [];
  return [...words, ...more].join('; ');
}

/** The last decision in a few lines: every member with the reason. The whole of it is in `pointsman explain`. */
export async function why(request: Request, found: Tracked): Promise<Answer> {
  const { stage, p, language } = request;
  const now = stage.clock.now();
  const decisions = (await stage.store.decisions(found.queueId)).filter(({ seq }) => seq === found.seq);
  const last = decisions.at(-1);
  const head = `${p.why} #${found.shortId}, ${standingOf(found, now, p)}:`;
  if (!last) return `${head} ${p.notForwarded}`;
  const { choice } = last;
  const verdict = new Map<PersonName, string>();
  for (const each of choice.considered.slice(0, 12)) {
    verdict.set(
      each.person,
      `${each.person}: ${stateIn(language, each.presence.state)}, ${reasonIn(language, each.reason)}`,
    );
  }
  const reasons = oneLine(choice.because.map((each) => reasonIn(language, each)).join('; '), 200);
  return [head, reasons, ...verdict.values()].map((line) => oneLine(line, 160)).join('\n') + atWhen(request, last.at);
}

const atWhen = (request: Request, at: number): string => `\n(${timeFor(request, at)})`;
