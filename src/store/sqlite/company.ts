// Which verbs ask for what: a transaction, a sync of their own, or only to be done in the company of others.
import type { Store } from '../store.ts';

/** Content files are written and dropped beside the worker. */
export type VerbName = Exclude<keyof Store, 'close' | 'openContent' | 'dropContent'> | ShortVerbName;

/**
 * What `accept` and `settle` become, where there is little to say: see passing.ts; and `accept` of what has no content,
 * which goes over as text: that costs a third of cloning it.
 */
export type ShortVerbName = 'acceptPassing' | 'acceptTold' | 'settleDelivered';

/** They change nothing and need no transaction. */
export const reads: ReadonlySet<VerbName> = new Set<VerbName>([
  'nextDueAt',
  'content',
  'trackedByShortId',
  'tracked',
  'forwardsOf',
  'openTracked',
  'soonestTracked',
  'trackedByMessageId',
  'history',
  'lastEventAt',
  'openWrittenAfter',
  'presenceHistory',
  'recorded',
  'presenceAt',
  'queuePage',
  'listQueue',
  'listTracked',
  'message',
  'events',
  'evidence',
  'decisions',
  'nudges',
  'counts',
  'recall',
  'recallAll',
  'faults',
  'faultSubjects',
  'audited',
  'lately',
  'handled',
  'presenceSpans',
]);

const inNoHurry: ReadonlySet<VerbName> = new Set<VerbName>(['claimDue', 'putOffNudges', 'prune']);

/** What a power cut may take back without anything being lost or unknown: see Store.settle. */
export function mayWaitForSync(verb: VerbName, args: readonly unknown[]): boolean {
  return inNoHurry.has(verb) || reads.has(verb) || mayWaitForCompany(verb, args);
}

/** A settlement of plain deliveries, with nothing but events. */
export function mayWaitForCompany(verb: VerbName, args: readonly unknown[]): boolean {
  if (verb === 'settleDelivered') return true;
  if (verb !== 'settle') return false;
  const [settlements, { events: _, ...also }] = args as Parameters<Store['settle']>;
  return (
    settlements.every(({ to }) => to === 'delivered') && Object.values(also).every((some) => (some?.length ?? 0) === 0)
  );
}
