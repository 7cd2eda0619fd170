// MTAs that cannot be installed beside each other: Debian's packages are downloaded and unpacked into a cache, and run
// from there in a world of their own, where their users exist and their fixed paths are ours.
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './child.ts';

/** Their common root folder; undefined, saying why, where it cannot be had. @throws with CI=true instead */
export async function unpacked(name: string, packages: readonly string[]): Promise<string | undefined> {
  const cache = join(tmpdir(), `pointsman-${name}`);
  const root = join(cache, 'root');
  if (existsSync(join(cache, 'whole'))) return root;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get'))
    return missing(name, 'its packages can only be downloaded and run by root on Debian');
  // In a folder of its own first, so that two runs at once do not meet half of it.
  const fresh = await mkdtemp(`${cache}-`);
  const download = () => spawnSync('apt-get', ['download', ...packages], { cwd: fresh, encoding: 'utf8' });
  let { status, stderr } = download();
  if (status !== 0) {
    spawnSync('apt-get', ['update']);
    ({ status, stderr } = download());
  }
  if (status !== 0) {
    await rm(fresh, { recursive: true });
    return missing(name, stderr);
  }
  for (const file of globSync(join(fresh, '*.deb'))) await run(['dpkg-deb', '-x', file, join(fresh, 'root')]);
  await run(['chmod', '755', fresh]);
  await writeFile(join(fresh, 'whole'), '');
  // A folder that is there already is somebody else's whole one, or what a broken run has left.
  if (existsSync(cache) && !existsSync(join(cache, 'whole'))) await rm(cache, { recursive: true });
  await rename(fresh, cache).catch(() => rm(fresh, { recursive: true }));
  return root;
}

function missing(name: string, why: string): undefined {
  if (process.env.CI === 'true') throw new Error(`with CI=true every suite must run, but ${name} is missing: ${why}`);
  process.stderr.write(`SKIPPED suite with ${name}: ${why}\n`);
}

/** Where its libraries are. */
const librariesOf = (root: string): readonly string[] =>
  globSync(['usr/lib/*-linux-gnu', 'lib/*-linux-gnu'], { cwd: root }).map((folder) => join(root, folder));

/** For programs run without a world of their own. */
export const libraryPath = (root: string): string => librariesOf(root).join(':');

export interface World {
  /** A scratch folder for what stands in for the system's files. */
  readonly folder: string;
  /** Of what was unpacked: its libraries are found, also by programs that change user, who heed no LD_LIBRARY_PATH. */
  readonly root: string;
  /** Users (each with a group of the same name) that the system need not have. */
  readonly users: readonly string[];
  /** What is seen at a path in this world alone; the path must be there. */
  readonly binds?: readonly (readonly [from: string, at: string])[];
  /** Empty folders, writable and gone with the world. */
  readonly empty?: readonly string[];
  /** More commands to be run in it before the program. */
  readonly prepare?: readonly string[];
  readonly hostname?: string;
}

const firstId = 64_100;

/** The ids that users have in their worlds. */
export const idOf = ({ users }: Pick<World, 'users'>, user: string): number => firstId + users.indexOf(user);

/** Before a command: runs it in that world (mounts, users and host name of its own). Only root can. */
export async function inWorld(world: World): Promise<readonly [string, ...string[]]> {
  const at = (name: string) => join(world.folder, name);
  const lines = (line: (user: string, id: number) => string) =>
    world.users.map((user) => line(user, idOf(world, user))).join('');
  const passwd = readFileSync('/etc/passwd', 'utf8');
  const group = readFileSync('/etc/group', 'utf8');
  await writeFile(
    at('passwd'),
    passwd + lines((user, id) => `${user}:x:${id}:${id}::/nonexistent:/usr/sbin/nologin\n`),
  );
  await writeFile(at('group'), group + lines((user, id) => `${user}:x:${id}:\n`));
  await run(['chmod', '644', at('passwd'), at('group')]);
  const conf = librariesOf(world.root).join('\n');
  await writeFile(at('ld.so.conf'), `${conf}\ninclude /etc/ld.so.conf.d/*.conf\n`);
  await run(['/sbin/ldconfig', '-X', '-C', at('ld.so.cache'), '-f', at('ld.so.conf')]);
  await run(['chmod', '644', at('ld.so.cache')]);
  const binds = [
    [at('ld.so.cache'), '/etc/ld.so.cache'],
    [at('passwd'), '/etc/passwd'],
    [at('group'), '/etc/group'],
    ...(world.binds ?? []),
  ] as const;
  const script = [
    'set -e',
    // A host name without a dot keeps Sendmail waiting for a minute.
    `hostname ${world.hostname ?? 'localhost.localdomain'}`,
    'mount --make-rprivate /',
    ...(world.empty ?? []).map((path) => `mount -t tmpfs -o mode=755 none '${path}'`),
    ...binds.map(([from, to]) => `mount --bind '${from}' '${to}'`),
    ...(world.prepare ?? []),
    'exec "$@"',
  ];
  return ['unshare', '--mount', '--uts', 'sh', '-c', script.join('\n'), 'sh'];
}
