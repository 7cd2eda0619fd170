// What is allowed in rules but hardly meant. Looks at rules that have no errors; answers with warnings only.
import { mailboxKey } from '../mail/path.ts';
import { indexOf } from './admission.ts';
import { dayNames, formatMinutes } from './calendar.ts';
import { formatPlace, quote, type Report } from './problem.ts';
import type { Group, Match, Place, Policy, Rules, TextTest, Window } from './rules.ts';
import { covers } from './text-test.ts';

export function lint(rules: Rules, report: Report): void {
  warnOfMembersWithoutJid(rules, report);
  warnOfUnusedPolicies(rules, report);
  warnOfUnreachableRoutes(rules, report);
  warnOfAddressesNotPlannedAgain(rules, report);
  warnOfStepsWithoutTarget(rules, report);
  warnOfSkillsThatNobodyHas(rules, report);
  warnOfCapacity(rules, report);
  warnOfOverlaps(rules, report);
  warnOfShadows(rules, report);
}

function warnOfMembersWithoutJid({ groups, people }: Rules, report: Report): void {
  for (const group of groups.values()) {
    if (group.eligible.includes('unknown') || group.unknown === 'include') continue;
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
    const earlier = routes
      .slice(0, index)
      .find(({ action, match }) => action.kind !== 'continue' && coversMatch(match, route.match));
    if (earlier) {
      const message = `the route ${quote(route.name)} is never reached: ${quote(earlier.name)} at ${formatPlace(earlier.place)} takes all its mail`;
      report.warning(route.place, message);
    }
  }
}

function coversMatch(wide: Match, narrow: Match): boolean {
  // Conditions of any other kind: only what is there word for word is certain to let the same through.
  const also = new Set(narrow.also?.map((condition) => JSON.stringify(condition)));
  if (wide.also?.some((condition) => !also.has(JSON.stringify(condition)))) return false;
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

/** Every use of a policy: by a group, or by a route to one. */
function usesOf({ groups, routes }: Rules): readonly { readonly policy: Policy; readonly group: Group }[] {
  const uses = [...groups.values()].flatMap((group) =>
    group.policy === null ? [] : [{ policy: group.policy, group }],
  );
  for (const { action } of routes) {
    const group = action.kind === 'group' ? groups.get(action.group) : undefined;
    if (action.kind === 'group' && action.policy && group) uses.push({ policy: action.policy, group });
  }
  return uses;
}

// Of a policy that several groups share, a step may have no target in a small one: it is skipped there and costs nothing.
function warnOfStepsWithoutTarget(rules: Rules, report: Report): void {
  const byPolicy = Map.groupBy(usesOf(rules), ({ policy }) => policy);
  for (const [policy, uses] of byPolicy) {
    for (const [index, { name }] of policy.steps.entries()) {
      if (uses.some(({ group }) => stepHasTarget(policy, index, group))) continue;
      const groups = [...new Set(uses.map(({ group }) => quote(group.name)))].join(', ');
      report.warning(
        policy.place,
        `the step ${quote(name)} never has a target: by then every member of ${groups} has had the mail`,
      );
    }
  }
}

function stepHasTarget(policy: Policy, index: number, { members }: Group): boolean {
  const step = policy.steps[index];
  // The first has it already; each step to the next takes one more.
  const before = policy.steps.slice(0, index).filter(({ to }) => to.kind === 'next');
  const had = 1 + before.reduce((sum, { times }) => sum + times, 0);
  if (step?.to.kind === 'next' || step?.to.kind === 'everyone') return members.length > had;
  return !(step?.to.kind === 'person' && members.length === 1 && members[0] === step.to.person);
}

function warnOfSkillsThatNobodyHas({ groups, people, routes }: Rules, report: Report): void {
  const check = (group: Group | undefined, skills: readonly string[] | undefined, place: Place, what: string): void => {
    if (!group || !skills || skills.length === 0) return;
    const able = group.members.some((name) => skills.every((skill) => people.get(name)?.skills?.includes(skill)));
    if (!able)
      report.warning(
        place,
        `${what} requires ${skills.map(quote).join(' and ')}, but no member of ${quote(group.name)} has ${skills.length === 1 ? 'it' : 'them all'}: nobody is ever chosen`,
      );
  };
  for (const group of groups.values()) check(group, group.requires, group.place, `the group ${quote(group.name)}`);
  for (const { action, place, name } of routes)
    if (action.kind === 'group') check(groups.get(action.group), action.requires, place, `the route ${quote(name)}`);
}

function warnOfCapacity({ groups, people, routes }: Rules, report: Report): void {
  const check = (group: Group | undefined, cost: number, place: Place, what: string): void => {
    if (!group || group.members.length === 0) return;
    const most = Math.max(...group.members.map((name) => people.get(name)?.capacity ?? Infinity));
    if (most < cost)
      report.warning(
        place,
        `${what} takes ${cost} ${cost === 1 ? 'unit' : 'units'}, but nobody in ${quote(group.name)} has more than ${most}: nobody is ever chosen`,
      );
  };
  for (const group of groups.values()) {
    check(group, group.cost ?? 1, group.place, `mail for the group ${quote(group.name)}`);
    const limited = group.members.some((name) => people.get(name)?.capacity !== undefined);
    const counts = limited || ['least-busy', 'most-spare', 'sticky'].includes(group.strategy);
    if (counts && group.policy === null && group.mode !== 'observe')
      report.warning(
        group.place,
        `the group ${quote(group.name)} goes by what its members have open, but without a policy its mail is not tracked and nothing counts as open`,
      );
  }
  for (const { action, place, name } of routes)
    if (action.kind === 'group' && action.cost !== undefined)
      check(groups.get(action.group), action.cost, place, `the route ${quote(name)}`);
}

function warnOfOverlaps({ schedules }: Rules, report: Report): void {
  for (const { name, windows, place } of schedules?.values() ?? []) {
    for (const [index, window] of windows.entries()) {
      const other = windows.slice(0, index).find((earlier) => overlap(earlier, window));
      if (other)
        report.warning(
          place,
          `two openings of the schedule ${quote(name)} overlap: ${describeWindow(other)} and ${describeWindow(window)}`,
        );
    }
  }
}

const describeWindow = ({ days, from, to }: Window): string =>
  `${days.map((day) => dayNames[day - 1]).join(' ')} ${formatMinutes(from)}-${formatMinutes(to)}`;

/** In minutes of the week; what goes over midnight may go over the end of the week. */
function overlap(a: Window, b: Window): boolean {
  const week = 7 * 1440;
  const spans = ({ days, from, to }: Window) =>
    days.map((day) => {
      const start = (day - 1) * 1440 + from;
      return [start, start + (to > from ? to - from : 1440 - from + to)] as const;
    });
  return spans(a).some(([start, end]) =>
    spans(b).some(([s, e]) => [-week, 0, week].some((shift) => start < e + shift && s + shift < end)),
  );
}

/** One name for two things: a command, a log or a table that names it does not say which. */
function warnOfShadows({ people, groups }: Rules, report: Report): void {
  for (const group of groups.values()) {
    const person = people.get(group.name);
    if (person)
      report.warning(
        group.place,
        `${quote(group.name)} is a person, too (${formatPlace(person.place)}); give one of them another name`,
      );
  }
}
