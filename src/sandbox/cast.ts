// Who plays in the sandbox: people, rooms and groups as the rules name them, and the one XMPP domain they live at.
// Pure. The embedded server has a single domain: the one most JIDs of the rules have. Whoever has a JID elsewhere, or
// none, gets no account; mail reaches their mailbox all the same, and their presence stays unknown.
import type { Mailbox } from '../mail/path.ts';
import { domainOf } from '../mail/path.ts';
import type { BareJid } from '../presence/jid.ts';
import type { Rules } from '../routing/rules.ts';

export interface Player {
  readonly name: string;
  readonly jid: BareJid;
  /** The JID's local part: the name of the account. */
  readonly local: string;
  readonly mailbox: Mailbox;
}

export interface Cast {
  readonly domain: string;
  /** Local part of Pointsman's own account. */
  readonly bot: string;
  /** Those with an account, in the order of the rules. */
  readonly players: readonly Player[];
  /** Names of people without an account. */
  readonly elsewhere: readonly string[];
  /** Local parts of the rooms at `rooms.<domain>`. */
  readonly rooms: readonly string[];
  /** JIDs of rooms that the embedded server does not have. */
  readonly roomsElsewhere: readonly string[];
  readonly groups: readonly { readonly address: Mailbox; readonly name: string; readonly members: readonly string[] }[];
  /** Domains of every mailbox the rules name: mail may go there. */
  readonly mailDomains: readonly string[];
}

const domainWithoutJids = 'pointsman.test';

export function castOf(rules: Rules): Cast {
  const people = [...rules.people.values()];
  const domain =
    mostFrequent(people.flatMap(({ jid }) => (jid === null ? [] : [domainPart(jid)]))) ?? domainWithoutJids;
  const players = people.flatMap(({ name, jid, mail }): Player[] =>
    jid !== null && domainPart(jid) === domain ? [{ name, jid, local: localPart(jid), mailbox: mail }] : [],
  );
  const targets = [...rules.policies.values()].flatMap(({ steps }) => steps.map(({ to }) => to));
  const rooms = [...new Set(targets.flatMap((to) => (to.kind === 'room' ? [to.room] : [])))];
  const roomDomain = `rooms.${domain}`;
  const groups = [...rules.groups.values()];
  const mailboxes = [
    ...people.map(({ mail }) => mail),
    ...groups.flatMap(({ addresses, fallback }) => [
      ...addresses,
      ...(fallback.kind === 'mailbox' ? [fallback.mailbox] : []),
    ]),
    ...targets.flatMap((to) => (to.kind === 'mailbox' || to.kind === 'person' ? [to.mailbox] : [])),
  ];
  return {
    domain,
    bot: unusedName(players.map(({ local }) => local)),
    players,
    elsewhere: people.filter(({ name }) => !players.some((player) => player.name === name)).map(({ name }) => name),
    rooms: rooms.filter((room) => domainPart(room) === roomDomain).map(localPart),
    roomsElsewhere: rooms.filter((room) => domainPart(room) !== roomDomain),
    groups: groups.flatMap(({ name, addresses, members }) => addresses.map((address) => ({ address, name, members }))),
    mailDomains: [...new Set(mailboxes.map(domainOf))],
  };
}

/** Of two that are equally frequent, the one named first. */
function mostFrequent(values: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce<[string, number] | undefined>((a, b) => (a && a[1] >= b[1] ? a : b), undefined)?.[0];
}

function unusedName(taken: readonly string[]): string {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? 'pointsman' : `pointsman${number}`;
    if (!taken.includes(name)) return name;
  }
}

const domainPart = (jid: BareJid): string => jid.slice(jid.indexOf('@') + 1);
const localPart = (jid: BareJid): string => jid.slice(0, jid.indexOf('@'));
