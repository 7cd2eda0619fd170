// Rules by address. Rules never change once they are built, so what is looked up for every recipient is made once.
import { domainToASCII } from 'node:url';
import { domainOf, type Mailbox, mailboxKey } from '../mail/path.ts';
import type { Group, Person, Rules } from './rules.ts';

export interface RulesIndex {
  readonly groupByAddress: ReadonlyMap<string, Group>;
  /** By any of their addresses. */
  readonly personByAddress: ReadonlyMap<string, Person>;
}

const made = new WeakMap<Rules, RulesIndex>();

export function indexOf(rules: Rules): RulesIndex {
  const known = made.get(rules);
  if (known) return known;
  const groupByAddress = new Map<string, Group>();
  for (const group of rules.groups.values())
    for (const address of group.addresses) groupByAddress.set(mailboxKey(address), group);
  const personByAddress = new Map(
    [...rules.people.values()].flatMap((person) =>
      [person.mail, ...(person.also ?? [])].map((mail) => [mailboxKey(mail), person] as const),
    ),
  );
  const index = { groupByAddress, personByAddress };
  made.set(rules, index);
  return index;
}

/**
 * Whether mail to this address is ours to pass on, whoever asks: the configured domains, and the addresses of groups
 * and people. The domains are as Config has them.
 */
export function isRelayed(mailbox: Mailbox, rules: Rules, domains: Iterable<string>): boolean {
  const { groupByAddress, personByAddress } = indexOf(rules);
  const key = mailboxKey(mailbox);
  // Their other addresses only say who wrote: mail is not sent there.
  const person = personByAddress.get(key);
  if (groupByAddress.has(key) || (person && mailboxKey(person.mail) === key)) return true;
  const domain = comparable(domainOf(mailbox));
  for (const candidate of domains) if (comparable(candidate) === domain) return true;
  return false;
}

/** RFC 5890 §2.3.2.1: a domain is the same in U-labels and in A-labels. */
function comparable(domain: string): string {
  const lower = domain.toLowerCase();
  if (!/[^\x00-\x7f]/.test(lower)) return lower;
  return domainToASCII(lower) || lower;
}
