// Pointsman as the soak runs it: `pointsman serve`, the sample rules and a group of its own, presence where there is an
// XMPP server, the log at its usual level (read and counted here, not kept: an hour of it is a gigabyte).
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { type Client, createClient } from '../../src/cli/client.ts';
import { controlSocketIn } from '../../src/console/server.ts';
import { untilListening } from '../../test/support/free-port.ts';
import type { Prosody } from '../../test/support/prosody-server.ts';
import { chief, group, members } from './mix.ts';

const rules = `people:
${members.map((name) => `  ${name}: { mail: ${name}@soak.test }`).join('\n')}
groups:
  desk:
    address: ${group}
    members: [${members.join(', ')}]
    strategy: round-robin
    eligible: [chat, available, away, unknown]
    fallback: { mailbox: ${members[0]}@soak.test }
    policy: brisk
policies:
  brisk:
    until: taken
    steps:
      - { name: chief, after: 30s, to: { mailbox: ${chief} } }
`;

export interface Place {
  readonly folder: string;
  readonly port: number;
  readonly httpPort: number;
  readonly sinkPort: number;
  readonly prosody: Prosody | undefined;
}

export class Site {
  readonly pid: number;
  readonly port: number;
  readonly httpPort: number;
  readonly state: string;
  readonly client: Client;
  /** Lines of the log, by level. */
  readonly lines: Record<string, number> = {};
  /** Sentences worse than "info", and how often each was said. */
  readonly worse = new Map<string, number>();
  /** The last of what is worse than "info", and of what it says besides. */
  readonly complaints: string[] = [];
  readonly #child: ChildProcess;

  private constructor({ folder, port, httpPort }: Place, child: ChildProcess) {
    if (child.pid === undefined || !child.stdout || !child.stderr) throw new Error('Pointsman did not start');
    this.pid = child.pid;
    this.port = port;
    this.httpPort = httpPort;
    this.state = join(folder, 'state');
    this.client = createClient(controlSocketIn(this.state));
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const level = /"level":"(\w+)"/.exec(line)?.[1] ?? 'none';
      // Nobody takes some of the messages, and the next hop refuses some: meant, here.
      const kind = /"fault":"escalation-exhausted"|"reply":"550 5.1.1 nobody of that name"/.test(line)
        ? 'meant'
        : level;
      this.lines[kind] = (this.lines[kind] ?? 0) + 1;
      if (kind === 'info' || kind === 'meant') return;
      const message = /"msg":"(.*?)"[,}]/.exec(line)?.[1] ?? line;
      this.worse.set(message, (this.worse.get(message) ?? 0) + 1);
      this.#complain(line);
    });
    createInterface({ input: child.stderr }).on('line', (line) => this.#complain(line));
  }

  static async start(place: Place): Promise<Site> {
    const { folder, port, httpPort, sinkPort, prosody } = place;
    const root = fileURLToPath(new URL('../../', import.meta.url));
    await mkdir(join(folder, 'rules'), { recursive: true, mode: 0o700 });
    const config = {
      hostname: 'soak.test',
      state: 'state',
      rules: 'rules',
      listen: [`127.0.0.1:${port}`],
      http: `127.0.0.1:${httpPort}`,
      peers: ['127.0.0.1'],
      domains: ['sink.test', 'soak.test', 'pointsman.test'],
      nextHops: { default: { host: '127.0.0.1', port: sinkPort, tls: 'none', maxConnections: 20 } },
      // Finished content goes within the run: what the hour shows is the steady state of retention too.
      queue: { firstRetry: '5s', longestRetry: '10s', keepContent: '1m' },
      ...(prosody && {
        xmpp: {
          jid: `pointsman@${prosody.domain}`,
          passwordFile: 'xmpp-password',
          server: `127.0.0.1:${prosody.port}`,
          caFile: prosody.caFile,
          rate: '10kB',
        },
      }),
      log: { level: 'info', pretty: 'false' },
    };
    await writeFile(join(folder, 'pointsman.yaml'), stringify(config));
    await writeFile(join(folder, 'xmpp-password'), 'p\n', { mode: 0o600 });
    for (const file of ['10-people.yaml', '20-groups.yaml', '30-routes.yaml'])
      await copyFile(join(root, 'rules', file), join(folder, 'rules', file));
    await writeFile(join(folder, 'rules', '40-soak.yaml'), rules);
    for (const file of ['10-people.yaml', '20-groups.yaml', '30-routes.yaml', '40-soak.yaml'])
      await chmod(join(folder, 'rules', file), 0o600);
    const program = join(root, 'bin', 'pointsman.js');
    const child = spawn(process.execPath, [program, 'serve', '--config', join(folder, 'pointsman.yaml')], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    await once(child, 'spawn');
    const site = new Site(place, child);
    try {
      await untilListening(port, { within: 30_000, greeting: true });
    } catch (error) {
      throw new Error(`Pointsman did not come up:\n${site.complaints.join('\n')}`, { cause: error });
    }
    return site;
  }

  #complain(line: string): void {
    this.complaints.push(line);
    if (this.complaints.length > 40) this.complaints.shift();
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Its exit code. */
  async stop(): Promise<number | null> {
    if (this.running) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await ended;
    }
    return this.#child.exitCode;
  }
}
