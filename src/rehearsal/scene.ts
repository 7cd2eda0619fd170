// A scene to rehearse, as people write it: mail, who is there, who comes and goes, who answers. The same form serves
// `pointsman simulate --presence`, the files in rules/tests and the cookbook.
import { type Duration, day, type Instant, minute, second } from '../clock.ts';
import type { MailFacts } from '../mail/facts.ts';
import { parseMailbox } from '../mail/path.ts';
import type { QueueId } from '../mail/queue-id.ts';
import { type Presence, type State, states, type UnknownReason } from '../presence/presence.ts';
import { instantOf } from '../routing/calendar.ts';
import {
  duration,
  type Fields,
  fields,
  integer,
  list,
  located,
  mailbox,
  name,
  oneOf,
  oneOrMore,
  optional,
  record,
  required,
  type Schema,
  scalar,
  text,
} from '../routing/schema.ts';
import { octets, zone } from '../routing/values.ts';
import type { Happening, WorldOptions } from './happening.ts';

const ago = duration(second, 365 * day);
const line = text('a text', 2000);

/** `2026-01-05T10:00:00Z`, or `2026-01-05 10:00 Europe/Berlin`; without a zone UTC. */
export const moment: Schema<Instant> = scalar(
  'a moment such as 2026-01-05T10:00:00Z or "2026-01-05 10:00 Europe/Berlin"',
  (value) => parseMoment(value),
);

export function parseMoment(value: string): Instant | undefined {
  const local = /^(\d{4}-\d{2}-\d{2}) (\d{2}):(\d{2})(?: (\S+))?$/.exec(value);
  if (local) {
    const [, date = '', hours, minutes, where = 'UTC'] = local;
    if (zone.read({ kind: 'text', text: where, given: true, place: nowhere }, silent) === undefined) return undefined;
    if (Number.isNaN(Date.parse(`${date}T${hours}:${minutes}:00Z`))) return undefined;
    return instantOf(date, Number(hours) * 60 + Number(minutes), where);
  }
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/.test(value)) return undefined;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : at;
}
const nowhere = { file: '', line: 1, column: 1 };
const silent = { error: () => undefined, warning: () => undefined } as unknown as Parameters<typeof zone.read>[1];

const reasons = ['never-seen', 'not-subscribed', 'link-down', 'resync', 'error', 'no-jid'] as const;
const presenceMap = fields('a presence', {
  state: required(oneOf(states)),
  for: optional(ago),
  heard: optional(ago),
  idle: optional(ago),
  status: optional(line),
  reason: optional(oneOf(reasons satisfies readonly UnknownReason[])),
  was: optional(oneOf(states)),
});
interface PresenceWords {
  readonly state?: State | undefined;
  readonly for?: Duration | undefined;
  readonly heard?: Duration | undefined;
  readonly idle?: Duration | undefined;
  readonly status?: string | undefined;
  readonly reason?: UnknownReason | undefined;
  readonly was?: State | undefined;
}
type PresenceEntry = State | PresenceWords;
const presence: Schema<PresenceEntry> = {
  expects: `a state (${states.join(', ')}), or { state: …, for: 10m, heard: 2h, idle: 5m }`,
  read: (node, report) => (node.kind === 'map' ? presenceMap.read(node, report) : oneOf(states).read(node, report)),
};

const attachment = fields('an attachment', { type: required(line), name: optional(line) });
const mailSchema = fields('a mail', {
  name: optional(name),
  after: optional(ago),
  times: optional(integer(1, 10_000)),
  every: optional(ago),
  to: required(oneOrMore(mailbox)),
  sender: optional(scalar("a mail address, or '<>'", (value) => (value === '<>' ? value : parseMailbox(value)))),
  from: optional(line),
  subject: optional(line),
  size: optional(octets),
  headers: optional(record('a map from header names to texts', line, () => undefined)),
  attachments: optional(list(attachment)),
  references: optional(oneOrMore(line)),
  id: optional(line),
  autoSubmitted: optional(oneOf(['true'])),
});

const answers = ['read', 'ack', 'reply', 'pass'] as const;
const laterSchema = fields('something that happens later', {
  after: required(ago),
  presence: optional(record('a map from people to their presence', presence)),
  answer: optional(record('a map from people to what they answer', oneOf(answers))),
  mail: optional(name),
});

export const sceneFields = {
  at: optional(moment),
  presence: optional(record('a map from people to their presence', presence)),
  later: optional(list(laterSchema, 'a list of what happens later')),
  open: optional(record('a map from people to units', integer(0, 10_000))),
  last: optional(record('a map from people to how long ago they had mail', ago)),
  lastInGroup: optional(record('a map from groups to people', located(name))),
  threads: optional(record('a map from Message-IDs to people', located(name), () => undefined)),
} as const;
export const sceneSchema = fields('a scene', sceneFields);
export const mailsField = oneOrMore(mailSchema);

export type SceneEntry = Fields<typeof sceneFields>;
export type MailEntry = NonNullable<ReturnType<typeof mailSchema.read>>;

export interface Scene extends Pick<WorldOptions, 'units' | 'lastAssignedAt' | 'lastInGroup' | 'handlers'> {
  readonly start: Instant;
  readonly happenings: readonly Happening[];
}

/** Monday, in the morning, where nothing else was said. */
const usualStart: Instant = Date.UTC(2026, 0, 5, 10, 0, 0);

export function sceneOf(entry: SceneEntry, mails: readonly MailEntry[], start = entry.at ?? usualStart): Scene {
  const known = <T>(entries: readonly { name: string; value: T | undefined }[] | undefined): [string, T][] =>
    (entries ?? []).flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as [string, T]]));
  const first = known(entry.presence).map(
    ([person, one]): Happening => ({ at: start - minute, kind: 'presence', person, presence: presenceOf(one, start) }),
  );
  const later = (entry.later ?? []).flatMap(({ after, presence, answer, mail }): Happening[] => {
    if (after === undefined) return [];
    const at = start + after;
    return [
      ...known(presence).map(
        ([person, one]): Happening => ({ at, kind: 'presence', person, presence: presenceOf(one, at) }),
      ),
      ...known(answer).map(
        ([person, one]): Happening => ({ at, kind: 'answer', person, answer: one, ...(mail ? { mail } : {}) }),
      ),
    ];
  });
  return {
    start,
    happenings: [...first, ...mails.flatMap((mail, index) => mailHappenings(mail, index, start)), ...later],
    units: Object.fromEntries(known(entry.open)),
    lastAssignedAt: Object.fromEntries(known(entry.last).map(([person, age]) => [person, start - age])),
    lastInGroup: Object.fromEntries(known(entry.lastInGroup).map(([group, { value }]) => [group, value])),
    handlers: new Map(known(entry.threads).map(([id, { value }]) => [id, value])),
  };
}

export function presenceOf(entry: PresenceEntry, now: Instant): Presence {
  const fields: PresenceWords = typeof entry === 'string' ? { state: entry } : (entry as PresenceWords);
  const back = (age: Duration | undefined): Instant | undefined => (age === undefined ? undefined : now - age);
  const { state = 'unknown', reason, was, status } = fields;
  const since = back(fields.for) ?? null;
  const asOf = back(fields.heard) ?? since ?? now;
  const idleSince = back(fields.idle);
  if (state === 'unknown')
    return {
      state,
      since: null,
      asOf: null,
      reason: reason ?? 'never-seen',
      ...(was === undefined ? {} : { lastKnown: { state: was, asOf } }),
    };
  return {
    state,
    since,
    asOf,
    ...(status === undefined ? {} : { status }),
    ...(idleSince === undefined ? {} : { idleSince }),
  };
}

function mailHappenings(entry: MailEntry, index: number, start: Instant): Happening[] {
  const { times = 1, every = 0, after = 0 } = entry;
  const base = entry.name ?? (index === 0 ? 'mail' : `mail${index + 1}`);
  return Array.from({ length: times }, (_, number): Happening => {
    const at = start + after + number * every;
    const name = times === 1 ? base : `${base}${number + 1}`;
    const id = `${String(index).padStart(5, '0')}${String(number).padStart(8, '0')}` as QueueId;
    return { at, kind: 'mail', name, facts: factsOf(entry, id, at) };
  });
}

function factsOf(entry: MailEntry, queueId: QueueId, at: Instant): MailFacts {
  const headers = (entry.headers ?? []).flatMap(({ name, value }) =>
    value === undefined ? [] : [[name.toLowerCase(), value] as const],
  );
  const header = (wanted: string) => headers.find(([name]) => name === wanted)?.[1];
  const messageId = entry.id ?? header('message-id');
  const subject = entry.subject ?? header('subject');
  const from = entry.from ?? header('from');
  return {
    queueId,
    receivedAt: at,
    reversePath: (entry.sender ?? 'someone@elsewhere.example') as MailFacts['reversePath'],
    recipients: entry.to ?? [],
    size: entry.size ?? 2_000,
    peer: '127.0.0.1',
    carriesMembers: false,
    ...(messageId === undefined ? {} : { messageId }),
    ...(subject === undefined ? {} : { subject }),
    ...(from === undefined ? {} : { from }),
    references: entry.references ?? [],
    autoSubmitted:
      entry.autoSubmitted !== undefined ||
      (header('auto-submitted') !== undefined && header('auto-submitted') !== 'no'),
    headers,
    receivedCount: 1,
    deliveredTo: [],
    attachments: (entry.attachments ?? []).map(({ type = '', name }) => ({
      type: type.toLowerCase(),
      ...(name === undefined ? {} : { name }),
    })),
  };
}
