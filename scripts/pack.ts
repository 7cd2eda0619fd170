// `npm run pack [-- FOLDER]`: makes the tarball that is installed elsewhere. Sources become JavaScript, because Node refuses to
// strip types under node_modules; package.json loses what only a checkout needs: scripts, development dependencies and
// the pinned Node binaries (who installs us brings a Node; npm would fetch 100 MB for nothing).
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = join(import.meta.dirname, '..');

interface Manifest {
  name: string;
  version: string;
  files: readonly string[];
  scripts?: unknown;
  devDependencies?: unknown;
  optionalDependencies?: Record<string, string>;
}

function main(): void {
  const to = resolve(process.argv[2] ?? root);
  const staging = mkdtempSync(join(tmpdir(), 'pointsman-pack-'));
  try {
    // Straight into the package: a dist/ left in a checkout would only go stale.
    run(
      join(root, 'node_modules', '.bin', 'tsc'),
      ['-p', 'tsconfig.dist.json', '--outDir', join(staging, 'dist')],
      root,
    );
    if (!existsSync(join(staging, 'dist', 'main.js'))) throw new Error('the build made no dist/main.js');
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
    for (const name of manifest.files.filter((one) => one !== 'dist')) {
      const from = join(root, name);
      if (existsSync(from)) cpSync(from, join(staging, name), { recursive: true });
      else process.stderr.write(`pack: ${name} is listed in package.json but is not here\n`);
    }
    writeFileSync(join(staging, 'package.json'), `${JSON.stringify(packed(manifest), null, 2)}\n`);
    run('npm', ['pack', '--silent', '--pack-destination', to], staging);
    process.stdout.write(`${join(to, `${manifest.name}-${manifest.version}.tgz`)}\n`);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** The manifest as it is installed. */
function packed(manifest: Manifest): Manifest {
  const { scripts: _scripts, devDependencies: _dev, optionalDependencies = {}, ...kept } = manifest;
  const optional = Object.entries(optionalDependencies).filter(([name]) => !name.startsWith('node-linux-'));
  return { ...kept, ...(optional.length > 0 ? { optionalDependencies: Object.fromEntries(optional) } : {}) };
}

function run(command: string, args: readonly string[], cwd: string): void {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed`, { cause: error });
}

main();
