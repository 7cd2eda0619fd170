// bin/pointsman.js on a Node that is too old: one sentence, code 78, nothing loaded. The version is faked before the
// script runs; where the machine has a really old Node, that one is asked too. And with what memory `serve` starts.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const script = join(import.meta.dirname, '../../../bin/pointsman.js');
const preload = (version: string) =>
  `data:text/javascript,${encodeURIComponent(`Object.defineProperty(process.versions, 'node', { value: '${version}' })`)}`;

/** A Node of the system that is older than 24, if there is one. */
const oldNode = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => {
  const asked = spawnSync(path, ['--version'], { encoding: 'utf8' });
  return asked.status === 0 && Number(/^v(\d+)/.exec(asked.stdout)?.[1]) < 24;
});

describe('an old Node', () => {
  test.each(['0.10.48', '18.20.4', '20.19.0', '22.12.0', '23.11.1'])('%s is refused in one sentence', (version) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', preload(version), script, '--help'], {
      encoding: 'utf8',
    });
    expect(status).toBe(78);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^pointsman needs Node\.js 24 or later; this is Node\.js [\d.]+ \(.+\)\.\n$/);
    expect(stderr).toContain(version);
  });

  test.skipIf(oldNode === undefined)('the old one of this machine is refused too', () => {
    const { status, stderr } = spawnSync(oldNode ?? '', [script, 'serve'], { encoding: 'utf8' });
    expect(status).toBe(78);
    expect(stderr.split('\n')).toHaveLength(2);
  });

  test('the script imports nothing before it has looked', () => {
    expect(readFileSync(script, 'utf8')).not.toMatch(/^\s*(import\s+[^(]|export\s)|\brequire\b/m);
  });
});

describe('serve', () => {
  const told =
    'console.log(JSON.stringify([process.execArgv, process.env.MALLOC_ARENA_MAX, process.env.MALLOC_MMAP_THRESHOLD_]))';
  /** What the last program that this process became says of itself; the configuration is not there. */
  const startedWith = (env: Readonly<Record<string, string>>, ...flags: string[]): unknown => {
    const { stdout } = spawnSync(
      process.execPath,
      [
        ...flags,
        `--import=data:text/javascript,${encodeURIComponent(told)}`,
        script,
        'serve',
        '--config',
        '/nowhere.yaml',
      ],
      { encoding: 'utf8', env: { PATH: process.env.PATH ?? '', ...env } },
    );
    const [young, ...rest] = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as [string[], ...(string | null)[]];
    return [young[0], ...rest];
  };

  test('starts itself anew with a small young generation and an allocator that gives back', () => {
    expect(startedWith({})).toEqual(['--max-semi-space-size=4', '2', '131072']);
  });

  test('unless it is told otherwise', () => {
    expect(startedWith({ MALLOC_ARENA_MAX: '7' })).toEqual(['--max-semi-space-size=4', '7', '131072']);
    expect(startedWith({}, '--max-semi-space-size=16')).toEqual(['--max-semi-space-size=16', null, null]);
  });
});
