// An ejabberd of the test's own: unprivileged, in a temp folder, on free loopback ports, without Erlang's distribution
// (so neither epmd nor a node name that two tests could share). The parts an admin copies come from
// docs/operate/ejabberd.md.
import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { makeCertificates } from './certificate.ts';
import { Child, run } from './child.ts';
import { freePorts, untilListening } from './free-port.ts';
import { type TempFolder, tempFolder } from './temp-folder.ts';

export interface EjabberdOptions {
  readonly domain: string;
  /** Local part to password. */
  readonly accounts: Readonly<Record<string, string>>;
  /** Everybody in one shared roster group, or these. */
  readonly sharedRoster?: boolean | readonly string[];
  /** Without the documented limits on octets per second. */
  readonly unlimited?: boolean;
}

export class Ejabberd implements AsyncDisposable {
  readonly domain: string;
  readonly port: number;
  readonly caFile: string;
  readonly #httpPort: number;
  readonly #folder: TempFolder;
  readonly #user: { user?: string } = process.getuid?.() === 0 ? { user: 'ejabberd' } : {};
  #server: Child | undefined;

  private constructor(domain: string, ports: readonly [number, number], folder: TempFolder) {
    this.domain = domain;
    [this.port, this.#httpPort] = ports;
    this.#folder = folder;
    this.caFile = join(folder.path, 'ca.crt');
  }

  static async start(options: EjabberdOptions): Promise<Ejabberd> {
    const folder = await tempFolder('ejabberd', { open: true });
    const ports = (await freePorts(2)) as [number, number];
    const ejabberd = new Ejabberd(options.domain, ports, folder);
    try {
      await ejabberd.#configure(options);
      await ejabberd.start();
      for (const [user, password] of Object.entries(options.accounts)) {
        await ejabberd.command('register', { user, host: options.domain, password });
      }
      const { sharedRoster } = options;
      if (sharedRoster)
        await ejabberd.shareRoster(sharedRoster === true ? Object.keys(options.accounts) : sharedRoster);
    } catch (error) {
      const log = await ejabberd.log();
      await ejabberd[Symbol.asyncDispose]();
      throw new Error(`ejabberd could not be set up:\n${log.slice(-4_000)}`, { cause: error });
    }
    return ejabberd;
  }

  async #configure({ domain, unlimited = false }: EjabberdOptions): Promise<void> {
    const at = (...parts: string[]) => join(this.#folder.path, ...parts);
    await mkdir(at('spool'));
    await mkdir(at('log'));
    await makeCertificates(this.#folder.path, domain);
    await writeFile(
      at('server.pem'),
      `${readFileSync(at('server.key'), 'utf8')}${readFileSync(at('server.crt'), 'utf8')}`,
    );
    await writeFile(at('inetrc'), '{lookup,["file","native"]}.\n{host,{127,0,0,1}, ["localhost","hostalias"]}.\n');
    await writeFile(
      at('ejabberd.yml'),
      configuration(this.#folder.path, [this.port, this.#httpPort], domain, unlimited),
    );
    if (this.#user.user !== undefined) await run(['chown', '-R', `${this.#user.user}:`, this.#folder.path]);
  }

  /** After stop() or kill9(): the same accounts, rosters and port. */
  async start(): Promise<void> {
    const at = (...parts: string[]) => join(this.#folder.path, ...parts);
    const env = {
      HOME: this.#folder.path,
      EJABBERD_CONFIG_PATH: at('ejabberd.yml'),
      EJABBERD_LOG_PATH: at('log', 'ejabberd.log'),
      ERL_LIBS: '/usr/lib/x86_64-linux-gnu:/usr/lib/aarch64-linux-gnu',
      ERL_INETRC: at('inetrc'),
      ERL_CRASH_DUMP_BYTES: '0',
    };
    const options = ['+S', '1:1', '+K', 'true', '-noinput', '-mnesia', 'dir', `"${at('spool')}"`, '-s', 'ejabberd'];
    this.#server = new Child('ejabberd', ['/usr/bin/erl', ...options], { ...this.#user, cwd: at('spool'), env });
    try {
      await untilListening(this.port, { within: 60_000, signal: this.#server.gone });
      await untilListening(this.#httpPort, { within: 60_000, signal: this.#server.gone });
    } catch (error) {
      throw new Error(`ejabberd did not come up:\n${await this.log()}`, { cause: error });
    }
  }

  /** Of mod_http_api: what `ejabberdctl` does, without the two seconds that each call of that costs. */
  command(name: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const asked = request(
        { host: '127.0.0.1', port: this.#httpPort, path: `/api/${name}`, method: 'POST', agent: false },
        (answer) => {
          let body = '';
          answer.on('data', (part) => {
            body += part;
          });
          answer.on('end', () => {
            if (answer.statusCode === 200) resolve(JSON.parse(body));
            else reject(new Error(`${name}: ${answer.statusCode} ${body}`));
          });
        },
      );
      asked.on('error', reject);
      asked.end(JSON.stringify(args));
    });
  }

  async shareRoster(users: readonly string[], group = 'support'): Promise<void> {
    const host = this.domain;
    await this.command('srg_create', { group, host, label: 'Support', description: 'all', display: group });
    for (const user of users) await this.command('srg_user_add', { user, host, group, grouphost: host });
  }

  /** Gracefully. */
  async stop(): Promise<void> {
    await this.#server?.stop();
    this.#server = undefined;
  }

  async kill9(): Promise<void> {
    await this.#server?.stop('SIGKILL');
    this.#server = undefined;
  }

  freeze(): void {
    this.#server?.signal('SIGSTOP');
  }

  thaw(): void {
    this.#server?.signal('SIGCONT');
  }

  async log(): Promise<string> {
    const logged = await readFile(join(this.#folder.path, 'log', 'ejabberd.log'), 'utf8').catch(() => '(no log)');
    return `${logged}${this.#server?.out.tail() ?? ''}${this.#server?.errors.tail() ?? ''}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#folder.remove();
  }
}

function documented(name: string): string {
  const page = readFileSync(new URL('../../docs/operate/ejabberd.md', import.meta.url), 'utf8');
  const [, block] = new RegExp(`<!-- live: ${name} -->\\n\`\`\`yaml\\n(.*?)\\n\`\`\``, 's').exec(page) ?? [];
  if (block === undefined) throw new Error(`docs/operate/ejabberd.md has no block "${name}"`);
  return `${block}\n`;
}

const configuration = (folder: string, [port, httpPort]: readonly number[], domain: string, unlimited: boolean) =>
  `loglevel: info
hosts: [${domain}]
certfiles: [${folder}/server.pem]
language: en
s2s_access: none
listen:
  - port: ${port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    max_stanza_size: 262144
    shaper: c2s_shaper
    starttls_required: true
    access: all
  - port: ${httpPort}
    ip: "127.0.0.1"
    module: ejabberd_http
    request_handlers:
      /api: mod_http_api
api_permissions:
  "the test":
    who: {access: {allow: {ip: 127.0.0.0/8}}}
    what: "*"
${documented('auth')}
${documented('shaper').replace(/normal: \{.*\}/, unlimited ? 'normal: 100000000' : '$&')}
${documented('modules')}
`.replaceAll('example.test', domain);
