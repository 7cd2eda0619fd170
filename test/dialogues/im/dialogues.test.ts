// Every dialogue of this folder, and that together they prove the whole table of commands.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readDialogue, runDialogue } from './dialogue.ts';
import { tableOf } from './table.ts';

const folder = import.meta.dirname;
const dialogues = readdirSync(folder)
  .filter((name) => name.endsWith('.txt'))
  .sort()
  .map((name) => readDialogue(join(folder, name)));

describe('by instant message', () => {
  it.each(
    dialogues.map((dialogue) => [dialogue.file.slice(folder.length + 1, -4), dialogue] as const),
  )('%s', (_name, dialogue) => runDialogue(dialogue));

  it('is proven as docs/reference/commands.md says', async () => {
    await expect(tableOf(dialogues)).toMatchFileSnapshot('../../../docs/reference/commands.md');
  });
});
