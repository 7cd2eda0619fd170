// `pointsman sandbox --json`: one JSON object a line, for programs. First where everything is, then what happens to
// each message. The schema below is what docs/sandbox.md shows and what the tests hold every line against; kinds and
// optional keys may be added, none is changed. Moments are ISO 8601 in UTC with milliseconds.
import type { StoryEvent } from '../tracking/event.ts';
import type { KnownMessage } from './messages.ts';

export const printedKinds = [
  'accepted',
  'chosen',
  'held',
  'forwarded',
  'nudged',
  'evidence',
  'escalated',
  'closed',
  'fault',
] as const;

export interface Ready {
  readonly smtp: { readonly host: string; readonly port: number };
  readonly xmpp: { readonly host: string; readonly port: number; readonly domain: string };
  readonly http: { readonly url: string };
  /** For browsers. */
  readonly console: { readonly url: string };
  readonly sink: { readonly host: string; readonly port: number; readonly maildir: string };
  readonly groups: readonly { readonly address: string; readonly members: readonly string[] }[];
  readonly people: readonly {
    readonly name: string;
    /** Null: has none. */
    readonly jid: string | null;
    /** Null: has no account in the sandbox. */
    readonly password: string | null;
    readonly mailbox: string;
  }[];
}

export function readyLine(ready: Ready): string {
  const { smtp, xmpp, http, console: pages, sink, groups, people } = ready;
  return JSON.stringify({ event: 'ready', smtp, xmpp, http, console: pages, sink, groups, people });
}

/** Undefined for the kinds that are not printed. Only what the schema names leaves: programs rely on it. */
export function eventLine(event: StoryEvent, message: KnownMessage | undefined): string | undefined {
  const shape = shapes.get(event.event);
  if (!shape) return undefined;
  const all: Readonly<Record<string, unknown>> = {
    ...event,
    at: moment(event.at),
    ...(event.event === 'held' ? { until: moment(event.until) } : {}),
    subject: message?.subject ?? null,
    messageId: message?.messageId ?? null,
  };
  return JSON.stringify(Object.fromEntries(Object.keys(shape.properties).map((key) => [key, all[key]])));
}

const moment = (at: number): string => new Date(at).toISOString();

const string = { type: 'string' } as const;
const strings = { type: 'array', items: string } as const;
const integer = { type: 'integer', minimum: 0 } as const;
const textOrNull = { type: ['string', 'null'] } as const;
const time = { type: 'string', format: 'date-time' } as const;
const port = { type: 'integer', minimum: 1, maximum: 65_535 } as const;

const object = (properties: Readonly<Record<string, unknown>>, optional: readonly string[] = []) =>
  ({
    type: 'object',
    properties,
    required: Object.keys(properties).filter((key) => !optional.includes(key)),
    additionalProperties: false,
  }) as const;

const story = (
  kind: (typeof printedKinds)[number],
  more: Readonly<Record<string, unknown>>,
  optional: readonly string[] = [],
) =>
  object(
    {
      event: { const: kind },
      at: time,
      queueId: string,
      seq: integer,
      ...more,
      subject: textOrNull,
      messageId: textOrNull,
    },
    ['seq', ...optional],
  );

export const schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'A line of pointsman sandbox --json',
  oneOf: [
    object({
      event: { const: 'ready' },
      smtp: object({ host: string, port }),
      xmpp: object({ host: string, port, domain: string }),
      http: object({ url: string }),
      console: object({ url: string }),
      sink: object({ host: string, port, maildir: string }),
      groups: { type: 'array', items: object({ address: string, members: strings }) },
      people: {
        type: 'array',
        items: object({ name: string, jid: textOrNull, password: textOrNull, mailbox: string }),
      },
    }),
    story('accepted', { from: string, to: strings, size: integer, peer: string }),
    story(
      'chosen',
      {
        group: string,
        person: string,
        mailbox: string,
        why: { enum: ['dispatch', 'retry', 'escalation'] },
        because: strings,
        decision: string,
      },
      ['person'],
    ),
    story('held', { group: string, until: time, because: strings, decision: string }),
    story('forwarded', { to: string, person: string, nextHop: string, reply: string }, ['person']),
    story('nudged', { to: string, person: string, room: string, step: integer }, ['person', 'room']),
    story(
      'evidence',
      {
        person: string,
        grade: { type: 'integer', minimum: 0, maximum: 8 },
        source: string,
        trusted: { type: 'boolean' },
        reference: string,
      },
      ['person', 'reference'],
    ),
    story(
      'escalated',
      {
        step: string,
        trigger: { enum: ['time', 'passed', 'owner offline', 'undeliverable', 'ack expired', 'promise expired'] },
        from: string,
        to: string,
      },
      ['from'],
    ),
    story('closed', { state: string, by: string }, ['by']),
    story('fault', {
      fault: string,
      severity: { enum: ['critical', 'fatal', 'error', 'warning'] },
      text: string,
    }),
  ],
} as const;

const shapes = new Map(
  printedKinds.map((kind) => [
    kind as string,
    schema.oneOf.find(({ properties }) => (properties.event as { const?: unknown }).const === kind),
  ]),
);
