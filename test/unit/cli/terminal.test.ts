// Tables, widths and times as a person reads them.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cut, relative, table, widthOf } from '../../../src/cli/terminal.ts';
import { printable, printableLines } from '../../../src/printable.ts';

describe('table', () => {
  const columns = [
    { title: 'A', cell: (row: readonly string[]) => row[0] ?? '' },
    { title: 'NUMBER', cell: (row: readonly string[]) => row[1] ?? '', align: 'right' as const },
    { title: 'LONG', cell: (row: readonly string[]) => row[2] ?? '', flexible: true as const },
  ];

  test('aligns, right where asked, and leaves no blanks at the end', () => {
    expect(
      table(
        columns,
        [
          ['x', '1', 'y'],
          ['xyz', '22', ''],
        ],
        80,
      ),
    ).toBe('A    NUMBER  LONG\nx         1  y\nxyz      22\n');
  });

  test('cuts what may be cut to the width, and nothing for a pipe', () => {
    const rows = [['x', '1', 'word '.repeat(40)]];
    expect(
      table(columns, rows, 40)
        .split('\n')
        .map(widthOf)
        .every((width) => width <= 40),
    ).toBe(true);
    expect(table(columns, rows, 40)).toContain('…');
    expect(table(columns, rows, null)).toContain('word '.repeat(40).trimEnd());
  });

  test('whatever is in the cells, lines stay lines and no control character comes through', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.string({ unit: 'binary' }), { minLength: 3, maxLength: 3 })), (rows) => {
        const text = table(columns, rows, 60);
        expect(text.split('\n')).toHaveLength(rows.length + 2);
        expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
      }),
    );
  });
});

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('text', () => {
  test.each([
    ['plain', 'plain'],
    ['a\tb\r\nc', 'a b c'],
    ['\u001b[31mred\u009b0m', '\ufffd[31mred\ufffd0m'],
    ['\u202egnp.exe\u2066', '\ufffdgnp.exe\ufffd'],
    ['half \ud800 pair', 'half \ufffd pair'],
    ['Grüße 漢字 👍', 'Grüße 漢字 👍'],
  ])('%j is shown as %j', (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  test('none of the characters that steer a terminal or the direction of text comes through', () => {
    const steering = [
      ...range(0, 8),
      ...range(0xb, 0xc),
      ...range(0xe, 0x1f),
      ...range(0x7f, 0x9f),
      0x61c,
      0x200e,
      0x200f,
    ];
    for (const code of [...steering, ...range(0x2028, 0x202e), ...range(0x2066, 0x2069), 0xfeff]) {
      expect(printable(`a${String.fromCodePoint(code)}b`), code.toString(16)).toBe('a\ufffdb');
    }
  });

  test('lines of ours stay lines', () => {
    expect(printableLines('a\u0007\nb')).toBe('a\ufffd\nb');
  });

  test.each([
    ['abc', 3],
    ['漢字', 4],
    ['e\u0301', 1],
    ['👍', 2],
    ['', 0],
  ])('%j is %i cells wide', (text, width) => {
    expect(widthOf(text)).toBe(width);
  });

  test('cutting counts cells, not characters', () => {
    expect(cut('漢字漢字', 5)).toBe('漢字…');
    expect(cut('abc', 3)).toBe('abc');
  });

  test.each([
    [0, 'now'],
    [999, 'now'],
    [-60_000, '1m ago'],
    [7_260_000, 'in 2h 1m'],
  ])('%i ms away is %j', (distance, words) => {
    expect(relative(1_000_000_000 + distance, 1_000_000_000)).toBe(words);
  });
});
