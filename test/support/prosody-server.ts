// A Prosody of the test's own: unprivileged, in a temp folder, on a free loopback port, with STARTTLS by an authority
// made for the test. The parts an admin copies come from docs/operate/prosody.md.
import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeCertificates } from './certificate.ts';
import { Child, run } from './child.ts';
import { freePort, untilListening } from './free-port.ts';
import { type TempFolder, tempFolder } from './temp-folder.ts';

export interface ProsodyOptions {
  readonly domain: string;
  /** Local part to password. */
  readonly accounts: Readonly<Record<string, string>>;
  /** With the documented groups.txt everybody in it sees everybody; a list is who is in it instead. */
  readonly sharedRoster?: boolean | readonly string[];
  /** Without the documented limits on octets per second. */
  readonly unlimited?: boolean;
  /** Speaks to other servers: on that port, and finds theirs by the DNS server on that other. */
  readonly federation?: { readonly port: number; readonly dns: number };
  /** What it takes of each client a second, also of the bot, in place of the documented limits: `1kb/s`. */
  readonly takes?: string;
  /** More configuration, as it stands in the file before the hosts. */
  readonly more?: string;
}

export class Prosody implements AsyncDisposable {
  readonly domain: string;
  readonly port: number;
  /** PEM file of the authority to trust. */
  readonly caFile: string;
  readonly #folder: TempFolder;
  // Root must not run it: the package's own user does then.
  readonly #user: { user?: string } = process.getuid?.() === 0 ? { user: 'prosody' } : {};
  #server: Child | undefined;

  private constructor(domain: string, port: number, folder: TempFolder) {
    this.domain = domain;
    this.port = port;
    this.#folder = folder;
    this.caFile = join(folder.path, 'ca.crt');
  }

  static async start(options: ProsodyOptions): Promise<Prosody> {
    const folder = await tempFolder('prosody', { open: true });
    const prosody = new Prosody(options.domain, await freePort(), folder);
    try {
      await prosody.#configure(options);
      await prosody.start();
    } catch (error) {
      await prosody[Symbol.asyncDispose]();
      throw error;
    }
    return prosody;
  }

  async #configure(options: ProsodyOptions): Promise<void> {
    const { domain, accounts, sharedRoster = false } = options;
    const at = (...parts: string[]) => join(this.#folder.path, ...parts);
    await mkdir(at('data'));
    await makeCertificates(this.#folder.path, domain);
    const listed = Array.isArray(sharedRoster)
      ? `[Support]\n${sharedRoster.map((jid) => `${jid}=${jid}\n`).join('')}`
      : documented('groups.txt');
    await writeFile(at('groups.txt'), sharedRoster ? listed : '');
    await writeFile(at('prosody.cfg.lua'), configuration(this.#folder.path, this.port, options));
    if (this.#user.user !== undefined) await run(['chown', '-R', `${this.#user.user}:`, this.#folder.path]);
    for (const [name, password] of Object.entries(accounts)) {
      await run(['prosodyctl', '--config', at('prosody.cfg.lua'), 'register', name, domain, password], this.#user);
    }
  }

  /** After stop() or kill9(): the same accounts, rosters and port. */
  async start(): Promise<void> {
    const command = ['prosody', '--config', join(this.#folder.path, 'prosody.cfg.lua'), '-F'] as const;
    this.#server = new Child('prosody', command, this.#user);
    try {
      await untilListening(this.port, { within: 20_000, signal: this.#server.gone });
    } catch (error) {
      throw new Error(`Prosody did not come up:\n${await this.log()}`, { cause: error });
    }
  }

  /** Gracefully: it tells everybody that they are gone. */
  async stop(): Promise<void> {
    await this.#server?.stop();
    this.#server = undefined;
  }

  async kill9(): Promise<void> {
    await this.#server?.stop('SIGKILL');
    this.#server = undefined;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Alive, but it answers nothing: a machine that hangs. */
  freeze(): void {
    this.#server?.signal('SIGSTOP');
  }

  thaw(): void {
    this.#server?.signal('SIGCONT');
  }

  async log(): Promise<string> {
    const logged = await readFile(join(this.#folder.path, 'log'), 'utf8').catch(() => '(no log)');
    return `${logged}${this.#server?.errors.tail() ?? ''}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#folder.remove();
  }
}

function documented(name: string): string {
  const page = readFileSync(new URL('../../docs/operate/prosody.md', import.meta.url), 'utf8');
  const [, block] = new RegExp(`<!-- live: ${name} -->\\n\`\`\`(?:lua)?\\n(.*?)\\n\`\`\``, 's').exec(page) ?? [];
  if (block === undefined) throw new Error(`docs/operate/prosody.md has no block "${name}"`);
  return `${block}\n`;
}

const configuration = (
  folder: string,
  port: number,
  { domain, unlimited, takes, federation, more = '' }: ProsodyOptions,
) => `pidfile = "${folder}/pid"
data_path = "${folder}/data"
log = { info = "${folder}/log" }
interfaces = { "127.0.0.1" }
c2s_ports = { ${port} }
c2s_direct_tls_ports = {}
s2s_ports = { ${federation?.port ?? ''} }
http_ports = {}
https_ports = {}
component_ports = {}
authentication = "internal_hashed"
storage = "internal"
c2s_require_encryption = true
${documented('modules').replace('/etc/prosody', folder)}
modules_disabled = { ${[...(federation ? [] : ['"s2s"']), ...(unlimited ? ['"limits"'] : [])].join('; ')} }
${unlimited ? '' : takes ? `limits = { c2s = { rate = "${takes}" } }` : documented('limits')}
${federation ? `${documented('federation')}${dnsAt(federation.dns)}` : ''}
${documented('smacks')}
${more}
VirtualHost "${domain}"
  ssl = { key = "${folder}/server.key"; certificate = "${folder}/server.crt" }
${documented('room').replaceAll('example.test', domain)}
`;

/** By lua-unbound; Prosody's own resolver asks on port 53 alone. */
const dnsAt = (port: number) =>
  `unbound = { resolvconf = false; hoststxt = false; forward = "127.0.0.1@${port}"; options = { ["do-not-query-localhost:"] = "no" } }`;
