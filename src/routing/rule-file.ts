// The rule language: what one rule file may say, with the words of the reference page beside each key. Names are not
// looked up here: they may be in another file. Sections may stand in any order and in any file; only the order of
// routes (and of files) counts. This is the one source of the parser, the JSON Schema and docs/reference/rules.md.

import { day, hour, second } from '../clock.ts';
import { matchSchema } from './match-schema.ts';
import { personSchema, scheduleSchema } from './people-schema.ts';
import { policySchema } from './policy-schema.ts';
import { languages, modes } from './rules.ts';
import {
  counted,
  doc,
  duration,
  fields,
  integer,
  jsonOf,
  type Located,
  list,
  located,
  mailbox,
  name,
  oneOf,
  oneOrMore,
  optional,
  orNone,
  record,
  required,
  type Schema,
  scalar,
  text,
} from './schema.ts';
import { selection } from './selection-schema.ts';
import { target } from './values.ts';

type ValueOf<S> = S extends Schema<infer T> ? T : never;

const reference = located(name);

const memberMap = fields('a member', {
  person: optional(reference, doc('Who.', 'bob', 'this or `directory` is needed')),
  directory: optional(
    located(text('the name or DN of a group of the directory')),
    doc(
      'Everybody of a group of the [directory](../operate/directory.md), by its name or DN.',
      "'cn=duty,ou=groups,dc=example,dc=org'",
    ),
  ),
  tier: optional(integer(1, 99), doc('Tier 2 is asked when nobody of tier 1 is eligible, and so on.', '2', '1')),
  weight: optional(
    integer(1, 100),
    doc('How much more of the mail they take, see [strategies](#strategies).', '3', '1'),
  ),
});
export interface MemberEntry {
  readonly person?: Located<string> | undefined;
  readonly directory?: Located<string> | undefined;
  readonly tier?: number | undefined;
  readonly weight?: number | undefined;
}
/** A name, or a map. */
export const memberSchema: Schema<MemberEntry> = {
  expects: 'a name',
  json: (defs) => ({ anyOf: [jsonOf(reference, defs), jsonOf(memberMap, defs)] }),
  ...(memberMap.shape ? { shape: memberMap.shape } : {}),
  read(node, report) {
    if (node.kind === 'map') {
      const read = memberMap.read(node, report);
      const said = ['person', 'directory'].filter((key) => read?.given.includes(key));
      if (read && said.length !== 1)
        report.error(
          node.place,
          `a member has either "person" or "directory"; here is ${said.length ? 'both' : 'neither'}`,
        );
      return read;
    }
    const person = reference.read(node, report);
    return person === undefined ? undefined : { person };
  },
};
const listOfMembers = counted(list(memberSchema));
/** A list, or one map: a group of the directory by itself. */
const membersSchema: typeof listOfMembers = {
  ...listOfMembers,
  json: (defs) => ({ anyOf: [jsonOf(listOfMembers, defs), jsonOf(memberMap, defs)] }),
  read(node, report) {
    if (node.kind !== 'map') return listOfMembers.read(node, report);
    const one = memberSchema.read(node, report);
    return { value: one === undefined ? [] : [one], place: node.place, count: 1 };
  },
};

export const exclusionSchema = fields('an exclusion', {
  person: required(reference, doc('Who does not get it.', 'bob')),
  when: required(matchSchema, doc('A match, as in routes.', '{ subject: { contains: payroll } }')),
});

// RFC 5321 §4.2: the text of a reply is printable US-ASCII on one line; 512 octets with the codes (§4.5.3.1.5).
const replyText = scalar('the text of a reply', (value) =>
  /^[\x20-\x7e]{1,400}$/.test(value) ? value : { wrong: 'is not one line of 1 to 400 printable ASCII characters' },
);

export const linkSchema = target('a fallback', ['unchanged', 'everyone'], {
  mailbox: located(mailbox),
  person: reference,
  group: reference,
  hold: located(duration(second, 7 * day)),
  reject: located(replyText),
  tempfail: located(replyText),
});
export type LinkEntry = ValueOf<typeof linkSchema>;

export interface Fallbacks extends Located<readonly LinkEntry[]> {
  /** Written as a list. */
  readonly listed: boolean;
}
const fallbacks: Schema<Fallbacks> = {
  expects: linkSchema.expects,
  json: (defs) => ({
    anyOf: [jsonOf(linkSchema, defs), { type: 'array', items: jsonOf(linkSchema, defs), minItems: 1 }],
  }),
  read(node, report) {
    if (node.kind !== 'list') {
      const one = linkSchema.read(node, report);
      return one === undefined ? undefined : { value: [one], place: node.place, listed: false };
    }
    if (node.items.length === 0) report.error(node.place, 'the list of fallbacks is empty; leave it out, or name one');
    const value = node.items.map((item) => linkSchema.read(item, report)).filter((one) => one !== undefined);
    return { value, place: node.place, listed: true };
  },
};

const mode = oneOf(modes);

export const proposeSchema = fields('who picks', {
  to: optional(
    oneOrMore(reference),
    doc('Who is asked, by instant message.', '[carol]', 'everybody who is an `operator`'),
  ),
  within: optional(
    duration(10 * second, hour),
    doc('How long they have; then the first of the ranking gets it.', '5m', '2m'),
  ),
});

export const privacySchema = fields('what is told of mail', {
  subject: optional(
    oneOf(['shown', 'kept', 'none']),
    doc(
      '`shown` to whoever is told of it; `kept`: only in `pointsman track` and the console; `none`: not kept either (rules that are changed later cannot look at it any more).',
      'kept',
      '`shown`',
    ),
  ),
  sender: optional(oneOf(['shown', 'kept']), doc('Likewise, of who wrote.', 'kept', '`shown`')),
  excerpt: optional(
    oneOf(['shown', 'none']),
    doc(
      '`shown`: whoever is given a mail is told how it begins, and that much of its text is kept.',
      'shown',
      '`none`',
    ),
  ),
});

export const groupSchema = fields(
  'a group',
  {
    address: optional(
      located(mailbox),
      doc(
        'Mail to this address is for the group; compared without case.',
        'support@example.org',
        'this or `addresses` is needed',
      ),
    ),
    addresses: optional(
      counted(list(located(mailbox))),
      doc('Several of them.', '[support@example.org, help@example.org]'),
    ),
    members: required(
      membersSchema,
      doc(
        'Names of people, `{ person, tier, weight }`, or `{ directory, tier, weight }`: everybody of a group of the directory. The order counts for `in-order` and for ties.',
        '[alice, { person: bob, tier: 2 }]',
      ),
    ),
    ...selection,
    exclude: optional(
      oneOrMore(located(exclusionSchema)),
      doc(
        'Members who do not get certain mail.',
        '{ person: bob, when: { subject: { contains: payroll } } }',
        'nobody',
      ),
    ),
    hold: optional(
      located(orNone(duration(second, 7 * day))),
      doc(
        'How long mail waits for somebody to become eligible, before the fallback. Released oldest first.',
        '2m',
        '`none`',
      ),
    ),
    pace: optional(
      located(orNone(duration(second, hour))),
      doc('Held mail goes to one person at most this often, so that the first to arrive is not flooded.', '30s', '5s'),
    ),
    fallback: optional(
      fallbacks,
      doc(
        'What happens when nobody is eligible, see [fallbacks](#fallbacks).',
        '[{ group: second-line }, { hold: 10m }, { person: carol }]',
        '`unchanged`, with a warning',
      ),
    ),
    mode: optional(
      mode,
      doc(
        '`observe`: mail passes unchanged and untracked; what would have been chosen is recorded, see [from observe to auto](../cookbook/observe.md). `propose`: an operator is shown the ranking and picks, see [who picks](#who-picks).',
        'observe',
        '`auto`',
      ),
    ),
    propose: optional(proposeSchema, doc('For `mode: propose`: who is asked, and for how long.', '{ within: 5m }')),
    policy: optional(
      orNone(reference),
      doc('What happens while nobody reads it, or `none`.', 'standard', '`none`, with a warning'),
    ),
    language: optional(oneOf(languages), doc('Of the instant messages about its mail.', 'de', '`en`')),
    privacy: optional(
      privacySchema,
      doc('How much of its mail is told and kept, see [privacy](#privacy).', '{ subject: kept }', 'subject and sender'),
    ),
  },
  { member: 'unknown key "member": a group has "members", a list of names of people' },
);

/** RFC 5322 §3.6, RFC 5321 §4.4: what exists once, speaks for others, or is checked by somebody. */
const taken =
  /^(?:from|sender|reply-to|to|cc|bcc|date|subject|message-id|in-reply-to|references|received|return-path|delivered-to|mime-version|content-.*|resent-.*|dkim-signature|arc-.*|authentication-results|received-spf|list-.*|auto-submitted|original-recipient)$/i;
const addedHeaders = record(
  'a map from header names to texts',
  scalar('one line of text', (value) =>
    /^[\x20-\x7e]{1,900}$/.test(value) ? value : { wrong: 'is not one line of 1 to 900 printable ASCII characters' },
  ),
  (key) => {
    if (!/^[\x21-\x39\x3b-\x7e]{1,76}$/.test(key)) return 'is not the name of a header field';
    return taken.test(key) ? 'is not ours to add: the sender or a mail server writes it' : undefined;
  },
);

const copyTarget = target('a copy', [], { mailbox: located(mailbox), person: reference });

export const routeSchema = fields(
  'a route',
  {
    name: optional(
      located(text('a name for people', 100)),
      doc('For people: it stands in every decision the route makes.', 'outages', 'the place in the file'),
    ),
    match: required(matchSchema, doc('Which mail, see [match](#match).', '{ subject: { prefix: URGENT } }')),
    group: optional(reference, doc('To this group, and chosen there.', 'support')),
    pass: optional(located(oneOf(['true'])), doc('Passed through untouched and untracked.', 'true')),
    reject: optional(located(replyText), doc('Refused with 550 5.7.1 and this text.', "'Not wanted here'")),
    copy: optional(
      oneOrMore(copyTarget),
      doc('Somebody gets a copy of the mail besides.', '{ mailbox: archive@example.org }'),
    ),
    tag: optional(oneOrMore(name), doc('A word that stands with the message in records and decisions.', 'urgent')),
    addHeader: optional(addedHeaders, doc('Header fields that are put on top of the mail.', '{ X-Team: support }')),
    policy: optional(located(orNone(reference)), doc('For `group`: instead of the policy of the group.', 'urgent')),
    mode: optional(located(mode), doc('For `group`: instead of the mode of the group.', 'observe')),
    ...selection,
  },
  { to: 'unknown key "to": a route says "group: <name>", "pass: true" or "reject: <text>"' },
);

const includePath = scalar('the path of a file in a folder below, such as shared/people.yaml', (value) => {
  const parts = value.split('/');
  if (value.startsWith('/') || value.startsWith('~') || /^[a-z][a-z0-9+.-]*:/i.test(value) || value.includes('\\'))
    return { wrong: 'is no path from the rules folder on: an include cannot leave it' };
  if (parts.includes('..')) return { wrong: 'leads out of the rules folder: an include cannot leave it' };
  if (parts.some((part) => part === '' || part.startsWith('.')))
    return { wrong: 'is not a path such as shared/people.yaml' };
  if (value.length > 200) return { wrong: 'is longer than 200 characters' };
  if (!value.endsWith('.yaml')) return { wrong: 'does not end in .yaml, as every rule file does' };
  return parts.length === 1
    ? { wrong: 'is read anyway: all *.yaml directly in the rules folder are; leave it out' }
    : value;
});

export const ruleFileSchema = fields(
  'a rule file',
  {
    people: optional(
      record('a map from names to people', personSchema),
      doc('Who there is.', '{ alice: { mail: alice@example.org } }'),
    ),
    groups: optional(
      record('a map from names to groups', groupSchema),
      doc('Whom mail to an address is for.', '{ support: … }'),
    ),
    policies: optional(
      record('a map from names to policies', policySchema),
      doc('What happens to mail that nobody reads.', '{ standard: … }'),
    ),
    schedules: optional(record('a map from names to schedules', scheduleSchema), doc('Hours.', '{ office: … }')),
    routes: optional(list(routeSchema, 'a list of routes'), doc('Exceptions, the first that matches wins.', '[ … ]')),
    include: optional(
      oneOrMore(located(includePath)),
      doc(
        'Files in folders below the rules folder that are read, too, see [files](#files). Those directly in it are read anyway.',
        'shared/holidays.yaml',
      ),
    ),
  },
  { includes: 'unknown key "includes": it is called "include"' },
);

export type RuleFile = ValueOf<typeof ruleFileSchema>;
export type PersonEntry = ValueOf<typeof personSchema>;
export type GroupEntry = ValueOf<typeof groupSchema>;
export type RouteEntry = ValueOf<typeof routeSchema>;
export type ScheduleEntry = ValueOf<typeof scheduleSchema>;
export type ExclusionEntry = ValueOf<typeof exclusionSchema>;
