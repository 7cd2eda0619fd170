// The milters that are compared, each a process of its own on a unix socket: Pointsman with rules, a group and live
// presence; libmilter in C and python-milter, which only say "go on". What is of others is compiled or fetched once.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { createClient } from '../../src/cli/client.ts';
import { controlSocketIn } from '../../src/console/server.ts';
import { run } from '../../test/support/child.ts';
import type { Prosody } from '../../test/support/prosody-server.ts';
import { processorTime } from '../relay/processes.ts';

export interface System {
  readonly name: string;
  readonly pid: number;
  /** For the generator and for Postfix: unix:/path. */
  readonly address: string;
  stop(): Promise<void>;
}

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../../', import.meta.url));
export const group = 'team@sink.test';

/** Of this folder's C. @throws with what the compiler says */
export async function compile(name: string, folder: string, ...libraries: readonly string[]): Promise<string> {
  const made = join(folder, name);
  await run(['cc', '-O2', '-pthread', '-o', made, join(here, `${name}.c`), ...libraries]);
  return made;
}

export async function start(
  name: string,
  command: readonly string[],
  folder: string,
  options: { address: string; env?: NodeJS.ProcessEnv; within?: number },
): Promise<System> {
  const log = join(folder, `${name.replaceAll(/\W+/g, '-')}.log`);
  const out = openSync(log, 'a', 0o600);
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', out, out], env: { ...process.env, ...options.env } });
  closeSync(out);
  await once(child, 'spawn');
  await answers(options.address, child, options.within ?? 10_000).catch(async (error: unknown) => {
    throw new Error(`${name}: ${(await readFile(log, 'utf8')).slice(-2_000)}`, { cause: error });
  });
  return { name, pid: child.pid ?? 0, address: options.address, stop: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  // libmilter waits for its connections.
  const late = setTimeout(() => child.kill('SIGKILL'), 30_000);
  await ended;
  clearTimeout(late);
}

async function answers(address: string, child: ChildProcess, within: number): Promise<void> {
  const until = Date.now() + within;
  for (;;) {
    const there = await new Promise<boolean>((resolve) => {
      const [host = '', port] = address.split(':');
      const socket = host === 'unix' ? connect(port ?? '') : connect(Number(port), host);
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (there) return;
    if (child.exitCode !== null || Date.now() > until) throw new Error(`nothing answers on ${address}`);
    await pause(50);
  }
}

export interface RouterOptions {
  readonly folder: string;
  readonly prosody: Prosody;
  /** Whoever is to be seen as present before it counts as started. */
  readonly present: readonly string[];
  /** `silent`: no policy, so no body is asked for and nothing is watched. */
  readonly content: 'no body' | 'body' | 'watched';
  readonly ports: { readonly smtp: number; readonly http: number; readonly next: number; readonly lookup: number };
  readonly profile?: string;
  readonly tcp?: number;
}

/** The real program: rules as an admin would have them, the members' presence from a chat server. */
export async function startRouter(options: RouterOptions): Promise<System & { readonly configuration: string }> {
  const { folder, prosody, ports, content } = options;
  await mkdir(join(folder, 'rules'), { recursive: true, mode: 0o700 });
  const address = options.tcp === undefined ? `unix:${join(folder, 'milter')}` : `127.0.0.1:${options.tcp}`;
  const config = stringify({
    hostname: 'pointsman.test',
    state: 'state',
    rules: 'rules',
    listen: [`127.0.0.1:${ports.smtp}`],
    http: `127.0.0.1:${ports.http}`,
    peers: ['127.0.0.1'],
    nextHops: { default: `127.0.0.1:${ports.next}` },
    milter: { listen: address },
    lookup: { socketmap: `127.0.0.1:${ports.lookup}` },
    xmpp: {
      jid: `pointsman@${prosody.domain}`,
      passwordFile: 'xmpp-password',
      server: `127.0.0.1:${prosody.port}`,
      caFile: prosody.caFile,
    },
    log: { level: 'info' },
  });
  await writeFile(join(folder, 'pointsman.yaml'), config);
  await writeFile(join(folder, 'xmpp-password'), 'p\n', { mode: 0o600 });
  const rules = rulesFor(prosody.domain, content);
  await writeFile(join(folder, 'rules', '10-all.yaml'), rules);
  await chmod(join(folder, 'rules', '10-all.yaml'), 0o600);
  const profiling = options.profile
    ? ['--max-semi-space-size=4', '--cpu-prof', `--cpu-prof-dir=${options.profile}`]
    : [];
  const program = [
    ...profiling,
    join(root, 'bin', 'pointsman.js'),
    'serve',
    '--config',
    join(folder, 'pointsman.yaml'),
  ];
  const system = await start('Pointsman', [process.execPath, ...program], folder, {
    address,
    env: { NODE_OPTIONS: '' },
    within: 30_000,
  });
  const client = createClient(controlSocketIn(join(folder, 'state')));
  for (const until = Date.now() + 30_000; ; await pause(50)) {
    const seen = (await client.presence()).filter(({ presence }) => presence.state === 'available');
    if (options.present.every((name) => seen.some((one) => one.name === name))) break;
    if (Date.now() > until) throw new Error(`only ${seen.map(({ name }) => name)} are seen to be there`);
  }
  return {
    ...system,
    configuration: `${config.replace(/\/\S*\/ca\.crt/, 'ca.crt').replaceAll(folder, '…')}\n${rules}`,
  };
}

const members = ['ann', 'ben', 'cyd', 'dan', 'eve'];
export const accounts = Object.fromEntries(['pointsman', ...members].map((name) => [name, 'p']));

export function rulesFor(domain: string, content: RouterOptions['content']): string {
  const people = members.map((name) => `  ${name}: { mail: ${name}@sink.test, jid: ${name}@${domain} }`).join('\n');
  const watched = content === 'watched' ? 'soon' : 'none';
  return `people:
${people}
groups:
  team:
    address: ${group}
    members: [${members.join(', ')}]
    strategy: round-robin
    fallback: unchanged
    policy: ${watched}
${content === 'no body' ? '' : `  other: { address: other@sink.test, members: [ann], fallback: unchanged, policy: soon }\n`}policies:
  soon:
    steps: [{ name: again, after: 1h, to: next }]
routes:
  - { name: no adverts, match: { recipient: ${group}, subject: { contains: buy now } }, reject: No thanks }
  - { name: billing, match: { recipient: ${group}, header: { X-Customer: gold } }, group: team }
  - { name: newsletters, match: { sender: { glob: 'news-*@*' } }, pass: true }
`;
}

/** Compiled here; \`mode\` as null.c has it. */
export async function startC(
  folder: string,
  mode: 'answered' | 'silent' | 'rewrites' | 'same',
  tcp?: number,
): Promise<System> {
  const program = existsSync(join(folder, 'null')) ? join(folder, 'null') : await compile('null', folder, '-lmilter');
  const path = join(folder, `c-${mode}`);
  const [socket, address] =
    tcp === undefined ? [`unix:${path}`, `unix:${path}`] : [`inet:${tcp}@127.0.0.1`, `127.0.0.1:${tcp}`];
  return start(`libmilter, ${mode}`, [program, socket, mode], folder, { address });
}

/** Debian's package, unpacked beside; undefined where it cannot be had. */
export async function startPython(folder: string, mode: 'answered' | 'silent'): Promise<System | undefined> {
  const at = join(folder, 'python');
  if (!existsSync(at)) {
    await mkdir(at);
    if (spawnSync('apt-get', ['download', 'python3-milter'], { cwd: at }).status !== 0) return undefined;
    for (const file of await readdir(at)) await run(['dpkg-deb', '-x', join(at, file), at]);
  }
  const address = `unix:${join(folder, `py-${mode}`)}`;
  const env = { PYTHONPATH: join(at, 'usr/lib/python3/dist-packages') };
  const command = ['/usr/bin/python3', join(here, 'null.py'), address, mode];
  return start(`python-milter, ${mode}`, command, folder, { address, env });
}

/** When it has written down what waited: it has nothing to do for a second. */
export async function settled(pid: number): Promise<void> {
  for (let busy = true; busy; ) {
    const before = processorTime(pid);
    await pause(1_000);
    busy = processorTime(pid) - before > 0.03;
  }
}
