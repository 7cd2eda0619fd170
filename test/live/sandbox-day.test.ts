// A morning at two thousand times its speed, on the real program with real sockets; what was recorded of it goes through
// the same rules and through others. What the machine is slow with may shift a mail or two, so a few may differ.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Child, run } from '../support/child.ts';
import { tempFolder } from '../support/temp-folder.ts';

const root = join(import.meta.dirname, '..', '..');
const program = join(root, 'bin', 'pointsman.js');
const rules = (name: string) => join(root, 'test', 'golden', 'replay', name);

interface Report {
  readonly mails: number;
  readonly differences: readonly { readonly before: { where: string }; readonly after: { where: string } }[];
  readonly loads: readonly { readonly person: string; readonly after: { readonly given: number } | null }[];
}

test('a recorded morning, replayed', async () => {
  await using folder = await tempFolder('day');
  // Rules in a checkout may be writable for others; those that an admin tries may not.
  await run([
    'sh',
    '-c',
    `cp -R ${rules('rules-then')} ${rules('rules-new')} ${folder.path} && chmod -R go-w ${folder.path}`,
  ]);
  const then = join(folder.path, 'rules-then');
  const file = join(folder.path, 'morning.jsonl.gz');
  await using child = new Child('sandbox', [
    process.execPath,
    ...[program, 'sandbox', '--speed', '2000', '--for', '4h', '--rules', then, '--record', file],
  ]);
  expect(await child.exited).toEqual({ code: 0, signal: null });
  expect(child.errors.seen()).toEqual([]);
  expect(child.out.seen().at(-1)).toBe(`  npx pointsman replay --from ${file} --rules <folder>`);
  const replay = async (...more: string[]): Promise<Report> =>
    JSON.parse(await run([process.execPath, program, 'replay', '--from', file, '--json', ...more]));
  const same = await replay('--rules', then);
  expect(same.mails).toBeGreaterThan(30);
  expect(same.differences.length).toBeLessThan(same.mails / 10);
  const other = await replay('--rules', join(folder.path, 'rules-new'));
  expect(other.mails).toBe(same.mails);
  expect(other.differences.length).toBeGreaterThan(same.mails / 5);
  expect(other.differences.some(({ after }) => after.where === 'to clara')).toBe(true);
}, 90_000);
