// From a person's connected resources to the one state that rules see. Pure.
//
// Several clients may be connected at once; the person can be reached if one of them can. So the most available
// resource speaks for the person, not the one heard last. Among equally available ones the priority decides
// (RFC 6121 §4.7.2.3), then the one in use, then the newest, then the name, so that the answer is always the same.
// A negative priority asks for no messages to the bare JID (RFC 6121 §8.5.2.1.1): whoever has only such resources
// cannot be nudged and counts as offline, though the resources are still listed for people to see.
import type { Resource, State } from './presence.ts';

/** Most available first. */
export const availability = ['chat', 'available', 'away', 'xa', 'dnd'] as const satisfies readonly State[];

export interface RollUp {
  readonly state: Exclude<State, 'unknown'>;
  /** The resource that speaks for the person; absent when offline. */
  readonly best?: Resource;
}

export function rollUp(resources: Iterable<Resource>): RollUp {
  let best: Resource | undefined;
  for (const resource of resources) {
    if (resource.priority < 0) continue;
    if (best === undefined || compareResources(resource, best) < 0) best = resource;
  }
  return best ? { state: best.show, best } : { state: 'offline' };
}

/** Negative when `a` speaks for the person rather than `b`. */
export function compareResources(a: Resource, b: Resource): number {
  return (
    availability.indexOf(a.show) - availability.indexOf(b.show) ||
    b.priority - a.priority ||
    // XEP-0319: without `since` the person is at it now; a later one means idle for a shorter time.
    (b.idleSince ?? Number.MAX_SAFE_INTEGER) - (a.idleSince ?? Number.MAX_SAFE_INTEGER) ||
    b.since - a.since ||
    (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
  );
}
