// The language of the section "directory": where people and groups are read from, and where their presence is shown to
// directory clients.
import { day, minute, second } from '../clock.ts';
import { parseDn } from '../directory/dn.ts';
import { parseFilter } from '../directory/filter.ts';
import { groupSchemaNames, personAttributes, personSchemaNames } from '../directory/schemas.ts';
import {
  bool,
  duration,
  type Field,
  fields,
  integer,
  list,
  located,
  oneOf,
  oneOrMore,
  optional,
  required,
  type Schema,
  scalar,
  text,
} from '../routing/schema.ts';
import { domain, type Endpoint, loopbackOnly, parseEndpoint } from './addresses.ts';

const dn: Schema<string> = scalar('a DN such as dc=example,dc=org', (value) =>
  (parseDn(value)?.length ?? 0) > 0 ? value : undefined,
);
const filter: Schema<string> = scalar('an LDAP filter such as (objectClass=person)', (value) => {
  const read = parseFilter(value);
  return 'wrong' in read ? { wrong: `is not an LDAP filter: ${read.wrong}` } : value;
});
const attribute: Schema<string> = scalar('the name of an attribute', (value) =>
  /^[A-Za-z][A-Za-z0-9-]*$|^\d+(?:\.\d+)+$/.test(value) ? value : undefined,
);
const attributes = oneOrMore(attribute);
const path = located(text('the path of a file'));

const credential = located(
  scalar('the name of a systemd credential', (value) =>
    /^[A-Za-z0-9_.-]{1,255}$/.test(value) && !/^\.+$/.test(value) ? value : undefined,
  ),
);

/** The port may be left out: it is that of the protocol. */
const server: Schema<Omit<Endpoint, 'port'> & { readonly port: number | null }> = scalar(
  'a host such as ldap.example.org, with its port when it is not the usual one: ldap.example.org:3890',
  (value) => {
    if (/^ldaps?:/i.test(value)) return { wrong: 'is a URL; write the host alone, and say "tls"' };
    const found = parseEndpoint(value, 1);
    if (found) return found;
    const alone = parseEndpoint(`${value}:1`, 1);
    return alone && { host: alone.host, port: null };
  },
);

type PersonKey = (typeof personAttributes)[number];
const personFields = Object.fromEntries(personAttributes.map((key) => [key, optional(attributes)])) as Readonly<
  Record<PersonKey, Field<typeof attributes>>
>;

const people = fields('the people', {
  schema: optional(oneOf(personSchemaNames)),
  base: optional(dn),
  filter: optional(filter),
  attributes: optional(fields('the attributes', personFields)),
});

const group = fields('a kind of groups', {
  schema: required(oneOf(groupSchemaNames)),
  base: optional(dn),
  filter: optional(filter),
  name: optional(attributes),
  members: optional(attributes),
  by: optional(oneOf(['dn', 'name', 'alias'])),
});

const passwordAdvice =
  'a password does not stand in this file; put it in a file of mode 0600 and name that as "passwordFile"';
const noTlsSwitch = 'certificates are always verified; a server with one of its own authority needs "caFile"';

const ldap = fields(
  'the LDAP directory',
  {
    servers: required(oneOrMore(server)),
    tls: optional(oneOf(['verify', 'starttls', 'none'])),
    caFile: optional(path),
    serverName: optional(domain),
    certFile: optional(path),
    keyFile: optional(path),
    bind: optional(oneOf(['simple', 'external', 'anonymous'])),
    bindDn: optional(located(dn)),
    passwordFile: optional(path),
    passwordCredential: optional(credential),
    base: required(dn),
    people: optional(people),
    groups: optional(oneOrMore(group)),
    page: optional(integer(1, 10_000)),
    timeout: optional(duration(second, 2 * minute)),
  },
  { password: passwordAdvice, insecure: noTlsSwitch, rejectUnauthorized: noTlsSwitch, url: 'it is called "servers"' },
);

const percent: Schema<number> = scalar('a share such as 20%', (value) => {
  const parts = /^(\d{1,3})\s?%$/.exec(value);
  const share = Number(parts?.[1]);
  return parts && share <= 100 ? share / 100 : undefined;
});

const view = fields('the view', {
  listen: required(located(loopbackOnly)),
  base: required(located(dn)),
  anonymous: optional(bool),
});

export const directorySchema = fields('the directory', {
  refresh: optional(duration(5 * second, day)),
  mostGone: optional(percent),
  ldap: optional(located(ldap)),
  file: optional(path),
  command: optional(located(list(text('a word'), 'a list: the path of a program, and its arguments'))),
  view: optional(located(view)),
});

export type LdapEntryKeys = NonNullable<ReturnType<typeof ldap.read>>;
export type GroupKeys = NonNullable<ReturnType<typeof group.read>>;
export type DirectoryKeys = NonNullable<ReturnType<typeof directorySchema.read>>;
