// A person at a real client: Profanity, a terminal program, in a tmux of the test's own. What is on its screen is looked
// at whenever it draws something, so that nothing is waited for by the clock; the whole of it is kept as a transcript.
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Child } from './child.ts';
import { type TempFolder, tempFolder } from './temp-folder.ts';

const run = promisify(execFile);

export interface ProfanityOptions {
  readonly jid: string;
  readonly password: string;
  readonly port: number;
}

const wide = 160;
const longest = 30_000;

export class Profanity implements AsyncDisposable {
  readonly #folder: TempFolder;
  readonly #socket: string;
  /** tmux in control mode: says a line for each thing that is drawn. */
  #watch: Child | undefined;
  #screens: string[] = [];

  private constructor(folder: TempFolder) {
    this.#folder = folder;
    this.#socket = join(folder.path, 'tmux');
  }

  static async start({ jid, password, port }: ProfanityOptions): Promise<Profanity> {
    const folder = await tempFolder('profanity');
    const profanity = new Profanity(folder);
    try {
      const [config, data] = [join(folder.path, 'config'), join(folder.path, 'data')];
      await mkdir(join(config, 'profanity'), { recursive: true });
      await mkdir(join(data, 'profanity'), { recursive: true });
      const rc =
        '[ui]\nsplash=false\nbeep=false\noccupants=false\n[notifications]\nmessage=off\n[chatstates]\nenabled=false\n';
      await writeFile(join(config, 'profanity', 'profrc'), `${rc}[connection]\naccount=${jid}\n`);
      const account = {
        enabled: 'true',
        jid,
        password,
        server: '127.0.0.1',
        port: String(port),
        resource: 'profanity',
      };
      const lines = Object.entries({ ...account, 'tls.policy': 'trust' }).map(([key, value]) => `${key}=${value}`);
      await writeFile(join(data, 'profanity', 'accounts'), `[${jid}]\n${lines.join('\n')}\n`);
      const env = [`HOME=${folder.path}`, `XDG_CONFIG_HOME=${config}`, `XDG_DATA_HOME=${data}`, 'TERM=screen-256color'];
      const size = ['-x', String(wide), '-y', '60'];
      const program = ['env', ...env, 'LC_ALL=C.UTF-8', 'profanity', '-a', jid];
      await profanity.#tmux('new-session', '-d', ...size, ...program);
      profanity.#watch = new Child('tmux', ['tmux', '-S', profanity.#socket, '-C', 'attach']);
      await profanity.sees(new RegExp(`${jid} logged in successfully|${jid}/profanity`));
    } catch (error) {
      const seen = profanity.transcript();
      await profanity[Symbol.asyncDispose]();
      throw new Error(`Profanity could not be started:\n${seen}`, { cause: error });
    }
    return profanity;
  }

  /** A line of input, as typed. */
  async types(line: string): Promise<void> {
    await this.#tmux('send-keys', '-l', line);
    await this.#tmux('send-keys', 'Enter');
  }

  /** The screen, once it shows this; what a terminal breaks into lines is one text again. */
  async sees(pattern: RegExp): Promise<string> {
    const late = AbortSignal.timeout(longest);
    for (;;) {
      const screen = await this.#look();
      if (pattern.test(screen)) return screen;
      if (late.aborted) throw new Error(`Profanity did not show ${pattern} but\n${this.#screens.at(-1)}`);
      const drawn = this.#watch?.out.next(() => true, { within: longest, what: `${pattern} on the screen` });
      await drawn?.catch(() => undefined);
    }
  }

  async #look(): Promise<string> {
    const { stdout } = await this.#tmux('capture-pane', '-p');
    const screen = stdout.replace(/[^\S\n]+$/gm, '').replace(/\n{2,}/g, '\n');
    if (screen !== this.#screens.at(-1)) this.#screens.push(screen);
    return screen.replace(/\s+/g, ' ');
  }

  /** Each line that was ever on the screen, once, in order. */
  transcript(): string {
    const lines = new Set(this.#screens.flatMap((screen) => screen.split('\n')));
    return [...lines].join('\n');
  }

  #tmux(...args: readonly string[]): Promise<{ stdout: string }> {
    return run('tmux', ['-S', this.#socket, '-f', '/dev/null', ...args], { encoding: 'utf8' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux('kill-server').catch(() => undefined);
    await this.#watch?.[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}
