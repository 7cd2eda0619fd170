// One command on its way: who says what, by which channel, about which message, and what they had seen of it.

import { formatDuration, type Instant } from '../../clock.ts';
import type { Command } from '../../notify/command.ts';
import { clockTime, type Phrases } from '../../notify/phrases.ts';
import { oneLine } from '../../notify/text.ts';
import type { Language } from '../../notify/words.ts';
import type { BareJid } from '../../presence/jid.ts';
import type { GroupName, Person, PersonName } from '../../routing/rules.ts';
import type { DeliveryRef } from '../../store/store.ts';
import { grades } from '../../tracking/evidence.ts';
import type { Tracked } from '../../tracking/tracked.ts';
import type { Stage } from '../parts.ts';
import { mayHave } from '../standing-in.ts';

/** How it was said; on the record as the source of the evidence. */
export type Channel = 'text' | 'room' | 'reply' | 'reaction' | 'ad-hoc' | 'number';

/** The message as it was when the person saw what they answer. */
export interface Seen {
  readonly ref: DeliveryRef;
  readonly at: Instant;
}

export interface Request {
  readonly stage: Stage;
  readonly person: Person;
  readonly command: Command & { readonly kind: 'command' };
  readonly channel: Channel;
  readonly room: BareJid | null;
  /** Stanza id, for the record. */
  readonly reference: string | null;
  readonly seen: Seen | null;
  readonly language: Language;
  readonly p: Phrases;
}

/** The line that is said back; null when it has been said already where it was asked. */
export type Answer = string | null;

export const refOf = ({ queueId, seq }: DeliveryRef): DeliveryRef => ({ queueId, seq });

export const sourceOf = ({ command, channel }: Request): string =>
  channel === 'text' ? `im ${command.verb}` : `im ${command.verb} by ${channel}`.replace('by room', 'in room');

/** `with alice`, `already acknowledged by bob 3m ago` */
export function standingOf(tracked: Tracked, now: Instant, p: Phrases): string {
  switch (tracked.state) {
    case 'tracked':
      return p.with(tracked.owner ?? p.nobody);
    case 'held':
      return p.held;
    case 'waiting':
      return p.notForwarded;
    default: {
      const ago = tracked.closedAt === null ? null : formatDuration(now - tracked.closedAt);
      return p.already(p.states[tracked.state], oneLine(tracked.closedBy ?? '', 60), ago);
    }
  }
}

/** Of one that is with nobody yet. */
export const waitsWords = ({ state, shortId, plan }: Tracked, p: Phrases): string =>
  plan.mode === 'propose' && state === 'waiting' ? p.toBePicked(shortId) : p.waiting(shortId);

/** Whether the owner has said that they take it, and not merely been given it. */
export async function isClaimed(stage: Stage, tracked: Tracked): Promise<boolean> {
  const { owner, ownedSince } = tracked;
  if (owner === null || ownedSince === null) return false;
  return (await stage.store.evidence(tracked.queueId)).some(
    (each) =>
      each.seq === tracked.seq &&
      each.person === owner &&
      each.trusted &&
      (each.grade === grades.taken || each.grade === grades.promise) &&
      each.at >= ownedSince,
  );
}

/** It went through other hands after the person saw it. */
export const hasMovedOn = ({ seen }: Request, tracked: Tracked): boolean =>
  seen !== null && tracked.ownedSince !== null && seen.at < tracked.ownedSince;

/** Only a candidate of the message, somebody a step names, or an operator. */
export function mayAct(stage: Stage, person: Person, tracked: Tracked): boolean {
  return (
    person.operator ||
    tracked.owner === person.name ||
    (tracked.plan.propose?.to.includes(person.name) ?? false) ||
    mayHave(stage, tracked.plan, person.name) ||
    tracked.plan.policy.steps.some(({ to }) => to.kind === 'person' && to.person === person.name)
  );
}

export function groupsOf(stage: Stage, person: Person): readonly GroupName[] {
  const groups = [...stage.rules.current().groups.values()];
  return groups.filter(({ members }) => members.includes(person.name)).map(({ name }) => name);
}

/** By name, in any case; else the local part of their address. */
export function personNamed(stage: Stage, said: string): Person | undefined {
  const people = [...stage.rules.current().people.values()];
  const wanted = said.toLowerCase();
  return (
    people.find(({ name }) => name.toLowerCase() === wanted) ??
    people.find(({ mail }) => mail.toLowerCase() === wanted) ??
    onlyOne(people.filter(({ mail }) => mail.toLowerCase().split('@')[0] === wanted))
  );
}

const onlyOne = <T>(list: readonly T[]): T | undefined => (list.length === 1 ? list[0] : undefined);

export const namesOf = (names: readonly PersonName[]): string => oneLine(names.join(', '), 200);

export const timeFor = ({ stage, language }: Request, at: Instant): string =>
  clockTime(at, stage.clock.now(), language);
