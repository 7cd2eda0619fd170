// Dovecot's LMTP server from the installed package: configuration, socket and Maildirs in a temp folder.
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child } from './child.ts';
import { documentedIn } from './documented.ts';
import { Maildir } from './maildir.ts';
import { type TempFolder, tempFolder } from './temp-folder.ts';

/** Only root may start it with users of its own. */
export const dovecotMayRun = (): boolean => process.getuid?.() === 0;

const owner = 'nobody';

export class Dovecot implements AsyncDisposable {
  readonly socket: string;
  readonly #folder: TempFolder;
  #child: Child | undefined;

  private constructor(folder: TempFolder) {
    this.#folder = folder;
    this.socket = join(folder.path, 'run', 'pointsman-lmtp');
  }

  readonly maildirs = new Map<string, Maildir>();

  /** @param quotas octets that some users may have */
  static async start(
    users: readonly string[],
    { port = 0, quotas = {} }: { port?: number; quotas?: Readonly<Record<string, number>> } = {},
  ): Promise<Dovecot> {
    const folder = await tempFolder('dovecot', { open: true });
    const dovecot = new Dovecot(folder);
    const at = (...parts: string[]) => join(folder.path, ...parts);
    for (const part of ['run', 'mail']) await mkdir(at(part));
    await chmod(at('mail'), 0o777);
    for (const user of users) {
      dovecot.maildirs.set(user, await Maildir.create(at('mail', user), user, { uid: 65_534, gid: 65_534 }));
    }
    const line = (user: string): string => {
      const quota = quotas[user];
      return `${user}:{PLAIN}x::::::${quota === undefined ? '' : `userdb_quota_rule=*:bytes=${quota}`}\n`;
    };
    await writeFile(at('users'), users.map(line).join(''));
    await chmod(at('users'), 0o644);
    await writeFile(
      at('dovecot.conf'),
      `base_dir = ${at('run')}
log_path = ${at('log')}
protocols = lmtp
ssl = no
default_internal_user = ${owner}
default_internal_group = nogroup
default_login_user = ${owner}
mail_location = maildir:${at('mail')}/%u
first_valid_uid = 1
postmaster_address = postmaster@example.test
passdb {
  driver = passwd-file
  args = ${at('users')}
}
userdb {
  driver = passwd-file
  args = ${at('users')}
  default_fields = uid=65534 gid=65534 home=${at('mail')}/%u
}
protocol lmtp {
  mail_plugins = quota
}
plugin {
  quota = maildir:quota
  quota_grace = 0
}
${documentedIn('interop', 'dovecot lmtp', { 10024: port }).replace('/run/pointsman-lmtp', at('run', 'pointsman-lmtp')).replace('user = pointsman', 'user = root')}
`,
    );
    dovecot.#child = new Child('dovecot', ['/usr/sbin/dovecot', '-F', '-c', at('dovecot.conf')], {});
    return dovecot;
  }

  maildir(user: string): Maildir {
    const maildir = this.maildirs.get(user);
    if (!maildir) throw new Error(`no such user: ${user}`);
    return maildir;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const maildir of this.maildirs.values()) maildir[Symbol.dispose]();
    await this.#child?.stop('SIGTERM', 10_000);
    await this.#folder.remove();
  }
}
