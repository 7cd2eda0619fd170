// Leaving: whether an owner who is offline has gone, or only seems to be.
import { type Duration, second } from '../clock.ts';
import type { BoardChange as PersonChange } from '../presence/board.ts';
import type { Presence } from '../presence/presence.ts';
import type { PersonName } from '../routing/rules.ts';
import { stepAt } from '../tracking/steps.ts';
import type { Tracked } from '../tracking/tracked.ts';
import type { Stage } from './parts.ts';
import { presenceOf } from './presence-of.ts';

/**
 * A client that reconnects is offline for a moment, and a chat server that is shut down says goodbye for everybody
 * before it closes the stream; neither must move mail. Whoever is really gone still is after this.
 */
export const leavingLasts: Duration = 2 * second;

/**
 * After a new session the server says who is offline, but when it has been restarted that is everybody: people's
 * clients come back in their own time, and until then nobody has left.
 */
export const returningTakes: Duration = 60 * second;

/** More owners than this are not asked about one by one. */
const fewOwners = 8;

export interface Left {
  readonly owner: PersonName;
  readonly owned: readonly Tracked[];
}

/** Who went offline and, after the time it takes to tell, still is by that same departure; and what they own. */
export async function whoHasLeft(
  stage: Stage,
  changes: readonly PersonChange[],
  stopping: AbortSignal,
): Promise<readonly Left[]> {
  const offline = changes.filter(({ change }) => isGone(change.presence));
  const [returning, leaving] = [true, false].map((wasUnknown) =>
    offline.filter(({ change }) => (change.before === 'unknown') === wasUnknown),
  );
  const found = await Promise.all([
    ownedByGone(stage, returning ?? [], returningTakes, stopping),
    ownedByGone(stage, leaving ?? [], leavingLasts, stopping),
  ]);
  return found.flat();
}

async function ownedByGone(
  stage: Stage,
  changes: readonly PersonChange[],
  lasts: Duration,
  stopping: AbortSignal,
): Promise<readonly Left[]> {
  if (changes.length === 0) return [];
  await stage.clock.sleepUntil(Math.max(...changes.map(({ change }) => change.at)) + lasts, stopping);
  if (stopping.aborted) return [];
  const gone = [...new Set(changes.filter((one) => isStillGone(stage, one)).map(({ person }) => person))];
  if (gone.length <= fewOwners)
    return Promise.all(gone.map(async (owner) => ({ owner, owned: await stage.store.openTracked({ owner }) })));
  const byOwner = Map.groupBy(await stage.store.openTracked({}), ({ owner }) => owner);
  return gone.map((owner) => ({ owner, owned: byOwner.get(owner) ?? [] }));
}

function isStillGone(stage: Stage, { person, jid, change }: PersonChange): boolean {
  const now = presenceOf(stage.watcher, person, jid);
  return isGone(now) && now.since === change.presence.since;
}

/**
 * Whose hours have ended gets nothing new; but what they have stays with them for as long as they sit there, for they
 * may be about to answer it.
 */
export function isGone({ state, source, live }: Presence): boolean {
  if (state !== 'offline') return false;
  return source !== 'schedule' || live === undefined || live.state === 'offline' || live.state === 'unknown';
}

/**
 * A step that names a person does not ask whether they are there; their being offline moves nothing. Nor does it move
 * what somebody has acknowledged: that has a time of its own.
 */
export function chosenByPresence({ step, stepTaken, plan, pledge }: Tracked): boolean {
  if (pledge?.kind === 'ack') return false;
  const last = stepTaken > 0 ? stepAt(plan.policy, step) : stepAt(plan.policy, step - 1);
  return last?.to.kind !== 'person' && last?.to.kind !== 'mailbox';
}
