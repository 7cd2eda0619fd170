// Tells programs what happens: events to whoever follows them by XMPP, and a fault by one POST with JSON. Whoever is told so late that nobody waits for it is told once more by
// the next change; the store of the fault is ours.
import type { Clock } from './clock.ts';
import type { Notifier } from './notify/notifier.ts';
import { type FaultChange, publishedFault, publishedOf } from './notify/published.ts';
import type { StoryEvent } from './tracking/event.ts';

/** @param url of a program that wants faults; null: none does */
export function publisherOf(
  notifier: Pick<Notifier, 'publish'> | null,
  url: string | null,
  clock: Clock,
): { story(event: StoryEvent): void; fault(change: FaultChange): Promise<void> } {
  const webhook = url === null ? null : createWebhook(url);
  return {
    story(event) {
      const told = notifier?.publish ? publishedOf(event) : null;
      if (told) notifier?.publish?.(told);
    },
    async fault(change) {
      notifier?.publish?.(publishedFault(change, clock.now()));
      await webhook?.(change);
    },
  };
}

/** Rejects when the program does not say 2xx in time. */
export function createWebhook(url: string, within = 10_000): (report: object) => Promise<void> {
  return async (report) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8', 'user-agent': 'Pointsman' },
      body: JSON.stringify(report),
      // A redirect could name a machine that the configuration does not.
      redirect: 'error',
      signal: AbortSignal.timeout(within),
    });
    // Read to its end, or the connection stays.
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`the webhook says ${response.status}`);
  };
}
