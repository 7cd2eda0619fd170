// Reading a rules folder: which files, in which order, and which are refused.
import { writeFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, type TestContext, test } from 'vitest';
import { loadRules, loadSettledRules, watchRules } from '../../../src/routing/load.ts';
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

describe('include', () => {
  const below = async (name: string, content: string, mode = 0o644) => {
    await mkdir(join(folder, name, '..'), { recursive: true, mode: 0o755 });
    await write(name, content, mode);
  };
  const route = (name: string) => `routes: [{ name: ${name}, match: { subject: ${name} }, pass: true }]\n`;

  test('what is included comes before the file that includes it, once, and belongs to the version', async () => {
    await below('shared/people.yaml', `include: shared/more/holidays.yaml\n${person('alice')}${route('shared')}`);
    await below('shared/more/holidays.yaml', route('holidays'));
    await below('shared/nobody-asks.yaml', 'nonsense');
    await write('20.yaml', `include: [shared/people.yaml, shared/more/holidays.yaml]\n${route('twenty')}`);
    await write('10.yaml', `${route('ten')}`);
    await write('30.yaml', `{include: shared/people.yaml, ${route('thirty').trim().replace('routes', '"routes"')}}\n`);
    const first = await loadRules(folder);
    expect(first.problems).toEqual([]);
    expect(first.rules?.routes.map(({ name }) => name)).toEqual(['ten', 'holidays', 'shared', 'twenty', 'thirty']);
    expect(first.rules?.people.get('alice')?.place).toEqual({ file: 'rules/shared/people.yaml', line: 2, column: 11 });
    await below('shared/more/holidays.yaml', `${route('holidays')}# changed\n`);
    const second = await loadRules(folder);
    expect(second.rules?.version).not.toBe(first.rules?.version);
  });

  test('what is not there, a circle, and a mistake in it are told where they stand', async () => {
    await write('10.yaml', 'include:\n  - shared/none.yaml\n  - shared/a.yaml\n');
    await below('shared/a.yaml', 'include: shared/b.yaml\n');
    await below('shared/b.yaml', 'include: shared/a.yaml\nnonsense: 1\n');
    expect(await problems()).toEqual([
      expect.stringMatching(/^rules\/10\.yaml:2:5: error: "shared\/none\.yaml" cannot be read: ENOENT/),
      'rules/shared/b.yaml:1:10: error: includes go in a circle: 10.yaml → shared/a.yaml → shared/b.yaml → shared/a.yaml',
      'rules/shared/b.yaml:2:1: error: unknown key "nonsense" in a rule file (there are: people, groups, policies, schedules, routes, include)',
    ]);
  });

  test('a symbolic link does not lead out either; within the folder it may', async () => {
    await writeFile(join(base, 'secret.yaml'), person('mallory'));
    await mkdir(join(base, 'elsewhere'));
    await writeFile(join(base, 'elsewhere', 'x.yaml'), person('mallory'));
    await below('shared/real.yaml', person('alice'));
    await symlink(join(base, 'secret.yaml'), join(folder, 'shared', 'link.yaml'));
    await symlink(join(base, 'elsewhere'), join(folder, 'way'));
    await symlink('real.yaml', join(folder, 'shared', 'alias.yaml'));
    await write('10.yaml', 'include: [shared/link.yaml, way/x.yaml, shared/alias.yaml]\n');
    const real = await realpath(base);
    expect(await problems()).toEqual([
      `rules/10.yaml:1:11: error: "shared/link.yaml" leads out of the rules folder, to ${real}/secret.yaml: an include cannot leave it`,
      `rules/10.yaml:1:29: error: "way/x.yaml" leads out of the rules folder, to ${real}/elsewhere/x.yaml: an include cannot leave it`,
    ]);
  });

  test('a file, or a folder on the way to it, that others may write is refused', async () => {
    await below('shared/deep/people.yaml', person('alice'), 0o666);
    await chmod(join(folder, 'shared'), 0o775);
    await write('10.yaml', 'include: shared/deep/people.yaml\n');
    expect(await problems()).toEqual([
      'rules/shared:1:1: error: its group may write this folder (mode 0775); take that away: chmod go-w',
      'rules/shared/deep/people.yaml:1:1: error: everybody may write this file (mode 0666); take that away: chmod go-w',
    ]);
    expect((await loadRules(folder, { anyMode: true })).rules).toBeDefined();
  });
});

describe('a folder that changes', () => {
  test('is read again when it changed while it was read, so that the files belong together', async () => {
    const group = (name: string) =>
      `groups: { g: { address: g@x.org, members: [${name}], fallback: unchanged, policy: none } }\n`;
    // Somebody renames alice in both files at once, sooner or later while the first round reads.
    for (let n = 20; n < 60; n += 1) await write(`${n}.yaml`, '# takes its time\n');
    for (let turns = 0; turns < 400; turns += 20) {
      await write('10.yaml', group('alice'));
      await write('90.yaml', person('alice'));
      const reading = loadSettledRules(folder);
      for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      writeFileSync(join(folder, '10.yaml'), group('anna'));
      writeFileSync(join(folder, '90.yaml'), person('anna'));
      const { rules, problems } = await reading;
      expect(problems).toEqual([]);
      expect(rules?.groups.get('g')?.members).toEqual([...(rules?.people.keys() ?? [])]);
    }
  });

  const watching = (context: TestContext) => {
    let told = 0;
    let wake: () => void = () => undefined;
    const watch = watchRules(
      folder,
      () => {
        told += 1;
        wake();
      },
      (error) => expect.fail(String(error)),
    );
    context.onTestFinished(() => watch.close());
    return {
      watch,
      count: () => told,
      next: () =>
        new Promise<void>((resolve) => {
          wake = resolve;
        }),
    };
  };

  test('is told of once, however many files are saved in a row; in folders below, too', async (context) => {
    await write('10.yaml', person('alice'));
    const { count, next } = watching(context);
    let told = next();
    for (let n = 0; n < 5; n += 1) await write('10.yaml', `${person('alice')}# ${n}\n`);
    await write('20.yaml', person('bob'));
    await told;
    expect(count()).toBe(1);
    // A folder that is new is watched from then on.
    told = next();
    await mkdir(join(folder, 'shared'));
    await told;
    told = next();
    await write('shared/x.yaml', person('carol'));
    await told;
    expect(count()).toBe(3);
  });

  test('what is no rule file, or comes after the end, is not told of', async (context) => {
    await write('10.yaml', person('alice'));
    const { watch, count, next } = watching(context);
    await write('notes.txt', 'nothing');
    const told = next();
    await write('10.yaml', person('bob'));
    await told;
    expect(count()).toBe(1);
    watch.close();
    await write('10.yaml', person('carol'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(count()).toBe(1);
  });
});
