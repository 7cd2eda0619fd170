// Doubt: before mail goes to somebody of whom nothing was heard for long, their clients are asked whether anybody is
// there, when the rule says so (`askAfter`). A client whose line has died looks present for minutes; it cannot answer.
//
// First whom the choice fell on is asked; when they are silent, all others at once who would be next, so that a group of
// ghosts costs seconds and not minutes. What was found out is in the presence that the next choice is made from.
import { type Duration, type Instant, second } from '../clock.ts';
import type { Presence } from '../presence/presence.ts';
import type { Choice, Snapshot } from '../routing/choose.ts';
import type { GroupPlan } from '../routing/plan.ts';
import type { PersonName } from '../routing/rules.ts';
import { jidOf } from './nudging.ts';
import type { Stage } from './parts.ts';

/** A client that is there answers in a blink; a telephone may have to wake up first. */
const answerWithin: Duration = 5 * second;
/** Together with the first: at most so often is waited for one choice. */
const mostRounds = 3;
/** Of one round. */
const mostAsked = 20;

/** Of one choice that is being made. */
export interface Doubts {
  readonly asked: Set<PersonName>;
  rounds: number;
}

export const noDoubts = (): Doubts => ({ asked: new Set(), rounds: 0 });

/** What they answer, or that they do not, is known when the promise resolves: then the choice is to be made again. */
export async function askWhetherThere(stage: Stage, people: readonly PersonName[], doubts: Doubts): Promise<void> {
  doubts.rounds += 1;
  await Promise.all(
    people.map(async (person) => {
      doubts.asked.add(person);
      const jid = jidOf(stage, person);
      if (jid === null) return;
      const here = await stage.watcher.verify?.(jid, answerWithin);
      stage.log.info({ person, here: here ?? 'not known' }, 'asked whether they are there');
    }),
  );
}

/** Whom to ask now; nobody when no rule asks for it. At once, so that no other choice comes between this one and its recording. */
export function doubtful(
  { watcher }: Pick<Stage, 'watcher'>,
  plan: GroupPlan,
  choice: Choice | null,
  { people, now }: Snapshot,
  { asked, rounds }: Doubts,
): readonly PersonName[] {
  if (choice?.kind !== 'member' || !watcher.verify || rounds >= mostRounds) return [];
  const askAfter = askAfterOf(plan, choice.group);
  if (askAfter === undefined) return [];
  const isDoubtful = (person: PersonName): boolean => {
    const known = people[person];
    return known !== undefined && !asked.has(person) && isOld(known.presence, askAfter, now);
  };
  const chosen = [choice.person, ...(choice.also ?? []).map(({ person }) => person)];
  const first = chosen.filter(isDoubtful);
  if (first.length === 0) return [];
  if (rounds === 0) return first.slice(0, mostAsked);
  const next = choice.considered.flatMap(({ person, verdict }) => (verdict === 'excluded' ? [] : [person]));
  return [...new Set([...first, ...next.filter(isDoubtful)])].slice(0, mostAsked);
}

function askAfterOf(plan: GroupPlan, group: string | undefined): Duration | undefined {
  if (group === undefined) return plan.askAfter;
  const link = plan.chain?.find((each) => each.kind === 'group' && each.pool.group === group);
  return link?.kind === 'group' ? link.pool.askAfter : undefined;
}

/** Only what a client has said can be asked about; a word by hand or a schedule is as good as on its first day. */
function isOld({ asOf, state, source }: Presence, askAfter: Duration, now: Instant): boolean {
  if (state === 'offline' || state === 'unknown' || asOf === null) return false;
  return (source === undefined || source === 'xmpp' || source === 'status') && now - asOf > askAfter;
}
