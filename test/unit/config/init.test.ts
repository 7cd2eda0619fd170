// What init writes must be good in itself, and stay good when an admin takes the comment signs away.
import { expect, test } from 'vitest';
import { parseConfig, type SecretSource } from '../../../src/config.ts';
import { initFiles } from '../../../src/init.ts';
import { parseRules } from '../../../src/routing/parse.ts';
import { rulesJsonSchema } from '../../../src/routing/reference.ts';

const files = initFiles({ domain: 'example.net' });
const config = files.find(({ path }) => path === 'pointsman.yaml')?.content ?? '';
const rules = files.filter(({ path }) => path.startsWith('rules/') && path.endsWith('.yaml'));
const surroundings = {
  file: 'pointsman.yaml',
  folder: '/etc/pointsman',
  readSecret: (source: SecretSource) => ({
    value: source.kind === 'file' && source.path.endsWith('.pem') ? '-----BEGIN PRIVATE KEY-----' : 'x',
  }),
  readFile: (path: string) =>
    path.endsWith('.pem') ? { value: '-----BEGIN CERTIFICATE-----' } : { wrong: 'cannot be read' },
};

test('check finds nothing to say', () => {
  expect(parseConfig(config, surroundings)).toMatchObject({
    config: { hostname: 'pointsman.example.net', domains: ['example.net'], xmpp: null },
    problems: [],
  });
  const { rules: loaded, problems } = parseRules(rules.map(({ path, content }) => ({ name: path, text: content })));
  expect(problems).toEqual([]);
  expect(loaded?.groups.get('support')?.policy?.steps.map(({ name }) => name)).toEqual(['remind', 'next', 'lead']);
});

test('editors find the schema that each rule file names beside it', () => {
  for (const { content } of rules) expect(content).toMatch(/^# yaml-language-server: \$schema=rules\.schema\.json\n/);
  const schema = files.find(({ path }) => path === 'rules/rules.schema.json');
  expect(JSON.parse(schema?.content ?? '')).toEqual(JSON.parse(JSON.stringify(rulesJsonSchema())));
});

test('nothing it writes may be written by others', () => {
  expect(files.map(({ mode }) => mode & 0o022)).toEqual(files.map(() => 0));
});

test('every commented setting is right once it is uncommented', () => {
  // A setting is a comment sign without a space after it, or with the indentation of the line it stands for.
  const uncommented = config.replace(/^#(?=\S| {2})/gm, '');
  expect(uncommented).not.toBe(config);
  expect(parseConfig(uncommented, surroundings)).toMatchObject({
    config: { xmpp: { server: { host: 'chat.example.net', port: 5222 } } },
    problems: [],
  });
  const everything = rules.map(({ path, content }) => ({
    name: path,
    text: content.replace(/^#(?=\S| {2})/gm, '').replace('group: accounting', 'group: support'),
  }));
  const { rules: loaded, problems } = parseRules(everything);
  expect(problems).toEqual([]);
  expect(loaded?.routes).toHaveLength(3);
  expect(loaded?.groups.get('support')?.policy?.steps).toHaveLength(4);
});
