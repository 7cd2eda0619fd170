// A Sendmail of the test's own. Debian's package conflicts with Postfix, so it is downloaded and unpacked, not installed:
// its binary runs from where it lies, with a configuration, a queue and a port of its own.
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child } from './child.ts';
import { documentedIn } from './documented.ts';
import { untilListening } from './free-port.ts';
import { type TempFolder, tempFolder } from './temp-folder.ts';
import { inWorld, libraryPath, unpacked } from './unpacked.ts';

const packages = [
  'sendmail-bin',
  'sendmail-cf',
  'sendmail-base',
  'm4',
  'libsasl2-2',
  'liblockfile1',
  'libwrap0',
  'libdb5.3',
];

/** Its root folder; undefined, saying why, where it cannot be had. */
export const sendmailRoot = (): Promise<string | undefined> => unpacked('sendmail-8', packages);

/** Where it sees its folder. */
const seenAt = '/mnt';

interface SendmailOptions {
  root: string;
  port: number;
  nextHop: number;
  lines: string;
  aliases?: string;
  /** Lines for after the mailers, given the folder. */
  rules?: (folder: string) => string;
  /** Further files of that folder. */
  files?: Readonly<Record<string, string>>;
  /** On its command line. */
  arguments?: readonly string[];
  readonly nextHopAt?: string;
}

export class Sendmail implements AsyncDisposable {
  readonly port: number;
  readonly #folder: TempFolder;
  readonly #daemon: Child;

  private constructor(port: number, folder: TempFolder, daemon: Child) {
    this.port = port;
    this.#folder = folder;
    this.#daemon = daemon;
  }

  /** @param nextHop where all mail goes  @param lines of sendmail.mc  @param aliases lines of its alias file */
  static async start(options: SendmailOptions): Promise<Sendmail> {
    const folder = await tempFolder('sendmail', { open: true });
    const at = (name: string) => join(folder.path, name);
    const { root, port } = options;
    await mkdir(at('queue'), { mode: 0o700 });
    await writeFile(at('aliases'), options.aliases ?? '');
    await writeFile(at('switch'), 'hosts files\naliases files\n');
    for (const [name, text] of Object.entries(options.files ?? {})) await writeFile(at(name), text, { mode: 0o600 });
    await writeFile(at('sendmail.mc'), configuration(seenAt, options));
    const env = { LD_LIBRARY_PATH: libraryPath(root) };
    const made = spawnSync(
      join(root, 'usr/bin/m4'),
      [
        `-D_CF_DIR_=${join(root, 'usr/share/sendmail/cf')}/`,
        join(root, 'usr/share/sendmail/cf/m4/cf.m4'),
        at('sendmail.mc'),
      ],
      { encoding: 'utf8', env: { ...process.env, ...env } },
    );
    if (made.status !== 0) throw new Error(`m4: ${made.stderr}`);
    await writeFile(at('sendmail.cf'), made.stdout);
    await chmod(at('sendmail.cf'), 0o644);
    const binary = join(root, 'usr/libexec/sendmail/sendmail');
    // Its folder stands at a path that others cannot write to: Sendmail trusts nothing below /tmp.
    const world = await inWorld({ folder: folder.path, root, users: [], binds: [[folder.path, seenAt]] });
    const daemon = new Child('sendmail', [
      ...world,
      binary,
      ...['-C', `${seenAt}/sendmail.cf`, '-bD', '-X', `${seenAt}/traffic`],
      ...(options.arguments ?? []),
    ]);
    const sendmail = new Sendmail(port, folder, daemon);
    try {
      await untilListening(port, { within: 20_000, signal: daemon.gone, greeting: true });
    } catch (error) {
      await sendmail[Symbol.asyncDispose]();
      throw new Error(`Sendmail did not come up: ${daemon.errors.tail()}`, { cause: error });
    }
    return sendmail;
  }

  get folder(): string {
    return this.#folder.path;
  }

  /** What it said and heard. */
  async traffic(): Promise<string> {
    return readFile(join(this.#folder.path, 'traffic'), 'utf8').catch(() => '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // It stays a while for what it has in hand; nobody here does.
    await this.#daemon.stop('SIGTERM', 2_000);
    await this.#folder.remove();
  }
}

const configuration = (
  folder: string,
  { port, nextHop, nextHopAt = '127.0.0.1', lines, rules }: SendmailOptions,
): string => `divert(0)dnl
OSTYPE(\`linux')dnl
define(\`confDOMAIN_NAME', \`sendmail.test')dnl
define(\`QUEUE_DIR', \`${folder}/queue')dnl
define(\`ALIAS_FILE', \`${folder}/aliases')dnl
define(\`STATUS_FILE', \`${folder}/statistics')dnl
define(\`confPID_FILE', \`${folder}/pid')dnl
define(\`confSERVICE_SWITCH_FILE', \`${folder}/switch')dnl
define(\`confTO_IDENT', \`0')dnl
define(\`SMART_HOST', \`relay:[${nextHopAt}]')dnl
define(\`RELAY_MAILER_ARGS', \`TCP $h ${nextHop}')dnl
FEATURE(\`no_default_msa')dnl
FEATURE(\`nocanonify')dnl
FEATURE(\`accept_unresolvable_domains')dnl
FEATURE(\`promiscuous_relay')dnl
DAEMON_OPTIONS(\`Name=MTA, Addr=127.0.0.1, Port=${port}')dnl
${lines}dnl
MAILER(\`smtp')dnl
${rules?.(folder) ?? ''}`;

/** The block of docs/operate/sendmail-milter.md, with the test's port. */
export const documentedFilter = (milterPort: number): string =>
  documentedIn('sendmail-milter', 'sendmail.mc', { 10027: milterPort });
