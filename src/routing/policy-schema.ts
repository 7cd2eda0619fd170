// The rule language, of policies: the steps that are taken while nobody acts, and what ends them.
import { day, second } from '../clock.ts';
import {
  bareJid,
  bool,
  counted,
  doc,
  duration,
  fields,
  integer,
  list,
  located,
  mailbox,
  name,
  oneOf,
  optional,
  required,
  type Schema,
} from './schema.ts';
import { target } from './values.ts';

const reference = located(name);

export const stepSchema = fields('a step', {
  name: required(reference, doc('For people and commands; once in a policy.', 'lead')),
  after: required(
    duration(second, 30 * day),
    doc('Counted from the step before; for the first from the moment a member got the mail.', '10m'),
  ),
  to: required(
    target('the target of a step', ['next', 'owner', 'everyone'], {
      group: reference,
      room: located(bareJid),
      person: reference,
      mailbox: located(mailbox),
    }),
    doc(
      '`next` (the next eligible member, chosen at that moment), `owner` (a reminder), `everyone` (all eligible members who have not had it; whoever takes it has it), `{ group: … }` (the best of another group), `{ room: … }`, `{ person: … }`, `{ mailbox: … }`.',
      '{ room: duty@rooms.example.org }',
    ),
  ),
  times: optional(
    integer(1, 100),
    doc('How often the step is taken before the next one, each after `after`.', '2', '1'),
  ),
  digest: optional(
    bool,
    doc(
      'For a person or a mailbox: when five or more are due together, one mail tells of all of them, with the mails attached, instead of each coming by itself.',
      'true',
      '`false`',
    ),
  ),
  hours: optional(
    reference,
    doc(
      'The schedule whose open hours alone count for `after`; the step is never taken outside of them. A schedule without a zone is in that of the person whom the step is for, else in UTC.',
      'office',
      'the `hours` of the policy',
    ),
  ),
});

export const ackSchema = fields('the life of an acknowledgement', {
  lasts: required(duration(second, 30 * day), doc('Until the reminder.', '4h')),
  grace: required(duration(second, 30 * day), doc('After the reminder.', '30m')),
});

export const policySchema = fields('a policy', {
  until: optional(
    oneOf(['read', 'taken', 'answered']),
    doc(
      'What stops the clock: it was `read`; somebody said that they have `taken` it, or answered; it was `answered`.',
      'taken',
      '`read`',
    ),
  ),
  steps: required(
    counted(list(stepSchema, 'a list of steps')),
    doc('Taken one after the other, see below.', '[{ name: next, after: 10m, to: next }]'),
  ),
  ask: optional(
    list(oneOf(['dsn', 'mdn'])),
    doc(
      'What is asked for, to an address of ours: `dsn`, delivery reports of the next hop (a failure moves the mail on at once); `mdn`, a read receipt. See [evidence](../operate/evidence.md).',
      '[dsn]',
      'nothing',
    ),
  ),
  repeat: optional(integer(0, 100), doc('How often the steps are gone through again after the last one.', '1', '0')),
  repeatFrom: optional(
    reference,
    doc('With `repeat`: the name of the step with which they begin again.', 'room', 'the first'),
  ),
  ack: optional(
    ackSchema,
    doc(
      'How long an acknowledgement lasts: who has not answered after `lasts` is reminded; after `grace` more the mail goes on as if they had passed.',
      '{ lasts: 4h, grace: 30m }',
      'an acknowledgement ends it',
    ),
  ),
  hours: optional(
    reference,
    doc(
      'The schedule whose open hours alone count for the delays of the steps: mail that came in the night escalates in the morning.',
      'office',
      'all hours count',
    ),
  ),
  takers: optional(
    integer(1, 100),
    doc('How many different people must take it (with `until: taken`) before the clock stops.', '2', '1'),
  ),
  maxForwards: optional(integer(0, 1000), doc('Most forwards of one message that escalation may add.', '5', '10')),
});

export type PolicyEntry = typeof policySchema extends Schema<infer T> ? T : never;
export type StepEntry = typeof stepSchema extends Schema<infer T> ? T : never;
