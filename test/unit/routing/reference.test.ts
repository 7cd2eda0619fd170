// The reference page and the editors' schema are what the parser's schema says now, and every example in them is read.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Report } from '../../../src/routing/problem.ts';
import { rulesJsonSchema, rulesReference } from '../../../src/routing/reference.ts';
import { ruleFileSchema } from '../../../src/routing/rule-file.ts';
import type { Field, Schema } from '../../../src/routing/schema.ts';
import { readYaml } from '../../../src/routing/yaml.ts';

const page = (name: string) => readFileSync(new URL(`../../../docs/reference/${name}`, import.meta.url), 'utf8');

test('docs/reference is up to date: otherwise run "node scripts/rules-reference.ts"', () => {
  expect(page('rules.md')).toBe(rulesReference());
  expect(JSON.parse(page('rules.schema.json'))).toEqual(JSON.parse(JSON.stringify(rulesJsonSchema())));
});

// Every field that has words has an example that its own schema reads.
const seen = new Set<Schema<unknown>>();
const examples: [path: string, field: Field][] = [];
function visit(schema: Schema<unknown>, path: string): void {
  if (seen.has(schema)) return;
  seen.add(schema);
  for (const [key, field] of Object.entries(schema.shape ?? {})) {
    if (field.doc && !field.doc.example.includes('…')) examples.push([`${path}.${key}`, field]);
    visit(field.schema, `${path}.${key}`);
  }
}
visit(ruleFileSchema, 'file');
const { groupSchema, memberSchema, routeSchema, exclusionSchema } = await import('../../../src/routing/rule-file.ts');
const { policySchema, stepSchema } = await import('../../../src/routing/policy-schema.ts');
const { personSchema, scheduleSchema } = await import('../../../src/routing/people-schema.ts');
for (const [name, schema] of Object.entries({
  groupSchema,
  memberSchema,
  personSchema,
  policySchema,
  routeSchema,
  scheduleSchema,
  stepSchema,
  exclusionSchema,
}))
  visit(schema, name);

test('there are many', () => expect(examples.length).toBeGreaterThan(60));

test.each(examples)('the example of %s is read', (_path, field) => {
  const { root, problems } = readYaml(`x: ${field.doc?.example}\n`, 'example');
  expect(problems).toEqual([]);
  const report = new Report();
  const value = root?.kind === 'map' ? root.entries[0]?.value : undefined;
  if (!value) throw new Error('no value');
  field.schema.read(value, report);
  expect(report.problems).toEqual([]);
});
