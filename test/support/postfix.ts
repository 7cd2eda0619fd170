// Postfix instances of the test's own, from the installed package: own queue, data and configuration in a temp folder,
// loopback ports, the system's instance left alone. The parts an admin copies come from docs/operate/postfix.md, so
// what the page says is what runs here.
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child, endWithTest, run } from './child.ts';
import { documentedIn } from './documented.ts';
import { untilListening } from './free-port.ts';
import { Maildir } from './maildir.ts';
import { type TempFolder, tempFolder } from './temp-folder.ts';

// Who owns the Maildirs: static ids, as virtual_uid_maps wants them; Postfix delivers to no user below 100, nor as itself.
const mailOwner = { uid: 65_534, gid: 65_534 };

export interface PostfixOptions {
  readonly name: string;
  /** Lines for main.cf after the common ones. */
  readonly main: string;
  /** Lines for master.cf after the common ones: at least one listener. */
  readonly master: string;
  /** Further files in its configuration folder; `$config` in main and master stands for that folder. */
  readonly files?: Readonly<Record<string, string>>;
  /** The port that answers when it is up. */
  readonly port: number;
  /** Mailboxes delivered locally. */
  readonly mailboxes: readonly string[];
}

export class Postfix implements AsyncDisposable {
  readonly port: number;
  readonly #options: PostfixOptions;
  readonly #folder: TempFolder;
  readonly #maildirs = new Map<string, Maildir>();
  #master: Child | undefined;
  #unguard: (() => void) | undefined;

  private constructor(options: PostfixOptions, folder: TempFolder) {
    this.#options = options;
    this.#folder = folder;
    this.port = options.port;
  }

  static async start(options: PostfixOptions): Promise<Postfix> {
    const folder = await tempFolder(`postfix-${options.name}`, { open: true });
    const postfix = new Postfix(options, folder);
    try {
      await postfix.#configure();
      await postfix.start();
    } catch (error) {
      await postfix[Symbol.asyncDispose]();
      throw error;
    }
    return postfix;
  }

  async #configure(): Promise<void> {
    const at = (...parts: string[]) => join(this.#folder.path, ...parts);
    for (const part of ['config', 'queue', 'data', 'mail']) {
      await mkdir(at(part));
      await chmod(at(part), 0o755);
    }
    await run(['chown', 'postfix:', at('data')]);
    const fill = (text: string) => text.replaceAll('$config', at('config'));
    await writeFile(at('config', 'main.cf'), commonMain(this.#folder.path) + fill(this.#options.main));
    await writeFile(at('config', 'master.cf'), commonMaster + fill(this.#options.master));
    await writeFile(
      at('config', 'mailboxes'),
      this.#options.mailboxes.map((address) => `${address} ${address}/\n`).join(''),
    );
    for (const [name, text] of Object.entries(this.#options.files ?? {})) await writeFile(at('config', name), text);
    await run(['postfix', '-c', at('config'), 'check']); // makes the queue's folders
    for (const address of this.#options.mailboxes) {
      this.#maildirs.set(
        address,
        await Maildir.create(at('mail', address), `${address} at ${this.#options.name}`, mailOwner),
      );
    }
  }

  /** After stop(): the same queue goes on. */
  async start(): Promise<void> {
    // Not by "postfix start-fg": its shell would stand between us and master, and not pass on signals.
    const config = join(this.#folder.path, 'config');
    const master = new Child(`postfix ${this.#options.name}`, ['/usr/lib/postfix/sbin/master', '-c', config, '-s']);
    this.#master = master;
    this.#unguard = endWithTest(master.pid);
    try {
      await untilListening(this.port, { within: 20_000, signal: master.gone, greeting: true });
    } catch (error) {
      throw new Error(`Postfix ${this.#options.name} did not come up:\n${await this.log()}`, { cause: error });
    }
  }

  async stop(): Promise<void> {
    this.#unguard?.();
    await this.#master?.stop();
    this.#master = undefined;
  }

  /** Hands in a mail as a local user does, with sendmail(1). */
  async sendmail(args: readonly string[], mail: string): Promise<void> {
    const config = join(this.#folder.path, 'config');
    const child = new Child('sendmail', ['/usr/sbin/sendmail', '-C', config, ...args], {
      env: { MAIL_CONFIG: config },
    });
    child.write(mail);
    child.endInput();
    const { code } = await child.exited;
    if (code !== 0) throw new Error(`sendmail: ${child.errors.tail()}`);
  }

  maildir(address: string): Maildir {
    const maildir = this.#maildirs.get(address);
    if (!maildir) throw new Error(`Postfix ${this.#options.name} has no mailbox ${address}`);
    return maildir;
  }

  /** Everything it has logged. */
  async log(): Promise<string> {
    const logged = await readFile(join(this.#folder.path, 'log'), 'utf8').catch(() => '(no log)');
    return `${logged}${this.#master?.errors.tail() ?? ''}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const maildir of this.#maildirs.values()) maildir[Symbol.dispose]();
    await this.stop();
    await this.#folder.remove();
  }
}

/** The block of docs/operate/postfix.md marked `<!-- live: NAME -->`, with the test's ports for those of the page. */
export function documented(name: string, ports: Readonly<Record<number, number>>, pageName = 'postfix'): string {
  return documentedIn(pageName, name, ports).replaceAll('/etc/postfix', '$config');
}

// No DNS, no TLS, loopback only, and as few processes as will do.
const commonMain = (folder: string) => `compatibility_level = 3.6
queue_directory = ${folder}/queue
data_directory = ${folder}/data
maillog_file = ${folder}/log
maillog_file_prefixes = ${folder}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
multi_instance_wrapper =
default_process_limit = 4
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
local_recipient_maps =
local_transport = error:no local delivery
alias_maps =
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtp_tls_security_level = none
smtpd_tls_security_level = none
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
transport_retry_time = 1s
virtual_mailbox_base = ${folder}/mail
virtual_mailbox_maps = texthash:${folder}/config/mailboxes
virtual_uid_maps = static:${mailOwner.uid}
virtual_gid_maps = static:${mailOwner.gid}
`;

// What the queue manager finds locked when its retry is due ("skipped, still being delivered": a delivery agent on a busy
// machine that has not let go of it within the second) it takes back into the incoming queue for a minute. It is woken
// every 5 s, and looks there then; by default that would be in 5 minutes, or with the next mail.
const commonMaster = `pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       5       1       qmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
virtual   unix  -       n       n       -       -       virtual
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
`;

/** Postfix's master is root's. Says so and answers false elsewhere; with CI=true that is a failure. */
export function postfixMayRun(): boolean {
  if (process.getuid?.() === 0) return true;
  const reason = 'Postfix can only be started by root: the live suites with it cannot run here';
  if (process.env.CI === 'true') throw new Error(reason);
  process.stderr.write(`SKIPPED live suite, ${reason}\n`);
  return false;
}
