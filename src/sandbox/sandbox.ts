// `pointsman sandbox`: the real program, with stand-ins for the world around it on loopback: a mail sink as next hop, a
// small XMPP server, and simulated people who come and go and answer. It sends itself mail and tells the story as it
// happens. Everything it writes is in a scratch folder that is removed at the end.
//
//   cast.ts        who plays, from the rules          episodes.ts, director.ts   what is played
//   people.ts      the simulated people               reaction.ts                what they do with a mail
//   mail-sink.ts   where all mail ends                storyteller.ts, telling.ts what is printed for people
//   welcome.ts     what is said first                 json-lines.ts              what is printed for programs
//   scenery.ts     the stand-ins                      narration.ts               who is told what happens
//   play.ts        what viewers of its console may do, paced-clock.ts           time, as ever or faster for them
//   day.ts, played-day.ts, fast-clock.ts              a whole day in a minute (--speed)
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { exitCodes } from '../cli/exit.ts';
import type { SandboxOptions } from '../cli/program.ts';
import type { Terminal } from '../cli/terminal.ts';
import { type Clock, type Duration, day } from '../clock.ts';
import type { Config } from '../config.ts';
import type { Play } from '../console/web/play.ts';
import type { Log } from '../log.ts';
import { describeError } from '../mail/error.ts';
import type { Operations } from '../operations.ts';
import type { Watcher } from '../presence/watcher.ts';
import { loadRules } from '../routing/load.ts';
import { formatProblem } from '../routing/problem.ts';
import type { Rules } from '../routing/rules.ts';
import type { StoryEvent } from '../tracking/event.ts';
import { type Cast, castOf } from './cast.ts';
import { sandboxConfig, usualOrAny, usualPorts } from './config.ts';
import { dayOf } from './day.ts';
import { Director, Mailer } from './director.ts';
import { programmeOf, strangersDomain } from './episodes.ts';
import type { Ready } from './json-lines.ts';
import { Messages } from './messages.ts';
import { narrateForPeople, narrateForPrograms } from './narration.ts';
import { PacedClock } from './paced-clock.ts';
import { People, splitJid } from './people.ts';
import { playFor } from './play.ts';
import { beginDay, followWork, narrateDay, playDay, recordDay, seeded } from './played-day.ts';
import type { Reaction } from './reaction.ts';
import { everybodyKnown, peoplesPassword, type Scenery, setUp, type Undo } from './scenery.ts';
import { Storyteller } from './storyteller.ts';

/** The running program, as main.ts starts it. */
export interface Started {
  readonly smtp: readonly { readonly host: string; readonly port: number }[];
  readonly http: { readonly host: string; readonly port: number };
  readonly console: string | null;
  readonly operations: Operations;
  readonly watcher: Watcher;
  stop(): Promise<void>;
}

export interface SandboxDeps {
  readonly start: (
    config: Config,
    options: {
      readonly log: Log;
      readonly onEvent: (event: StoryEvent) => void;
      readonly onFatal: (error: Error) => void;
      readonly anyRuleMode: true;
      readonly clock: Clock;
      readonly play: Play | null;
    },
  ) => Promise<Started>;
  readonly clock: Clock;
  readonly terminal: Terminal;
  /** Resolves when the process is asked to end. */
  readonly signalled: () => Promise<unknown>;
  /** The folder of the sample rules. */
  readonly sampleRules: string;
}

/** @returns the exit code, when it has ended */
export async function runSandbox(options: SandboxOptions, deps: SandboxDeps): Promise<number> {
  const { terminal } = deps;
  const folder = options.rules === null ? deps.sampleRules : resolve(options.rules);
  // Rules in a checkout may be writable for others; here they decide over nobody's mail.
  const loaded = await loadRules(folder, { anyMode: true });
  for (const problem of loaded.problems) terminal.complain(`${formatProblem(problem)}\n`);
  if (!loaded.rules) return exitCodes.configuration;

  // Asked for before anything is started: a Ctrl-C in the middle of starting is heard, too.
  const ended = new AbortController();
  deps.signalled().then(() => ended.abort());
  // `pointsman sandbox | head`: whoever reads has left, so the play is over; what is started must still be ended.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => ended.abort());
  const undo: Undo = [];
  try {
    const scratch = await mkdtemp(join(tmpdir(), 'pointsman-sandbox-'));
    undo.push(() => rm(scratch, { recursive: true, force: true, maxRetries: 3 }));
    await play({ options, deps, rules: loaded.rules, folder, scratch, undo, ended });
    return exitCodes.fine;
  } catch (error) {
    if (ended.signal.aborted && !(ended.signal.reason instanceof SandboxFailed)) return exitCodes.fine;
    const cause = ended.signal.reason instanceof SandboxFailed ? ended.signal.reason : error;
    terminal.complain(`pointsman: the sandbox has ended: ${describeError(cause)}\n`);
    return exitCodes.problem;
  } finally {
    ended.abort();
    for (const step of undo.reverse())
      await step().catch((error: unknown) => terminal.complain(`pointsman: while ending: ${describeError(error)}\n`));
  }
}

class SandboxFailed extends Error {
  override readonly name = 'SandboxFailed';
}

interface Staging {
  readonly options: SandboxOptions;
  readonly deps: SandboxDeps;
  readonly rules: Rules;
  /** Of the rules. */
  readonly folder: string;
  readonly scratch: string;
  readonly undo: Undo;
  /** Aborting it ends the sandbox; with a SandboxFailed as reason, as a failure. */
  readonly ended: AbortController;
}

/** Starts everything in the order in which it needs each other, and stays until the end is asked for. */
async function play({ options, deps, rules, folder, scratch, undo, ended }: Staging): Promise<void> {
  const { terminal } = deps;
  const { signal } = ended;
  const fast = options.speed === null ? null : beginDay(deps.clock.now(), options);
  if (fast) undo.push(async () => fast.clock.stop());
  // One time for all, so that what is made faster is made faster together.
  const paced = new PacedClock(deps.clock);
  const clock = fast?.clock ?? paced;
  const fail = (what: string) => (error: unknown) => {
    if (!signal.aborted) ended.abort(new SandboxFailed(`${what}: ${describeError(error)}`, { cause: error }));
  };
  const cast = castOf(rules);
  const programme = programmeOf(rules, cast);
  const moods = fast ? allOffline(cast) : (programme.opening[0]?.moods ?? {});
  const startedAt = clock.now();
  const scenery = await setUp(cast, scratch, clock, undo);

  // Those who look at the running program or write to it are there before it is, and wait for it.
  const running = Promise.withResolvers<Started>();
  const mailer = running.promise.then(({ smtp }) => new Mailer(smtp));
  const storyOf = async (id: string) => (await running.promise).operations.story(id);
  const messages = new Messages(
    async (queueId) => new Map((await storyOf(queueId))?.tracked.map(({ seq, shortId }) => [seq, shortId])),
  );
  const consideredIn = async (queueId: string, decision: string) =>
    (await storyOf(queueId))?.decisions.find(({ id }) => id === decision)?.choice.considered ?? [];
  const isElsewhere = (bare: string, resource: string) =>
    scenery.xmpp.sessions().some(({ jid, show }) => {
      const [whose, where] = splitJid(jid);
      return show !== undefined && whose === bare && where !== resource;
    });
  const write = (text: string) => terminal.write(text);
  const { columns } = terminal;
  const narration = options.json
    ? narrateForPrograms(messages, terminal)
    : fast
      ? narrateDay(fast, terminal)
      : narrateForPeople(
          new Storyteller({ cast, startedAt, clock, columns, moods, isElsewhere, messages, consideredIn, write }),
          terminal,
        );
  const scripts = new Map<string, readonly Reaction[]>();
  const takes = new Map<string, Duration>();
  const people = new People({
    cast,
    server: scenery.xmpp,
    address: scenery.xmppAt,
    password: peoplesPassword,
    messages,
    scriptOf: (messageId) => (messageId === null ? undefined : scripts.get(messageId)),
    reply: async (player, mail) => (await mailer).reply(player, mail),
    acts: (queueId) => fast?.clock.busy(queueId),
    takes: (messageId) => (messageId === null ? undefined : takes.get(messageId)),
    clock,
    linkClock: deps.clock,
    log: scenery.log,
    note: (shortId, text) => narration.note(shortId, text),
    signal,
  });
  const send: Mailer['send'] = async (mail) => (await mailer).send(mail);
  const director = new Director({ programme, people, send, messages, scripts, clock, narration, signal });
  scenery.sink.onMail((mail) => people.receive(mail));
  scenery.xmpp.onStanza((stanza, direction, from) => {
    // An iq every ten seconds asks whether the link lives: nothing happens with that.
    if (stanza.getName() !== 'iq') fast?.clock.hush();
    if (direction === 'in' && !signal.aborted) narration.stanza(stanza, from);
  });
  undo.push(() => people.stop());
  await people.start(moods);

  await mkdir(join(scratch, 'state'), { mode: 0o700 });
  const config = await configFor(cast, scenery, folder, scratch, fast?.lasts ?? 0);
  const pointsman = await deps.start(config, {
    log: scenery.log,
    clock,
    play: fast ? null : playFor({ cast, people, director, clock: paced, send, bot: config.xmpp?.jid ?? '' }),
    anyRuleMode: true,
    onFatal: fail('the store has failed'),
    onEvent(event) {
      if (fast) followWork(fast.clock, event);
      messages.note(event);
      narration.event(event);
      director.hear(event);
    },
  });
  undo.push(() => pointsman.stop());
  running.resolve(pointsman);
  await everybodyKnown(pointsman.watcher, cast, clock, signal);
  signal.throwIfAborted();

  narration.ready({
    ready: readyFacts(pointsman, scenery, cast, rules),
    cast,
    password: peoplesPassword,
    state: config.state,
    log: scenery.logFile,
    took: performance.now(),
    command: 'npx pointsman',
  });
  if (fast) {
    await playDay(fast, dayOf(rules, cast, { ...fast, random: seeded(1) }), {
      people,
      send,
      scripts,
      takes,
      narration,
      signal,
    });
    if (signal.reason instanceof SandboxFailed) throw signal.reason;
    if (options.record !== null) await recordDay(fast, resolve(options.record), pointsman.operations);
  } else {
    director.run().catch(fail('the play has failed'));
    const end = options.for === null ? Number.POSITIVE_INFINITY : deps.clock.now() + options.for;
    await deps.clock.sleepUntil(end, signal);
    if (signal.reason instanceof SandboxFailed) throw signal.reason;
  }
  await narration.end();
}

const allOffline = ({ players }: Cast): Record<string, 'offline'> =>
  Object.fromEntries(players.map(({ name }) => [name, 'offline'] as const));

async function configFor(
  cast: Cast,
  scenery: Scenery,
  rules: string,
  folder: string,
  lasts: Duration,
): Promise<Config> {
  return sandboxConfig(cast, {
    keep: day + lasts,
    folder,
    rules,
    smtpPort: await usualOrAny(usualPorts.smtp),
    httpPort: await usualOrAny(usualPorts.http),
    consolePort: await usualOrAny(usualPorts.console),
    sink: scenery.sinkAt,
    xmpp: { ...scenery.xmppAt, password: scenery.botPassword },
    strangers: [strangersDomain],
  });
}

function readyFacts(
  { smtp, http, console: pages }: Started,
  { sink, sinkAt, xmppAt }: Scenery,
  cast: Cast,
  rules: Rules,
): Ready {
  const [front] = smtp;
  if (!front) throw new Error('Pointsman listens nowhere');
  const hasAccount = (name: string) => cast.players.some((player) => player.name === name);
  return {
    smtp: { host: front.host, port: front.port },
    xmpp: { ...xmppAt, domain: cast.domain },
    http: { url: `http://${http.host}:${http.port}` },
    console: { url: pages ?? '' },
    sink: { ...sinkAt, maildir: sink.maildir },
    groups: cast.groups.map(({ address, members }) => ({ address, members })),
    people: [...rules.people.values()].map(({ name, jid, mail }) => ({
      name,
      jid,
      password: hasAccount(name) ? peoplesPassword : null,
      mailbox: mail,
    })),
  };
}
