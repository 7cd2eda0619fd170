// Whether what a directory says now may take the place of what it said before. People seldom go by the dozen, and a
// group that mail depends on is seldom emptied on purpose: that is a mistake somewhere, held back until a person says
// that it is meant. Pure.
import type { Directory, DirectoryGroup, DirectoryPerson } from './directory.ts';

/** Fewer than this many at once are an ordinary change, whatever share they are. */
export const fewest = 3;

export interface Judged {
  /** What to go by. */
  readonly directory: Directory;
  /** What was not taken over, in words, by group name or `people`; empty: all of it was. */
  readonly held: ReadonlyMap<string, string>;
}

/**
 * @param used ids of the groups that the rules name: nobody else's emptying is looked at
 * @param most the greatest share that may go at once, 0 to 1
 */
export function judge(last: Directory, next: Directory, used: ReadonlySet<string>, most: number): Judged {
  const held = new Map<string, string>();
  const gone = missingFrom(names(last.people), names(next.people));
  if (tooMany(gone.length, last.people.length, most)) {
    held.set('people', `${gone.length} of ${last.people.length} people are gone: ${some(gone)}`);
    return { directory: last, held };
  }
  const nextById = new Map(next.groups.map((group) => [group.id, group]));
  const kept = new Map<string, DirectoryGroup>();
  for (const group of last.groups) {
    if (!used.has(group.id) || group.members.length === 0) continue;
    const now = nextById.get(group.id);
    const left = missingFrom(group.members, now?.members ?? []);
    const all = now === undefined ? 'the group is gone' : now.members.length === 0 ? 'nobody is in it any more' : null;
    if (all === null && !tooMany(left.length, group.members.length, most)) continue;
    held.set(group.name, `${all ?? `${left.length} of ${group.members.length} members are gone`}: ${some(left)}`);
    kept.set(group.id, group);
  }
  return { directory: kept.size === 0 ? next : withKept(last, next, kept), held };
}

const tooMany = (gone: number, of: number, most: number): boolean => gone >= fewest && gone > of * most;
const names = (people: readonly DirectoryPerson[]): string[] => people.map(({ name }) => name);

function missingFrom(before: readonly string[], now: readonly string[]): string[] {
  const there = new Set(now);
  return before.filter((name) => !there.has(name));
}

function some(list: readonly string[]): string {
  return list.length <= 5 ? list.join(', ') : `${list.slice(0, 5).join(', ')} and ${list.length - 5} more`;
}

/** The new directory with these groups as they were, and with those of their members that are not in it any more. */
function withKept(last: Directory, next: Directory, kept: ReadonlyMap<string, DirectoryGroup>): Directory {
  const there = new Set(names(next.people));
  // An address belongs to one person: who has taken over that of somebody kept is the one who counts.
  const addresses = new Set(
    next.people.flatMap(({ mail, also = [] }) => [mail, ...also].map((one) => one.toLowerCase())),
  );
  const wanted = new Set([...kept.values()].flatMap(({ members }) => members));
  const back = last.people.filter(
    ({ name, mail, also = [] }) =>
      wanted.has(name) && !there.has(name) && ![mail, ...also].some((one) => addresses.has(one.toLowerCase())),
  );
  const known = new Set([...there, ...names(back)]);
  const restored = [...kept.values()].map((group) => ({
    ...group,
    members: group.members.filter((name) => known.has(name)),
  }));
  return {
    people: [...next.people, ...back],
    groups: [...next.groups.filter(({ id }) => !kept.has(id)), ...restored],
  };
}
