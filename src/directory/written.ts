// People and groups written down in a file, or printed by a program: JSON, or CSV as spreadsheets write it (RFC 4180).
import { buildDirectory, type GroupDraft, type PersonDraft } from './build.ts';
import type { Flaw, Reading } from './directory.ts';
import { fold } from './dn.ts';

/** Or a sentence that says what is wrong with the whole. */
export type Written = Reading | { readonly wrong: string };

type Bag = Readonly<Record<string, unknown>>;
const bag = (value: unknown): Bag | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Bag) : undefined;

/** `{"people": [{"name", "mail", …}], "groups": [{"name", "members": […]}]}` */
export function readJson(text: string): Written {
  let whole: Bag | undefined;
  try {
    whole = bag(JSON.parse(text));
  } catch (error) {
    return { wrong: `it is not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  const { people, groups = [] } = whole ?? {};
  if (!Array.isArray(people) || !Array.isArray(groups))
    return { wrong: 'it is not {"people": [...], "groups": [...]}, two lists' };
  const flaws: Flaw[] = [];
  const drafts = people.flatMap((one, index): PersonDraft[] => {
    const read = bag(one);
    const name = textIn(read, 'name');
    if (!read || name === undefined) {
      flaws.push({ id: `people[${index}]`, text: 'has no "name"' });
      return [];
    }
    return [personFrom(name, (key) => listIn(read, key))];
  });
  const grouped = groups.flatMap((one, index): GroupDraft[] => {
    const read = bag(one);
    const name = textIn(read, 'name');
    if (!read || name === undefined) {
      flaws.push({ id: `groups[${index}]`, text: 'has no "name"' });
      return [];
    }
    return [groupFrom(name, listIn(read, 'members'))];
  });
  const built = buildDirectory(drafts, grouped);
  return { directory: built.directory, flaws: [...flaws, ...built.flaws] };
}

/** A line for each person under a line of headings; several values of one cell have semicolons between. */
export function readCsv(text: string): Written {
  const rows = cellsOf(text.replace(/^\ufeff/, ''));
  if (typeof rows === 'string') return { wrong: rows };
  const [heading = [], ...lines] = rows;
  const columns = heading.map((one) => one.trim().toLowerCase());
  for (const needed of ['name', 'mail'])
    if (!columns.includes(needed)) return { wrong: `its first line names no column "${needed}"` };
  const flaws: Flaw[] = [];
  const members = new Map<string, string[]>();
  const drafts = lines.flatMap((cells, index): PersonDraft[] => {
    if (cells.every((cell) => cell.trim() === '')) return [];
    const cell = (key: string): readonly string[] => split(cells[columns.indexOf(key.toLowerCase())] ?? '');
    const [name] = cell('name');
    if (name === undefined) {
      flaws.push({ id: `row ${index + 2}`, text: 'has no name' });
      return [];
    }
    for (const group of cell('groups')) members.set(group, [...(members.get(group) ?? []), name]);
    return [personFrom(name, cell)];
  });
  const built = buildDirectory(
    drafts,
    [...members].map(([name, list]) => groupFrom(name, list)),
  );
  return { directory: built.directory, flaws: [...flaws, ...built.flaws] };
}

const split = (cell: string): string[] =>
  cell
    .split(';')
    .map((one) => one.trim())
    .filter((one) => one !== '');

function textIn(read: Bag | undefined, key: string): string | undefined {
  const value = read?.[key];
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
}

function listIn(read: Bag, key: string): readonly string[] {
  const value = read[key];
  const list = Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];
  return list.filter((one) => typeof one === 'string' && one.trim() !== '').map((one: string) => one.trim());
}

function personFrom(name: string, values: (key: string) => readonly string[]): PersonDraft {
  const one = <K extends 'jid' | 'zone' | 'language' | 'phone' | 'absentFrom' | 'absentTo' | 'substitute'>(key: K) => {
    const [value] = values(key);
    return value === undefined ? {} : ({ [key]: value } as Pick<PersonDraft, K>);
  };
  const skills = values('skills');
  return {
    id: name,
    key: fold(name),
    names: [name],
    mails: [...values('mail'), ...values('also')],
    ...one('jid'),
    ...(skills.length === 0 ? {} : { skills }),
    ...one('zone'),
    ...one('language'),
    ...one('phone'),
    ...one('absentFrom'),
    ...one('absentTo'),
    ...one('substitute'),
  };
}

const groupFrom = (name: string, members: readonly string[]): GroupDraft => ({
  id: name,
  key: fold(name),
  names: [name],
  members: members.map((value) => ({ by: 'alias', value })),
});

/** RFC 4180 §2. A sentence instead says what is wrong. */
function cellsOf(text: string): string[][] | string {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < text.length) {
    let cell = '';
    if (text[at] === '"') {
      const end = closing(text, at + 1);
      if (end < 0) return `a quotation mark of row ${rows.length + 1} is never closed`;
      cell = text.slice(at + 1, end).replaceAll('""', '"');
      at = end + 1;
      if (at < text.length && !/[,\r\n]/.test(text[at] ?? ''))
        return `in row ${rows.length + 1} something follows a closing quotation mark`;
    } else {
      const rest = text.slice(at).search(/[,\r\n]/);
      const end = rest < 0 ? text.length : at + rest;
      cell = text.slice(at, end);
      at = end;
    }
    row.push(cell);
    if (text[at] === ',') {
      at += 1;
      if (at === text.length) row.push('');
      continue;
    }
    if (text[at] === '\r' && text[at + 1] === '\n') at += 1;
    at += 1;
    rows.push(row);
    row = [];
  }
  if (row.length > 0) rows.push(row);
  return rows;
}

function closing(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 1)) {
    if (text[at + 1] !== '"') return at;
    at += 1;
  }
  return -1;
}
