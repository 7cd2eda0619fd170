// The rules of the house that a compiler does not know, as a test: who may import whom (DESIGN.md §4, as data), where
// time and chance may be read, how long a file may be. The checker is itself tested on made-up violations.
import { readdirSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');

interface Source {
  /** From the root of the repository: `src/mail/path.ts`. */
  readonly path: string;
  readonly text: string;
}

/**
 * The layers. A file belongs to the first whose `files` match; it may import its own layer and those it names, types
 * included. `packages` are the npm packages it may name; `builtin` says whether it may import node: modules.
 */
interface Layer {
  readonly name: string;
  readonly files: RegExp;
  readonly imports: readonly string[];
  readonly packages?: readonly string[];
  readonly builtin?: boolean | readonly string[];
}

const vocabulary = ['clock', 'zone', 'printable', 'mail'];
const pure = [...vocabulary, 'presence', 'directory', 'tracking', 'routing', 'notify'];
const ports = [...pure, 'ports', 'log', 'leisure'];

const layers: readonly Layer[] = [
  { name: 'main', files: /^src\/main\.ts$/, imports: ['*'], packages: ['*'], builtin: true },
  { name: 'clock', files: /^src\/clock\.ts$/, imports: [], builtin: ['node:timers/promises'] },
  // Wall clocks of time zones: for schedules in presence and in the rules alike.
  { name: 'zone', files: /^src\/zone\.ts$/, imports: ['clock'] },
  { name: 'leisure', files: /^src\/leisure\.ts$/, imports: [] },
  { name: 'end of turn', files: /^src\/end-of-turn\.ts$/, imports: [] },
  { name: 'printable', files: /^src\/printable\.ts$/, imports: [] },
  {
    name: 'ports',
    files:
      /^src\/(intake|transport|mailboxes|operations|oversight|fault-point|store\/(store|fault|look-back|onward|set-back|recorded|queue-filter|short-id-taken)|presence\/watcher|notify\/notifier|directory\/source)\.ts$/,
    imports: pure,
  },
  // Parsing the configuration is pure; reading it from the disk is an edge.
  {
    name: 'config',
    files:
      /^src\/(config|config\/(config-file|addresses|defaults|directory|directory-keys|doors|next-hops|secrets)|init)\.ts$/,
    imports: ports,
    packages: ['ipaddr.js', 'yaml'],
    builtin: ['node:net', 'node:path'],
  },
  {
    name: 'config reader',
    files: /^src\/config\/(load|mark-keys|users)\.ts$/,
    imports: [...ports, 'config'],
    builtin: true,
  },
  // Reads the rules folder: the one file of routing/ that touches the disk.
  { name: 'rule files', files: /^src\/routing\/load\.ts$/, imports: pure, builtin: true },
  { name: 'log', files: /^src\/log\.ts$/, imports: [...pure, 'leisure'], packages: ['pino', 'pino-pretty'] },
  // Pure: no I/O, no clock; the packages compute.
  {
    name: 'mail',
    files: /^src\/mail\//,
    imports: ['clock', 'mail', 'presence'],
    packages: ['libmime', 'ipaddr.js'],
    builtin: ['node:buffer', 'node:crypto', 'node:url'],
  },
  { name: 'presence', files: /^src\/presence\//, imports: vocabulary, builtin: ['node:url'] },
  // What a directory says, in our words; the port behind which it is read is among the ports.
  { name: 'directory', files: /^src\/directory\//, imports: [...vocabulary, 'presence'], builtin: ['node:buffer'] },
  {
    name: 'routing',
    files: /^src\/routing\//,
    imports: [...vocabulary, 'presence', 'directory'],
    packages: ['re2js', 'yaml'],
    builtin: ['node:buffer', 'node:crypto', 'node:url'],
  },
  { name: 'tracking', files: /^src\/tracking\//, imports: [...vocabulary, 'presence', 'routing'] },
  // Trying rules out: pure, over the very functions that decide.
  { name: 'rehearsal', files: /^src\/rehearsal\//, imports: [...vocabulary, 'presence', 'routing', 'tracking'] },
  // The same beside the program, on a thread of its own.
  {
    name: 'rehearsing',
    files: /^src\/rehearsing\//,
    imports: [...ports, 'rehearsal'],
    builtin: ['node:worker_threads'],
  },
  { name: 'notify', files: /^src\/notify\//, imports: [...vocabulary, 'presence', 'routing', 'tracking'] },
  // The story, over ports alone.
  { name: 'relay', files: /^src\/(relay|rule-book|directory-book)\.ts$|^src\/relay\//, imports: [...ports, 'config'] },
  // Edges of the machine for faults: what it knows of itself, and telling a program.
  { name: 'probe', files: /^src\/probe\.ts$/, imports: [...ports, 'relay'], builtin: true },
  { name: 'own key', files: /^src\/own-key\.ts$/, imports: ports, builtin: ['node:crypto'] },
  { name: 'refused to start', files: /^src\/refused-to-start\.ts$/, imports: pure },
  { name: 'stopping', files: /^src\/stopping\.ts$/, imports: [] },
  { name: 'webhook', files: /^src\/webhook\.ts$/, imports: ports, builtin: true },
  { name: 'operate', files: /^src\/(operate|presence-desk)\.ts$|^src\/operate\//, imports: [...ports, 'rehearsal'] },
  // Adapters know ports and themselves: not one another, not the relay.
  {
    name: 'smtp',
    files: /^src\/smtp\//,
    imports: [...ports, 'config', 'end of turn'],
    packages: ['smtp-server', 'nodemailer', 'libmime', 'mailparser', 'ipaddr.js'],
    builtin: true,
  },
  // The server is a library of its own: of the router it knows the vocabulary alone.
  { name: 'milter', files: /^src\/milter\/(?!router)/, imports: [...vocabulary, 'end of turn'], builtin: true },
  // What the MTA's own protocols have in common: who is chosen, and how that is said.
  {
    name: 'doors',
    files: /^src\/(doors\.ts|milter\/router|lookup\/)/,
    imports: [...ports, 'config', 'milter'],
    builtin: true,
  },
  { name: 'xmpp', files: /^src\/xmpp\//, imports: [...ports, 'config'], packages: ['@xmpp/*', 'ltx'], builtin: true },
  // Where people are read from.
  {
    name: 'directories',
    files: /^src\/directories\//,
    imports: [...ports, 'config'],
    packages: ['ldapts'],
    builtin: true,
  },
  // Presence for LDAP clients.
  { name: 'ldap view', files: /^src\/ldap-view\//, imports: [...ports, 'config'], builtin: true },
  { name: 'imap', files: /^src\/imap\//, imports: [...ports, 'config'], packages: ['imapflow'], builtin: true },
  {
    name: 'sqlite',
    files: /^src\/store\/(sqlite|migrations)\//,
    imports: ports,
    packages: ['better-sqlite3'],
    builtin: true,
  },
  {
    name: 'console',
    files: /^src\/console\//,
    imports: [...ports, 'config', 'rehearsal', 'rule files', 'config reader'],
    packages: ['hono', '@hono/node-server', 'prom-client'],
    builtin: true,
  },
  {
    name: 'cli',
    files: /^src\/cli\//,
    imports: [...ports, 'rehearsal', 'config', 'config reader', 'rule files'],
    packages: ['commander'],
    builtin: true,
  },
  // A stand-in for a network: it may use adapters, but is given the program to run (`serve`) by main.ts.
  {
    name: 'sandbox',
    files: /^src\/sandbox\//,
    imports: [...ports, 'config', 'config reader', 'rule files', 'smtp', 'xmpp', 'sqlite', 'console', 'cli'],
    packages: ['smtp-server', 'nodemailer', 'ltx', '@xmpp/*', 'mailparser'],
    builtin: true,
  },
];

/** Where time and chance may be read, with the reason. Everywhere else a Clock or a Random is a parameter. */
const timeAllowed: readonly { readonly files: RegExp; readonly because: string }[] = [
  { files: /^src\/clock\.ts$/, because: 'the one place that reads them' },
  {
    files: /^src\/smtp\/(hop-)?connection\.ts$/,
    because: 'a socket that lingers after the last word is cut off: no decision hangs on it',
  },
  {
    files: /^src\/store\/sqlite\/open\.ts$/,
    because: 'how long a delivery waits for company on its way to the disk: no decision hangs on it',
  },
  {
    files: /^src\/leisure\.ts$/,
    because: 'how long at most work waits that nobody waits for: no decision hangs on it',
  },
  { files: /^src\/sandbox\//, because: 'a simulation beside the program, never in it' },
  { files: /^src\/routing\/load\.ts$/, because: 'an editor that writes a file in steps is waited for' },
];

const longest = 400;

function violations(sources: readonly Source[]): readonly string[] {
  return sources.flatMap((source) => [
    ...importViolations(source),
    ...timeViolations(source),
    ...lengthViolations(source),
    ...machineViolations(source),
  ]);
}

/** What is imported, re-exported, imported as a type or imported when needed. */
function importsOf(text: string): readonly string[] {
  const code = withoutComments(text);
  const patterns = [
    /^\s*(?:import|export)\s[^'";]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\bimport\s*\(\s*['"]([^'"]+)['"]/g,
    /\brequire\s*\(\s*['"]([^'"]+)['"]/g,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1] ?? ''));
}

function layerOf(path: string): Layer | undefined {
  return layers.find((layer) => layer.files.test(path));
}

function importViolations({ path, text }: Source): readonly string[] {
  const layer = layerOf(path);
  if (!layer) return [`${path} is in no layer: give it one in the table of this test`];
  return importsOf(text).flatMap((specifier) => {
    if (specifier.startsWith('.')) {
      const target = normalize(join(path, '..', specifier));
      const other = layerOf(target);
      if (!other) return [`${path} imports ${target}, which is in no layer`];
      const may = other === layer || layer.imports.includes('*') || layer.imports.includes(other.name);
      return may ? [] : [`${path} (${layer.name}) imports ${target} (${other.name})`];
    }
    if (specifier.startsWith('node:')) {
      const may = layer.builtin === true || (Array.isArray(layer.builtin) && layer.builtin.includes(specifier));
      return may ? [] : [`${path} (${layer.name}) imports ${specifier}`];
    }
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
    const may = (layer.packages ?? []).some(
      (one) => one === '*' || one === name || (one.endsWith('/*') && name.startsWith(one.slice(0, -1))),
    );
    return may ? [] : [`${path} (${layer.name}) imports the package ${name}`];
  });
}

function timeViolations({ path, text }: Source): readonly string[] {
  if (timeAllowed.some(({ files }) => files.test(path))) return [];
  const code = withoutStrings(withoutComments(text));
  const forbidden =
    /\b(?:Date\.now|performance\.now|Math\.random)\s*\(|(?<![\w.])(?:globalThis\.)?(?:setTimeout|setInterval)\s*\(|\bnew Date\s*\(\s*\)|\bnew Date\b(?!\s*\()/g;
  return [...code.matchAll(forbidden)].map(
    (match) => `${path} uses ${match[0].trim()}): take a Clock or a Random instead`,
  );
}

function lengthViolations({ path, text }: Source): readonly string[] {
  const lines = text.split('\n').length - 1;
  return lines > longest ? [`${path} has ${lines} lines, more than ${longest}`] : [];
}

function machineViolations({ path, text }: Source): readonly string[] {
  const machine = /(?:^|[\s'"`(=])(\/(?:home|root|work|Users|tmp|mnt)\/[\w.-]+)|\b[A-Z]:\\\\/gm;
  return [...text.matchAll(machine)].map((match) => `${path} names a path of one machine: ${match[0].trim()}`);
}

function withoutComments(text: string): string {
  // Strings are matched first, so that a `//` in one (a URL) is not taken for a comment.
  return text.replace(
    /('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
    (_, string) => string ?? ' ',
  );
}

function withoutStrings(code: string): string {
  return code.replace(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g, "''");
}

/** Names used twice in one file, nested names joined. `test.each` and template names are left out: they expand. */
function duplicateTestNames({ path, text }: Source): readonly string[] {
  const seen = new Set<string>();
  const found: string[] = [];
  // Indentation tells the nesting: the formatter keeps it.
  const stack: { indent: number; name: string }[] = [];
  for (const match of text.matchAll(/^([ \t]*)(describe|test|it)(?:\.\w+)*\(\s*(['"`])((?:\\.|(?!\3).)*)\3/gm)) {
    const indent = (match[1] ?? '').length;
    while ((stack.at(-1)?.indent ?? -1) >= indent) stack.pop();
    const name = [...stack.map((one) => one.name), match[4] ?? ''].join(' > ');
    if (match[2] === 'describe') stack.push({ indent, name: match[4] ?? '' });
    else if (seen.has(name)) found.push(`${path}: two tests are named ${JSON.stringify(name)}`);
    seen.add(name);
  }
  return found;
}

function sourcesUnder(folder: string, wanted: RegExp): readonly Source[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => wanted.test(name))
    .map((name) => ({ path: `${folder}/${name}`, text: readFileSync(join(root, folder, name), 'utf8') }));
}

describe('the sources', () => {
  test('keep to the layers, the clock, the size and to no machine', () => {
    expect(violations(sourcesUnder('src', /\.ts$/))).toEqual([]);
  });

  test('tests have names of their own', () => {
    expect(sourcesUnder('test', /\.test\.ts$/).flatMap(duplicateTestNames)).toEqual([]);
  });
});

describe('the checker', () => {
  const check = (path: string, text: string) => violations([{ path, text }]);

  test.each([
    ['an adapter that knows another', 'src/smtp/door.ts', "import { link } from '../xmpp/link.ts';"],
    ['an adapter that knows the relay', 'src/xmpp/link.ts', "import type { Relay } from '../relay.ts';"],
    ['a pure part that knows a port by type', 'src/routing/plan.ts', "import type { Store } from '../store/store.ts';"],
    [
      'an import over several lines',
      'src/mail/path.ts',
      "import {\n  type A,\n  type B,\n} from '../routing/rules.ts';",
    ],
    ['a re-export', 'src/mail/path.ts', "export * from '../routing/rules.ts';"],
    ['an import for its effect', 'src/mail/path.ts', "import '../relay.ts';"],
    ['an import when needed', 'src/relay.ts', "const x = await import('./smtp/door.ts');"],
    ['a type in place', 'src/relay.ts', "type T = import('./store/sqlite/store.ts').T;"],
    ['a pure part that does I/O', 'src/routing/plan.ts', "import { readFile } from 'node:fs/promises';"],
    ['a package out of place', 'src/relay.ts', "import pino from 'pino';"],
    ['a scoped package out of place', 'src/cli/a.ts', "import { client } from '@xmpp/client';"],
    ['a file in no layer', 'src/helpers/misc.ts', ''],
    ['an import of what is in no layer', 'src/relay.ts', "import { x } from './helpers/misc.ts';"],
    ['the sandbox naming the relay', 'src/sandbox/run.ts', "import { createRelay } from '../relay.ts';"],
    ['the clock read', 'src/relay.ts', 'const at = Date.now();'],
    ['the date read', 'src/relay.ts', 'const at = new Date();'],
    ['chance', 'src/relay.ts', 'const r = Math.random();'],
    ['a timer', 'src/relay.ts', 'setTimeout(() => go(), 5);'],
    ['a global timer', 'src/relay.ts', 'globalThis.setInterval(go, 5);'],
    ['a long file', 'src/relay.ts', 'x;\n'.repeat(longest + 1)],
    ["a machine's path", 'src/relay.ts', "const p = '/home/somebody/x';"],
  ])('catches %s', (_, path, text) => {
    expect(check(path, text)).toHaveLength(1);
  });

  test.each([
    [
      'what the layer may',
      'src/smtp/door.ts',
      "import type { Intake } from '../intake.ts';\nimport { connect } from 'node:net';",
    ],
    ['main naming everything', 'src/main.ts', "import { a } from './smtp/a.ts';\nimport { b } from './xmpp/b.ts';"],
    ['a date made of an instant', 'src/relay.ts', 'const d = new Date(instant);'],
    [
      'words in comments and strings',
      'src/relay.ts',
      "// Date.now() and import x from 'pino'\nconst s = 'setTimeout(';",
    ],
  ])('lets pass %s', (_, path, text) => {
    expect(check(path, text)).toEqual([]);
  });

  test('catches two tests of one name, and only in one group', () => {
    const twice = "describe('a', () => {\n  test('x', f);\n  test('x', f);\n});\n";
    const apart = "describe('a', () => {\n  test('x', f);\n});\ndescribe('b', () => {\n  test('x', f);\n});\n";
    expect(duplicateTestNames({ path: 't', text: twice })).toHaveLength(1);
    expect(duplicateTestNames({ path: 't', text: apart })).toEqual([]);
  });
});
