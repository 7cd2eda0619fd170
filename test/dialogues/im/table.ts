// The table of docs/reference/commands.md: which dialogue proves which command by which channel with which outcome.
import type { Dialogue } from './dialogue.ts';

export function tableOf(dialogues: readonly Dialogue[]): string {
  const rows = dialogues
    .flatMap(({ file, cells }) =>
      cells.map((cell) => ({ cell: cell.split(' '), name: file.replace(/^.*\/|\.txt$/g, '') })),
    )
    .map(({ cell, name }) => [cell[0] ?? '', cell.length > 2 ? (cell[1] ?? '') : '', cell.at(-1) ?? '', name] as const)
    .toSorted((a, b) => (a.join(' ') < b.join(' ') ? -1 : 1));
  return [
    '# Commands by instant message: what is proven where',
    '',
    'Made from the dialogues in `test/dialogues/im` by `npx vitest run test/dialogues/im/dialogues.test.ts -u`; do not edit.',
    'What the commands mean is on the page [for operators](../operate/operators.md); each command by each channel with',
    'each outcome is run by the [matrix](commands-matrix.md).',
    '',
    '| channel | command | outcome | dialogue |',
    '|---|---|---|---|',
    ...rows.map(([channel, command, outcome, name]) => `| ${channel} | ${command} | ${outcome} | ${name} |`),
    '',
  ].join('\n');
}
