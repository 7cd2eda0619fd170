// `pointsman sandbox`: the real program, with stand-ins for the world around it on loopback: a mail sink as next hop, a
// small XMPP server, and simulated people who come and go and answer. It sends itself mail and tells the story as it
// happens. Everything it writes is in a scratch folder that is removed at the end.
//
//   cast.ts        who plays, from the rules          episodes.ts, director.ts   what is played
//   people.ts      the simulated people               reaction.ts                what they do with a mail
//   mail-sink.ts   where all mail ends                storyteller.ts, telling.ts what is printed for people
//   welcome.ts     what is said first                 json-lines.ts              what is printed for programs
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { exitCodes } from '../cli/exit.ts';
import type { SandboxOptions } from '../cli/program.ts';
import type { Terminal } from '../cli/terminal.ts';
import { type Clock, type Duration, second } from '../clock.ts';
import type { Config } from '../config.ts';
import { createLog, type Log } from '../log.ts';
import { describeError } from '../mail/error.ts';
import type { Operations } from '../operations.ts';
import type { Watcher } from '../presence/watcher.ts';
import { loadRules } from '../routing/load.ts';
import { formatProblem } from '../routing/problem.ts';
import type { Rules } from '../routing/rules.ts';
import type { StoryEvent } from '../tracking/event.ts';
import { type Cast, castOf } from './cast.ts';
import { loopback, sandboxConfig, usualOrAny, usualPorts } from './config.ts';
import { Director, Mailer } from './director.ts';
import { programmeOf, strangersDomain } from './episodes.ts';
import { eventLine, type Ready, readyLine } from './json-lines.ts';
import { createMailSink } from './mail-sink.ts';
import { Messages } from './messages.ts';
import { People } from './people.ts';
import type { Reaction } from './reaction.ts';
import { Storyteller } from './storyteller.ts';
import { welcome } from './welcome.ts';
import { createXmppServer, type XmppServer } from './xmpp-server/xmpp-server.ts';

/** The running program, as main.ts starts it. */
export interface Started {
  readonly smtp: readonly { readonly host: string; readonly port: number }[];
  readonly http: { readonly host: string; readonly port: number };
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
    },
  ) => Promise<Started>;
  readonly clock: Clock;
  readonly terminal: Terminal;
  /** Resolves when the process is asked to end. */
  readonly signalled: () => Promise<unknown>;
  /** The folder of the sample rules. */
  readonly sampleRules: string;
}

// For everybody but Pointsman's own account: loopback only, and gone with the scratch folder.
const peoplesPassword = 'sandbox';
/** How long everybody's presence may take to be known before the first mail. */
const settleTime: Duration = 8 * second;

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
  const undo: (() => Promise<unknown>)[] = [];
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

interface Play {
  readonly options: SandboxOptions;
  readonly deps: SandboxDeps;
  readonly rules: Rules;
  /** Of the rules. */
  readonly folder: string;
  readonly scratch: string;
  /** Done in the opposite order at the end. */
  readonly undo: (() => Promise<unknown>)[];
  /** Aborting it ends the sandbox; with a SandboxFailed as reason, as a failure. */
  readonly ended: AbortController;
}

/** Starts everything in the order in which it needs each other, and stays until the end is asked for. */
async function play({ options, deps, rules, folder, scratch, undo, ended }: Play): Promise<void> {
  const { clock, terminal } = deps;
  const { signal } = ended;
  const began = clock.now();
  const cast = castOf(rules);
  const log = openLog(scratch, undo);
  const fail = (what: string) => (error: unknown) => {
    if (!signal.aborted) ended.abort(new SandboxFailed(`${what}: ${describeError(error)}`, { cause: error }));
  };

  const sink = createMailSink(join(scratch, 'maildir'));
  const sinkAt = await sink.start();
  undo.push(() => sink.stop());
  const botPassword = randomBytes(18).toString('base64url');
  const xmpp = await startXmpp(cast, botPassword, clock);
  undo.push(() => xmpp.server.stop('abruptly'));

  // Knows messages and tells of them; asks the running program, which is there before the first event.
  let pointsman: Started | undefined;
  const storyOf = async (id: string) => (await pointsman?.operations.story(id)) ?? undefined;
  const messages = new Messages(async (queueId) => {
    const story = await storyOf(queueId);
    return new Map(story?.tracked.map(({ seq, shortId }) => [seq, shortId]));
  });
  const programme = programmeOf(rules, cast);
  const moods = programme.opening[0]?.moods ?? {};
  const storyteller = options.json
    ? null
    : new Storyteller({
        cast,
        startedAt: began,
        clock,
        columns: terminal.columns,
        moods,
        messages,
        consideredIn: async (queueId, decision) =>
          (await storyOf(queueId))?.decisions.find(({ id }) => id === decision)?.choice.considered ?? [],
        write: (text) => terminal.write(text),
      });

  const scripts = new Map<string, readonly Reaction[]>();
  let mailer: Mailer | undefined;
  const people = new People({
    cast,
    server: xmpp.server,
    address: xmpp.address,
    password: peoplesPassword,
    messages,
    scriptOf: (messageId) => (messageId === null ? undefined : scripts.get(messageId)),
    reply: async (player, mail) => mailer?.reply(player, mail),
    clock,
    log,
    note: (shortId, text) => storyteller?.note(shortId, text),
    signal,
  });
  sink.onMail((mail) => people.receive(mail));
  undo.push(() => people.stop());
  await people.start(moods);

  let director: Director | undefined;
  let early: string[] | null = [];
  await mkdir(join(scratch, 'state'), { mode: 0o700 });
  const config = sandboxConfig(cast, {
    folder: scratch,
    rules: folder,
    smtpPort: await usualOrAny(usualPorts.smtp),
    httpPort: await usualOrAny(usualPorts.http),
    sink: sinkAt,
    xmpp: { ...xmpp.address, password: botPassword },
    strangers: [strangersDomain],
  });
  pointsman = await deps.start(config, {
    log,
    anyRuleMode: true,
    onFatal: fail('the store has failed'),
    onEvent(event) {
      messages.note(event);
      storyteller?.event(event);
      director?.hear(event);
      const line = options.json ? eventLine(event, messages.about(event.queueId)) : undefined;
      if (line === undefined) return;
      // The first line is "ready", also when somebody was quick with a mail.
      if (early) early.push(line);
      else terminal.write(`${line}\n`);
    },
  });
  undo.push(async () => pointsman?.stop());
  await everybodyKnown(pointsman.watcher, cast, clock, signal);
  signal.throwIfAborted();

  const [front, members] = pointsman.smtp;
  if (!front || !members) throw new Error('Pointsman listens nowhere');
  mailer = new Mailer(front, members);
  const ready: Ready = {
    smtp: { host: front.host, port: front.port },
    xmpp: { ...xmpp.address, domain: cast.domain },
    http: { url: `http://${pointsman.http.host}:${pointsman.http.port}` },
    sink: { ...sinkAt, maildir: sink.maildir },
    groups: cast.groups.map(({ address, members: of }) => ({ address, members: of })),
    people: [...rules.people.values()].map(({ name, jid, mail }) => ({
      name,
      jid,
      password: cast.players.some((player) => player.name === name) ? peoplesPassword : null,
      mailbox: mail,
    })),
  };
  const waiting: readonly string[] = early;
  early = null;
  if (options.json) terminal.write([readyLine(ready), ...waiting].map((line) => `${line}\n`).join(''));
  else
    terminal.write(
      welcome({
        ready,
        cast,
        password: peoplesPassword,
        state: config.state,
        log: join(scratch, 'log'),
        took: performance.now(),
        command: 'npx pointsman',
      }),
    );
  if (storyteller) {
    const told = storyteller;
    xmpp.server.onStanza((stanza, direction, jid) => {
      if (direction === 'in' && !signal.aborted) told.stanza(stanza, jid);
    });
  }
  director = new Director({
    programme,
    people,
    mailer,
    messages,
    scripts,
    clock,
    heading: (text) => storyteller?.heading(text),
    note: (text) => (storyteller ? storyteller.note(null, text) : terminal.complain(`pointsman: ${text}\n`)),
    signal,
  });
  director.run().catch(fail('the play has failed'));
  await clock.sleepUntil(options.for === null ? Number.POSITIVE_INFINITY : clock.now() + options.for, signal);
  await storyteller?.settled();
  if (signal.reason instanceof SandboxFailed) throw signal.reason;
  if (!options.json) terminal.write('\nThe sandbox ends.\n');
}

/** The program's own log is for those who look for it; the terminal belongs to the story. */
function openLog(scratch: string, undo: Play['undo']): Log {
  const file = createWriteStream(join(scratch, 'log'), { mode: 0o600 });
  undo.push(() => new Promise((done) => file.end(() => done(undefined))));
  return createLog({ level: 'info', pretty: false, destination: { write: (line) => void file.write(line) } });
}

async function startXmpp(
  cast: Cast,
  botPassword: string,
  clock: Clock,
): Promise<{ server: XmppServer; address: { host: string; port: number } }> {
  const locals = cast.players.map(({ local }) => local);
  const server = createXmppServer({
    domain: cast.domain,
    host: loopback,
    port: await usualOrAny(usualPorts.xmpp),
    accounts: Object.fromEntries([[cast.bot, botPassword], ...locals.map((local) => [local, peoplesPassword])]),
    // Everybody sees everybody, as colleagues do; with very many people that would be too much for a client.
    sharedRoster: locals.length <= 100 ? true : { hub: cast.bot },
    rooms: cast.rooms,
    clock,
  });
  return { server, address: await server.start() };
}

/** Until Pointsman knows of everybody who has an account, so that the first mail is not judged by ignorance. */
async function everybodyKnown(watcher: Watcher, { players }: Cast, clock: Clock, signal: AbortSignal): Promise<void> {
  const known = new AbortController();
  const look = () => {
    if (players.every(({ jid }) => watcher.presenceOf(jid).state !== 'unknown')) known.abort();
  };
  watcher.onChange(look);
  look();
  await clock.sleepUntil(clock.now() + settleTime, AbortSignal.any([signal, known.signal]));
}
