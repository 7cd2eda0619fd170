// What the API answers, as JSON Schema. Large things of the core (a plan, a snapshot, a story) are named and left open:
// they grow with it, and programs should read what they know.
import { severities } from '../../notify/faults.ts';
import { states } from '../../presence/presence.ts';
import type { Json } from './schema.ts';

export const string: Json = { type: 'string' };
export const integer: Json = { type: 'integer' };
export const boolean: Json = { type: 'boolean' };
export const stringOrNull: Json = { type: ['string', 'null'] };
export const integerOrNull: Json = { type: ['integer', 'null'] };
export const open = (title: string): Json => ({ type: 'object', title });
export const many = (items: Json): Json => ({ type: 'array', items });
export const exactly = (properties: Readonly<Record<string, Json>>, optional: readonly string[] = []): Json => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((key) => !optional.includes(key)),
  additionalProperties: false,
});

export const fault = exactly({
  number: integer,
  kind: string,
  subject: string,
  severity: { enum: [...severities] },
  text: string,
  openedAt: integer,
  lastAt: integer,
  count: integer,
  owner: stringOrNull,
  ownedSince: integerOrNull,
  clearedAt: integerOrNull,
  clearedBy: stringOrNull,
  revision: integer,
  announced: integer,
  meaning: stringOrNull,
  todo: stringOrNull,
  clears: stringOrNull,
  byHand: boolean,
});

/** Null: none is configured. */
export const directory: Json = {
  anyOf: [
    { type: 'null' },
    exactly({
      source: string,
      readAt: integerOrNull,
      failure: {
        anyOf: [{ type: 'null' }, exactly({ kind: { enum: ['down', 'refused'] }, text: string, since: integer })],
      },
      held: many(exactly({ subject: string, text: string })),
      people: integer,
      groups: many(exactly({ id: string, name: string, members: many(string), missing: many(string) }, ['missing'])),
      unused: integer,
      flaws: many(exactly({ id: string, text: string })),
    }),
  ],
};

const standing = open('small facts');
export const audited = exactly({
  number: integer,
  at: integer,
  by: string,
  action: string,
  subject: string,
  wish: standing,
  before: standing,
  after: standing,
  outcome: { enum: ['begun', 'done', 'refused', 'failed'] },
});

const problem = exactly({
  severity: { enum: ['error', 'warning'] },
  place: exactly({ file: string, line: integer, column: integer }),
  message: string,
});

export const ruleFiles = exactly({
  version: string,
  rejected: boolean,
  problems: many(problem),
  files: many(exactly({ name: string, text: string })),
});

export const tried = exactly({
  version: stringOrNull,
  problems: many(problem),
  story: many(exactly({ at: integer, recipient: string, text: string, reasons: many(string) })),
});

const route = exactly({ where: string, at: integer, why: string });
const load: Json = { type: ['object', 'null'] };
export const replayed = exactly({
  version: stringOrNull,
  problems: many(problem),
  since: integer,
  until: integer,
  mails: integer,
  recipients: integer,
  moved: integer,
  differences: many(
    exactly({
      queueId: string,
      receivedAt: integer,
      recipient: string,
      subject: stringOrNull,
      before: route,
      after: route,
    }),
  ),
  loads: many(exactly({ person: string, before: load, after: load })),
  withoutAttachments: integer,
  took: integer,
});

const percentiles = exactly({ count: integer, values: many(exactly({ percent: integer, time: integer })) });
export const report = exactly({
  since: integer,
  until: integer,
  mails: integer,
  watched: integer,
  escalated: integer,
  expired: integer,
  toRead: percentiles,
  toTaken: percentiles,
  groups: many(
    exactly({
      group: string,
      mails: integer,
      watched: integer,
      escalated: integer,
      taken: integer,
      medianToTaken: integerOrNull,
    }),
  ),
  people: many(
    exactly({ person: string, given: integer, taken: integer, medianToTaken: integerOrNull, hours: many(integer) }),
  ),
});

export const presenceDay = exactly({
  name: string,
  spans: many(exactly({ from: integer, to: integer, state: { enum: [...states, null] } })),
});

export const person = exactly({
  name: string,
  mail: string,
  jid: stringOrNull,
  groups: many(string),
  presence: open('presence, see docs/reference/presence.md'),
  source: string,
  age: integerOrNull,
  open: integer,
  lastAssignedAt: integerOrNull,
});

export const intervened = exactly({ done: many(integer), busy: many(integer) });
export const queueCounts = exactly({
  bounds: many(integer),
  rows: many(exactly({ nextHop: string, total: integer, onHold: integer, ages: many(integer) })),
});
export const error = exactly({ error: exactly({ message: string, problems: many(problem) }, ['problems']) });
