// What goes along with a change, in its transaction. Compare-and-set comes first: a stale verb does no work.
import { type Duration, day } from '../../clock.ts';
import type { Consequences, DeliveryRef, NewDecision } from '../store.ts';
import { insertDelivery, nextSeq } from './deliveries.ts';
import { appendEvent, appendEvidence } from './look.ts';
import { accept, reopen } from './messages.ts';
import { addNudge, withdrawNudges } from './nudges.ts';
import { changeTracked, expectStanding } from './tracked.ts';
import type { Work } from './work.ts';

/** Longer than any mail may be due. */
const ahead: Duration = 60 * day;

/** Answers what it has added to be forwarded. */
export function applyConsequences(work: Work, also: Consequences): readonly DeliveryRef[] {
  const now = also.events?.reduce<number | undefined>((last, event) => Math.max(last ?? event.at, event.at), undefined);
  for (const tracked of also.tracked ?? []) changeTracked(work, tracked, now);
  for (const standing of also.standing ?? []) expectStanding(work, standing);
  for (const ref of also.withdrawNudgesOf ?? []) withdrawNudges(work, ref);
  const forwarded = (also.forwards ?? []).map(({ queueId, ...delivery }): DeliveryRef => {
    reopen(work, queueId);
    const seq = nextSeq(work, queueId);
    // Somebody has waited for this one already: it goes before all mail that is due, however much of it there is.
    insertDelivery(work, queueId, { ...delivery, seq }, delivery.firstAttemptAt - ahead);
    return { queueId, seq };
  });
  for (const report of also.reports ?? []) accept(work, report);
  for (const decision of also.decisions ?? []) appendDecision(work, decision);
  for (const nudge of also.nudges ?? []) addNudge(work, nudge);
  for (const evidence of also.evidence ?? []) appendEvidence(work, evidence);
  for (const event of also.events ?? []) appendEvent(work, event);
  return forwarded;
}

function appendDecision(work: Work, decision: NewDecision): void {
  work.sql.run(
    `INSERT INTO decisions (id, queue_id, seq, at, why, plan, snapshot, choice) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO NOTHING`,
    decision.id,
    decision.queueId,
    decision.seq,
    decision.at,
    decision.why,
    JSON.stringify(decision.plan),
    JSON.stringify(decision.snapshot),
    JSON.stringify(decision.choice),
  );
}
