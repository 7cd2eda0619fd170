// Every *.smtp file beside this one is a test.
import { readdirSync } from 'node:fs';
import { test } from 'vitest';
import { runDialogue } from './dialogue.ts';

const folder = new URL('.', import.meta.url).pathname;
for (const file of readdirSync(folder)
  .filter((name) => name.endsWith('.smtp'))
  .sort()) {
  test(file.replace(/\.smtp$/, '').replaceAll('-', ' '), () => runDialogue(folder + file));
}
