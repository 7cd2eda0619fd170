// Pointsman as it is run in production: `pointsman serve` in a process of its own, with a state folder of its own, its
// log as events to await, and its control socket to ask.
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { type Client, createClient } from '../../src/cli/client.ts';
import { controlSocketIn } from '../../src/console/server.ts';
import type { State } from '../../src/presence/presence.ts';
import { Child, type Exit, run } from './child.ts';
import { Journal } from './journal.ts';
import type { Peer } from './person.ts';
import { type TempFolder, tempFolder } from './temp-folder.ts';

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly event?: string;
  readonly queueId?: string;
  readonly [field: string]: unknown;
}

export interface PointsmanOptions {
  readonly smtpPort: number;
  readonly httpPort: number;
  readonly nextHopPort: number;
  readonly domains: readonly string[];
  /** Text of the one rule file. */
  readonly rules: string;
  readonly xmpp?: { readonly server: Peer; readonly account: string; readonly password: string };
  /** More files beside pointsman.yaml, for our eyes alone. */
  readonly files?: Readonly<Record<string, string>>;
  /** More of pointsman.yaml. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export class PointsmanProcess implements AsyncDisposable {
  readonly port: number;
  readonly httpPort: number;
  /** Over all runs. */
  readonly log = new Journal<LogLine>('log of Pointsman');
  readonly client: Client;
  readonly #folder: TempFolder;
  #child: Child | undefined;

  private constructor(options: PointsmanOptions, folder: TempFolder) {
    this.port = options.smtpPort;
    this.httpPort = options.httpPort;
    this.#folder = folder;
    this.client = createClient(controlSocketIn(join(folder.path, 'state')));
  }

  /** Configured, not started. */
  static async configure(options: PointsmanOptions): Promise<PointsmanProcess> {
    const folder = await tempFolder('serve');
    const at = (name: string) => join(folder.path, name);
    const { xmpp } = options;
    const config = {
      hostname: 'pointsman.test',
      state: 'state',
      rules: 'rules',
      listen: [`127.0.0.1:${options.smtpPort}`],
      http: `127.0.0.1:${options.httpPort}`,
      peers: ['127.0.0.1'],
      domains: options.domains,
      nextHops: { default: `127.0.0.1:${options.nextHopPort}` },
      ...(xmpp && {
        xmpp: {
          jid: `${xmpp.account}@${xmpp.server.domain}`,
          passwordFile: 'xmpp-password',
          server: `127.0.0.1:${xmpp.server.port}`,
          caFile: xmpp.server.caFile,
          rate: '10kB',
        },
      }),
      // What these tests do with presence is meant: nobody flaps, and nobody waits to see whether they do.
      presence: { up: 'none', down: 'none' },
      log: { level: 'debug', pretty: 'false' },
      ...options.config,
    };
    await mkdir(at('rules'), { mode: 0o700 });
    await writeFile(at('pointsman.yaml'), stringify(config));
    await writeFile(at('xmpp-password'), `${xmpp?.password ?? ''}\n`, { mode: 0o600 });
    for (const [name, text] of Object.entries(options.files ?? {})) await writeFile(at(name), text, { mode: 0o600 });
    const pointsman = new PointsmanProcess(options, folder);
    await pointsman.writeRules(options.rules);
    return pointsman;
  }

  /** `*.yaml` in it are the rules. */
  get rulesFolder(): string {
    return join(this.#folder.path, 'rules');
  }

  async writeRules(text: string): Promise<void> {
    const file = join(this.#folder.path, 'rules', '10-all.yaml');
    await writeFile(file, text);
    await chmod(file, 0o600);
  }

  /**
   * `killAt`: a window of src/fault-point.ts and how many times it is reached before the process dies there. `mayFail`:
   * it may end before it is ready.
   */
  async start({
    killAt,
    env = {},
    mayFail = killAt !== undefined,
  }: {
    killAt?: string;
    env?: Readonly<Record<string, string>>;
    mayFail?: boolean;
  } = {}): Promise<void> {
    const program = fileURLToPath(new URL('../../bin/pointsman.js', import.meta.url));
    const child = new Child('pointsman', [process.execPath, program, 'serve', '--config', this.#configFile], {
      env: { POINTSMAN_KILL_AT: killAt ?? '', NODE_OPTIONS: '', ...env },
    });
    this.#child = child;
    const { promise: ready, resolve } = Promise.withResolvers<void>();
    const listen = async () => {
      for (;;) {
        const text = await child.out.next(() => true, { within: 2 ** 31 - 1, what: 'line' });
        const line = JSON.parse(text) as LogLine;
        if (line.msg === 'ready') resolve();
        this.log.add(line);
      }
    };
    const ended = listen().catch((error: unknown) => error);
    const outcome = await Promise.race([ready, ended, pause(30_000, 'it was not ready within 30 s', { ref: false })]);
    if (outcome !== undefined && !child.gone.aborted) await child.stop('SIGKILL');
    // A process that reaches its window while it starts has started well enough.
    if (outcome !== undefined && !mayFail) throw new Error(`Pointsman: ${outcome}\n${child.errors.tail()}`);
  }

  get folder(): string {
    return this.#folder.path;
  }

  get running(): boolean {
    return this.#child?.running ?? false;
  }

  get #configFile(): string {
    return join(this.#folder.path, 'pointsman.yaml');
  }

  get exited(): Promise<Exit> {
    if (!this.#child) throw new Error('Pointsman was not started');
    return this.#child.exited;
  }

  get complaints(): string {
    return this.#child?.errors.tail(40) ?? '';
  }

  /** Octets resident. */
  async memory(): Promise<number> {
    const status = await readFile(`/proc/${this.#child?.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1_024;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.signal(signal);
  }

  /** Drains. */
  async stop(): Promise<Exit | undefined> {
    return this.#child?.stop('SIGTERM', 30_000);
  }

  /** `pointsman …` against this one; its output. */
  cli(...args: string[]): Promise<string> {
    const program = fileURLToPath(new URL('../../bin/pointsman.js', import.meta.url));
    return run([process.execPath, program, ...args, '--config', this.#configFile]);
  }

  logged(what: string, fits: (line: LogLine) => boolean, within?: number): Promise<LogLine> {
    return this.log.next(fits, { what, ...(within ? { within } : {}) });
  }

  /** Presence as Pointsman sees it, by people's names: it tells of changes to nobody, so it is asked until it is so. */
  async untilPresent(expected: Readonly<Record<string, State>>, within = 20_000): Promise<void> {
    const deadline = Date.now() + within;
    for (;;) {
      const seen = new Map((await this.client.presence()).map(({ name, presence }) => [name, presence.state]));
      if (Object.entries(expected).every(([name, state]) => seen.get(name) === state)) return;
      if (Date.now() > deadline)
        throw new Error(`within ${within} ms not ${JSON.stringify(expected)} but ${JSON.stringify([...seen])}`);
      await pause(20);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#folder.remove();
  }
}
