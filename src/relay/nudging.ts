// Nudge: what is said to whom is stored with what caused it; sending.ts sends it from the timer queue. Idempotent by its
// id: same message, same revision, same addressee is the same nudge.
import { hour, type Instant, minute } from '../clock.ts';
import { type NudgeFacts, nudgeText, reminderText, roomText, toldText } from '../notify/nudge.ts';
import { reasonIn } from '../notify/reasons.ts';
import type { BareJid } from '../presence/jid.ts';
import type { GroupName, Language, PersonName } from '../routing/rules.ts';
import type { DeliveryRef, NewNudge } from '../store/store.ts';
import type { Tracked } from '../tracking/tracked.ts';
import type { Target, Work } from './choosing.ts';
import type { Stage } from './parts.ts';

/** In which a group is told. */
export const languageOf = (stage: Pick<Stage, 'rules'>, group: GroupName): Language =>
  stage.rules.current().groups.get(group)?.language ?? 'en';

export function factsOf(stage: Pick<Stage, 'rules'>, tracked: Tracked, now: Instant): NudgeFacts {
  return {
    ...hidesOf(stage, tracked.plan.group),
    shortId: tracked.shortId,
    from: tracked.from,
    subject: tracked.subject,
    address: tracked.address,
    age: now - tracked.acceptedAt,
    language: languageOf(stage, tracked.plan.group),
  };
}

function hidesOf({ rules }: Pick<Stage, 'rules'>, group: GroupName): Pick<NudgeFacts, 'hides'> {
  const privacy = rules.current().groups.get(group)?.privacy;
  return privacy ? { hides: { subject: privacy.subject !== 'shown', sender: privacy.sender !== 'shown' } } : {};
}

export function jidOf(stage: Stage, person: PersonName): BareJid | null {
  return stage.rules.current().people.get(person)?.jid ?? null;
}

/**
 * For the owner, when they have a JID.
 * @param because the choice's reasons; empty for a forward stored earlier
 * @param excerpt how the mail begins, where that is kept
 */
export function nudgeOwner(
  stage: Stage,
  tracked: Tracked,
  because: readonly string[],
  now: Instant,
  excerpt?: string,
): NewNudge[] {
  if (tracked.owner === null) return [];
  const own = stage.rules.current().people.get(tracked.owner)?.language;
  const language = own ?? languageOf(stage, tracked.plan.group);
  const facts = { ...factsOf(stage, tracked, now), language, ...(excerpt === undefined ? {} : { excerpt }) };
  const text = nudgeText(facts, whyYou(tracked, because, language));
  return toPerson(stage, tracked, tracked.owner, 'nudge', text, now);
}

/** An offer to several: nobody owns it until one of them takes it. */
export function nudgeAll(
  stage: Stage,
  tracked: Tracked,
  people: readonly PersonName[],
  because: readonly string[],
  now: Instant,
): NewNudge[] {
  const language = languageOf(stage, tracked.plan.group);
  const text = nudgeText(factsOf(stage, tracked, now), because.map((each) => reasonIn(language, each)).join(', '));
  return people.flatMap((person) => toPerson(stage, tracked, person, 'nudge', text, now));
}

/** `the only one, 1 of 3 members of support eligible` or `alice has passed; bob went offline while having it` */
function whyYou(tracked: Tracked, because: readonly string[], language: Language): string {
  const [count, ...reasons] = because;
  const mine = reasons.map((reason) => reason.replace(`${tracked.owner}: `, ''));
  const words = [...mine, ...(count === undefined ? [] : [count])].map((each) => reasonIn(language, each)).join(', ');
  const all = [...historyIn(language, tracked), ...(words === '' ? [] : [words])];
  return all.join('; ') || reasonIn(language, 'you are the next one');
}

/** Who has had it, and what became of it. */
export const historyIn = (language: Language, { tried }: Tracked): string[] =>
  Object.entries(tried).map(([person, words]) => `${person} ${reasonIn(language, words)}`);

export function remindOwner(stage: Stage, tracked: Tracked, now: Instant): NewNudge[] {
  return tracked.owner === null
    ? []
    : toPerson(stage, tracked, tracked.owner, 'nudge', reminderText(factsOf(stage, tracked, now)), now);
}

export function nudgeRoom(stage: Stage, tracked: Tracked, room: BareJid, now: Instant): NewNudge[] {
  if (!stage.notifier) return [];
  const language = languageOf(stage, tracked.plan.group);
  const history = historyIn(language, tracked);
  if (tracked.owner !== null) history.push(`${tracked.owner} ${reasonIn(language, 'has it and has not answered')}`);
  return [
    {
      ...refOf(tracked),
      id: idOf(tracked, room),
      to: { kind: 'room', room },
      text: roomText(factsOf(stage, tracked, now), history, tracked.plan.policy.until),
      kind: 'nudge',
      step: tracked.step,
      dueAt: now,
      staleAt: tracked.nextStepAt ?? now + hour,
    },
  ];
}

export function notice(stage: Stage, tracked: Tracked, person: PersonName, text: string, now: Instant): NewNudge[] {
  return toPerson(stage, tracked, person, 'notice', text, now);
}

export function noticeToRoom(stage: Stage, tracked: Tracked, room: BareJid, text: string, now: Instant): NewNudge[] {
  if (!stage.notifier) return [];
  const to = { kind: 'room', room } as const;
  return [
    {
      ...refOf(tracked),
      id: idOf(tracked, `notice ${room}`),
      to,
      text,
      kind: 'notice',
      step: tracked.step,
      dueAt: now,
      staleAt: now + 10 * minute,
    },
  ];
}

/** A group without a policy: its member is told, and nothing is expected back. */
export function tellOfUntracked(stage: Stage, { message, delivery }: Work, target: Target, now: Instant): NewNudge[] {
  const jid = target.person === null ? null : jidOf(stage, target.person);
  if (!stage.notifier || jid === null) return [];
  const facts = {
    shortId: message.queueId,
    from: message.facts.from ?? message.facts.reversePath,
    subject: message.facts.subject ?? null,
    address: delivery.path.mailbox,
    age: now - message.acceptedAt,
    ...(delivery.plan.kind === 'group'
      ? { language: languageOf(stage, delivery.plan.group), ...hidesOf(stage, delivery.plan.group) }
      : {}),
  };
  return [
    {
      queueId: message.queueId,
      seq: delivery.seq,
      id: `${message.queueId}.${delivery.seq}.0.${jid}`,
      to: { kind: 'person', jid, person: target.person },
      text: toldText(facts),
      kind: 'notice',
      step: 0,
      dueAt: now,
      staleAt: now + hour,
    },
  ];
}

function toPerson(
  stage: Stage,
  tracked: Tracked,
  person: PersonName,
  kind: NewNudge['kind'],
  text: string,
  now: Instant,
): NewNudge[] {
  const jid = jidOf(stage, person);
  if (!stage.notifier || jid === null) return [];
  return [
    {
      ...refOf(tracked),
      id: idOf(tracked, kind === 'nudge' ? jid : `notice ${jid}`),
      to: { kind: 'person', jid, person },
      text,
      kind,
      step: tracked.step,
      dueAt: now,
      staleAt: kind === 'nudge' ? (tracked.nextStepAt ?? now + hour) : now + 10 * minute,
    },
  ];
}

const refOf = ({ queueId, seq }: Tracked): DeliveryRef => ({ queueId, seq });

/** Same message, same revision, same addressee: the same nudge. */
const idOf = (tracked: Tracked, to: string): string => `${tracked.queueId}.${tracked.seq}.${tracked.revision}.${to}`;

/** Which delivery a receipt’s id speaks of; a receipt for a notice is evidence of nothing. */
export function refOfNudgeId(id: string): DeliveryRef | undefined {
  const parts = /^([0-9A-Z]{13})\.(\d+)\.\d+\.(?!notice )/.exec(id);
  return parts ? { queueId: parts[1] as DeliveryRef['queueId'], seq: Number(parts[2]) } : undefined;
}

/** Which delivery any stanza of ours about a mail speaks of; undefined when it is about none. */
export function deliveryOfStanza(id: string): DeliveryRef | undefined {
  const parts = /^([0-9A-Z]{13})\.(\d{1,9})\.\d+\./.exec(id);
  return parts ? { queueId: parts[1] as DeliveryRef['queueId'], seq: Number(parts[2]) } : undefined;
}
