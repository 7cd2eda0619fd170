// The command line: which commands there are and what they take. What each does is in a file of its own; `serve`,
// `sandbox` and `table` need more of the program and are handed in by main.ts.
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { type Clock, type Duration, day, parseDuration } from '../clock.ts';
import { type Role, roles } from '../config/users.ts';
import { describeError } from '../mail/error.ts';
import { overrideStates } from '../presence/override.ts';
import { printableLines } from '../printable.ts';
import { type CheckOptions, check } from './check.ts';
import { type Context, clientFor, findConfig, writeJson } from './context.ts';
import { directory, directoryAccept } from './directory.ts';
import { CommandError, exitCodes } from './exit.ts';
import { explain } from './explain.ts';
import { init } from './init.ts';
import { momentExamples } from './moment.ts';
import { presence, presenceClear, presenceSet } from './presence.ts';
import { queueCounts, queueIntervene, queueList, queueRequeue, queueRetry, queueShow, waitingStates } from './queue.ts';
import { reload } from './reload.ts';
import { type ReplayOptions, replay } from './replay.ts';
import { type SourceOf, stateFolderOf } from './setup.ts';
import { type SimulateOptions, simulate } from './simulate.ts';
import type { Terminal } from './terminal.ts';
import { tokenAdd, tokenList, tokenRevoke } from './token.ts';
import { trackAck, trackAddress, trackList, trackShow, trackSteer } from './track.ts';
import { trackExport, trackReport } from './track-back.ts';
import { type UserOptions, userAdd, userList, userRemove } from './user.ts';

export interface SandboxOptions {
  /** For programs: JSON lines. */
  readonly json: boolean;
  /** Ends by itself after this; null: stays up. */
  readonly for: Duration | null;
  /** A rules folder; null: the samples. */
  readonly rules: string | null;
  /** A working day, so many times as fast as it passes; null: the little plays, in real time. */
  readonly speed: number | null;
  /** The file that a recording of it is written to, for `pointsman replay`; null: none. */
  readonly record: string | null;
}

export interface ProgramDeps {
  readonly version: string;
  readonly terminal: Terminal;
  readonly clock: Clock;
  /** Name of the system's user. */
  readonly user: string;
  /** Where relative paths count from. */
  readonly folder: string;
  /** Resolves with the exit code when it has ended. `config` is the path of a file that is there. */
  serve(options: { readonly config: string }): Promise<number>;
  sandbox(options: SandboxOptions): Promise<number>;
  readonly sourceOf: SourceOf;
  /** OpenSMTPD's questions on standard input. */
  table(options: { readonly door: string; readonly map: string }): Promise<void>;
}

/** @param argv what stands after the program's name. @returns the exit code. */
export async function runProgram(argv: readonly string[], deps: ProgramDeps): Promise<number> {
  let exitCode: number = exitCodes.fine;
  const program = buildProgram(deps, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has written its help or complaint already; help that was asked for is no error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.fine : exitCodes.usage;
    deps.terminal.complain(`pointsman: ${printableLines(describeError(error))}\n`);
    return error instanceof CommandError ? error.exitCode : exitCodes.problem;
  }
}

export function buildProgram(deps: ProgramDeps, ended: (exitCode: number) => void): Command {
  const { terminal } = deps;
  const context: Context = {
    terminal,
    clock: deps.clock,
    by: `cli:${deps.user}`,
    folder: deps.folder,
    sourceOf: deps.sourceOf,
    stateFolderOf,
  };
  const program = new Command('pointsman')
    .description('The mail router that knows who is there.')
    .version(deps.version, '-V, --version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.write(text),
      writeErr: (text) => terminal.complain(text),
      getOutHelpWidth: () => terminal.columns ?? 80,
      getErrHelpWidth: () => terminal.columns ?? 80,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showHelpAfterError('(pointsman --help shows what there is)')
    .addHelpText('after', '\nExit codes: 0 fine, 1 a problem was found, 2 wrong usage, 78 configuration.');

  // The running and the writing of it.
  const configOption = () =>
    new Option('-c, --config <file>', 'configuration file (./pointsman.yaml, else /etc/pointsman/pointsman.yaml)');
  program
    .command('serve')
    .description('run Pointsman')
    .addOption(configOption())
    .action(async (options: { config?: string }) =>
      ended(await deps.serve({ config: findConfig(context, options.config) })),
    );
  program
    .command('sandbox')
    .description('try it: the real program with sample rules, simulated people and a mail sink, on loopback')
    .option('--json', 'one JSON object a line, for programs')
    .option('--for <time>', 'end by itself after this, such as 30s', durationOption)
    .option('--rules <folder>', 'other rules than the samples')
    .option('--speed <times>', 'a whole working day, so many times as fast as it passes, such as 2000', speedOption)
    .option('--record <file>', 'with --speed: write what happened to this file, for "replay --from"')
    .action(async (options: { json?: boolean; for?: Duration; rules?: string; speed?: number; record?: string }) => {
      if (options.record !== undefined && options.speed === undefined)
        throw new CommandError(exitCodes.usage, '--record needs --speed: a day to record');
      const { json = false, for: span = null, rules = null, speed = null, record = null } = options;
      ended(await deps.sandbox({ json, for: span, rules, speed, record }));
    });
  program
    .command('init')
    .description('write a commented pointsman.yaml and a first rules folder')
    .argument('[folder]', 'where', '.')
    .option('--domain <domain>', 'the mail domain', 'example.org')
    .action(async (folder: string, options: { domain: string }) => ended(await init(context, folder, options)));
  program
    .command('check')
    .description('check configuration and rules; say what a running Pointsman complains of')
    .addOption(configOption())
    .option('--socket <path>', 'control socket of the running one')
    .addOption(new Option('--format <format>', 'how to say it').choices(['text', 'json', 'github']).default('text'))
    .option('--rules <folder>', 'only these rules, without a configuration')
    .option('--json', 'as JSON: the same as --format json')
    .action(async (options: CheckOptions) => ended(await check(context, options)));
  program
    .command('simulate')
    .description('what the rules would do with a message: who gets it, and every later step with its time')
    .addOption(configOption())
    .option('--rules <folder>', 'these rules, instead of those of the configuration')
    .requiredOption('--message <file>', 'the message, as a mail program saves it (.eml)')
    .option('--to <address>', 'its recipient in the envelope; otherwise To and Cc of the message')
    .option('--from <address>', 'its sender in the envelope; otherwise From of the message')
    .option('--presence <file>', 'who is there, who comes and goes, who answers (YAML or JSON)')
    .option('--at <moment>', 'when: 2026-01-05T10:00:00Z or "2026-01-05 10:00 Europe/Berlin"; otherwise now')
    .option('--json', 'as JSON')
    .action(async (options: SimulateOptions) => ended(await simulate(context, options)));

  program
    .command('replay')
    .description('recorded mail and presence through other rules: what would have gone elsewhere')
    .addOption(configOption())
    .option('--socket <path>', 'control socket of the running Pointsman, instead of --config')
    .requiredOption('--rules <folder>', 'the rules to try')
    .option('--against <folder>', 'compare with these rules, instead of with what happened')
    .option('--since <time>', 'how far back, such as 12h or 7d', durationOption, 7 * day)
    .option('--from <file>', 'a recording in a file (--save, or "sandbox --record"), instead of a running Pointsman')
    .option('--save <file>', 'keep the recording in this file (JSON lines; .gz: compressed)')
    .option('--limit <number>', 'list at most so many messages', numberOption, 50)
    .option('--json', 'as JSON')
    .action(async (options: ReplayOptions) => ended(await replay(context, options)));

  // Those that speak to a running one.
  const speaking = (parent: Command, name: string, description: string) =>
    parent
      .command(name)
      .description(description)
      .addOption(configOption())
      .option('--socket <path>', 'control socket of the running Pointsman, instead of --config')
      .option('--json', 'as JSON');
  const idArgument = ['<id>', 'queue id, or short id of a tracked message'] as const;

  speaking(program, 'explain', 'why a message went where it went, or where one would go now')
    .argument('[id]', idArgument[1])
    .option('--message <file>', 'instead of an id: where this message (.eml) would go now, by the rules on disk')
    .option('--to <address>', 'with --message: its recipient in the envelope')
    .option('--from <address>', 'with --message: its sender in the envelope')
    .option('--rules <folder>', 'with --message: by these rules, instead of those of the configuration')
    .action(async (id: string | undefined, options: Partial<SimulateOptions>) => {
      const { message } = options;
      if ((id === undefined) === (message === undefined))
        throw new CommandError(exitCodes.usage, 'explain takes the id of a message, or --message with a file');
      if (message !== undefined) return ended(await simulate(context, { ...options, message, live: true }));
      return ended(await explain(context, id ?? '', options));
    });
  const queue = program.command('queue').description('deliveries, on their way and done');
  speaking(queue, 'list', 'list deliveries')
    .option('--state <states>', 'only these: queued held delivered failed dropped dead', waitingStates)
    .option('--dead', 'only dead letters: undeliverable, and no report was allowed')
    .option('--on-hold', 'only what an operator keeps on hold')
    .option('--to <text>', 'only with this in the recipient')
    .option('--from <text>', 'only with this in the sender')
    .option('--hop <name>', 'only those last tried at this next hop')
    .option('--group <name>', 'only of this group')
    .option('--older <time>', 'only those accepted longer ago, such as 4h', durationOption)
    .option('--limit <number>', 'at most so many', numberOption, 100)
    .action(async (options) => ended(await queueList(context, options)));
  speaking(queue, 'show', 'all about one message')
    .argument(...idArgument)
    .action(async (id: string, options) => ended(await queueShow(context, id, options)));
  speaking(queue, 'retry', 'try its deliveries now')
    .argument(...idArgument)
    .action(async (id: string, options) => ended(await queueRetry(context, id, options)));
  const idsArgument = ['<id...>', 'queue ids, or short ids of tracked messages'] as const;
  const verbs = {
    hold: 'keep from being delivered, until they are released',
    release: 'deliver what was put on hold',
    drop: 'end their deliveries: nobody gets them, and no report is sent',
  } as const;
  for (const [verb, description] of Object.entries(verbs) as [keyof typeof verbs, string][]) {
    speaking(queue, verb, description)
      .argument(...idsArgument)
      .action(async (ids: string[], options) => ended(await queueIntervene(context, verb, ids, options)));
  }
  speaking(queue, 'requeue-to', 'send what is undelivered on to another address, by the rules in force')
    .argument('<address>', 'where it is to go')
    .argument(...idsArgument)
    .action(async (to: string, ids: string[], options) => ended(await queueRequeue(context, to, ids, options)));
  speaking(queue, 'counts', 'what waits, by next hop and age').action(async (options) =>
    ended(await queueCounts(context, options)),
  );
  const track = program.command('track').description('messages somebody has to take care of');
  speaking(track, 'list', 'list the open ones')
    .option('--all', 'the closed ones too')
    .option('--state <states>', 'only these: waiting held tracked acknowledged answered expired withdrawn')
    .option('--group <name>', 'only of this group')
    .option('--limit <number>', 'at most so many', numberOption, 100)
    .action(async (options) => ended(await trackList(context, options)));
  speaking(track, 'show', 'the story of one message')
    .argument(...idArgument)
    .action(async (id: string, options) => ended(await trackShow(context, id, options)));
  speaking(track, 'ack', 'acknowledge it: somebody takes care')
    .argument(...idArgument)
    .action(async (id: string, options) => ended(await trackAck(context, id, options)));
  speaking(track, 'give', 'give it to somebody the rules name')
    .argument(...idArgument)
    .argument('<person>', 'who is to have it')
    .action(async (id: string, to: string, options) =>
      ended(await trackSteer(context, id, { kind: 'give', to }, options)),
    );
  speaking(track, 'snooze', 'more time for whoever has it')
    .argument(...idArgument)
    .argument('<time>', 'such as 30m, at most 1d')
    .action(async (id: string, lasts: string, options) =>
      ended(await trackSteer(context, id, { kind: 'snooze', lasts }, options)),
    );
  speaking(track, 'step', 'take the next step of its policy now')
    .argument(...idArgument)
    .option('--to <step>', 'the step of that name instead')
    .action(async (id: string, options: { config?: string; socket?: string; json?: boolean; to?: string }) =>
      ended(await trackSteer(context, id, { kind: 'step', step: options.to ?? null }, options)),
    );
  speaking(track, 'report', 'how long it took until mail for groups was read and taken')
    .option('--since <time>', 'how far back, such as 12h or 7d', durationOption, 7 * day)
    .option('--group <name>', 'only of this group')
    .option('--zone <zone>', 'whose hours are meant, such as Europe/Berlin; otherwise those of here')
    .action(async (options) => ended(await trackReport(context, options)));
  speaking(track, 'export', 'all that is known of mail for groups: one JSON object a line')
    .option('--since <time>', 'how far back, such as 12h or 7d', durationOption, 7 * day)
    .option('--group <name>', 'only of this group')
    .option('--csv', 'the moments of each as CSV instead')
    .action(async (options) => ended(await trackExport(context, options)));
  speaking(track, 'address', 'where the mail server is to send copies of members’ mail').action(async (options) =>
    ended(await trackAddress(context, options)),
  );
  const present = program.command('presence').description('who is there, and saying so by hand');
  // The default of its group, so that `pointsman presence` shows it.
  present
    .command('list', { isDefault: true })
    .description('who is there, since when, by which source, how sure')
    .argument('[name]', 'only this person')
    .addOption(configOption())
    .option('--socket <path>', 'control socket of the running Pointsman, instead of --config')
    .option('--json', 'as JSON; with --watch one object a line')
    .option('--watch', 'follow it')
    .option('--group <name>', 'only of this group')
    .action(async (name: string | undefined, options) => ended(await presence(context, name, options)));
  speaking(present, 'set', 'say what holds for somebody, whatever their client says')
    .argument('<name>', 'the person, as the rules call them')
    .argument('<state>', overrideStates.join(', '))
    .option('--until <time>', `until then: ${momentExamples}; without it until "presence clear"`)
    .option('--from <time>', 'from then on; without it at once')
    .option('--note <text>', 'why, for people')
    .option('--substitute <name>', 'who stands in')
    .action(async (name: string, state: string, options) => ended(await presenceSet(context, name, state, options)));
  speaking(present, 'clear', 'take back what was set by hand')
    .argument('<name>', 'the person, as the rules call them')
    .action(async (name: string, options) => ended(await presenceClear(context, name, options)));
  const user = program.command('user').description('who may sign in to the console');
  user
    .command('add')
    .description('let somebody in, or give them another role and password, which is read from standard input')
    .argument('<name>', 'what they sign in as')
    .addOption(configOption())
    .addOption(new Option('--role <role>', 'what they may do').choices([...roles]).default('viewer'))
    .action(async (name: string, options: { config?: string; role: Role }) =>
      ended(await userAdd(context, name, options)),
    );
  user
    .command('list')
    .description('who there is')
    .addOption(configOption())
    .option('--json', 'as JSON')
    .action(async (options: UserOptions) => ended(await userList(context, options)));
  user
    .command('remove')
    .description('sign somebody out, for good')
    .argument('<name>', 'what they signed in as')
    .addOption(configOption())
    .action(async (name: string, options: UserOptions) => ended(await userRemove(context, name, options)));
  const token = program.command('token').description('what lets programs ask over TCP');
  speaking(token, 'add', 'make one; it is shown once')
    .argument('<name>', 'what it is for')
    .requiredOption(
      '--scope <scope>',
      'what it may do: route, presence, metrics, read, act; again for more',
      (scope: string, others: readonly string[] = []) => [...others, scope],
    )
    .option('--until <time>', `ends then: ${momentExamples}; without it when it is revoked`)
    .action(async (name: string, options) => ended(await tokenAdd(context, name, options)));
  speaking(token, 'list', 'what there is, and what each may do').action(async (options) =>
    ended(await tokenList(context, options)),
  );
  speaking(token, 'revoke', 'from now on it lets nobody in')
    .argument('<name>', 'as it was made')
    .action(async (name: string, options) => ended(await tokenRevoke(context, name, options)));
  program
    .command('table')
    .description('for OpenSMTPD, which starts it: a table whose answers are those of the lookup door')
    .argument('[door]', 'where the socketmap listens: host:port or unix:/path', '127.0.0.1:10028')
    .addOption(new Option('--map <map>', 'which map').choices(['route', 'members', 'presence', 'jid']).default('route'))
    .action(async (door: string, { map }: { map: string }) => {
      await deps.table({ door, map });
      ended(exitCodes.fine);
    });
  const known = speaking(program, 'directory', 'where people are read from: what is in force of it').action(
    async (options) => ended(await directory(context, options)),
  );
  speaking(known, 'accept', 'take over a change that was held back').action(async (options) =>
    ended(await directoryAccept(context, options)),
  );
  speaking(program, 'reload', 'read the rules again, and the directory').action(async (options) =>
    ended(await reload(context, options)),
  );
  speaking(program, 'rotate-key', 'a new key for the mark that stops mail from going in circles').action(
    async (options) => {
      const { key } = await (await clientFor(context, options)).rotateMarkKey(context.by);
      if (options.json) writeJson(context, { key });
      else terminal.write(`key ${key} marks from now on; the ones before are still known\n`);
      ended(exitCodes.fine);
    },
  );
  return program;
}

function durationOption(text: string): Duration {
  const duration = parseDuration(text);
  if (duration === undefined) throw new InvalidArgumentError('A time looks like 30s, 10m or 1h30m.');
  return duration;
}

function speedOption(text: string): number {
  const speed = Number(text);
  if (!/^\d{1,5}$/.test(text) || speed < 1 || speed > 20_000)
    throw new InvalidArgumentError('A whole number from 1 to 20000.');
  return speed;
}

function numberOption(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new InvalidArgumentError('A number from 1 to 99999.');
  return Number(text);
}
