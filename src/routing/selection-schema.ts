// How one of the members is chosen: keys that a group says for all its mail, and a route for what it matches.
import { day, second } from '../clock.ts';
import { states } from '../presence/presence.ts';
import { rankings, strategies, type Unknown } from './rules.ts';
import {
  bool,
  doc,
  duration,
  fields,
  integer,
  jsonOf,
  located,
  name,
  oneOf,
  oneOrMore,
  optional,
  required,
  type Schema,
  scalar,
} from './schema.ts';
import { span } from './values.ts';

const skills = oneOrMore(name);

const lastKnown = fields('what unknown means', {
  lastKnown: required(duration(second, day), doc('The state they were last in counts for this long.', '10m')),
});
const unknownWord: Schema<Unknown> = scalar('exclude, include, or { lastKnown: 10m }', (word) =>
  word === 'exclude' || word === 'include' ? word : undefined,
);
const unknownSchema: Schema<Unknown> = {
  expects: 'exclude, include, or { lastKnown: 10m }',
  json: (defs) => ({ anyOf: [{ enum: ['exclude', 'include'] }, jsonOf(lastKnown, defs)] }),
  read(node, report) {
    if (node.kind !== 'map') return unknownWord.read(node, report);
    const value = lastKnown.read(node, report)?.lastKnown;
    return value === undefined ? undefined : { lastKnown: value };
  },
};

const eligible = oneOrMore(located(oneOf(states)));

/** A group says these for all its mail, a route for what it matches. */
export const selection = {
  strategy: optional(
    located(oneOf(strategies)),
    doc('Who of the eligible members gets the mail, see [strategies](#strategies).', 'longest-idle', '`in-order`'),
  ),
  otherwise: optional(
    located(oneOf(rankings)),
    doc(
      'For `sticky`: who, when the last handler of the thread is not eligible or there is none.',
      'least-busy',
      '`longest-idle`',
    ),
  ),
  eligible: optional(
    located(eligible),
    doc(
      'States in which a member may be chosen. What is not named is not eligible.',
      '[chat, available, away]',
      '`[chat, available]`',
    ),
  ),
  maxAge: optional(
    span,
    doc(
      'Presence that was heard of longer ago counts as unknown. A client that sits still says nothing, so give it hours.',
      '12h',
      'any age',
    ),
  ),
  askAfter: optional(
    span,
    doc(
      'Before mail goes to somebody of whom nothing was heard for longer, their clients are asked (XEP-0199); when none of them answers within 5 seconds, it goes to the next.',
      '10m',
      'nobody is asked',
    ),
  ),
  maxIdle: optional(
    span,
    doc('Whoever has not touched their devices for longer is not eligible (XEP-0319).', '15m', 'any time'),
  ),
  unknown: optional(
    unknownSchema,
    doc(
      'A member of whom nothing is known: `exclude`, `include`, or `{ lastKnown: 10m }`: what they were last in counts for this long.',
      '{ lastKnown: 10m }',
      '`exclude`',
    ),
  ),
  requires: optional(located(skills), doc('Skills without which nobody is eligible.', 'german', 'none')),
  prefers: optional(
    located(skills),
    doc('Whoever has more of these comes first, before the strategy has a say.', '[billing]', 'none'),
  ),
  excludeSender: optional(
    bool,
    doc('Whoever wrote the mail does not get it: by the envelope or From.', 'true', '`false`'),
  ),
  cost: optional(located(integer(1, 1000)), doc('Units of capacity that one such mail takes.', '3', '1')),
} as const;
