// What is shown: an entry for each person the rules know, with their presence as attributes, and which of them a search
// means. Pure.
import { type Dn, dnKey, escapeDnValue, fold, parseDn } from '../directory/dn.ts';
import type { Filter } from '../directory/filter.ts';
import type { PersonView } from '../operations.ts';
import { printable } from '../printable.ts';
import type { EntryAnswer, SearchRequest } from './message.ts';

export interface Shown {
  readonly dn: string;
  /** By name in lower case: the name as it is shown, and values. */
  readonly attributes: ReadonlyMap<string, readonly [type: string, values: readonly string[]]>;
}

type Value = string | number | readonly string[] | null | undefined;

function shown(dn: string, attributes: Readonly<Record<string, Value>>): Shown {
  return {
    dn,
    attributes: new Map(
      Object.entries(attributes).flatMap(([type, value]) => {
        const values = [value ?? []]
          .flat()
          .map(String)
          .filter((one) => one !== '');
        return values.length === 0 ? [] : [[type.toLowerCase(), [type, values]] as const];
      }),
    ),
  };
}

/** GeneralizedTime (RFC 4517 §3.3.13). */
const time = (instant: number | null | undefined): string | undefined =>
  instant === null || instant === undefined || !Number.isFinite(instant) || Math.abs(instant) > 8.64e15
    ? undefined
    : `${new Date(instant).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;

export function personShown({ name, mail, jid, groups, presence, source, age }: PersonView, base: string): Shown {
  const status = presence.status === undefined ? undefined : printable(presence.status);
  return shown(`uid=${escapeDnValue(name)},${base}`, {
    objectClass: ['top', 'person', 'organizationalPerson', 'inetOrgPerson', 'pointsmanPerson'],
    uid: name,
    cn: name,
    sn: name,
    mail,
    ou: groups,
    labeledURI: jid === null ? null : `xmpp:${jid}`,
    // Where address books show notes.
    description: status === undefined ? presence.state : `${presence.state}: ${status}`,
    presenceJid: jid,
    presenceState: presence.state,
    presenceStatus: status,
    presenceSince: time(presence.since),
    presenceUntil: time(presence.until),
    presenceIdleSince: time(presence.idleSince),
    presenceSubstitute: presence.substitute,
    presenceSource: source,
    presenceAge: age === null ? null : Math.floor(age / 1000),
  });
}

export function baseShown(base: string): Shown {
  const [[type, value] = ['ou', 'presence']] = (parseDn(base) ?? [])[0] ?? [];
  return shown(base, {
    objectClass: ['top', 'organizationalUnit'],
    [type]: value,
    description: 'Presence, by Pointsman',
  });
}

/** RFC 4512 §5.1. */
export const rootShown = (base: string, version: string): Shown =>
  shown('', {
    objectClass: ['top'],
    namingContexts: base,
    supportedLDAPVersion: '3',
    supportedExtension: '1.3.6.1.4.1.4203.1.11.3',
    vendorName: 'Pointsman',
    vendorVersion: version,
  });

/** Which of these the search is about by its base and scope; null: there is no such base. */
export function inScope(
  { base: asked, scope }: Pick<SearchRequest, 'base' | 'scope'>,
  base: string,
  people: readonly Shown[],
): readonly Shown[] | null {
  const dn = parseDn(asked);
  if (dn === undefined) return null;
  const ours = dnKey(base);
  const key = dnKey(asked);
  if (key === ours) {
    if (scope === 'base') return [baseShown(base)];
    return scope === 'one' ? people : [baseShown(base), ...people];
  }
  // Above ours: somebody who searches the whole directory means us, too.
  if (scope === 'sub' && isAbove(dn, ours)) return [baseShown(base), ...people];
  const one = people.filter((person) => dnKey(person.dn) === key);
  if (one.length === 0) return null;
  return scope === 'one' ? [] : one;
}

function isAbove(dn: Dn, ours: string): boolean {
  if (dn.length === 0) return true;
  const suffix = dnKey(
    dn.map((level) => level.map(([type, value]) => `${type}=${escapeDnValue(value)}`).join('+')).join(','),
  );
  return ours.endsWith(`,${suffix}`);
}

/** RFC 4511 §4.5.1.7: true, false, or undefined, which is neither; only what is true is found. */
export function matches(entry: Shown, filter: Filter): boolean | undefined {
  switch (filter.kind) {
    case 'and': {
      const each = filter.of.map((one) => matches(entry, one));
      return each.includes(false) ? false : each.includes(undefined) ? undefined : true;
    }
    case 'or': {
      const each = filter.of.map((one) => matches(entry, one));
      return each.includes(true) ? true : each.includes(undefined) ? undefined : false;
    }
    case 'not': {
      const inner = matches(entry, filter.of);
      return inner === undefined ? undefined : !inner;
    }
    case 'present':
      return entry.attributes.has(typeOf(filter.attribute));
    case 'extensible':
      return undefined;
    default: {
      const found = entry.attributes.get(typeOf(filter.attribute));
      if (found === undefined) return undefined;
      return found[1].some((value) => test(fold(value), filter));
    }
  }
}

function test(value: string, filter: Extract<Filter, { attribute: string }>): boolean {
  switch (filter.kind) {
    case 'equal':
    case 'approx':
      return value === fold(filter.value);
    case 'greater':
      return value >= fold(filter.value);
    case 'less':
      return value <= fold(filter.value);
    case 'substrings':
      return hasParts(value, filter);
    default:
      return false;
  }
}

function hasParts(value: string, { initial, any, final }: Extract<Filter, { kind: 'substrings' }>): boolean {
  let at = 0;
  if (initial !== undefined) {
    const part = folded(initial);
    if (!value.startsWith(part)) return false;
    at = part.length;
  }
  for (const one of any) {
    const part = folded(one);
    const found = value.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  if (final === undefined) return true;
  const part = folded(final);
  return value.length - part.length >= at && value.endsWith(part);
}

/** As fold(), but a space at the edge of a part is one of the value's. */
const folded = (text: string): string => text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ');

const typeOf = (description: string): string => description.toLowerCase().split(';', 1)[0] ?? '';

export function answerOf(entry: Shown, asked: readonly string[]): EntryAnswer {
  const wanted = new Set(asked.map(typeOf));
  const all = wanted.size === 0 || wanted.has('*');
  return {
    dn: entry.dn,
    attributes: [...entry.attributes].flatMap(([key, found]) => (all || wanted.has(key) ? [found] : [])),
  };
}
