// A program run beside the test: its output kept line by line, ended with the test whatever happens to the test.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Journal } from './journal.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Child implements AsyncDisposable {
  readonly name: string;
  readonly out: Journal<string>;
  readonly errors: Journal<string>;
  readonly exited: Promise<Exit>;
  /** Aborts when the program has ended. */
  readonly gone: AbortSignal;
  readonly #process: ChildProcessWithoutNullStreams;

  /** `user`: run as that user (only root may ask). */
  constructor(
    name: string,
    command: readonly [string, ...string[]],
    options: { user?: string; cwd?: string; env?: Readonly<Record<string, string>> } = {},
  ) {
    this.name = name;
    this.out = new Journal(`${name} (stdout)`);
    this.errors = new Journal(`${name} (stderr)`);
    // The kernel ends the program when the test's process dies, also when that is killed.
    const leash = ['--pdeathsig', 'TERM'];
    if (options.user !== undefined) leash.push('--reuid', options.user, '--regid', options.user, '--clear-groups');
    this.#process = spawn('setpriv', [...leash, '--', ...command], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: 'pipe',
    });
    this.exited = new Promise((resolve, reject) => {
      this.#process.once('close', (code, signal) => resolve({ code, signal }));
      this.#process.once('error', reject);
    });
    const gone = new AbortController();
    this.gone = gone.signal;
    const say = (reason: string) => {
      this.out.end(reason);
      this.errors.end(reason);
      gone.abort(new Error(`${name} ${reason}:\n${this.errors.tail()}`));
    };
    this.exited.then(
      ({ code, signal }) => say(`ended (${signal ?? `exit ${code}`})`),
      (error: Error) => say(`could not be run: ${error.message}`),
    );
    createInterface({ input: this.#process.stdout }).on('line', (line) => this.out.add(line));
    createInterface({ input: this.#process.stderr }).on('line', (line) => this.errors.add(line));
    // Writing to a program that has just died fails; `exited` tells of it.
    this.#process.stdin.on('error', (error) => this.errors.add(`(stdin: ${error.message})`));
  }

  get pid(): number {
    if (this.#process.pid === undefined) throw new Error(`${this.name} did not start`);
    return this.#process.pid;
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  write(line: string): void {
    this.#process.stdin.write(`${line}\n`);
  }

  endInput(): void {
    this.#process.stdin.end();
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#process.kill(signal);
  }

  /** Asks it to end, and after `within` makes it. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', within = 10_000): Promise<Exit> {
    this.signal('SIGCONT');
    this.signal(signal);
    const timer = setTimeout(() => this.signal('SIGKILL'), within);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/**
 * Ends a daemon when the test's process dies, where the leash does not hold: it slips from whoever changes user
 * (prctl(2), PR_SET_PDEATHSIG). The end of standard input says that the test is gone. Answers what ends the watch.
 */
export function endWithTest(pid: number): () => void {
  const script = 'read -r _; kill -TERM "$0"';
  const guard = spawn('sh', ['-c', script, String(pid)], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  return () => void guard.kill('SIGKILL');
}

/** Runs a command to its end; its output, or an error that shows it. */
export async function run(command: readonly [string, ...string[]], { user }: { user?: string } = {}): Promise<string> {
  const become = user === undefined ? [] : ['--reuid', user, '--regid', user, '--clear-groups'];
  const child = spawn('setpriv', [...become, '--', ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (data: Buffer) => {
    output += data;
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command.join(' ')}: exit ${code}\n${output}`);
  return output;
}
