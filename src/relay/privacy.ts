// What is kept of a mail besides the mail itself, as the groups want it that it is for; of several the strictest.
import { type Content, headOf } from '../mail/content.ts';
import { excerptOf } from '../mail/excerpt.ts';
import type { MailFacts } from '../mail/facts.ts';
import type { Plan } from '../routing/plan.ts';
import type { Privacy, Rules } from '../routing/rules.ts';

/** @param content null where only the header was seen */
export function keptOf(facts: MailFacts, plans: readonly Plan[], rules: Rules, content: Content | null): MailFacts {
  const wants = plans.flatMap((each): (Privacy | undefined)[] =>
    each.kind === 'group' ? [rules.groups.get(each.group)?.privacy] : [],
  );
  const begins =
    content !== null && wants.length > 0 && wants.every((each) => each?.excerpt === 'shown')
      ? excerptOf(headOf(content))
      : undefined;
  const kept = begins === undefined ? facts : { ...facts, excerpt: begins };
  if (!wants.some((each) => each?.subject === 'none')) return kept;
  const { subject: _, ...rest } = kept;
  return { ...rest, headers: rest.headers.filter(([name]) => name !== 'subject') };
}
