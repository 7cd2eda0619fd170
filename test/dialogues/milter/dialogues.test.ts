// Every .milter file beside this one is a dialogue; dialogue.ts says how they are written.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { runDialogue } from './dialogue.ts';

describe('milter dialogues', () => {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.milter'));
  test.each(files)('%s', (name) => runDialogue(join(import.meta.dirname, name)));
});
