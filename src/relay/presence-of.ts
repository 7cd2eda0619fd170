// What is known of a person: by name where it can be, for a schedule or a word by hand needs no JID.
import type { BareJid } from '../presence/jid.ts';
import { neverSeen, type Presence, type UnknownReason } from '../presence/presence.ts';
import type { Watcher } from '../presence/watcher.ts';
import type { PersonName } from '../routing/rules.ts';

const noJid: Presence = { ...neverSeen, reason: 'no-jid' };

export function presenceOf(watcher: Watcher, person: PersonName, jid: BareJid | null): Presence {
  if (watcher.presenceOfPerson) return watcher.presenceOfPerson(person);
  return jid === null ? noJid : watcher.presenceOf(jid);
}

/** These do not pass by themselves: waiting for word is in vain. */
const lasting: ReadonlySet<UnknownReason> = new Set(['not-subscribed', 'error', 'no-jid', 'untrusted']);

/** Whether word may still come. */
export function isUnheard({ state, reason }: Presence): boolean {
  return state === 'unknown' && (reason === undefined || !lasting.has(reason));
}
