// The rule language for people and their time: who they are, when they work, when they are away, and schedules.
import { languages } from './rules.ts';
import {
  bareJid,
  bool,
  doc,
  fields,
  integer,
  located,
  mailbox,
  name,
  oneOf,
  oneOrMore,
  optional,
  orNone,
  required,
  scalar,
} from './schema.ts';
import { closedDay, date, opening, zone } from './values.ts';

const reference = located(name);
const skills = oneOrMore(name);

export const absenceSchema = fields('an absence', {
  from: required(located(date), doc('The first day.', '2026-12-24')),
  to: required(
    located(date),
    doc('The last day; it counts. The day after, they are back without anybody doing anything.', '2027-01-06'),
  ),
  substitute: optional(
    reference,
    doc('Who takes their place in every group meanwhile, by their own presence and limits.', 'bob', 'nobody'),
  ),
});

export const personSchema = fields('a person', {
  mail: optional(
    located(mailbox),
    doc("The person's mailbox; needed, unless a directory says it.", 'alice@example.org', 'that of the directory'),
  ),
  also: optional(
    oneOrMore(located(mailbox)),
    doc('Other addresses they write from. Mail goes to `mail` alone.', '[a.smith@example.org]', 'none'),
  ),
  jid: optional(
    located(orNone(bareJid)),
    doc(
      'Where their presence is seen and nudges go; `none`: they have no XMPP account.',
      'alice@chat.example.org',
      'the mail address',
    ),
  ),
  operator: optional(bool, doc('May act on any message, not only on those sent to them.', 'true', '`false`')),
  skills: optional(skills, doc('What they can do, in names of your own.', '[german, billing]', 'none')),
  capacity: optional(
    located(integer(1, 10_000)),
    doc('Units of open mail they may have at once. Open is what is tracked, so it needs a policy.', '8', 'no limit'),
  ),
  hours: optional(
    reference,
    doc(
      'The schedule in which they work. Outside of it they get no mail, whatever their presence says.',
      'office',
      'always',
    ),
  ),
  duty: optional(
    reference,
    doc(
      'The schedule in which they count as `available` while nothing is heard of them (no JID, the XMPP link down), and outside of it as `offline`. Whatever is heard of them comes first.',
      'office',
      'never: they are `unknown`',
    ),
  ),
  quiet: optional(
    reference,
    doc(
      'The schedule in which they are not to be disturbed: what would be said to them waits for its end. Mail comes all the same.',
      'nights',
      'never',
    ),
  ),
  zone: optional(
    zone,
    doc(
      'For schedules without a zone, for absences, and for times in their status text where those are read.',
      'Europe/Berlin',
      'UTC',
    ),
  ),
  language: optional(
    oneOf(languages),
    doc(
      'In which they are nudged and answered. What goes to several at once is in that of the group.',
      'de',
      'that of their group',
    ),
  ),
  phone: optional(
    scalar('a telephone number', (value) => (/^\+?[0-9 ()/.-]{3,40}$/.test(value) ? value : undefined)),
    doc('For people to see.', '+49 30 1234', 'none'),
  ),
  absent: optional(
    oneOrMore(absenceSchema),
    doc('Days on which they get no mail.', '{ from: 2026-12-24, to: 2027-01-06 }', 'none'),
  ),
});

export const scheduleSchema = fields('a schedule', {
  zone: optional(
    zone,
    doc('Where the clock hangs.', 'Europe/Berlin', 'the zone of the person; a test on time needs one'),
  ),
  open: required(
    oneOrMore(located(opening)),
    doc('When it is open, see below.', "{ days: mon-fri, from: '09:00', to: '17:00' }"),
  ),
  closed: optional(
    oneOrMore(closedDay),
    doc('Days on which it is not: one day, or one of each year.', "[2026-05-25, '12-25']", 'none'),
  ),
});
