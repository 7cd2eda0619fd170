// `pointsman simulate`: one message, the people as a file says they are, a moment; the recipient, why, and every later
// step with its time. Nothing is sent and nothing running is asked.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Instant } from '../clock.ts';
import { describeError } from '../mail/error.ts';
import type { MailFacts } from '../mail/facts.ts';
import { type Mailbox, parseMailbox } from '../mail/path.ts';
import { printable } from '../printable.ts';
import { rehearse } from '../rehearsal/rule-tests.ts';
import { parseMoment, type Scene, type SceneEntry, sceneOf, sceneSchema } from '../rehearsal/scene.ts';
import { factsOfMessage, reasonsOf } from '../rehearsal/tasks.ts';
import { storyLine } from '../rehearsal/words.ts';
import { loadRules } from '../routing/load.ts';
import { formatProblem, hasErrors, Report } from '../routing/problem.ts';
import type { Problem, Rules } from '../routing/rules.ts';
import { readYaml } from '../routing/yaml.ts';
import { type Context, clientFor, findConfig, type Target, writeJson } from './context.ts';
import { CommandError, exitCodes } from './exit.ts';
import { loadSetup } from './setup.ts';

export interface SimulateOptions extends Target {
  readonly rules?: string;
  readonly message: string;
  readonly to?: string;
  readonly from?: string;
  readonly presence?: string;
  readonly at?: string;
  readonly json?: boolean;
  /** Presence and load are those of the running Pointsman. */
  readonly live?: boolean;
}

export async function simulate(context: Context, options: SimulateOptions): Promise<number> {
  const rules = await rulesFor(context, options);
  const entry = options.presence === undefined ? null : await readScene(context, options.presence);
  const at = momentOf(options.at) ?? entry?.at ?? context.clock.now();
  const facts = await factsFor(context, options, at);
  const scene = sceneOf(entry ?? emptyScene, [], at);
  const mail = { at, kind: 'mail', name: 'mail', facts } as const;
  const live = options.live ? await liveScene(context, options, at) : {};
  if (entry === null && !options.live && rules.groups.size > 0)
    context.terminal.complain(
      'Nobody’s presence is known here: --presence says who is there, "explain --message" asks the running Pointsman.\n',
    );
  const happenings = [...scene.happenings, ...(live.happenings ?? []), mail];
  const { outcomes } = rehearse(rules, { ...scene, ...live, happenings });
  const several = facts.recipients.length > 1;
  if (options.json) {
    writeJson(context, {
      rulesVersion: rules.version,
      at,
      story: outcomes.map((outcome) => ({
        at: outcome.at,
        recipient: outcome.recipient,
        text: storyLine(outcome, at, false),
        told: outcome.told,
      })),
    });
    return exitCodes.fine;
  }
  const { terminal } = context;
  terminal.write(`${new Date(at).toISOString()}  rules ${rules.version}\n`);
  for (const outcome of outcomes) {
    const clock = new Date(outcome.at).toISOString().slice(0, 19).replace('T', ' ');
    const to = several ? `${outcome.recipient}: ` : '';
    terminal.write(`${clock}  ${printable(`+${storyLine(outcome, at, false).replace(' ', `  ${to}`)}`)}\n`);
    for (const line of reasonsOf(outcome)) terminal.write(`${' '.repeat(21)}${printable(line)}\n`);
  }
  return exitCodes.fine;
}

/** Who is there now, and what they have, as the running Pointsman knows it. */
async function liveScene(context: Context, options: Target, at: Instant): Promise<Partial<Scene>> {
  const people = await (await clientFor(context, options)).presence();
  return {
    happenings: people.map(({ name, presence }) => ({ at: at - 1, kind: 'presence', person: name, presence })),
    units: Object.fromEntries(people.map(({ name, open }) => [name, open])),
    lastAssignedAt: Object.fromEntries(
      people.flatMap(({ name, lastAssignedAt }) => (lastAssignedAt === null ? [] : [[name, lastAssignedAt]])),
    ),
  };
}

export async function rulesFor(
  context: Context,
  options: Target & { readonly rules?: string; readonly anyRuleMode?: boolean },
): Promise<Rules> {
  const loaded =
    options.rules === undefined
      ? await loadSetup(findConfig(context, options.config), context.sourceOf)
      : await loadRules(resolve(context.folder, options.rules), options.anyRuleMode ? { anyMode: true } : {});
  if (loaded.rules) return loaded.rules;
  throw wrong('the rules are wrong', loaded.problems);
}

function wrong(what: string, problems: readonly Problem[]): CommandError {
  const errors = problems.filter(({ severity }) => severity === 'error');
  return new CommandError(exitCodes.configuration, `${what}:\n${errors.map(formatProblem).join('\n')}`);
}

const emptyScene = { place: { file: '', line: 1, column: 1 }, given: [] } as unknown as SceneEntry;

async function readScene(context: Context, file: string): Promise<SceneEntry> {
  const text = (await readOrEnd(resolve(context.folder, file))).toString('utf8');
  const report = new Report();
  // JSON is YAML.
  const { root, problems } = readYaml(text, file);
  report.add(problems);
  const value = root === undefined ? undefined : sceneSchema.read(root, report);
  if (hasErrors(report.problems) || value === undefined) throw wrong(`${file} is wrong`, report.problems);
  return value;
}

async function factsFor(context: Context, options: SimulateOptions, at: Instant): Promise<MailFacts> {
  const content = await readOrEnd(resolve(context.folder, options.message));
  const facts = factsOfMessage({
    content,
    at,
    ...(options.to === undefined ? {} : { to: [mailboxOption('--to', options.to)] }),
    ...(options.from === undefined
      ? {}
      : { from: options.from === '<>' ? '<>' : mailboxOption('--from', options.from) }),
  });
  if (facts.recipients.length === 0)
    throw new CommandError(exitCodes.usage, 'the message names no recipient in To or Cc; say one with --to');
  return facts;
}

function mailboxOption(option: string, text: string): Mailbox {
  const mailbox = parseMailbox(text);
  if (mailbox !== undefined) return mailbox;
  throw new CommandError(exitCodes.usage, `${option}: ${JSON.stringify(text)} is not a mail address`);
}

function momentOf(text: string | undefined): Instant | undefined {
  const at = text === undefined ? undefined : parseMoment(text);
  if (text !== undefined && at === undefined)
    throw new CommandError(
      exitCodes.usage,
      `--at: ${JSON.stringify(text)} is not a moment such as 2026-01-05T10:00:00Z or "2026-01-05 10:00 Europe/Berlin"`,
    );
  return at;
}

async function readOrEnd(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new CommandError(exitCodes.usage, `${path} cannot be read: ${describeError(error)}`);
  }
}
