// Writes docs/reference/rules.md and docs/reference/rules.schema.json from the schema of the rule language.
import { writeFileSync } from 'node:fs';
import { rulesJsonSchema, rulesReference } from '../src/routing/reference.ts';

const folder = new URL('../docs/reference/', import.meta.url);
writeFileSync(new URL('rules.md', folder), rulesReference());
writeFileSync(new URL('rules.schema.json', folder), `${JSON.stringify(rulesJsonSchema(), null, 1)}\n`);
