// A working day, made from whatever rules are loaded: who comes, is in a meeting, has lunch and leaves; which mail is
// written to the groups, and what is done about it. Pure: the same seed makes the same day.
import { type Duration, hour, type Instant, minute, type Random, second } from '../clock.ts';
import type { Mailbox } from '../mail/path.ts';
import type { Group, Rules } from '../routing/rules.ts';
import type { Cast } from './cast.ts';
import { strangersDomain } from './episodes.ts';
import type { Reaction } from './reaction.ts';
import type { Mood } from './simulated-person.ts';

export interface DayMail {
  readonly from: string;
  readonly to: Mailbox;
  readonly subject: string;
  readonly text: string;
  readonly messageId: string;
  readonly references?: string;
}

export type DayEvent = { readonly at: Instant } & (
  | { readonly kind: 'mood'; readonly person: string; readonly mood: Mood }
  | {
      readonly kind: 'mail';
      readonly mail: DayMail;
      readonly script: readonly Reaction[];
      /** How long whoever is asked takes to do it. */
      readonly takes: Duration;
    }
);

/** The day begins at seven, when nobody is there yet. */
export const dayBegins: Duration = 7 * hour;

/** Mails of one group in each hour of the day, from midnight. */
const perHour = [1, 0, 1, 0, 1, 1, 2, 4, 8, 12, 14, 11, 6, 9, 12, 11, 9, 5, 3, 2, 2, 1, 1, 1] as const;
/** More groups than these get no mail: a day is a minute, not an hour. */
const mostGroups = 6;

const writers = [
  'Ann Archer',
  'Ben Baker',
  'Cleo Clark',
  'Dora Dietz',
  'Emil Ernst',
  'Fay Fox',
  'Gus Gray',
  'Hal Hunt',
];
const subjects = [
  'Invoice 4711 is wrong',
  'Which platform does the 9:40 leave from?',
  'No heating in room 12',
  'Contract, page 3',
  'Lost umbrella',
  'URGENT: the signals at the north gate are dark',
  'Outage of the booking system',
  'Rechnung vom 12. ist doppelt',
  'A question about billing',
  'The printer on floor 2 jams',
  'Complaint about yesterday evening',
  'Timetable for the holidays',
] as const;

interface DayOptions {
  readonly from: Instant;
  readonly until: Instant;
  readonly random: Random;
}

export function dayOf(rules: Rules, cast: Cast, options: DayOptions): readonly DayEvent[] {
  const people = cast.players.flatMap(({ name }) => moodsOf(name, options));
  const groups = [...rules.groups.values()].filter(({ addresses }) => addresses.length > 0).slice(0, mostGroups);
  const mails = groups.flatMap((group) => mailsOf(group, options));
  return [...people, ...mails]
    .filter(({ at }) => at >= options.from && at < options.until)
    .toSorted((a, b) => a.at - b.at);
}

/** Midnights (UTC) of the days that the span touches. */
function midnights({ from, until }: DayOptions): readonly Instant[] {
  const first = Math.floor(from / (24 * hour)) * 24 * hour;
  return Array.from({ length: Math.ceil((until - first) / (24 * hour)) }, (_, n) => first + n * 24 * hour);
}

function moodsOf(person: string, options: DayOptions): readonly DayEvent[] {
  const { random } = options;
  const about = (time: Duration, give: Duration) => time + (random() - 0.5) * 2 * give;
  return midnights(options).flatMap((midnight) => {
    const events: (readonly [Duration, Mood])[] = [
      [about(8.25 * hour, 45 * minute), 'available'],
      [about(12.25 * hour, 30 * minute), 'away'],
      [about(13.25 * hour, 15 * minute), 'available'],
      [about(17 * hour, 45 * minute), 'offline'],
    ];
    for (const from of [9.5 * hour, 14 * hour]) {
      const meeting = about(from, 30 * minute);
      if (random() < 0.6) events.push([meeting, 'dnd'], [meeting + (20 + random() * 40) * minute, 'available']);
    }
    return events.map(([time, mood]): DayEvent => ({ at: Math.floor(midnight + time), kind: 'mood', person, mood }));
  });
}

function mailsOf(group: Group, options: DayOptions): readonly DayEvent[] {
  const { random } = options;
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const [to] = group.addresses;
  if (to === undefined) return [];
  const times = midnights(options).flatMap((midnight) =>
    perHour.flatMap((count, at) => Array.from({ length: count }, () => midnight + (at + random()) * hour)),
  );
  const before: DayMail[] = [];
  return times
    .toSorted((a, b) => a - b)
    .map((time, number): DayEvent => {
      const at = Math.floor(time);
      const name = pick(writers);
      const messageId = `<${group.name}-${at.toString(36)}-${number}@${strangersDomain}>`;
      const [first = 'somebody'] = name.toLowerCase().split(' ');
      const earlier = before.length > 0 && random() < 0.15 ? pick(before) : undefined;
      const mail: DayMail = {
        from: earlier?.from ?? `${name} <${first}@${strangersDomain}>`,
        to,
        subject: earlier ? `Re: ${earlier.subject}` : pick(subjects),
        text: 'Can somebody help?\n',
        messageId,
        ...(earlier ? { references: earlier.messageId } : {}),
      };
      if (!earlier) before.push(mail);
      return { at, kind: 'mail', mail, script: scriptFor(random()), takes: timeFor(group, random()) };
    });
}

/** Most mail is taken; some is answered, passed on, or not looked at by whoever is asked first. */
function scriptFor(chance: number): readonly Reaction[] {
  if (chance < 0.7) return ['ack'];
  if (chance < 0.85) return ['reply'];
  return chance < 0.92 ? ['pass', 'ack'] : ['ignore', 'ack'];
}

/** Measured by the patience of the policy: now and then somebody is too slow. */
function timeFor({ policy }: Group, chance: number): Duration {
  const patience = policy?.steps[0]?.after ?? 10 * minute;
  return Math.max(second, patience * chance * chance * 1.2);
}
