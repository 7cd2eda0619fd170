// Our own presence: how it goes, what we can do (XEP-0115), and which picture is ours (XEP-0153).
import { randomUUID } from 'node:crypto';
import type { Log } from '../log.ts';
import { ourCaps } from './disco.ts';
import type { Element } from './stanza.ts';
import { ns, xml } from './stanza.ts';
import { photoHash } from './vcard.ts';

export function ownPresence(status: string): Element {
  const update = xml('x', { xmlns: ns.vcardUpdate }, xml('photo', {}, photoHash));
  return xml('presence', {}, xml('status', {}, status), ourCaps(), update);
}

/** Not through the pacing: whoever stops does not wait for what others still have to send. */
export function sayGoodbye(link: { send(stanza: Element): Promise<void> }, log: Log): void {
  link.send(xml('presence', { type: 'unavailable' })).catch((error: Error) => {
    log.debug({ err: error }, 'the goodbye was not sent');
  });
}

/** RFC 6120 §8.4: a server must answer even what it does not know, so this also works without XEP-0198. */
export const pingTo = (domain: string): Element =>
  xml('iq', { type: 'get', id: randomUUID(), to: domain }, xml('ping', { xmlns: ns.ping }));
