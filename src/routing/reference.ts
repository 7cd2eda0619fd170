// The reference page and the JSON Schema of the rule language, both made from the schema that reads the files. A test
// compares them with docs/reference/; scripts/rules-reference.ts writes them.
import { dateMap, matchSchema, presenceMap, presentMap, testSchema, waitingMap } from './match-schema.ts';
import { absenceSchema, personSchema, scheduleSchema } from './people-schema.ts';
import { policySchema, stepSchema } from './policy-schema.ts';
import {
  exclusionSchema,
  groupSchema,
  memberSchema,
  privacySchema,
  proposeSchema,
  routeSchema,
  ruleFileSchema,
} from './rule-file.ts';
import { type Field, type JsonSchema, jsonOf, type Schema } from './schema.ts';
import { selection } from './selection-schema.ts';
import { opening } from './values.ts';

export function rulesJsonSchema(): JsonSchema {
  const defs: Record<string, JsonSchema> = {};
  const root = jsonOf(ruleFileSchema, defs);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Pointsman rule file',
    ...root,
    $defs: defs,
  };
}

export function rulesReference(): string {
  return [
    introduction,
    section('people', 'A person has a mailbox, and mostly a JID.', personSchema),
    part('An absence', absenceSchema),
    section('schedules', 'Hours: those of people, and for tests on time in routes.', scheduleSchema),
    part('An opening', opening),
    section('groups', 'Mail for the address of a group goes to one of its members.', groupSchema),
    part('A member', memberSchema),
    part('An exclusion', exclusionSchema),
    part('Who picks', proposeSchema, proposeText),
    part('Privacy', privacySchema, privacyText),
    strategies,
    section(
      'policies',
      'What happens to mail that nobody reads. The clock starts when a member gets it.',
      policySchema,
    ),
    part('A step', stepSchema),
    section('routes', routesText, routeSchema, Object.keys(selection)),
    section('match', matchText, matchSchema, [], '##'),
    part(
      'A test on a text',
      testSchema,
      'A text is compared as a whole, and case does not count. Or exactly one of these. At most the first 65,536 characters are looked at.',
    ),
    part('A test on presence', presenceMap),
    part('A test on who is there', presentMap),
    part('A test on held mail', waitingMap),
    part('A span of days', dateMap),
    files,
    closing,
  ].join('\n');
}

function section(
  title: string,
  text: string,
  schema: Schema<unknown>,
  without: readonly string[] = [],
  level = '##',
): string {
  return `${level} ${title}\n\n${text}\n\n${table(schema, without)}`;
}

function part(title: string, schema: Schema<unknown>, text?: string): string {
  return `### ${title}\n\n${text === undefined ? '' : `${text}\n\n`}${table(schema, [])}`;
}

function table(schema: Schema<unknown>, without: readonly string[]): string {
  const rows = Object.entries(schema.shape ?? {}).filter(([key]) => !without.includes(key));
  return `| key | meaning | example | default |\n|---|---|---|---|\n${rows.map(row).join('')}`;
}

function row([key, { doc, required }]: [string, Field]): string {
  if (!doc) throw new RangeError(`the key ${key} is not described`);
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const byDefault = required ? 'required' : (doc.byDefault ?? '');
  return `| \`${key}\` | ${cell(doc.about)} | \`${cell(`${key}: ${doc.example}`)}\` | ${cell(byDefault)} |\n`;
}

const files = `## files

All \`*.yaml\` directly in the rules folder are read, ordered by name. Folders below it are read only where a file asks for
it, so that tests, drafts and whole examples may lie there:

\`\`\`yaml
include: [shared/people.yaml, shared/holidays.yaml]
\`\`\`

The paths count from the rules folder on, whichever file names them. What is included comes before the file that includes
it (that counts for the order of routes), and once, however often it is included. An include cannot leave the rules folder,
neither by its path nor by a symbolic link, and includes cannot go in a circle. A file, or a folder, that its group or
everybody may write is refused: whoever may write the rules decides where other people's mail goes. All the files together
are one version, which stands with every decision; a change of any of them is taken up as a whole or not at all.
A file has at most 1,000,000 octets, 32 levels and 100,000 values, aliases followed; there are at most 1,000 files.

Editors that know the YAML language server check and complete as you type, with this as the first line of a file:
\`# yaml-language-server: $schema=rules.schema.json\` (\`pointsman init\` writes both, line and schema).
`;

const introduction = `# Rules

<!-- Made from the schema in src/routing by scripts/rules-reference.ts: change it there. -->

The rules say who there is, which groups they form, what happens to mail that nobody reads, and what is an exception.
They are all the \`*.yaml\` files directly in the rules folder, ordered by name, see [files](#files). A name may be
used in one file and defined in another. \`pointsman check\` says everything that is wrong, with file, line and column.
The [cookbook](../cookbook/README.md) has whole rule sets for situations that many know.

\`\`\`yaml
people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@example.org, jid: bob@chat.example.org }
  carol: { mail: carol@example.org, operator: true }

groups:
  support:
    address: support@example.org
    members: [alice, bob]
    strategy: longest-idle
    eligible: [chat, available]
    hold: 2m
    fallback: { mailbox: archive@example.org }
    policy: standard
  accounting:
    addresses: [accounting@example.org, billing@example.org]
    members: [bob, alice]
    fallback: { person: carol }
    policy: none

policies:
  standard:
    until: read
    steps:
      - { name: next, after: 10m, to: next, times: 2 }
      - { name: room, after: 5m, to: { room: duty@rooms.example.org } }
      - { name: lead, after: 10m, to: { person: carol } }

routes:
  - name: invoices
    match: { recipient: support@example.org, subject: { regex: '(?i)invoice' } }
    group: accounting
  - name: newsletters
    match: { sender: { glob: '*@news.example' } }
    pass: true
  - name: marked as spam
    match: { header: { X-Spam-Flag: 'YES' } }
    reject: 'Not wanted here'
\`\`\`

Names (of people, groups, policies, schedules, steps, skills, tags) are lower-case letters, digits, \`-\`, \`_\` and \`.\`, at
most 64. Durations are written \`90s\`, \`10m\`, \`1h30m\`, \`5d\`; sizes \`200kB\`, \`5MB\`; days \`2026-12-24\`.

An editor that knows YAML language servers completes and checks while you type, when the first line of a file is
\`# yaml-language-server: $schema=<path to>/docs/reference/rules.schema.json\`.
`;

const strategies = `### Strategies

Each among the eligible members only. First the tier decides: a later one is asked only when nobody of the earlier ones
is eligible. Then who has more of the preferred skills. Then the strategy:

| strategy | chooses | weight n | a tie |
|---|---|---|---|
| \`in-order\` | the first in the list | nothing | cannot be |
| \`round-robin\` | the next in the list after the one who had the group's last message, going round | n in a row | cannot be |
| \`longest-idle\` | whom Pointsman gave a message longest ago, in any group; never counts as longest | counts n times as long | the first in the list |
| \`least-busy\` | who has the fewest units of open mail | units are divided by n | the longest idle, then the first in the list |
| \`most-spare\` | who has the most units of capacity left; no capacity is endless | nothing | the longest idle, then the first in the list |
| \`sticky\` | whoever had the last mail of the thread, whatever their tier. When they are not eligible, or the thread is new: \`otherwise\` | as \`otherwise\` | as \`otherwise\` |
| \`everyone\` | all of them get a copy; nobody owns it until somebody takes it | nothing | |
| \`first-to-claim\` | the same, and that somebody has read it is not enough: \`until: read\` counts as \`taken\` | nothing | |

Whoever has passed a message, or had it before, is not chosen for it again. Nobody is chosen beyond their capacity,
outside their hours or in an absence, also when an escalation looks for the next one. Mail that goes to all counts for nobody's turn.

### Fallbacks

What happens when nobody is eligible: one of these, or a list of them, taken in order.

| fallback | what happens |
|---|---|
| \`{ hold: 10m }\` | wait so long for somebody of the groups asked so far. \`hold\` of the group is such a link before all others |
| \`{ group: second-line }\` | choose in that group, by its own rules; when nobody is eligible there either, the next in the list |
| \`{ person: carol }\` | to this person, whether they are there or not |
| \`{ mailbox: archive@example.org }\` | to this mailbox |
| \`everyone\` | a copy to each member, whether they are there or not |
| \`unchanged\` | on to the group's own address |
| \`{ reject: 'Nobody is in' }\` | refused with 550 5.7.1 and this text, while the sender's server still waits; nothing can be held before it |
| \`{ tempfail: 'Try again later' }\` | the sender's server is told 450 4.2.1 and tries again later |

A hold is skipped when waiting cannot help: everybody has had the message, or lacks what it needs. Held mail is released
oldest first, within a second of somebody becoming eligible, and to one person at most every \`pace\`; mail that comes
later and needs the same does not overtake it. When somebody leaves between the reply to the sender's server and the
choice, \`reject\` becomes a report to the sender, and \`tempfail\` waits here.
`;

const proposeText = `With \`mode: propose\` nobody is chosen at once: the operators who are there get an instant message with the eligible
members in the order of the strategy, each with presence, load and reason. The first answer counts (a number, or \`pick ID
NAME\`) and is recorded with the operator's name; without one the first of the ranking at that moment gets it. When no
operator can be asked (away, \`dnd\`, offline, the link down) it goes on as with \`auto\`. It needs a policy, and the SMTP relay.`;

const routesText = `Routes are judged before groups, from top to bottom, file by file; the first that matches and says \`group\`, \`pass\` or
\`reject\` wins. A route with only \`copy\`, \`tag\` or \`addHeader\` adds that, and judging goes on. Mail that matches none goes
to the group whose address it has; all other mail passes through untouched and untracked. Each recipient of a mail is
judged by itself.

A route to a \`group\` may say ${Object.keys(selection)
  .map((key) => `\`${key}\``)
  .join(', ')} as a [group](#groups) does; it replaces what the group says.`;

const matchText = `All of it must hold. For a text, one test or a list of which one must hold. What cannot be known (the presence of somebody
while the chat server is away, the verdict of a spam filter that has not looked) makes its test false, and \`not\` of it
false as well.`;

const privacyText = `What people are told of a mail by instant message, and what is kept of it besides the mail itself (which is
never changed, and is deleted \`keepContent\` after its end). Of several groups that one mail is for, the strictest decides
what is kept. Reports go to the sender's address whatever is said here.`;

const closing = `## What is refused

Mail with more than 50 \`Received\` headers, and mail for a group that was delivered to the group before (\`Delivered-To\`),
is refused as a loop.

A folder or file that its group or others may write (\`chmod go-w\`). Files over 1,000,000 octets, text that is not UTF-8,
more than 32 levels, more than 100,000 values once aliases are followed, tags, a key twice, a second document, an unknown
key, groups that are each other's fallback in a circle. With one error in one file none of the rules is used: the last
good ones stay in force.

The version of the rules, on every decision, is the first 12 hex digits of the SHA-256 over names and contents of all files.
`;
