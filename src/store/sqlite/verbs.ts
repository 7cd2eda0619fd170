// Every verb of the port as a function of one Work. Those in `reads` change nothing and need no transaction.
import type { Acceptance, Consequences, Store } from '../store.ts';
import type { ShortVerbName, VerbName } from './company.ts';
import { applyConsequences } from './consequences.ts';
import { choose, recordFinalDot, retryNow, settle, wakeHeld } from './deliveries.ts';
import { announcedFault, changeFault, faultSubjects, faults, openFault } from './faults.ts';
import { forwardsOf } from './forwards.ts';
import { hastenBeyond, hastenHop, intervene, queuePage } from './interventions.ts';
import * as look from './look.ts';
import * as lookBack from './look-back.ts';
import { accept, content, retireContent } from './messages.ts';
import { hastenNudges, putOffNudges, settleNudge } from './nudges.ts';
import { handOn } from './onward.ts';
import { acceptPassing, type Delivered, type Parcel, settleDelivered, type Told } from './passing.ts';
import { prune } from './pruning.ts';
import { replan } from './replan.ts';
import { lastEventAt, openWrittenAfter } from './set-back.ts';
import { claimDue, nextDueAt, releaseLeases } from './timers.ts';
import {
  listTracked,
  openTracked,
  soonestTracked,
  trackedByMessageId,
  trackedByShortId,
  trackedOne,
} from './tracked.ts';
import type { Work } from './work.ts';

type Arguments<V extends VerbName> = V extends 'acceptPassing'
  ? Parcel
  : V extends 'acceptTold'
    ? [acceptance: string]
    : V extends 'settleDelivered'
      ? [delivered: readonly Delivered[], told: readonly Told[]]
      : Parameters<Store[Exclude<V, ShortVerbName>]>;
/** The worker knows content in files by name only. */
export type Result<V extends VerbName> = V extends 'content'
  ? Uint8Array | { file: string; length: number }
  : V extends ShortVerbName
    ? undefined
    : Awaited<ReturnType<Store[Exclude<V, ShortVerbName>]>>;
type Verbs = { readonly [V in VerbName]: (work: Work, ...args: Arguments<V>) => Result<V> };

/** A change and its consequences: `stale` is thrown on the way, see work.ts. */
function done(work: Work, also: Consequences): 'done' {
  applyConsequences(work, also);
  return 'done';
}

export const verbs: Verbs = {
  accept(work, acceptance) {
    accept(work, acceptance);
    applyConsequences(work, acceptance.also ?? {});
  },
  acceptTold(work, text) {
    const acceptance = JSON.parse(text) as Acceptance;
    accept(work, acceptance);
    applyConsequences(work, acceptance.also ?? {});
    return undefined;
  },
  acceptPassing(work, ...parcel) {
    acceptPassing(work, ...parcel);
    return undefined;
  },
  claimDue,
  nextDueAt,
  releaseLeases,
  content,
  recordChoice(work, choice, also) {
    choose(work, choice);
    return done(work, also);
  },
  recordFinalDot,
  settle(work, settlements, also) {
    for (const settlement of settlements) settle(work, settlement);
    return done(work, also);
  },
  settleDelivered,
  wakeHeld,
  replan(work, change, also) {
    replan(work, change);
    return done(work, also);
  },
  advance: (work, tracked, also) => done(work, { ...also, tracked: [tracked, ...(also.tracked ?? [])] }),
  advanceOnward: (work, tracked, also) =>
    handOn(work, applyConsequences(work, { ...also, tracked: [tracked, ...(also.tracked ?? [])] })),
  record: done,
  hastenNudges,
  putOffNudges,
  settleNudge(work, id, outcome, also) {
    settleNudge(work, id, outcome);
    return done(work, also);
  },
  trackedByShortId,
  tracked: trackedOne,
  forwardsOf,
  openTracked,
  soonestTracked,
  trackedByMessageId,
  history: look.history,
  lastEventAt,
  openWrittenAfter,
  recordPresence: look.appendPresence,
  presenceHistory: look.presenceHistory,
  recorded: look.recorded,
  presenceAt: look.presenceAt,
  forgetPresence: look.forgetPresence,
  retireContent,
  prune,
  retryNow,
  intervene,
  hastenBeyond,
  hastenHop,
  queuePage,
  listQueue: look.listQueue,
  listTracked,
  message: look.message,
  events: look.events,
  evidence: look.evidence,
  decisions: look.decisions,
  nudges: look.nudges,
  counts: look.counts,
  openFault,
  changeFault,
  announcedFault,
  faults,
  faultSubjects,
  ...lookBack,
  remember: look.remember,
  recall: look.recall,
  recallAll: look.recallAll,
  forget: look.forget,
};
