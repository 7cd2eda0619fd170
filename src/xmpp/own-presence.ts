// Our own presence: how it goes, what we can do (XEP-0115), and which picture is ours (XEP-0153).
import { ourCaps } from './disco.ts';
import type { Element } from './stanza.ts';
import { ns, xml } from './stanza.ts';
import { photoHash } from './vcard.ts';

export function ownPresence(status: string): Element {
  const update = xml('x', { xmlns: ns.vcardUpdate }, xml('photo', {}, photoHash));
  return xml('presence', {}, xml('status', {}, status), ourCaps(), update);
}
