// `npm run pack`: makes the tarball that is installed elsewhere. Sources become JavaScript, because Node refuses to
// strip types under node_modules; package.json loses what only a checkout needs: scripts, development dependencies and
// the pinned Node binaries (who installs us brings a Node; npm would fetch 100 MB for nothing).
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

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
  const staging = mkdtempSync(join(tmpdir(), 'pointsman-pack-'));
  try {
    build();
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
    for (const name of manifest.files) {
      const from = join(root, name);
      if (existsSync(from)) cpSync(from, join(staging, name), { recursive: true });
      else process.stderr.write(`pack: ${name} is listed in package.json but is not here\n`);
    }
    writeFileSync(join(staging, 'package.json'), `${JSON.stringify(packed(manifest), null, 2)}\n`);
    run('npm', ['pack', '--silent', '--pack-destination', root], staging);
    process.stdout.write(`${join(root, `${manifest.name}-${manifest.version}.tgz`)}\n`);
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

function build(): void {
  const dist = join(root, 'dist');
  rmSync(dist, { recursive: true, force: true });
  run(join(root, 'node_modules', '.bin', 'tsc'), ['-p', 'tsconfig.dist.json'], root);
  if (!existsSync(join(dist, 'main.js'))) throw new Error('the build made no dist/main.js');
}

function run(command: string, args: readonly string[], cwd: string): void {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed`, { cause: error });
}

main();
