// From LDAP entries to drafts of people and groups, by the schema in use. Nothing of an entry is ever put into a filter
// or a DN: members are found by comparing, so no value can become structure.
import type { GroupDraft, MemberRef, PersonDraft } from './build.ts';
import { dnKey, parseDn } from './dn.ts';
import type { GroupSchema, PersonSchema } from './schemas.ts';

export interface LdapEntry {
  readonly dn: string;
  /** By attribute description in lower case, options (`;lang-de`) left out. */
  readonly attributes: ReadonlyMap<string, readonly string[]>;
}

export function personDraft(entry: LdapEntry, { attributes }: PersonSchema): PersonDraft {
  const first = (names: readonly string[]): string | undefined => all(entry, names)[0];
  const optional = <K extends keyof PersonDraft>(key: K, value: PersonDraft[K] | undefined): Partial<PersonDraft> =>
    value === undefined ? {} : { [key]: value };
  const substitute = first(attributes.substitute);
  return {
    id: entry.dn,
    key: dnKey(entry.dn),
    names: all(entry, attributes.name),
    mails: all(entry, attributes.mail)
      .flatMap(addressesIn)
      .sort(mainFirst)
      .map(({ address }) => address),
    ...optional('jid', first(attributes.jid)),
    ...optional('skills', attributes.skills.length === 0 ? undefined : all(entry, attributes.skills)),
    ...optional('zone', first(attributes.zone)),
    ...optional('language', first(attributes.language)),
    ...optional('phone', first(attributes.phone)),
    ...optional('absentFrom', first(attributes.absentFrom)),
    ...optional('absentTo', first(attributes.absentTo)),
    ...optional('substitute', substitute === undefined ? undefined : keyOrText(substitute)),
    memberOf: all(entry, attributes.memberOf).map(dnKey),
  };
}

export function groupDraft(entry: LdapEntry, schema: GroupSchema, memberOf: readonly string[]): GroupDraft {
  return {
    id: entry.dn,
    key: dnKey(entry.dn),
    names: all(entry, schema.name),
    members: all(entry, schema.members).map((value) => refTo(value, schema.by)),
    memberOf: all(entry, memberOf).map(dnKey),
  };
}

function all({ attributes }: LdapEntry, names: readonly string[]): string[] {
  return names.flatMap((name) => attributes.get(name.toLowerCase()) ?? []).filter((value) => value.trim() !== '');
}

/** Active Directory's proxyAddresses: `SMTP:` is the main address, `smtp:` another; X400 and the like are no mail. */
function addressesIn(value: string): { address: string; main: boolean }[] {
  const prefix = /^([A-Za-z0-9-]+):(.+)$/.exec(value.trim());
  if (prefix === null) return [{ address: value.trim(), main: true }];
  return prefix[1]?.toLowerCase() === 'smtp' ? [{ address: prefix[2] ?? '', main: prefix[1] === 'SMTP' }] : [];
}

const mainFirst = (a: { main: boolean }, b: { main: boolean }): number => Number(b.main) - Number(a.main);

function refTo(value: string, by: GroupSchema['by']): MemberRef {
  // RFC 4517 §3.3.21: a uniqueMember may end in a bit string, which tells people of one name apart.
  if (by === 'dn') return { by: 'id', value: dnKey(value.replace(/#'[01]*'B$/, '')) };
  return { by, value };
}

const keyOrText = (value: string): string => (parseDn(value)?.length ? dnKey(value) : value);
