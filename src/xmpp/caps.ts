// Entity capabilities (XEP-0115): what we can do, in a hash beside our presence, so that nobody needs to ask twice.
import { createHash } from 'node:crypto';
import { ns } from './stanza.ts';

export interface Identity {
  readonly category: string;
  readonly type: string;
  readonly name: string;
}

/** A page for people about the program; programs compare it only. XEP-0115 §4. */
export const capsNode = 'urn:pointsman';

/** XEP-0115 §5.1: identities, then features, each sorted by octets and ended by `<`. */
export function capsVersion(identities: readonly Identity[], features: readonly string[]): string {
  const byOctets = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
  const lines = [
    ...identities.map(({ category, type, name }) => `${category}/${type}//${name}<`).sort(byOctets),
    ...features.map((feature) => `${feature}<`).sort(byOctets),
  ];
  return createHash('sha1').update(lines.join('')).digest('base64');
}

export const identities: readonly Identity[] = [{ category: 'client', type: 'bot', name: 'Pointsman' }];

export const features: readonly string[] = [
  ns.discoInfo,
  ns.discoItems,
  ns.ping,
  ns.receipts,
  ns.markers,
  ns.version,
  ns.time,
  ns.muc,
  ns.commands,
  ns.data,
  ns.caps,
  ns.reply,
  ns.reactions,
  ns.correct,
  ns.fallback,
  ns.vcard,
];
