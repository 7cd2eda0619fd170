// How LDAP directories write people and groups down: which entries, which attributes, how a group names its members.
// These are the defaults; the configuration may say any of it anew. Reading by them is ldap-mapping.ts.

/** What is asked for and understood of a person. The first attribute that is there counts; of mails all do. */
export interface PersonSchema {
  /** RFC 4515. */
  readonly filter: string;
  readonly attributes: PersonAttributes;
}

export const personAttributes = [
  'name',
  'mail',
  'jid',
  'skills',
  'zone',
  'language',
  'phone',
  'absentFrom',
  'absentTo',
  'substitute',
  'memberOf',
] as const;
export type PersonAttributes = Readonly<Record<(typeof personAttributes)[number], readonly string[]>>;

export interface GroupSchema {
  readonly filter: string;
  readonly name: readonly string[];
  readonly members: readonly string[];
  /** dn: by distinguished name; name: as `memberUid` does; alias: an address, another alias or a name. */
  readonly by: 'dn' | 'name' | 'alias';
}

const none: PersonAttributes = {
  name: ['uid'],
  mail: ['mail'],
  jid: [],
  skills: [],
  zone: [],
  language: ['preferredLanguage'],
  phone: ['telephoneNumber'],
  absentFrom: [],
  absentTo: [],
  substitute: [],
  memberOf: [],
};

export const personSchemas = {
  // RFC 2798.
  inetOrgPerson: {
    filter: '(objectClass=inetOrgPerson)',
    attributes: { ...none, mail: ['mail', 'mailAlternateAddress', 'mailLocalAddress'] },
  },
  // RFC 2307: accounts; the address comes from a class beside it.
  posixAccount: { filter: '(&(objectClass=posixAccount)(mail=*))', attributes: none },
  // Accounts that are switched off (ADS_UF_ACCOUNTDISABLE, bit 2) are nobody to send mail to. Groups say who is in them,
  // too, but of a large one only the first 1,500: memberOf is whole.
  activeDirectory: {
    filter: '(&(objectCategory=person)(objectClass=user)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))',
    attributes: {
      ...none,
      name: ['sAMAccountName'],
      mail: ['mail', 'proxyAddresses'],
      memberOf: ['memberOf'],
    },
  },
} as const satisfies Readonly<Record<string, PersonSchema>>;

export const groupSchemas = {
  // RFC 4519 §3.5–3.6.
  groupOfNames: {
    filter: '(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))',
    name: ['cn'],
    members: ['member', 'uniqueMember'],
    by: 'dn',
  },
  // RFC 2307 §4: memberUid is a login name; RFC 2307bis writes groupOfNames.
  posixGroup: { filter: '(objectClass=posixGroup)', name: ['cn'], members: ['memberUid'], by: 'name' },
  // Sendmail's and NIS's alias map: rfc822MailMember is an address, another alias, or a login name.
  nisMailAlias: { filter: '(objectClass=nisMailAlias)', name: ['cn'], members: ['rfc822MailMember'], by: 'alias' },
  // Members say so themselves, by memberOf; see above.
  activeDirectory: { filter: '(objectClass=group)', name: ['sAMAccountName', 'cn'], members: [], by: 'dn' },
} as const satisfies Readonly<Record<string, GroupSchema>>;

export const personSchemaNames = Object.keys(personSchemas) as (keyof typeof personSchemas)[];
export const groupSchemaNames = Object.keys(groupSchemas) as (keyof typeof groupSchemas)[];
