// What the console's further pages show and do, for programs: faults, the audit, events, people's days, the rules
// and trying them.
import { day } from '../../clock.ts';
import { parseMailbox } from '../../mail/path.ts';
import { faultActions } from '../../oversight.ts';
import { states } from '../../presence/presence.ts';
import type { EventKind } from '../../tracking/event.ts';
import * as answers from './answers.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { instant, listOf, mapOf, object, oneOf, refuse, type Schema, text, whole } from './schema.ts';

export const eventKinds: readonly EventKind[] = [
  ...(['accepted', 'chosen', 'held', 'proposed', 'picked', 'forwarded', 'deferred', 'failed', 'reported'] as const),
  ...(['nudged', 'evidence', 'escalated', 'closed', 'fault', 'operated'] as const),
];

const by = text({ longest: 100 });
const byWhom = object({ by });
const limit = whole({ least: 1, most: 1_000 });
const cursor = whole({ least: 1, most: Number.MAX_SAFE_INTEGER });
const usual = 100;

const mailbox: Schema<NonNullable<ReturnType<typeof parseMailbox>>> = {
  json: { type: 'string', format: 'email' },
  read: (value, at) =>
    (typeof value === 'string' ? parseMailbox(value) : undefined) ??
    refuse(`${at} is no mail address such as ann@example.org`),
};
const sender: Schema<ReturnType<typeof mailbox.read> | '<>'> = {
  json: { type: 'string', description: 'a mail address, or <>' },
  read: (value, at) => (value === '<>' ? value : mailbox.read(value, at)),
};
const kinds: Schema<readonly EventKind[]> = {
  json: { type: 'string', description: `some of ${eventKinds.join(', ')}, with commas between` },
  read: (value, at) =>
    String(value)
      .split(',', 50)
      .map((one) => oneOf(eventKinds).read(one, at)),
};
const ruleFile = object({ name: text({ longest: 200 }), text: text({ longest: 1_000_000, lines: true }) });
const files = listOf(ruleFile, 200);

export const deskEndpoints: readonly Endpoint[] = [
  endpoint({
    ...{ method: 'get', path: '/faults', scope: 'read', summary: 'Faults: what is wrong, who has it, what to do' },
    query: object({}, { which: oneOf(['open', 'all']) }),
    answer: answers.many(answers.fault),
    run: ({ operations, query }) => operations.faults(query.which ?? 'open'),
  }),
  endpoint({
    ...{ method: 'post', path: '/faults/:number/:action', scope: 'act' },
    summary: 'Claim a fault, give it up, or say that it is over',
    parameters: { number: whole({ least: 1, most: 999_999_999 }), action: oneOf(faultActions) },
    body: byWhom,
    answer: answers.fault,
    run: ({ operations, parameters, body }) =>
      operations.actOnFault(parameters.number as number, parameters.action as (typeof faultActions)[number], body.by),
  }),
  endpoint({
    ...{ method: 'get', path: '/audit', scope: 'read', summary: 'Who did what by hand, the newest first' },
    query: object({}, { before: cursor, text: text({ longest: 100 }), limit }),
    answer: answers.exactly({ entries: answers.many(answers.audited), next: answers.integerOrNull }),
    async run({ operations, query }) {
      const most = query.limit ?? usual;
      const entries = await operations.audited({ ...query, limit: most });
      return { entries, next: entries.length < most ? null : (entries.at(-1)?.number ?? null) };
    },
  }),
  endpoint({
    ...{ method: 'get', path: '/events', scope: 'read', summary: 'What has happened to mail, the newest first' },
    query: object({}, { before: cursor, kinds, limit }),
    answer: answers.exactly({ events: answers.many(answers.open('a story event')), next: answers.integerOrNull }),
    run: ({ operations, query: { before, kinds: some, limit: most } }) =>
      operations.lately({
        kinds: some ?? eventKinds,
        limit: most ?? usual,
        ...(before === undefined ? {} : { before }),
      }),
  }),
  endpoint({
    ...{
      method: 'get',
      path: '/presence-days',
      scope: 'presence',
      summary: 'How people were over a time, span by span',
    },
    query: object(
      { since: instant, until: instant },
      { person: text({ longest: 200 }), group: text({ longest: 200 }) },
    ),
    answer: answers.many(answers.presenceDay),
    async run({ operations, query: { since, until, ...filter } }) {
      if (until <= since || until - since > 8 * day) refuse('"until" is after "since", by at most 8 days');
      const people = await operations.presence(filter);
      return operations.presenceDays(
        people.slice(0, 200).map(({ name }) => name),
        since,
        until,
      );
    },
  }),
  endpoint({
    ...{ method: 'get', path: '/groups', scope: 'read', summary: 'The groups, and who would have the next mail' },
    answer: answers.many(answers.open('a group')),
    run: async ({ operations }) => operations.groups(),
  }),
  endpoint({
    ...{ method: 'get', path: '/directory', scope: 'read' },
    summary: 'Where people are read from: what is in force of it, and what is wrong',
    answer: answers.exactly({ directory: answers.directory }),
    run: async ({ operations }) => ({ directory: operations.directory() }),
  }),
  endpoint({
    ...{ method: 'post', path: '/directory/accept', scope: 'act' },
    summary: 'Take over a change of the directory that was held back',
    body: byWhom,
    answer: answers.exactly({ directory: answers.directory }),
    run: async ({ operations, body }) => ({ directory: await operations.acceptDirectory(body.by) }),
  }),
  endpoint({
    ...{
      method: 'get',
      path: '/rules',
      scope: 'read',
      summary: 'The newest rule files, what is wrong, what is in force',
    },
    answer: answers.ruleFiles,
    run: async ({ operations }) => operations.ruleFiles(),
  }),
  endpoint({
    ...{
      method: 'post',
      path: '/rules/try',
      scope: 'act',
      summary: 'What would become of a message, with every later step',
    },
    body: object(
      { message: text({ longest: 1_000_000, lines: true }), at: instant },
      { files, to: listOf(mailbox, 100), from: sender, people: mapOf(oneOf(states), 10_000) },
    ),
    large: true,
    answer: answers.tried,
    run: ({ operations, body: { files: some, people, ...rest } }) =>
      operations.tryOut({ ...rest, files: some ?? null, people: people ?? {} }),
  }),
  endpoint({
    ...{ method: 'post', path: '/rules/replay', scope: 'act' },
    summary: 'Recorded days through other rules: what would have gone elsewhere, and the load it makes',
    body: object({ since: instant, until: instant }, { files }),
    large: true,
    answer: answers.replayed,
    run: ({ operations, body: { files: some, ...rest } }) => operations.replayDays({ ...rest, files: some ?? null }),
  }),
];
