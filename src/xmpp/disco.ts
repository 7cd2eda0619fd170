// What we say about ourselves when a client or server asks.
import type { Clock } from '../clock.ts';
import type { AdHoc } from './ad-hoc.ts';
import { nodeOf, offered } from './ad-hoc.ts';
import { capsNode, capsVersion, features, identities } from './caps.ts';
import type { Iq } from './iq.ts';
import type { Element } from './stanza.ts';
import { ns, xml } from './stanza.ts';

export const ourCaps = (): Element =>
  xml('c', { xmlns: ns.caps, hash: 'sha-1', node: capsNode, ver: capsVersion(identities, features) });

export function answerAbout(
  iq: Iq,
  about: {
    readonly version: string | undefined;
    readonly adHoc: AdHoc;
    readonly own: () => string;
    readonly clock: Clock;
  },
): void {
  const { version, adHoc, own, clock } = about;
  const capsQuery = `${capsNode}#${capsVersion(identities, features)}`;
  const commands = new Set(offered.map(nodeOf));
  // XEP-0030 §3.1. A node that we do not have is item-not-found (§7).
  iq.answer('get', 'query', ns.discoInfo, (query, from) => {
    const { node } = query.attrs;
    const named = node === undefined ? {} : { node };
    if (node === undefined || node === capsQuery) {
      return {
        result: xml(
          'query',
          { xmlns: ns.discoInfo, ...named },
          ...identities.map((identity) => xml('identity', { ...identity })),
          ...[...features].sort().map((feature) => xml('feature', { var: feature })),
        ),
      };
    }
    // XEP-0050 §2.3
    const name = node === ns.commands ? 'Commands' : adHoc.names(from).get(node);
    if (name === undefined) return { error: 'item-not-found' };
    const type = node === ns.commands ? 'command-list' : 'command-node';
    return {
      result: xml(
        'query',
        { xmlns: ns.discoInfo, ...named },
        xml('identity', { category: 'automation', type, name }),
        xml('feature', { var: ns.commands }),
        xml('feature', { var: ns.data }),
      ),
    };
  });
  iq.answer('get', 'query', ns.discoItems, (query, from) => {
    const { node } = query.attrs;
    if (node === undefined) return { result: xml('query', { xmlns: ns.discoItems }) };
    if (node !== ns.commands)
      return commands.has(node)
        ? { result: xml('query', { xmlns: ns.discoItems, node }) }
        : { error: 'item-not-found' };
    return { result: xml('query', { xmlns: ns.discoItems, node }, ...adHoc.items(own(), from)) };
  });
  iq.answer('get', 'ping', ns.ping, () => ({ result: null }));
  // XEP-0202. UTC: where we stand is nobody's business.
  iq.answer('get', 'time', ns.time, () => ({
    result: xml(
      'time',
      { xmlns: ns.time },
      xml('tzo', {}, '+00:00'),
      xml('utc', {}, new Date(clock.now()).toISOString().replace(/\.\d{3}Z$/, 'Z')),
    ),
  }));
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
