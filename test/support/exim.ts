// An Exim of the test's own, unpacked from Debian's package. What an admin copies comes from docs/operate/interop.md.
import { chmod, chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child, endWithTest } from './child.ts';
import { documentedIn } from './documented.ts';
import { untilListening } from './free-port.ts';
import type { Neighbour, NeighbourOptions } from './neighbour.ts';
import { tempFolder } from './temp-folder.ts';
import { idOf, inWorld, unpacked } from './unpacked.ts';

const user = 'Debian-exim';

export const eximRoot = (): Promise<string | undefined> => unpacked('exim-4', ['exim4-daemon-light', 'libidn12']);

/** More of the configuration, given its folder. */
export interface EximParts {
  readonly main?: (folder: string) => string;
  /** Before the documented ones. */
  readonly acl?: (folder: string) => string;
  readonly routers?: (folder: string) => string;
  readonly transports?: (folder: string) => string;
  /** The port of the lookup door; then its recipe is there, too. */
  readonly lookup?: number;
  /** With Pointsman. */
  readonly tls?: boolean;
  /** Documented options to leave out. */
  readonly omit?: readonly string[];
}

export async function startExim(options: NeighbourOptions & EximParts): Promise<Neighbour> {
  const { root, ports, files = {} } = options;
  await using undo = new AsyncDisposableStack();
  const folder = undo.use(await tempFolder('exim', { open: true }));
  const at = (name: string) => join(folder.path, name);
  const world = { folder: folder.path, root, users: [user] };
  const id = idOf(world, user);
  const binary = join(root, 'usr/sbin/exim4');
  const own = async (name: string) => chown(at(name), id, id);
  for (const part of ['spool', 'log']) {
    await mkdir(at(part));
    await own(part);
  }
  for (const [name, text] of Object.entries(files)) {
    await writeFile(at(name), text, { mode: 0o600 });
    await own(name);
  }
  await writeFile(at('configuration'), configuration(folder.path, binary, options));
  await chmod(at('configuration'), 0o644);
  const daemon = undo.use(
    new Child('exim', [
      ...(await inWorld(world)),
      binary,
      ...['-C', at('configuration')],
      ...(options.arguments ?? []),
      ...['-bdf', '-q1s'],
    ]),
  );
  undo.defer(endWithTest(daemon.pid));
  const log = async () => {
    const [main, panic] = await Promise.all(
      ['main', 'panic'].map((name) => readFile(at(`log/${name}log`), 'utf8').catch(() => '')),
    );
    return `${main}${panic}${daemon.errors.tail()}`;
  };
  for (const port of [ports.front, ports.back])
    await untilListening(port, { within: 20_000, signal: daemon.gone, greeting: true }).catch(
      async (cause: unknown) => {
        throw new Error(`Exim did not come up: ${await log()}`, { cause });
      },
    );
  const keep = undo.move();
  return { log, calm: () => rm(at('busy')), [Symbol.asyncDispose]: () => keep.disposeAsync() };
}

const configuration = (folder: string, binary: string, { ports, ...parts }: NeighbourOptions & EximParts): string => {
  const documented = (block: string) =>
    documentedIn('interop', block, { 10025: ports.pointsman, 10026: ports.back })
      .replaceAll('/etc/exim4', folder)
      .replace('= smtp :', `= ${ports.front} :`)
      .split('\n')
      .filter((line) => !parts.omit?.some((option) => line.startsWith(option)))
      .join('\n');
  const sealed = (block: string): string =>
    parts.tls ? block.replace('  hosts_avoid_tls = *\n', documented('exim tls')) : block;
  return `primary_hostname = exim.test
qualify_domain = exim.test
spool_directory = ${folder}/spool
log_file_path = ${folder}/log/%slog
pid_file_path = ${folder}/pid
exim_path = ${binary}
keep_environment =
disable_ipv6
local_interfaces = 127.0.0.1
acl_smtp_rcpt = acl_check_rcpt
log_selector = +smtp_confirmation +received_recipients
hostlist relay_from_hosts = 127.0.0.1
domainlist relay_to_domains = *
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max_per_host = 0
timeout_frozen_after = 1h
delay_warning =
${documented('exim main')}
${parts.main?.(folder) ?? ''}
begin acl
acl_check_rcpt:
${parts.acl?.(folder) ?? ''}
${documented('exim acl')}
  accept hosts = +relay_from_hosts
  deny
begin routers
${parts.lookup === undefined ? '' : documented('exim lookup').replace('10028', String(parts.lookup))}
${documented('exim router').replace('* 127.0.0.1', parts.tls ? '* localhost byname' : '$&')}
${parts.routers?.(folder) ?? ''}
elsewhere:
  driver = manualroute
  route_list = * 127.0.0.1
  transport = sink
  self = send
begin transports
${sealed(documented('exim transport'))}
sink:
  driver = smtp
  port = ${ports.sink}
  allow_localhost
  hosts_avoid_tls = *
${parts.transports?.(folder) ?? ''}
begin retry
* * F,1h,1s
`;
};
