// The routes that src/console/api.ts and its parts serve by hand, as data for the OpenAPI document. A test holds this
// against what is served, and calls each.
import { deliveryStates, trackStates } from '../asked.ts';
import * as answers from './answers.ts';
import { type Described, idParameter } from './endpoint.ts';
import { instant, listOf, mapOf, object, oneOf, orNull, text, whole } from './schema.ts';

const by = text({ longest: 100 });
const line = text({ longest: 320 });
const limit = whole({ least: 1, most: 10_000 });
const id = { id: idParameter };
const span = { since: instant, until: instant };
const story = answers.open('a story: message, deliveries, tracked, events, evidence, decisions, nudges');
const some = (words: readonly string[]) => ({
  ...text({ longest: 200 }),
  json: { type: 'string', description: `some of ${words.join(', ')}, with commas between` },
});
const wish = object(
  { state: oneOf(['chat', 'available', 'away', 'xa', 'dnd', 'offline']), until: orNull(instant) },
  { from: instant, note: text({ longest: 500 }), substitute: text({ longest: 100 }) },
);

const get = (
  path: string,
  scope: Described['scope'],
  summary: string,
  rest: Omit<Described, 'method' | 'path' | 'scope' | 'summary'>,
): Described => ({
  ...{ method: 'get', path, scope, summary },
  ...rest,
});
const post = (
  path: string,
  scope: Described['scope'],
  summary: string,
  rest: Omit<Described, 'method' | 'path' | 'scope' | 'summary'>,
): Described => ({
  ...{ method: 'post', path, scope, summary },
  ...rest,
});

export const mailEndpoints: readonly Described[] = [
  get('/openapi.json', 'read', 'This document', { answer: answers.open('OpenAPI 3.1') }),
  get('/status', 'read', 'Whether it is ready, what stands in the way, counts', { answer: answers.open('status') }),
  get('/queue', 'read', 'Deliveries: what waits oldest first, then what has ended newest first', {
    query: object(
      {},
      {
        state: some(deliveryStates),
        to: line,
        from: line,
        hop: line,
        group: line,
        before: instant,
        hold: oneOf(['true']),
        limit,
      },
    ),
    answer: answers.many(answers.open('a delivery with its message')),
  }),
  get('/queue-counts', 'read', 'What waits, by next hop and age', { answer: answers.queueCounts }),
  get('/queue/:id', 'read', 'One message with all that is known of it', { parameters: id, answer: story }),
  post('/queue/:id/retry', 'act', 'Try its deliveries again now', {
    ...{ parameters: id, body: object({ by }) },
    answer: answers.exactly({ due: answers.integer }),
  }),
  ...(['hold', 'release', 'drop'] as const).map((action) =>
    post(
      `/queue/:id/${action}`,
      'act',
      { hold: 'Keep it back', release: 'Let it go after all', drop: 'Nobody gets it' }[action],
      {
        ...{ parameters: id, body: object({ by }), answer: answers.intervened },
      },
    ),
  ),
  post('/queue/:id/requeue', 'act', 'Send what is left of it on to another address', {
    ...{ parameters: id, body: object({ by, to: line }), answer: answers.intervened },
  }),
  get('/tracked', 'read', 'Tracked mail', {
    query: object({}, { state: some(trackStates), group: line, limit }),
    answer: answers.many(answers.open('a tracked mail')),
  }),
  get('/tracked/:id', 'read', 'One tracked message with all that is known of it', { parameters: id, answer: story }),
  post('/tracked/:id/ack', 'act', 'Somebody takes care of it', {
    ...{ parameters: id, body: object({ by }), answer: answers.open('done, or late with who was first') },
  }),
  get('/tracked/:id/candidates', 'read', 'Who might have it now, the best first, and why not the others', {
    parameters: id,
    answer: answers.exactly({
      tracked: answers.open('a tracked mail'),
      considered: answers.many(answers.open('a candidate')),
    }),
  }),
  post('/tracked/:id/give', 'act', 'Give it to somebody else', {
    ...{ parameters: id, body: object({ by, to: line }), answer: answers.open('a tracked mail') },
  }),
  post('/tracked/:id/snooze', 'act', 'More time for whoever has it', {
    ...{ parameters: id, body: object({ by, for: text({ longest: 20 }) }), answer: answers.open('a tracked mail') },
  }),
  post('/tracked/:id/step', 'act', 'Take a step of its policy now: the one of that name, or the one that comes', {
    ...{
      parameters: id,
      body: object({ by }, { step: orNull(text({ longest: 200 })) }),
      answer: answers.open('a tracked mail'),
    },
  }),
  get('/look-back/handled', 'read', 'Mail for groups by the moments that count, in pages', {
    query: object(span, { after: text({ longest: 24 }), limit }),
    answer: answers.many(answers.open('a mail that was handled')),
  }),
  get('/look-back/report', 'read', 'How long mail for groups took, and who had how much', {
    query: object(span, { group: line, zone: text({ longest: 60 }), limit }),
    answer: answers.report,
  }),
  get('/explain/:id', 'read', 'Its decisions, and whether each would be the same from the stored snapshot', {
    ...{ parameters: id, answer: answers.many(answers.open('a decision, replayed')) },
  }),
  get('/evidence', 'socket', 'Where copies of members’ mail are to be sent: a secret', {
    answer: answers.exactly({ copies: answers.stringOrNull }),
  }),
  get('/recorded', 'read', 'What was noted of mail, for replay, by queue id', {
    query: object(span, { after: text({ longest: 13 }), limit }),
    answer: answers.many(answers.open('a recorded mail')),
  }),
  get('/presence-history', 'presence', 'Changes of presence, oldest first', {
    query: object(span, { limit }),
    answer: answers.many(answers.open('a change')),
  }),
  get('/presence', 'presence', 'Who is there, or was at a moment', {
    query: object({}, { person: line, group: line, at: text({ longest: 40 }) }),
    answer: answers.many(answers.open('a person')),
  }),
  get('/presence/events', 'presence', 'The same, followed: all first, then whoever changes', {
    query: object({}, { person: line, group: line }),
    ...{ answer: answers.many(answers.person), stream: true },
  }),
  get('/presence/:name', 'presence', 'One person', { answer: answers.person }),
  post('/presence/:name', 'act', 'Say how somebody is, whatever their client says; null takes it back', {
    ...{ body: object({ by, wish: orNull(wish) }), answer: answers.person },
  }),
  post('/route', 'route', 'Where a mail would go now', {
    body: object({ to: listOf(line, 100) }, { from: line, headers: mapOf(text({ longest: 2_000 }), 200) }),
    answer: answers.exactly({ recipients: answers.many(answers.open('an answer for one recipient')) }),
  }),
  post('/rotate-mark-key', 'socket', 'A new key for the mark on our own mail', {
    ...{ body: object({ by }), answer: answers.exactly({ key: answers.string }) },
  }),
  post('/reload', 'socket', 'Read the rules again', {
    ...{
      body: object({}, { by }),
      answer: answers.exactly({ version: answers.string, problems: answers.many(answers.open('a problem')) }),
    },
  }),
  get('/tokens', 'socket', 'Tokens, without what is secret of them', { answer: answers.many(answers.open('a token')) }),
  post('/tokens', 'socket', 'A new token, told this once', {
    body: object(
      { by, name: text({ longest: 64 }), scopes: listOf(text({ longest: 20 }), 10) },
      { until: orNull(instant) },
    ),
    answer: answers.exactly({ token: answers.string }),
  }),
  post('/tokens/:name/revoke', 'socket', 'A token that counts no more', {
    ...{ body: object({ by }), answer: answers.exactly({ revoked: answers.string }) },
  }),
];
