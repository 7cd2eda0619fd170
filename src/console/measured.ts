// The store and the way out, with a watch beside them.
import type { Clock } from '../clock.ts';
import type { Store } from '../store/store.ts';
import type { Transport } from '../transport.ts';
import type { Metrics } from './metrics.ts';

/** How long the disk and the next hops take. */
export function measured(
  store: Store,
  metrics: Pick<Metrics, 'observeCommit' | 'observeTransaction'>,
  clock: Clock,
): { store: Store; timed: (transport: Transport) => Transport } {
  return {
    store: {
      ...store,
      async accept(acceptance) {
        const from = clock.now();
        await store.accept(acceptance);
        metrics.observeCommit(clock.now() - from);
      },
    },
    timed: (transport) => ({
      async ship(hop, shipment, options) {
        const from = clock.now();
        const outcomes = await transport.ship(hop, shipment, options);
        metrics.observeTransaction(hop.name, clock.now() - from);
        return outcomes;
      },
      close: () => transport.close(),
    }),
  };
}
