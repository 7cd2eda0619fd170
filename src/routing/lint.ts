// What is allowed in rules but hardly meant. Looks at rules that have no errors; answers with warnings only.
import { mailboxKey } from '../mail/path.ts';
import { indexOf } from './admission.ts';
import { formatPlace, quote, type Report } from './problem.ts';
import type { Match, Policy, Rules, TextTest } from './rules.ts';
import { covers } from './text-test.ts';

export function lint(rules: Rules, report: Report): void {
  warnOfMembersWithoutJid(rules, report);
  warnOfUnusedPolicies(rules, report);
  warnOfUnreachableRoutes(rules, report);
  warnOfAddressesNotPlannedAgain(rules, report);
}

function warnOfMembersWithoutJid({ groups, people }: Rules, report: Report): void {
  for (const group of groups.values()) {
    if (group.eligible.includes('unknown')) continue;
    for (const member of group.members) {
      const person = people.get(member);
      if (person && person.jid === null) {
        const message = `${quote(member)} has no JID, so the group ${quote(group.name)} never chooses them; give a jid, or make "unknown" eligible`;
        report.warning(person.place, message);
      }
    }
  }
}

function warnOfUnusedPolicies({ groups, policies, routes }: Rules, report: Report): void {
  const used = new Set<Policy | null | undefined>([...groups.values()].map((group) => group.policy));
  for (const { action } of routes) if (action.kind === 'group') used.add(action.policy);
  for (const policy of policies.values())
    if (!used.has(policy)) report.warning(policy.place, `no group and no route uses the policy ${quote(policy.name)}`);
}

// Simple cases only: an earlier route whose every test lets through all that the later one's lets through.
function warnOfUnreachableRoutes({ routes }: Rules, report: Report): void {
  for (const [index, route] of routes.entries()) {
    const earlier = routes.slice(0, index).find((candidate) => coversMatch(candidate.match, route.match));
    if (earlier) {
      const message = `the route ${quote(route.name)} is never reached: ${quote(earlier.name)} at ${formatPlace(earlier.place)} takes all its mail`;
      report.warning(route.place, message);
    }
  }
}

function coversMatch(wide: Match, narrow: Match): boolean {
  return (
    (['recipient', 'sender', 'subject'] as const).every((field) => coversTests(wide[field], narrow[field])) &&
    wide.headers.every(({ name, tests }) =>
      narrow.headers.some((header) => header.name === name && coversTests(tests, header.tests)),
    )
  );
}

function coversTests(wide: readonly TextTest[] | undefined, narrow: readonly TextTest[] | undefined): boolean {
  if (wide === undefined) return true;
  return narrow?.every((inner) => wide.some((outer) => covers(outer, inner))) ?? false;
}

// What a fallback or a step forwards goes straight to the next hop: it is not planned a second time.
function warnOfAddressesNotPlannedAgain(rules: Rules, report: Report): void {
  const { groupByAddress } = indexOf(rules);
  for (const group of rules.groups.values()) {
    const { fallback } = group;
    const other = fallback.kind === 'mailbox' ? groupByAddress.get(mailboxKey(fallback.mailbox)) : undefined;
    if (other) {
      const message = `the fallback of ${quote(group.name)} is the address of the group ${quote(other.name)}, but it goes to the next hop as it is: nobody of ${quote(other.name)} is chosen`;
      report.warning(group.place, message);
    }
  }
  for (const policy of rules.policies.values()) {
    for (const { name, to } of policy.steps) {
      const other = to.kind === 'mailbox' ? groupByAddress.get(mailboxKey(to.mailbox)) : undefined;
      if (other) {
        const message = `the step ${quote(name)} forwards to the address of the group ${quote(other.name)}, but it goes to the next hop as it is: nobody of ${quote(other.name)} is chosen`;
        report.warning(policy.place, message);
      }
    }
  }
}
