// The systems compared, each on ports of its own with a queue of its own in a scratch folder, all on loopback, all
// handing everything to the same next hop, all syncing before their 250.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { run } from '../../test/support/child.ts';
import { untilListening } from '../../test/support/free-port.ts';
import type { Prosody } from '../../test/support/prosody-server.ts';

export interface System {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  readonly recipient: string;
  /** What an admin would have to know to repeat it. */
  readonly configuration: string;
  /** Milliseconds from the start of the process to its greeting. */
  readonly startedIn?: number;
  stop(): Promise<void>;
}

interface Where {
  readonly folder: string;
  readonly port: number;
  readonly sinkPort: number;
}

async function launch(
  command: readonly string[],
  log: string,
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
) {
  const out = openSync(log, 'a', 0o600);
  const [program, ...args] = command;
  const child = spawn(program ?? '', args, { stdio: ['pipe', out, out], ...options });
  closeSync(out);
  await once(child, 'spawn');
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('it did not start');
  return child.pid;
}

const recipient = 'b@sink.test';

export async function startPostfix({ folder, port, sinkPort }: Where): Promise<System> {
  const at = (name: string) => join(folder, name);
  for (const part of ['etc', 'spool', 'data']) await mkdir(at(part), { recursive: true, mode: 0o755 });
  await chmod(folder, 0o755);
  await run(['chown', 'postfix:', at('data')]);
  const main = `compatibility_level = 3.6
queue_directory = ${at('spool')}
data_directory = ${at('data')}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = postfix.test
mydestination =
local_recipient_maps =
local_transport = error:no local delivery
alias_maps =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [127.0.0.1]:${sinkPort}
smtpd_relay_restrictions = permit_mynetworks,reject
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtp_tls_security_level = none
smtpd_tls_security_level = none
message_size_limit = 67108864
mailbox_size_limit = 0
maillog_file = ${at('maillog')}
maillog_file_prefixes = ${folder}
multi_instance_wrapper =
`;
  await writeFile(at('etc/main.cf'), main);
  // Debian's own list of services; the listener moves, nothing is in a chroot.
  const services = (await readFile('/etc/postfix/master.cf.proto', 'utf8'))
    .split('\n')
    .filter((line) => /^[a-z]/.test(line))
    .map((line) => line.split(/\s+/))
    .map((words) => words.map((word, index) => (index === 4 ? 'n' : word)))
    .map((words) => (words[0] === 'smtp' && words[1] === 'inet' ? [`127.0.0.1:${port}`, ...words.slice(1)] : words));
  await writeFile(at('etc/master.cf'), `${services.map((words) => words.join(' ')).join('\n')}\n`);
  for (const file of ['dynamicmaps.cf', 'postfix-files']) {
    if (existsSync(`/etc/postfix/${file}`)) await copyFile(`/etc/postfix/${file}`, at(`etc/${file}`));
  }
  await run(['postfix', '-c', at('etc'), 'check']);
  const child = await launch(['/usr/lib/postfix/sbin/master', '-c', at('etc'), '-s'], at('stderr'));
  await untilListening(port, { within: 20_000, greeting: true });
  const version = (await run(['postconf', '-d', '-h', 'mail_version'])).trim();
  return {
    name: 'Postfix',
    pid: pidOf(child),
    port,
    recipient,
    configuration: `Postfix ${version}, Debian's master.cf, main.cf:\n${main.replaceAll(folder, '…')}`,
    stop: () => end(child),
  };
}

/** `cache`: a folder that has, or gets, Haraka by npm; it is no dependency of ours. */
export async function startHaraka({ folder, port, sinkPort }: Where, cache: string): Promise<System> {
  const haraka = join(cache, 'node_modules', 'Haraka');
  if (!existsSync(haraka)) {
    await mkdir(cache, { recursive: true });
    await writeFile(join(cache, 'package.json'), '{ "private": true }\n');
    await run(['npm', 'install', '--prefix', cache, '--silent', '--no-audit', '--no-fund', harakaVersion]);
  }
  const files: Record<string, string> = {
    'config/smtp.ini': `listen=127.0.0.1:${port}\n`,
    'config/me': 'haraka.test\n',
    'config/log.ini': '[main]\nlevel=notice\n',
    'config/outbound.ini': 'enable_tls=false\nlocal_mx_ok=true\ninet_prefer=v4\n',
    'config/plugins': 'relays_everything\n',
    'plugins/relays_everything.js': `// No DNS; everything is relayed: the core queues on disk and delivers.
exports.hook_lookup_rdns = (next) => next(OK, 'localhost')
exports.hook_mail = (next, connection) => { connection.relaying = true; next() }
exports.hook_rcpt = (next) => next(OK)
exports.hook_get_mx = (next) => next(OK, [{ priority: 0, exchange: '127.0.0.1', port: ${sinkPort} }])
`,
  };
  for (const part of ['config', 'plugins', 'queue']) await mkdir(join(folder, part), { recursive: true });
  await copyFile(join(haraka, 'config', 'connection.ini'), join(folder, 'config', 'connection.ini'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const child = await launch([process.execPath, join(haraka, 'bin', 'haraka'), '-c', folder], join(folder, 'log'));
  await untilListening(port, { within: 20_000, greeting: true });
  const { version } = JSON.parse(await readFile(join(haraka, 'package.json'), 'utf8')) as { version: string };
  const shown = Object.entries(files).map(([name, text]) => `${name}:\n${text}`);
  return {
    name: 'Haraka',
    pid: pidOf(child),
    port,
    recipient,
    configuration: `Haraka ${version}, disk queue ("outbound"), one process, on the same Node\n${shown.join('\n')}`,
    stop: () => end(child),
  };
}

const harakaVersion = 'Haraka@3.3.4';

/** `to`: another recipient, e.g. of a group. */
/** As npm installs it: JavaScript, compiled from these sources. */
async function install(root: string, to: string): Promise<void> {
  await mkdir(to);
  const compiler = join(root, 'node_modules', '.bin', 'tsc');
  await promisify(execFile)(compiler, ['-p', join(root, 'tsconfig.dist.json'), '--outDir', join(to, 'dist')]);
  for (const name of ['bin', 'rules', 'web', 'package.json'])
    await cp(join(root, name), join(to, name), { recursive: true });
  await symlink(join(root, 'node_modules'), join(to, 'node_modules'));
}

export async function startPointsman(
  { folder, port, sinkPort }: Where,
  options: {
    httpPort: number;
    prosody?: Prosody;
    profile?: boolean;
    to?: string;
    /** Of the configuration. */
    more?: Record<string, unknown>;
    /** A rule file besides the samples. */
    rules?: string;
  },
): Promise<System> {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const { prosody } = options;
  const configuration = stringify({
    hostname: 'pointsman.test',
    state: 'state',
    rules: 'rules',
    listen: [`127.0.0.1:${port}`],
    http: `127.0.0.1:${options.httpPort}`,
    peers: ['127.0.0.1'],
    domains: ['sink.test', 'pointsman.test'],
    size: '64MB',
    nextHops: { default: { host: '127.0.0.1', port: sinkPort, tls: 'none', maxConnections: 20 } },
    ...(prosody && {
      xmpp: {
        jid: `pointsman@${prosody.domain}`,
        passwordFile: 'xmpp-password',
        server: `127.0.0.1:${prosody.port}`,
        caFile: prosody.caFile,
      },
    }),
    log: { level: 'info' },
    ...options.more,
  });
  await mkdir(join(folder, 'rules'), { recursive: true, mode: 0o700 });
  await writeFile(join(folder, 'pointsman.yaml'), configuration);
  await writeFile(join(folder, 'xmpp-password'), 'p\n', { mode: 0o600 });
  for (const file of ['10-people.yaml', '20-groups.yaml', '30-routes.yaml']) {
    await copyFile(join(root, 'rules', file), join(folder, 'rules', file));
    await chmod(join(folder, 'rules', file), 0o600);
  }
  if (options.rules !== undefined)
    await writeFile(join(folder, 'rules', '40-bench.yaml'), options.rules, { mode: 0o600 });
  const installed = join(folder, 'installed');
  await install(root, installed);
  const profiling = options.profile ? ['--cpu-prof', `--cpu-prof-dir=${join(folder, 'profiles')}`] : [];
  const command = [
    ...profiling,
    join(installed, 'bin', 'pointsman.js'),
    'serve',
    '--config',
    join(folder, 'pointsman.yaml'),
  ];
  const begun = performance.now();
  const child = await launch([process.execPath, ...command], join(folder, 'log'), {
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  await untilListening(port, { within: 30_000, greeting: true });
  const startedIn = Math.round(performance.now() - begun);
  return {
    name: 'Pointsman',
    pid: pidOf(child),
    port,
    recipient: options.to ?? recipient,
    startedIn,
    configuration: `Pointsman, the sample rules, ${prosody ? 'presence from Prosody' : 'no XMPP (Prosody is not installed)'}, log level info into a file; pointsman.yaml:\n${configuration.replace(/\/\S*\/ca\.crt/, 'ca.crt')}`,
    stop: () => end(child),
  };
}
