// Networks of peers: single addresses and CIDR, IPv4 and IPv6. An IPv4 peer on a dual-stack socket shows as
// ::ffff:a.b.c.d (RFC 4291 §2.5.5.2) and is compared as IPv4.
import ipaddr from 'ipaddr.js';

export type Network = (address: string) => boolean;

/** Undefined when `text` is neither an address nor a CIDR block. */
export function parseNetwork(text: string): Network | undefined {
  if (ipaddr.isValidCIDR(text)) {
    const [base, bits] = ipaddr.parseCIDR(text);
    return remembering((address) => {
      const peer = parse(address);
      return peer !== undefined && peer.kind() === base.kind() && peer.match(base, bits);
    });
  }
  const single = parse(text);
  if (!single) return undefined;
  const wanted = single.toNormalizedString();
  return remembering((address) => parse(address)?.toNormalizedString() === wanted);
}

/** The same few peers come again and again. */
function remembering(network: Network): Network {
  const known = new Map<string, boolean>();
  return (address) => {
    const before = known.get(address);
    if (before !== undefined) return before;
    if (known.size >= 1_000) known.clear();
    const is = network(address);
    known.set(address, is);
    return is;
  };
}

function parse(address: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  // A zone (fe80::1%eth0) names our interface, not the peer; four-part decimal only: 127.1 is not an address here.
  const bare = address.replace(/%.*$/, '');
  if (!ipaddr.IPv6.isValid(bare) && !ipaddr.IPv4.isValidFourPartDecimal(bare)) return undefined;
  return ipaddr.process(bare);
}
