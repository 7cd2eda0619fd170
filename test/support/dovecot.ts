// A Dovecot of the test's own over Maildirs that Postfix fills: loopback, plain passwords, a master user who may read
// every mailbox (docs/operate/evidence.md).
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child } from './child.ts';
import { untilListening } from './free-port.ts';
import { programPath } from './peers.ts';
import { type TempFolder, tempFolder } from './temp-folder.ts';

export interface DovecotOptions {
  readonly port: number;
  /** The folder of which each mailbox is a Maildir called by its address. */
  readonly mail: string;
  /** Addresses with passwords. */
  readonly users: Readonly<Record<string, string>>;
  readonly master: { readonly name: string; readonly password: string };
}

export class Dovecot implements AsyncDisposable {
  readonly port: number;
  readonly #folder: TempFolder;
  #child: Child | undefined;

  private constructor(port: number, folder: TempFolder) {
    this.port = port;
    this.#folder = folder;
  }

  static async start({ port, mail, users, master }: DovecotOptions): Promise<Dovecot> {
    const folder = await tempFolder('dovecot', { open: true });
    const at = (...parts: string[]) => join(folder.path, ...parts);
    for (const part of ['run', 'state', 'home']) await mkdir(at(part), { mode: 0o755 });
    const lines = Object.entries(users).map(([name, password]) => `${name}:{PLAIN}${password}\n`);
    await writeFile(at('users'), lines.join(''));
    await writeFile(at('masters'), `${master.name}:{PLAIN}${master.password}\n`);
    await writeFile(
      at('dovecot.conf'),
      `base_dir = ${at('run')}
state_dir = ${at('state')}
log_path = ${at('log')}
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:${mail}/%u:INDEX=MEMORY
mail_max_userip_connections = 1000
auth_master_user_separator = *
service imap-login {
  inet_listener imap {
    port = ${port}
  }
  inet_listener imaps {
    port = 0
  }
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
passdb {
  driver = passwd-file
  master = yes
  args = ${at('masters')}
}
passdb {
  driver = passwd-file
  args = ${at('users')}
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=${at('home')}/%u
}
`,
    );
    const dovecot = new Dovecot(port, folder);
    try {
      await dovecot.start();
    } catch (error) {
      await dovecot[Symbol.asyncDispose]();
      throw error;
    }
    return dovecot;
  }

  /** After stop(): the same mailboxes. */
  async start(): Promise<void> {
    const program = programPath('dovecot') ?? 'dovecot';
    this.#child = new Child('dovecot', [program, '-F', '-c', join(this.#folder.path, 'dovecot.conf')]);
    try {
      await untilListening(this.port, { within: 20_000, signal: this.#child.gone, greeting: true });
    } catch (error) {
      throw new Error(`Dovecot did not come up:\n${await this.log()}`, { cause: error });
    }
  }

  async stop(): Promise<void> {
    // Its children hold on to its output for as long as their clients stay; they end with it all the same.
    await this.#child?.stop('SIGTERM', 1_500);
    this.#child = undefined;
  }

  async log(): Promise<string> {
    const logged = await readFile(join(this.#folder.path, 'log'), 'utf8').catch(() => '(no log)');
    return `${logged}${this.#child?.errors.tail() ?? ''}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#folder.remove();
  }
}
