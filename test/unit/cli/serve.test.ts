// What keeps `serve` from starting: said at once, with where and what would be right, exit 78, and nothing is listening.
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { initFiles } from '../../../src/init.ts';

const program = new URL('../../../bin/pointsman.js', import.meta.url).pathname;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pointsman-serve-'));
  for (const { path, content, mode } of initFiles({ domain: 'example.org' })) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), content, { mode });
  }
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function serve(): Promise<{ code: number | null; said: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, 'serve', '--config', 'pointsman.yaml'], { cwd: folder });
    let said = '';
    child.stderr.on('data', (data) => {
      said += data;
    });
    // Whoever gets as far as a log line has started, and should not have.
    child.stdout.on('data', () => child.kill());
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, said }));
  });
}

describe('serve does not start', () => {
  it('on a state folder that others may look into', async () => {
    mkdirSync(join(folder, 'state'));
    chmodSync(join(folder, 'state'), 0o755);
    const { code, said } = await serve();
    expect(said).toMatch(/state folder has mode 0755.*make it 0700/);
    expect(code).toBe(78);
  });

  it('on rules with mistakes: each is named with its place', async () => {
    writeFileSync(
      join(folder, 'rules', '99-wrong.yaml'),
      'groups:\n  x: { address: nonsense, members: [nobody] }\nfoo: 1\n',
      { mode: 0o640 },
    );
    const { code, said } = await serve();
    expect(said).toMatch(
      /99-wrong\.yaml:2:17:.*nonsense[\s\S]*99-wrong\.yaml:2:37:.*nobody[\s\S]*99-wrong\.yaml:3:1:.*foo/,
    );
    expect(code).toBe(78);
  });

  it('on a configuration with mistakes', async () => {
    writeFileSync(join(folder, 'pointsman.yaml'), 'hostnam: x\n');
    const { code, said } = await serve();
    expect(said).toMatch(/pointsman\.yaml:1:1: error: unknown key "hostnam".*did you mean "hostname"/);
    expect(code).toBe(78);
  });
});
