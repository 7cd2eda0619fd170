// Presence: broadcast, probes, subscriptions, the end of a session. RFC 6121 §3 and §4.
import { parseAddress } from './address.ts';
import { deliver, deliverOffline, pushRoster } from './deliver.ts';
import { limits } from './options.ts';
import {
  afterReceiving,
  afterSending,
  isSubscriptionVerb,
  itemElement,
  newItem,
  type RosterItem,
  rosterQuery,
  type SubscriptionVerb,
} from './roster.ts';
import { type Account, availableSessions, type Session } from './session.ts';
import type { World } from './world.ts';
import { delayElement, type Element, el, errorReply, ns, readdress, withChild } from './xml.ts';

/** Presence without `to`. */
export function broadcastPresence(world: World, session: Session, stanza: Element) {
  const type = stanza.attrs.type;
  if (type === 'unavailable') return goUnavailable(world, session, stanza);
  if (type !== undefined) return world.send(session, errorReply(stanza, 'modify', 'bad-request'));
  const priority = parsePriority(stanza.getChildText('priority'));
  if (priority === undefined) return world.send(session, errorReply(stanza, 'modify', 'bad-request'));
  const initial = session.presence === undefined;
  const becameReachable = priority >= 0 && (initial || session.priority < 0);
  session.presence = stanza;
  session.priority = priority;
  session.presenceSince = world.clock.now();
  tellAudience(world, session, stanza);
  if (initial) welcome(world, session);
  if (becameReachable) deliverOffline(world, session);
}

// RFC 6121 §4.7.2.3: an integer from -128 to 127; absent is 0.
function parsePriority(text: string | null): number | undefined {
  if (text === null || text.trim() === '') return 0;
  const priority = /^[+-]?\d{1,3}$/.test(text.trim()) ? Number(text) : Number.NaN;
  return priority >= -128 && priority <= 127 ? priority : undefined;
}

/** Those who may see it, and the person's own resources, this one included (§4.2.2). */
function tellAudience(world: World, session: Session, stanza: Element): void {
  for (const item of session.account.roster.values()) {
    if (item.from) deliver(world, readdress(stanza, { to: item.jid }));
  }
  for (const own of availableSessions(session.account)) world.send(own, readdress(stanza, { to: own.jid }));
}

/** §4.3: what a newly available resource is told: its contacts, its other resources, those who asked meanwhile. */
function welcome(world: World, session: Session): void {
  const { account } = session;
  for (const own of availableSessions(account)) {
    if (own !== session) world.send(session, current(own, session.jid));
  }
  for (const item of account.roster.values()) {
    if (item.to) answerProbe(world, item.jid, session.jid);
    if (item.pendingIn) {
      world.send(session, el('presence', { xmlns: ns.client, type: 'subscribe', from: item.jid, to: account.bare }));
    }
  }
}

function current(of: Session, to: string): Element {
  const presence = of.presence ?? el('presence', { xmlns: ns.client, from: of.jid, type: 'unavailable' });
  // XEP-0203 §4: the stamp says since when it holds.
  return readdress(withChild(presence, delayElement(of.jid, of.presenceSince)), { to });
}

/** §4.3.2: the contact's available resources, to one who may see them. */
function answerProbe(world: World, contact: string, to: string): void {
  const account = world.accountOf(contact);
  const sessions = account ? availableSessions(account) : [];
  for (const session of sessions) deliver(world, current(session, to));
  if (sessions.length === 0 && (world.options.offlinePresence ?? 'unavailable') === 'unavailable') {
    deliver(world, el('presence', { xmlns: ns.client, type: 'unavailable', from: contact, to }));
  }
}

/** §4.5: to the audience, and to those who got directed presence (§4.6.6). */
export function goUnavailable(world: World, session: Session, stanza: Element): void {
  const directed = [...session.directed];
  session.directed.clear();
  if (session.presence) {
    tellAudience(world, session, stanza);
    session.presence = undefined;
    session.presenceSince = world.clock.now();
  }
  for (const to of directed) {
    if (!session.account.roster.get(parseAddress(to)?.bare ?? '')?.from) deliver(world, readdress(stanza, { to }));
  }
}

/** Presence to another account. */
export function directPresence(world: World, session: Session, stanza: Element) {
  const to = parseAddress(stanza.attrs.to ?? '');
  const type = stanza.attrs.type;
  if (!to) return;
  if (isSubscriptionVerb(type)) return sendSubscription(world, session.account, to.bare, type, stanza);
  if (type === 'probe') {
    const contact = world.accountOf(to.bare);
    if (contact?.roster.get(session.account.bare)?.from) answerProbe(world, to.bare, session.jid);
    return; // §4.3.2: otherwise silence, as Prosody and ejabberd keep
  }
  if (type === undefined) session.directed.add(to.full);
  if (type === 'unavailable') session.directed.delete(to.full);
  deliver(world, stanza);
}

/** RFC 6121 §3, the sender's side; then the contact's. */
export function sendSubscription(
  world: World,
  account: Account,
  contact: string,
  verb: SubscriptionVerb,
  stanza: Element,
): void {
  if (contact === account.bare) return;
  const before = account.roster.get(contact) ?? newItem(contact);
  if (!account.roster.has(contact) && account.roster.size >= limits.rosterItems) return;
  const { item, route } = afterSending(before, verb);
  change(world, account, before, item);
  if (!route) return;
  const travelling = readdress(stanza, { from: account.bare, to: contact });
  receiveSubscription(world, account, contact, verb, travelling);
  const theirs = (type?: string) =>
    availableSessions(account).map((session) =>
      readdress(type ? el('presence', { xmlns: ns.client, type, from: session.jid }) : current(session, contact), {
        to: contact,
      }),
    );
  // §3.1.5: who is accepted sees us at once; §3.2.2: who is cancelled no longer does.
  if (verb === 'subscribed') for (const presence of theirs()) deliver(world, presence);
  if (verb === 'unsubscribed' && before.from) for (const presence of theirs('unavailable')) deliver(world, presence);
}

function receiveSubscription(world: World, from: Account, to: string, verb: SubscriptionVerb, stanza: Element): void {
  const account = world.accountOf(to);
  if (!account) {
    // Measured: subscribing to nobody is no error; Prosody sends bare unavailable, ejabberd nothing.
    if (verb === 'subscribe') answerProbe(world, to, from.bare);
    return;
  }
  const before = account.roster.get(from.bare) ?? newItem(from.bare);
  const { item, deliver: show, answer } = afterReceiving(before, verb);
  if (!account.roster.has(from.bare) && account.roster.size >= limits.rosterItems) return;
  change(world, account, before, item);
  if (show) for (const session of availableSessions(account)) world.send(session, stanza);
  const back = { xmlns: ns.client, from: account.bare, to: from.bare };
  if (answer) {
    receiveSubscription(world, account, from.bare, answer, el('presence', { ...back, type: answer }));
    answerProbe(world, account.bare, from.bare);
  }
  if (verb === 'unsubscribe' && before.from) {
    // §3.3.3: they no longer see us.
    for (const session of availableSessions(account)) {
      deliver(world, el('presence', { ...back, from: session.jid, type: 'unavailable' }));
    }
  }
}

/** Stores the item, forgets an empty one, and pushes what its owner can see. */
function change(world: World, account: Account, before: RosterItem, after: RosterItem): void {
  if (after.listed || after.pendingIn) account.roster.set(after.jid, after);
  else account.roster.delete(after.jid);
  const [old, now] = [before, after].map((item) => (item.listed ? itemElement(item).toString() : ''));
  if (old !== now) pushRoster(world, account, rosterQuery(itemElement(after)));
}
