// What the rules use of the directory, as one more rule text beside the files: `directory.json`, a line for each person
// and group, so that places have lines, a change is another version of the rules, and whoever has the texts of a rule
// set (the console, a replay, a rehearsal on another thread) has all of it. JSON because it may be long: YAML with
// positions takes a second for ten thousand people.
import type { Directory, DirectoryGroup, DirectoryPerson } from '../directory/directory.ts';
import { dnKey } from '../directory/dn.ts';
import { parseMailbox } from '../mail/path.ts';
import { parseJid } from '../presence/jid.ts';
import { isZone } from '../zone.ts';
import type { RuleText } from './parse.ts';
import { quote, type Report } from './problem.ts';
import type { Place } from './rules.ts';
import { namePattern } from './schema.ts';
import { type Node, readYaml } from './yaml.ts';

export const directoryFile = 'directory.json';

export interface Lined<T> {
  readonly value: T;
  readonly place: Place;
}

/** The part of a directory that rules use, with the lines it stands in. */
export interface DirectoryPart {
  /** For people: where it was read. */
  readonly source: string;
  readonly people: readonly Lined<DirectoryPerson>[];
  readonly groups: readonly Lined<DirectoryGroup>[];
}

/** What rule files say that a directory may know: names of its groups, and every word that may be a person. */
interface Wanted {
  readonly groups: ReadonlySet<string>;
  readonly words: ReadonlySet<string>;
}

/** The same files are asked about every half minute. */
const known = new WeakMap<readonly RuleText[], Wanted>();

function wantedBy(files: readonly RuleText[]): Wanted {
  const before = known.get(files);
  if (before) return before;
  const wanted = wantedIn(files);
  known.set(files, wanted);
  return wanted;
}

function wantedIn(files: readonly RuleText[]): Wanted {
  const groups = new Set<string>();
  const words = new Set<string>();
  const visit = (node: Node): void => {
    if (node.kind === 'text') words.add(node.text.toLowerCase());
    else if (node.kind === 'list') node.items.forEach(visit);
    else
      for (const { key, value } of node.entries) {
        words.add(key.toLowerCase());
        if (key === 'directory' && value.kind === 'text') groups.add(groupKey(value.text));
        visit(value);
      }
  };
  for (const file of files) {
    const { root } = file.name === directoryFile ? {} : readYaml(file.text, file.name);
    if (root) visit(root);
  }
  return { groups, words };
}

/** A group is named by its DN, however that is written, or by its name. */
export const groupKey = (text: string): string => (text.includes('=') ? dnKey(text) : text.toLowerCase());

export function isNamed({ id, name }: DirectoryGroup, key: string): boolean {
  return groupKey(id) === key || name === key;
}

/** Ids of the groups that these files name. */
export function usedGroups(files: readonly RuleText[], { groups }: Directory): ReadonlySet<string> {
  const { groups: wanted } = wantedBy(files);
  return new Set(groups.filter((group) => isWanted(group, wanted)).map(({ id }) => id));
}

const isWanted = ({ id, name }: DirectoryGroup, wanted: ReadonlySet<string>): boolean =>
  wanted.has(name) || wanted.has(groupKey(id));

/** The text for the rest of these files; the same directory always makes the same text. */
export function directoryText(files: readonly RuleText[], directory: Directory, source: string): RuleText {
  const wanted = wantedBy(files);
  const groups = directory.groups.filter((group) => isWanted(group, wanted.groups));
  const byName = new Map(directory.people.map((person) => [person.name, person]));
  const used = new Set(groups.flatMap(({ members }) => members));
  for (const person of directory.people) {
    const { name, mail, also = [] } = person;
    if (wanted.words.has(name) || [mail, ...also].some((one) => wanted.words.has(one.toLowerCase()))) used.add(name);
  }
  for (const name of [...used]) {
    const substitute = byName.get(name)?.absent?.substitute;
    if (substitute !== undefined) used.add(substitute);
  }
  const people = [...used].sort().flatMap((name) => byName.get(name) ?? []);
  const lines = [
    { source },
    ...people.map((person) => ({ person })),
    ...[...groups].sort(byId).map(({ id, name, members }) => ({ group: { id, name, members } })),
  ];
  return { name: directoryFile, text: lines.map((line) => `${JSON.stringify(line)}\n`).join('') };
}

const byId = (a: DirectoryGroup, b: DirectoryGroup): number => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/** What is wrong with it is reported: somebody may have uploaded it. */
export function readDirectoryText({ name: file, text }: RuleText, report: Report): DirectoryPart {
  let source = 'the directory';
  const people: Lined<DirectoryPerson>[] = [];
  const groups: Lined<DirectoryGroup>[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const place = { file, line: index + 1, column: 1 };
    const read = objectIn(line);
    const person = personOf(read?.person);
    const group = groupOf(read?.group);
    if (typeof read?.source === 'string') source = read.source.slice(0, 500);
    else if (person) people.push({ value: person, place });
    else if (group) groups.push({ value: group, place });
    else report.error(place, `${quote(line.slice(0, 80))} is not a person or a group of the directory`);
  }
  return { source, people, groups };
}

type Bag = Readonly<Record<string, unknown>>;

function objectIn(line: string): Bag | undefined {
  try {
    return bag(JSON.parse(line));
  } catch {
    // Reported with its place by the caller.
    return undefined;
  }
}

const bag = (value: unknown): Bag | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Bag) : undefined;
const strings = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function personOf(value: unknown): DirectoryPerson | undefined {
  const read = bag(value);
  const name = textOf(read?.name);
  const mail = parseMailbox(textOf(read?.mail) ?? '');
  if (!read || name === undefined || !namePattern.test(name) || mail === undefined) return undefined;
  const also = strings(read.also).flatMap((one) => parseMailbox(one) ?? []);
  const jid = read.jid === null ? null : parseJid(textOf(read.jid) ?? '')?.bare;
  const skills = strings(read.skills).filter((skill) => namePattern.test(skill));
  const zone = textOf(read.zone);
  const absent = bag(read.absent);
  const [from, to, substitute] = [textOf(absent?.from), textOf(absent?.to), textOf(absent?.substitute)];
  const days = [from, to].every((day) => day !== undefined && /^\d{4}-\d{2}-\d{2}$/.test(day));
  return {
    id: textOf(read.id) ?? name,
    name,
    mail,
    ...(also.length === 0 ? {} : { also }),
    ...(jid === undefined ? {} : { jid }),
    ...(skills.length === 0 ? {} : { skills }),
    ...(zone !== undefined && isZone(zone) ? { zone } : {}),
    ...(read.language === 'en' || read.language === 'de' ? { language: read.language } : {}),
    ...(textOf(read.phone) === undefined ? {} : { phone: textOf(read.phone)?.slice(0, 40) ?? '' }),
    ...(days && from !== undefined && to !== undefined
      ? { absent: { from, to, ...(substitute !== undefined && namePattern.test(substitute) ? { substitute } : {}) } }
      : {}),
  };
}

function groupOf(value: unknown): DirectoryGroup | undefined {
  const read = bag(value);
  const name = textOf(read?.name);
  if (!read || name === undefined || !namePattern.test(name)) return undefined;
  const members = strings(read.members).filter((member) => namePattern.test(member));
  return { id: textOf(read.id) ?? name, name, members };
}
