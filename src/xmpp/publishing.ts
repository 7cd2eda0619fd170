// The adapter with a node to publish to, when the configuration names one.
import type { XmppConfig } from '../config.ts';
import { silentLog } from '../log.ts';
import type { Iq } from './iq.ts';
import type { Xmpp, XmppOptions } from './options.ts';
import { Publisher } from './pubsub.ts';

export function publishing<X extends Xmpp & { readonly iq: Iq }>(
  adapter: X,
  { pubsub }: XmppConfig,
  { clock, log = silentLog }: XmppOptions,
): X {
  if (!pubsub) return adapter;
  const publisher = new Publisher({ config: pubsub, iq: adapter.iq, clock, log });
  adapter.onOpen?.((room) => {
    if (room === null) publisher.opened();
  });
  return Object.assign(adapter, { publish: publisher.publish.bind(publisher) });
}
