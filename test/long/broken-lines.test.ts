// Twenty lines of the state machine, broken one at a time in a copy: each time a named story must fail. A story that
// passes with its line broken proves nothing.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { broken } from '../support/broken-lines.ts';

const root = join(import.meta.dirname, '../..');
let copy: string;
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'pointsman-broken-'));
  for (const each of ['src', 'test', 'package.json', 'vitest.config.ts', 'tsconfig.json', 'docs', 'rules'])
    cpSync(join(root, each), join(copy, each), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** The story's outcome, and what it printed. */
function tell(story: string, name: string): { passed: boolean; ran: boolean; output: string } {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const pattern = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [vitest, 'run', '--project', 'unit', story, '-t', pattern],
    { cwd: copy, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } },
  );
  return { passed: status === 0, ran: /Tests {2}.*\d+ (?:passed|failed)/.test(stdout), output: stdout + stderr };
}

describe('a broken line is noticed', () => {
  test.each(broken)('$file: $line', { timeout: 120_000 }, ({ file, line, into, story, name }) => {
    const path = join(copy, file);
    const whole = readFileSync(path, 'utf8');
    expect(whole.split(line), 'the line stands there once').toHaveLength(2);
    writeFileSync(path, whole.replace(line, into));
    try {
      const { passed, ran, output } = tell(story, name);
      expect(ran, output).toBe(true);
      expect(passed, `${story} › ${name} does not notice`).toBe(false);
    } finally {
      writeFileSync(path, whole);
    }
  });
});

test('unbroken, all these stories pass', { timeout: 300_000 }, () => {
  for (const story of new Set(broken.map((each) => each.story))) expect(tell(story, '').passed, story).toBe(true);
});
