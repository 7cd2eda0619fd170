// The packed tarball as somebody installs it: compiled JavaScript under node_modules, run from an empty folder. The
// dependencies are those of this checkout, linked beside it, so no registry is asked.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
let folder: string;
let installed: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pointsman-packed-'));
  installed = join(folder, 'node_modules', 'pointsman');
  mkdirSync(installed, { recursive: true });
  const packed = spawnSync(process.execPath, ['scripts/pack.ts', folder], { cwd: root, encoding: 'utf8' });
  if (packed.status !== 0) throw new Error(packed.stdout + packed.stderr);
  const tarball = packed.stdout.trim().split('\n').at(-1) ?? '';
  const unpacked = spawnSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1'], { encoding: 'utf8' });
  if (unpacked.status !== 0) throw new Error(unpacked.stderr);
  const { dependencies } = manifest();
  for (const name of Object.keys(dependencies)) {
    const at = join(folder, 'node_modules', name);
    mkdirSync(join(at, '..'), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), at);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const manifest = () => JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));

function pointsman(...args: readonly string[]) {
  const options = { cwd: folder, encoding: 'utf8', timeout: 60_000 } as const;
  return spawnSync(process.execPath, [join(installed, 'bin', 'pointsman.js'), ...args], options);
}

describe('the packed tarball', () => {
  test('holds JavaScript and no sources, no Node binaries, nothing only a checkout needs', () => {
    expect(manifest()).not.toHaveProperty('scripts');
    expect(manifest()).not.toHaveProperty('devDependencies');
    expect(manifest()).not.toHaveProperty('optionalDependencies');
    const there = readdirSync(installed);
    for (const name of ['bin', 'dist', 'rules', 'docs', 'LICENSE', 'CHANGELOG.md']) expect(there).toContain(name);
    for (const name of ['src', 'test', 'node_modules']) expect(there).not.toContain(name);
  });

  test('init writes what check finds good', () => {
    const written = pointsman('init', 'here', '--domain', 'corp.example');
    expect(written.stderr).toBe('');
    expect(written.status).toBe(0);
    const checked = pointsman('check', '--config', 'here/pointsman.yaml');
    expect(checked.stderr).toBe('');
    expect(checked.status).toBe(0);
    expect(checked.stdout).toContain('good');
  });

  test('the sandbox comes up with its own sample rules, and ends by itself', () => {
    const ran = pointsman('sandbox', '--json', '--for', '5s');
    expect(ran.stderr).toBe('');
    expect(ran.status).toBe(0);
    const events = ran.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).event);
    expect(events[0]).toBe('ready');
    expect(events).toContain('accepted');
  });
});
