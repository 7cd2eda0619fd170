// A presence stanza, read into the fact that the cache takes.
import type { Instant } from '../clock.ts';
import type { PresenceFact } from '../presence/cache.ts';
import { parseJid } from '../presence/jid.ts';
import type { Resource } from '../presence/presence.ts';
import type { Element } from './stanza.ts';
import { delayStamp, ns, parseStamp } from './stanza.ts';

/** A status is for people to read in one line; what is longer is cut. */
const longestStatus = 500;

/** Null: nothing about who is there (a subscription, a stanza without a readable sender). */
export function readPresence(stanza: Element, now: Instant): PresenceFact | null {
  const from = parseJid(stanza.attrs.from ?? '');
  if (!from) return null;
  const jid = from.resource === undefined ? from : { bare: from.bare, resource: ownCopy(from.resource) };
  const since = delayStamp(stanza, now) ?? now;
  const status = readStatus(stanza);
  switch (stanza.attrs.type) {
    case undefined: {
      const idleSince = parseStamp(stanza.getChild('idle', ns.idle)?.attrs.since);
      const resource = {
        show: readShow(stanza.getChildText('show')),
        priority: readPriority(stanza.getChildText('priority')),
        since,
        ...(status === undefined ? {} : { status }),
        // A clock ahead of ours must not make anybody idle in the future.
        ...(idleSince === undefined ? {} : { idleSince: Math.min(idleSince, now) }),
      };
      return { kind: 'available', jid, resource };
    }
    case 'unavailable':
      return { kind: 'unavailable', jid, since, ...(status === undefined ? {} : { status }) };
    case 'error':
      return { kind: 'error', jid };
    default:
      return null;
  }
}

/** RFC 6121 §4.7.2.1: what is not one of the four is as if it were absent. */
function readShow(text: string | null): Resource['show'] {
  const show = text?.trim();
  return show === 'chat' || show === 'away' || show === 'xa' || show === 'dnd' ? show : 'available';
}

/** RFC 6121 §4.7.2.3: −128 to 127, absent is 0. */
function readPriority(text: string | null): number {
  const value = /^\s*[+-]?\d{1,4}\s*$/.test(text ?? '') ? Number(text) : 0;
  return Math.max(-128, Math.min(127, value));
}

function readStatus(stanza: Element): string | undefined {
  const text = stanza.getChildText('status')?.trim();
  if (!text) return undefined;
  return text.length <= longestStatus ? ownCopy(text) : [...text].slice(0, longestStatus).join('');
}

/** What is cut out of the stream is a view of it, and would keep some thousand characters of it in memory for each. */
function ownCopy(text: string): string {
  return Buffer.from(text).toString();
}
