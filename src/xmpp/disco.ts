// What we say about ourselves when a client or server asks.
import type { Iq } from './iq.ts';
import { ns, xml } from './stanza.ts';

const features = [ns.discoInfo, ns.discoItems, ns.ping, ns.receipts, ns.markers, ns.version, ns.muc];

export function answerAbout(iq: Iq, version: string | undefined): void {
  // XEP-0030 §3.1. A node that we do not have is item-not-found (§7).
  iq.answer('get', 'query', ns.discoInfo, (query) =>
    query.attrs.node === undefined
      ? {
          result: xml(
            'query',
            { xmlns: ns.discoInfo },
            xml('identity', { category: 'client', type: 'bot', name: 'Pointsman' }),
            ...[...features].sort().map((feature) => xml('feature', { var: feature })),
          ),
        }
      : { error: 'item-not-found' },
  );
  iq.answer('get', 'query', ns.discoItems, () => ({ result: xml('query', { xmlns: ns.discoItems }) }));
  iq.answer('get', 'ping', ns.ping, () => ({ result: null }));
  // XEP-0092 §4: the operating system is nobody's business.
  iq.answer('get', 'query', ns.version, () => ({
    result: xml(
      'query',
      { xmlns: ns.version },
      xml('name', {}, 'Pointsman'),
      ...(version === undefined ? [] : [xml('version', {}, version)]),
    ),
  }));
}
