// The section "directory" as a value: what its keys mean together, with the schemas' defaults filled in.
import { resolve } from 'node:path';
import { type Duration, minute, second } from '../clock.ts';
import {
  type GroupSchema,
  groupSchemas,
  type PersonAttributes,
  type PersonSchema,
  personAttributes,
  personSchemas,
} from '../directory/schemas.ts';
import { quote, type Report } from '../routing/problem.ts';
import type { Place } from '../routing/rules.ts';
import { isLoopback } from './addresses.ts';
import type { DirectoryKeys, GroupKeys, LdapEntryKeys } from './directory-keys.ts';
import { type ConfigSurroundings, certificatesIn, passwordOf } from './secrets.ts';

export interface DirectoryConfig {
  /** From the end of one reading to the next. */
  readonly refresh: Duration;
  /** The greatest share of people, or of a group's members, that may be gone at once; 0 to 1. */
  readonly mostGone: number;
  readonly source: DirectorySourceConfig;
}

export type DirectorySourceConfig =
  | ({ readonly kind: 'ldap' } & LdapConfig)
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'command'; readonly command: readonly string[]; readonly within: Duration };

export interface LdapConfig {
  /** Asked in this order until one answers. */
  readonly servers: readonly { readonly host: string; readonly port: number }[];
  /** verify: TLS from the first octet; none: for loopback alone. */
  readonly tls: 'verify' | 'starttls' | 'none';
  /** PEM of the authorities trusted for this link only; null for the system's. */
  readonly ca: string | null;
  readonly serverName?: string;
  /** Ours, for servers that know us by it. */
  readonly certificate?: { readonly certFile: string; readonly keyFile: string };
  /** external: who we are is what our certificate says (RFC 4422 appendix A). */
  readonly bind: { readonly dn: string; readonly password: string } | 'external' | null;
  readonly base: string;
  readonly people: { readonly base: string; readonly schema: PersonSchema };
  readonly groups: readonly { readonly base: string; readonly schema: GroupSchema }[];
  /** Entries a page. */
  readonly page: number;
  /** For one answer. */
  readonly timeout: Duration;
  /** For all of them. */
  readonly readWithin: Duration;
}

/** A read-only LDAP server that shows presence. */
export interface ViewConfig {
  readonly host: string;
  readonly port: number;
  readonly base: string;
  /** Whoever reaches it may look; otherwise a token with the scope `presence` is needed. */
  readonly anonymous: boolean;
}

const defaults = {
  refresh: 5 * minute,
  mostGone: 0.2,
  page: 500,
  timeout: 10 * second,
  readWithin: 2 * minute,
} as const;

export function directoryOf(
  entry: DirectoryKeys | undefined,
  surroundings: ConfigSurroundings,
  report: Report,
): { readonly directory?: DirectoryConfig; readonly view?: ViewConfig } {
  if (!entry) return {};
  const ways = ['ldap', 'file', 'command'].filter((key) => entry.given.includes(key));
  if (ways.length > 1) report.error(entry.place, `people are read from one place; here are ${ways.join(' and ')}`);
  else if (ways.length === 0 && !entry.given.includes('view'))
    report.error(entry.place, 'say where people are read from (ldap, file or command), or where they are shown (view)');
  const source = sourceOf(entry, surroundings, report);
  const view = entry.view?.value;
  return {
    ...(source
      ? {
          directory: {
            refresh: entry.refresh ?? defaults.refresh,
            mostGone: entry.mostGone ?? defaults.mostGone,
            source,
          },
        }
      : {}),
    ...(view?.listen && view.base
      ? { view: { ...view.listen.value, base: view.base.value, anonymous: view.anonymous ?? false } }
      : {}),
  };
}

function sourceOf(
  { ldap, file, command }: DirectoryKeys,
  surroundings: ConfigSurroundings,
  report: Report,
): DirectorySourceConfig | undefined {
  if (file) return { kind: 'file', path: resolve(surroundings.folder, file.value) };
  if (command) {
    const [program] = command.value;
    if (!program?.startsWith('/'))
      report.error(command.place, 'the first word must be the absolute path of a program; no shell is asked');
    return { kind: 'command', command: command.value, within: defaults.readWithin };
  }
  const read = ldap && ldapOf(ldap.value, ldap.place, surroundings, report);
  return read && { kind: 'ldap', ...read };
}

function ldapOf(
  entry: LdapEntryKeys,
  place: Place,
  surroundings: ConfigSurroundings,
  report: Report,
): LdapConfig | undefined {
  const ca = entry.caFile ? certificatesIn(entry.caFile, surroundings, report) : null;
  const bind = bindOf(entry, surroundings, report);
  const { servers = [], base } = entry;
  const local = servers.every(({ host }) => isLoopback(host));
  const tls = entry.tls ?? (local ? 'none' : 'verify');
  if (tls === 'none' && !local)
    report.error(
      place,
      'without TLS anybody on the way could read it or change who gets mail; say tls: starttls or tls: verify',
    );
  if (base === undefined || servers.length === 0) return undefined;
  const { certFile, keyFile, serverName } = entry;
  if ((certFile === undefined) !== (keyFile === undefined))
    report.error((certFile ?? keyFile)?.place ?? place, 'a certificate needs both certFile and keyFile');
  if (keyFile) {
    const key = surroundings.readSecret({ kind: 'file', path: resolve(surroundings.folder, keyFile.value) });
    if ('wrong' in key) report.error(keyFile.place, `${quote(keyFile.value)} ${key.wrong}`);
  }
  return {
    servers: servers.map(({ host, port }) => ({ host, port: port ?? (tls === 'verify' ? 636 : 389) })),
    tls,
    ca,
    ...(serverName === undefined ? {} : { serverName }),
    ...(certFile && keyFile
      ? {
          certificate: {
            certFile: resolve(surroundings.folder, certFile.value),
            keyFile: resolve(surroundings.folder, keyFile.value),
          },
        }
      : {}),
    bind,
    base,
    people: peopleOf(entry, base),
    groups: (entry.groups ?? []).flatMap((group) => groupOf(group, base)),
    page: entry.page ?? defaults.page,
    timeout: entry.timeout ?? defaults.timeout,
    readWithin: defaults.readWithin,
  };
}

function bindOf(entry: LdapEntryKeys, surroundings: ConfigSurroundings, report: Report): LdapConfig['bind'] {
  const way = entry.bind ?? (entry.given.includes('bindDn') ? 'simple' : 'anonymous');
  const password = ['passwordFile', 'passwordCredential'].some((key) => entry.given.includes(key));
  if (way === 'simple') {
    // RFC 4513 §5.1.2: a DN without a password is nobody, and nobody notices.
    const secret = passwordOf(entry, surroundings, report, 'the account of the directory');
    if (!entry.given.includes('bindDn'))
      report.error(entry.place, '"bind: simple" needs "bindDn", the DN to log in as');
    return entry.bindDn && secret !== undefined ? { dn: entry.bindDn.value, password: secret } : null;
  }
  if (entry.bindDn || password) report.error(entry.place, `"bind: ${way}" takes neither bindDn nor a password`);
  if (way === 'external' && !entry.certFile)
    report.error(entry.place, '"bind: external" needs certFile and keyFile: the server knows us by them');
  if (way === 'external' && entry.tls === 'none') report.error(entry.place, '"bind: external" needs TLS');
  return way === 'external' ? 'external' : null;
}

function peopleOf({ people }: LdapEntryKeys, base: string): LdapConfig['people'] {
  const standard: PersonSchema = personSchemas[people?.schema ?? 'inetOrgPerson'];
  const said = people?.attributes;
  const attributes = Object.fromEntries(
    personAttributes.map((key) => [key, said?.[key] ?? standard.attributes[key]]),
  ) as unknown as PersonAttributes;
  return { base: people?.base ?? base, schema: { filter: people?.filter ?? standard.filter, attributes } };
}

function groupOf(entry: GroupKeys, base: string): LdapConfig['groups'] {
  if (entry.schema === undefined) return [];
  const standard: GroupSchema = groupSchemas[entry.schema];
  const { filter = standard.filter, name = standard.name, members = standard.members, by = standard.by } = entry;
  return [{ base: entry.base ?? base, schema: { filter, name, members, by } }];
}
