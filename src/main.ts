// The composition root: the only file that names concrete adapters. It puts the parts together, starts them in the
// order in which they need each other, and stops them in the opposite one.
import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { exitCodes } from './cli/exit.ts';
import { runProgram } from './cli/program.ts';
import { loadConfig } from './cli/setup.ts';
import { processTerminal, type Terminal } from './cli/terminal.ts';
import { type Clock, type Random, systemClock, systemRandom } from './clock.ts';
import { checkStateFolder, readTlsFiles } from './config/load.ts';
import { openMarkKeys } from './config/mark-keys.ts';
import type { Config } from './config.ts';
import { createApi } from './console/api.ts';
import { createHealth } from './console/health.ts';
import { measured } from './console/measured.ts';
import { createMetrics } from './console/metrics.ts';
import { openConsole } from './console/open.ts';
import { controlSocketIn, serveControl, serveHealth } from './console/server.ts';
import { openTokens } from './console/tokens.ts';
import type { Play } from './console/web/play.ts';
import { createDirectorySource } from './directories/open.ts';
import { type DirectoryBook, openDirectoryBook } from './directory-book.ts';
import { openDoors } from './doors.ts';
import { type FaultPoint, faultPointFrom, noFaults } from './fault-point.ts';
import { createMailboxes } from './imap/adapter.ts';
import { openLdapView } from './ldap-view/server.ts';
import { leisure } from './leisure.ts';
import { createLog, type Log, silentLog, storyTeller } from './log.ts';
import { describeError } from './mail/error.ts';
import { ourAddresses } from './mail/our-address.ts';
import { createWholeOperations } from './operate/whole.ts';
import type { Operations } from './operations.ts';
import { ownKey } from './own-key.ts';
import { nobodyWatches, type Watcher } from './presence/watcher.ts';
import { createPresenceDesk, followRules } from './presence-desk.ts';
import { createProbe } from './probe.ts';
import { RefusedToStart } from './refused-to-start.ts';
import { createRehearsals } from './rehearsing/host.ts';
import { createRelay } from './relay.ts';
import { checkDoors } from './routing/doors.ts';
import { loadSettledRules, watchRules } from './routing/load.ts';
import { formatProblem } from './routing/problem.ts';
import type { Problem, Rules } from './routing/rules.ts';
import { createRuleBook, type RuleBook, reloadAndLog } from './rule-book.ts';
import { type Certificate, openCertificate } from './smtp/certificate.ts';
import { composeReport } from './smtp/report.ts';
import { createFrontDoor } from './smtp/server.ts';
import { createTransport } from './smtp/transport.ts';
import { stopper } from './stopping.ts';
import { openSqliteStore } from './store/sqlite/open.ts';
import type { StoryEvent } from './tracking/event.ts';
import { publisherOf } from './webhook.ts';
import { createXmpp } from './xmpp/adapter.ts';

export const version: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version;

export interface StartOptions {
  readonly log: Log;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly reach?: FaultPoint;
  /** Every event of every story, once it is durable. */
  readonly onEvent?: (event: StoryEvent) => void;
  /** The store's worker has died: the process should end, and be started again. */
  readonly onFatal?: (error: Error) => void;
  /** The sandbox's sample rules may lie in a checkout that others may write. */
  readonly anyRuleMode?: boolean;
  /** The sandbox's people, for its console; then nobody signs in there. */
  readonly play?: Play | null;
}

export interface Pointsman {
  readonly smtp: readonly { readonly host: string; readonly port: number }[];
  readonly http: { readonly host: string; readonly port: number };
  /** Where browsers look; null: nowhere. */
  readonly console: string | null;
  readonly operations: Operations;
  readonly rules: RuleBook;
  readonly watcher: Watcher;
  reload(): Promise<{ version: string; problems: readonly Problem[] }>;
  /** Finishes what is in hand; nothing accepted is lost. */
  stop(): Promise<void>;
}

/** @throws RefusedToStart, AlreadyRunningError, or what an address in use throws; nothing is left running then. */
export async function startPointsman(config: Config, options: StartOptions): Promise<Pointsman> {
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const { log } = options;
  const undo: (() => Promise<unknown>)[] = [];
  try {
    const open = checkStateFolder(config.state);
    if (open) throw new RefusedToStart([open]);
    const metrics = createMetrics();
    const sqlite = await openSqliteStore({
      folder: config.state,
      keepContent: config.queue.keepContent,
      onWarning: (text) => log.warn({}, text),
      onFatal: (error) => {
        log.error({ err: error }, 'the store has failed');
        options.onFatal?.(error);
      },
    });
    undo.push(() => sqlite.close());
    const { store, timed } = measured(sqlite, metrics, clock);
    let inForce: RuleBook | null = null;
    const directory = config.directory
      ? await openDirectoryBook({
          ...config.directory,
          source: createDirectorySource(config.directory, log),
          ...{ store, clock, log },
          ruleFiles: () => inForce?.files() ?? [],
          // Waited for: who accepts a change is told when it is in force.
          changed: async () => inForce && reloadAndLog(inForce, log, 'the directory has changed'),
        })
      : null;
    undo.push(async () => directory?.stop());
    const rules = await openRules(config, options, directory);
    inForce = rules;
    const markKeys = openMarkKeys(config.state);
    const tokens = openTokens(config.state, (text) => log.error({}, text));
    const freed = await store.releaseLeases();
    if (freed > 0) log.info({ leases: freed }, 'taking up what was in hand when the last process ended');
    const xmpp = config.xmpp ? createXmpp(config.xmpp, { clock, random, log, version }) : null;
    const { up, down, rooms, readStatusIn, keep } = config.presence;
    const watcher = await createPresenceDesk({
      stream: xmpp ?? nobodyWatches(clock),
      clock,
      log,
      store,
      damping: { up, down },
      keepHistory: keep,
    });
    xmpp?.watchRooms(rooms);
    const mailboxes = config.imap ? createMailboxes(config.imap, { clock, random, log }) : null;
    const transport = timed(createTransport({ hostname: config.hostname, log, clock }));
    undo.push(() => transport.close());
    const published = publisherOf(xmpp, config.operators?.webhook ?? null, clock);
    let touchConsole = (): void => undefined;
    const story = storyTeller(log);
    const tell = (event: StoryEvent) => {
      metrics.observe(event);
      touchConsole();
      story(event);
      published.story(event);
      options.onEvent?.(event);
    };
    const certificate = config.tls ? certificateOf(config.tls, { clock, log }) : null;
    const markKey = config.milter ? await ownKey(store, 'mark key', 'base64url') : undefined;
    const ours = config.evidence
      ? ourAddresses(Buffer.from(await ownKey(store, 'evidence key', 'base64'), 'base64'), config.evidence.domain)
      : null;
    const relay = await createRelay({
      config,
      clock,
      random,
      leisure,
      store,
      rules,
      watcher,
      notifier: xmpp,
      mailboxes,
      transport,
      ours,
      composeReport: (data) => composeReport(data),
      async freeSpace() {
        const { bavail, bsize } = await statfs(config.state);
        return bavail * bsize;
      },
      markKeys: () => markKeys.current(),
      log,
      tell,
      reach: options.reach ?? noFaults,
      ...(markKey === undefined ? {} : { markKey }),
      operators: config.operators,
      webhook: published.fault,
      probe: createProbe({ directory, state: config.state, ca: config.xmpp?.ca ?? null, certificate, rules, clock }),
    });
    const frontDoor = createFrontDoor({
      listen: config.listen,
      hostname: config.hostname,
      size: config.size,
      intake: relay,
      peers: config.peers,
      limits: config.limits.door ?? {},
      log,
      clock,
      onEvent: (event) => metrics.observeDoor(event),
      ...(certificate ? { tls: certificate } : {}),
    });
    let draining = false;
    const reload = async () => {
      const wrong = certificate?.renew() ?? null;
      await directory?.refreshWithin();
      const read = await rules.reload();
      return wrong === null ? read : { ...read, problems: [...read.problems, certificateProblem(config, wrong)] };
    };
    const operations = createWholeOperations({
      store,
      watcher,
      desk: watcher,
      rules,
      relay,
      reload,
      rehearse: createRehearsals(systemClock),
      directory,
      copiesAddress: ours?.copies ?? null,
      rotateMarkKey: () => markKeys.rotate(),
      hindrances: () => (draining ? ['it is shutting down'] : []),
      door: frontDoor,
      certificate,
      clock,
      version,
    });
    const joined = [...rooms, ...(config.operators?.room ? [config.operators.room] : [])];
    const follow = (current: Rules) =>
      followRules(current, { desk: watcher, notifier: xmpp, rooms: joined, readStatusIn });
    follow(rules.current());
    rules.onChange((current) => {
      follow(current);
      relay.rulesChanged();
    });

    // Saved files are taken up by themselves; where the system cannot watch, SIGHUP and "pointsman reload" remain.
    const watch = watchRules(
      config.rules,
      () => reloadAndLog(rules, log, 'the rule files have changed'),
      (error) => log.warn({ err: error }, 'the rules folder is not watched any more; "pointsman reload" reads it'),
    );
    undo.push(async () => watch.close());
    const watching = new AbortController();
    undo.push(async () => watching.abort());
    void certificate?.watch(watching.signal);
    const control = await serveControl(controlSocketIn(config.state), createApi(operations, log, { tokens, clock }));
    undo.push(() => control.close());
    relay.start();
    undo.push(() => relay.drain());
    directory?.start();
    watcher.start();
    undo.push(async () => watcher.stop());
    xmpp?.start();
    mailboxes?.start();
    undo.push(async () => mailboxes?.stop());
    undo.push(async () => xmpp?.stop());
    const smtp = await frontDoor.start();
    undo.push(() => frontDoor.close());
    const doors = await openDoors(config, relay, { clock, log });
    undo.push(() => doors.close());
    const { hosts } = config.http;
    const health = await serveHealth(config.http, createHealth({ operations, metrics, tokens, hosts, clock, log }));
    undo.push(() => health.close());
    const view = config.view
      ? await openLdapView({
          config: config.view,
          ...{ operations, tokens, version, clock, log },
        })
      : null;
    undo.push(async () => view?.close());
    const look = { operations, clock, wall: systemClock, log, play: options.play ?? null, state: config.state };
    const pages = config.console ? await openConsole(config.console, look) : null;
    undo.push(async () => pages?.close());
    if (pages) touchConsole = pages.touch;
    rules.onChange(() => touchConsole());
    log.info(
      { smtp: smtp.map(({ host, port }) => `${host}:${port}`), doors: doors.at, rules: rules.current().version },
      'ready',
    );
    const stop = stopper({
      frontDoor,
      doors,
      relay,
      desk: watcher,
      xmpp,
      mailboxes,
      transport,
      store,
      control,
      health,
      pages,
      view,
    });
    return {
      smtp,
      http: { host: config.http.host, port: health.port },
      console: pages?.url ?? null,
      operations,
      rules,
      watcher,
      reload,
      stop() {
        draining = true;
        watch.close();
        watching.abort();
        directory?.stop();
        return stop();
      },
    };
  } catch (error) {
    for (const step of undo.reverse())
      await step().catch((also: unknown) => log.warn({ err: also }, 'while giving up'));
    throw error;
  }
}

/** @throws RefusedToStart: at the start there is no last good one. */
function certificateOf(files: NonNullable<Config['tls']>, parts: { clock: Clock; log: Log }): Certificate {
  try {
    return openCertificate(() => readTlsFiles(files), parts);
  } catch (error) {
    const place = { file: files.certFile, line: 1, column: 1 };
    throw new RefusedToStart([{ severity: 'error', place, message: describeError(error) }]);
  }
}

function certificateProblem({ tls }: Config, message: string): Problem {
  return { severity: 'warning', place: { file: tls?.certFile ?? '', line: 1, column: 1 }, message };
}

async function openRules(config: Config, options: StartOptions, directory: DirectoryBook | null): Promise<RuleBook> {
  const load = async () => {
    const loaded = await loadSettledRules(config.rules, {
      ...(options.anyRuleMode ? { anyMode: true } : {}),
      ...(directory ? { directory: (files) => directory.text(files) } : {}),
    });
    const problems = loaded.rules ? checkDoors(loaded.rules, config.milter, config.lookup !== undefined) : [];
    return problems.length === 0 ? loaded : { problems: [...loaded.problems, ...problems], files: loaded.files ?? [] };
  };
  const first = await load();
  if (!first.rules) throw new RefusedToStart(first.problems);
  for (const problem of first.problems)
    options.log.warn({ problem: formatProblem(problem) }, 'the rules could be better');
  return createRuleBook(first.rules, first.problems, load, first.files);
}

async function serve(options: { config: string }, terminal: Terminal): Promise<number> {
  const loaded = await loadConfig(options.config);
  if (!loaded.config) {
    for (const problem of loaded.problems) terminal.complain(`${formatProblem(problem)}\n`);
    return exitCodes.configuration;
  }
  const { config } = loaded;
  const log = createLog({ level: config.log.level, pretty: config.log.pretty ?? process.stdout.isTTY });
  const fatal = Promise.withResolvers<Error>();
  let pointsman: Pointsman;
  try {
    pointsman = await startPointsman(config, {
      log,
      reach: faultPointFrom(process.env.POINTSMAN_KILL_AT),
      onFatal: fatal.resolve,
    });
  } catch (error) {
    terminal.complain(`pointsman: ${describeError(error)}\n`);
    return error instanceof RefusedToStart ? exitCodes.configuration : exitCodes.problem;
  }
  process.on('SIGHUP', () => {
    reloadAndLog(pointsman.rules, log, 'SIGHUP', pointsman.reload);
  });
  const died = await Promise.race([signalled(), fatal.promise]);
  log.info({}, died ? 'ending: the store has failed' : 'draining');
  await pointsman.stop();
  return died ? exitCodes.problem : exitCodes.fine;
}

/** Resolves at the first SIGTERM or SIGINT. */
function signalled(): Promise<null> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(null));
  });
}

export async function main(argv: readonly string[]): Promise<void> {
  // Nothing we create may be read by others.
  process.umask(0o077);
  const terminal = processTerminal();
  process.exitCode = await runProgram(argv, {
    version,
    terminal,
    clock: systemClock,
    user: userInfo().username,
    folder: process.cwd(),
    serve: (options) => serve(options, terminal),
    sourceOf: ({ directory }) => (directory ? createDirectorySource(directory, silentLog) : null),
    async sandbox(options) {
      // Only here: a server needs neither the stand-ins nor what they are made of.
      const { runSandbox } = await import('./sandbox/sandbox.ts');
      return runSandbox(options, {
        start: startPointsman,
        clock: systemClock,
        terminal,
        signalled,
        sampleRules: join(import.meta.dirname, '..', 'rules'),
      });
    },
    table: async ({ door, map }) =>
      (await import('./lookup/table.ts')).serveTable(door, map, terminal.complain, systemClock),
  });
}
