// Reading a rules folder: which files, in which order, and which are refused.
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadRules } from '../../../src/routing/load.ts';
import { formatProblem } from '../../../src/routing/problem.ts';

let base: string;
let folder: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'pointsman-rules-'));
  folder = join(base, 'rules');
  await mkdir(folder, { mode: 0o755 });
});
afterEach(() => rm(base, { recursive: true }));

async function write(name: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  await writeFile(join(folder, name), content);
  await chmod(join(folder, name), mode);
}

const problems = async (options = {}) => (await loadRules(folder, options)).problems.map(formatProblem);
const person = (name: string) => `people: { ${name}: { mail: ${name}@x.org } }\n`;

test('all *.yaml directly in it, no others', async () => {
  await write('20.yaml', person('bob'));
  await write('10.yaml', person('alice'));
  await write('.hidden.yaml', 'nonsense');
  await write('README.md', 'nonsense');
  await mkdir(join(folder, 'tests'));
  await writeFile(join(folder, 'tests', 'x.yaml'), 'nonsense');
  const { rules, problems } = await loadRules(folder);
  expect(problems).toEqual([]);
  expect([...(rules?.people.values() ?? [])].map(({ name, place }) => `${name} ${place.file}`)).toEqual([
    'alice rules/10.yaml',
    'bob rules/20.yaml',
  ]);
});

test('.yml is not read, and says so', async () => {
  await write('10.yaml', person('alice'));
  await write('20.yml', person('bob'));
  expect(await problems()).toEqual(['rules/20.yml:1:1: warning: is not read: the name of a rule file ends in .yaml']);
});

test.each([
  [0o664, 'its group'],
  [0o646, 'everybody'],
])('a file of mode %o is refused', async (mode, who) => {
  await write('10.yaml', person('alice'), mode);
  const loaded = await loadRules(folder);
  expect(loaded.rules).toBeUndefined();
  expect(loaded.problems.map(formatProblem)).toEqual([
    `rules/10.yaml:1:1: error: ${who} may write this file (mode 0${mode.toString(8)}); take that away: chmod go-w`,
  ]);
  expect((await loadRules(folder, { anyMode: true })).rules).toBeDefined();
});

test('a folder that others may write is refused: they could put another file there', async () => {
  await write('10.yaml', person('alice'));
  await chmod(folder, 0o777);
  expect(await problems()).toEqual([
    'rules:1:1: error: everybody may write this folder (mode 0777); take that away: chmod go-w',
  ]);
});

test('a symbolic link is judged by what it leads to', async () => {
  await writeFile(join(base, 'outside'), person('alice'));
  await chmod(join(base, 'outside'), 0o666);
  await symlink(join(base, 'outside'), join(folder, '10.yaml'));
  expect(await problems()).toEqual([expect.stringContaining('everybody may write this file (mode 0666)')]);
});

test('what is not there, not a file, not UTF-8, too large', async () => {
  await mkdir(join(folder, '10.yaml'));
  await write('20.yaml', Uint8Array.of(0x23, 0xff));
  await write('30.yaml', `#${'x'.repeat(1_000_000)}`);
  await symlink('nowhere', join(folder, '40.yaml'));
  await write('50.yaml', 'groups: { g: { address: g@x.org, members: [zoe], policy: none, fallback: unchanged } }\n');
  expect(await problems()).toEqual([
    'rules/10.yaml:1:1: error: is not a file',
    'rules/20.yaml:1:1: error: cannot be read: it is not UTF-8',
    'rules/30.yaml:1:1: error: is larger than 1000000 octets, the most a file may have',
    expect.stringContaining('rules/40.yaml:1:1: error: cannot be read: ENOENT'),
  ]);
});

test('an empty folder, and none', async () => {
  expect(await problems()).toEqual([`rules:1:1: error: there is no *.yaml file in ${JSON.stringify(folder)}`]);
  await rm(folder, { recursive: true });
  expect(await problems()).toEqual([expect.stringContaining('cannot be read: ENOENT')]);
});

test('the sample rules have nothing to say about them', async () => {
  const { rules, problems } = await loadRules(new URL('../../../rules', import.meta.url).pathname, { anyMode: true });
  expect(problems).toEqual([]);
  expect([...(rules?.groups.keys() ?? [])]).toEqual(['support', 'ops', 'duty']);
});
