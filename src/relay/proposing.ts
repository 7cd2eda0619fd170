// Propose: an operator is shown who could have a mail, ranked, and picks one; silence takes the first. What was proposed
// and what was picked are events of the message's story, so they outlive a restart, and the first pick is the one that
// counts. When no operator can be asked nothing waits.
import { type Instant, minute } from '../clock.ts';
import { proposalText } from '../notify/nudge.ts';
import { phrasesIn } from '../notify/phrases.ts';
import { reasonIn } from '../notify/reasons.ts';
import type { Choice, Considered, Snapshot } from '../routing/choose.ts';
import type { GroupPlan } from '../routing/plan.ts';
import type { Proposal } from '../routing/proposal.ts';
import type { Language, PersonName } from '../routing/rules.ts';
import type { DeliveryRef, NewDecision, NewNudge } from '../store/store.ts';
import type { StoryEvent } from '../tracking/event.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { factsOf, languageOf } from './nudging.ts';
import type { Stage } from './parts.ts';

/** As the story tells it. */
export interface Proposed {
  readonly at: Instant;
  readonly until: Instant;
  readonly asked: readonly PersonName[];
  /** In the order of their numbers. */
  readonly candidates: readonly PersonName[];
  readonly picked: { readonly person: PersonName; readonly by: PersonName } | null;
  /** It has gone to somebody since. */
  readonly over: boolean;
}

/** More are not shown: nobody picks from a longer list. */
const longestRanking = 9;

export async function proposedFor(stage: Pick<Stage, 'store'>, ref: DeliveryRef): Promise<Proposed | null> {
  const events = (await stage.store.events(ref.queueId)).filter(({ seq }) => seq === ref.seq);
  return events.reduce<Proposed | null>(told, null);
}

function told(before: Proposed | null, event: StoryEvent): Proposed | null {
  if (event.event === 'proposed') {
    const { at, until, to, candidates } = event;
    return { at, until, asked: to, candidates, picked: null, over: false };
  }
  if (before === null || before.over) return before;
  if (event.event === 'chosen') return { ...before, over: true };
  if (event.event !== 'picked' || before.picked) return before;
  return { ...before, picked: { person: event.person, by: event.by } };
}

/** For the snapshot. */
export function proposalNow(stage: Stage, plan: GroupPlan, known: Proposed | null, now: Instant): Proposal | undefined {
  if (plan.mode !== 'propose' || plan.propose === undefined) return undefined;
  if (known) {
    const { until, asked, picked } = known;
    return { until, asked, ...(picked ? { picked } : {}) };
  }
  return { until: now + plan.propose.within, asked: plan.propose.to.filter((name) => canBeAsked(stage, name, now)) };
}

/** There, and not to be left alone. */
function canBeAsked(stage: Stage, name: PersonName, now: Instant): boolean {
  const jid = stage.rules.current().people.get(name)?.jid;
  if (!jid || !stage.notifier || stage.absences.away(name, now)) return false;
  return !['offline', 'unknown', 'dnd'].includes(stage.watcher.presenceOf(jid).state);
}

/** What goes along with the first hold for a proposal. */
export function propose(
  stage: Stage,
  tracked: Tracked,
  snapshot: Snapshot,
  choice: Choice & { kind: 'hold' },
  decision: NewDecision,
): { events: StoryEvent[]; nudges: NewNudge[] } {
  const { now, proposal } = snapshot;
  const { queueId, seq } = tracked;
  const asked = proposal?.asked ?? [];
  const candidates = (choice.proposed ?? []).slice(0, longestRanking);
  const lines = candidates.flatMap((name) => choice.considered.find(({ person }) => person === name) ?? []);
  const text = proposalText(
    factsOf(stage, tracked, now),
    lines.map((line) => describe(line, languageOf(stage, tracked.plan.group))),
    choice.until - now,
  );
  return {
    events: [
      {
        event: 'proposed',
        at: now,
        queueId,
        seq,
        group: tracked.plan.group,
        until: choice.until,
        to: asked,
        candidates,
        decision: decision.id,
      },
    ],
    nudges: asked.flatMap((name) =>
      toOperator(stage, tracked, name, { text, kind: 'nudge', dueAt: now, staleAt: choice.until }),
    ),
  };
}

/** `alice: is available for 2m; first in order; 3 open` */
const describe = ({ person, reason, open }: Considered, language: Language): string =>
  `${person}: ${reasonIn(language, `${reason}; ${open} open`)}`;

/** Everybody who was asked learns who has it now, in the place of the question. */
export function tellProposed(
  stage: Stage,
  tracked: Tracked,
  { asked, picked }: Proposed,
  person: PersonName | null,
  now: Instant,
): NewNudge[] {
  const p = phrasesIn(languageOf(stage, tracked.plan.group));
  const text = picked
    ? p.pickedBy(tracked.shortId, person ?? p.nobody, picked.by)
    : p.nobodyPicked(tracked.shortId, person ?? p.nobody);
  return asked
    .filter((name) => name !== picked?.by)
    .flatMap((name) =>
      toOperator(stage, tracked, name, { text, kind: 'notice', dueAt: now, staleAt: now + 10 * minute }),
    );
}

/** Named so that a receipt for it is evidence of nothing: nobody is asked to take the mail. */
export const isProposal = (id: string): boolean => /\.notice propos(?:al|ed) /.test(id);

function toOperator(
  stage: Stage,
  { queueId, seq, step, revision }: Tracked,
  name: PersonName,
  more: Pick<NewNudge, 'text' | 'kind' | 'dueAt' | 'staleAt'>,
): NewNudge[] {
  const jid = stage.rules.current().people.get(name)?.jid;
  if (!jid || !stage.notifier) return [];
  const what = more.kind === 'nudge' ? 'notice proposal' : 'notice proposed';
  const id = `${queueId}.${seq}.${revision}.${what} ${jid}`;
  return [{ queueId, seq, id, to: { kind: 'person', jid, person: name }, step, ...more }];
}
