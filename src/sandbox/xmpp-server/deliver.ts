// Delivery to local accounts. RFC 6121 §8.5: which of a person's resources get a stanza, and what happens when none can.
import { parseAddress } from './address.ts';
import { limits } from './options.ts';
import { type Account, availableSessions, reachableSessions, type Session } from './session.ts';
import type { World } from './world.ts';
import { delayElement, type Element, el, errorReply, isAnswer, ns, readdress, withChild } from './xml.ts';

/** `stanza` carries its true `from`; its `to` is an address of an account of ours, existing or not. */
export function deliver(world: World, stanza: Element) {
  const account = world.accountOf(stanza.attrs.to);
  const session = world.sessionOf(stanza.attrs.to);
  switch (stanza.name) {
    case 'message':
      return account ? deliverMessage(world, account, session, stanza) : bounce(world, stanza);
    case 'presence': {
      if (!account) return; // §8.5.1: silently ignored
      const toAll = parseAddress(stanza.attrs.to ?? '')?.resource === undefined;
      for (const one of toAll ? availableSessions(account) : session ? [session] : []) world.send(one, stanza);
      return;
    }
    default:
      return session ? world.send(session, stanza) : bounce(world, stanza); // §8.5.3.2.3
  }
}

/** RFC 6121 §8.5: service-unavailable to the sender; never in answer to an answer. */
export function bounce(world: World, stanza: Element, condition = 'service-unavailable'): void {
  if (isAnswer(stanza)) return;
  const sender = world.sessionOf(stanza.attrs.from);
  if (sender) world.send(sender, errorReply(stanza, 'cancel', condition));
}

function deliverMessage(world: World, account: Account, exact: Session | undefined, message: Element) {
  const type = message.attrs.type ?? 'normal';
  if (exact) {
    world.send(exact, message);
    copyToOthers(world, account, [exact], 'received', message);
    return;
  }
  // A full JID that is gone is treated as the bare one (§8.5.3.2.1), but for these:
  const toBare = parseAddress(message.attrs.to ?? '')?.resource === undefined;
  if (type === 'error') return;
  if (type === 'groupchat') return bounce(world, message);
  if (type === 'headline') {
    for (const session of toBare ? reachableSessions(account) : []) world.send(session, message);
    return;
  }
  const targets = mostAvailable(account);
  if (targets.length === 0) return store(world, account, message);
  for (const session of targets) world.send(session, message);
  copyToOthers(world, account, targets, 'received', message);
}

/** §8.5.2.1.1: the highest priority that is not negative; all that share it. */
function mostAvailable(account: Account): Session[] {
  const reachable = reachableSessions(account);
  const best = Math.max(...reachable.map((session) => session.priority));
  return reachable.filter((session) => session.priority === best);
}

// XEP-0160
function store(world: World, account: Account, message: Element) {
  if (message.getChild('no-store', ns.hints) || !(message.getChild('body') || message.getChild('store', ns.hints)))
    return;
  if (account.offline.length >= limits.offlineMessages) return bounce(world, message);
  const stamped = message.getChild('delay', ns.delay)
    ? message
    : withChild(message, delayElement(world.domain, world.clock.now()));
  account.offline.push(stamped);
}

export function deliverOffline(world: World, session: Session): void {
  for (const message of session.account.offline.splice(0)) world.send(session, message);
}

/** XEP-0280: copies of chats to the account's other resources that asked for them. */
export function copyToOthers(
  world: World,
  account: Account,
  got: readonly Session[],
  which: 'received' | 'sent',
  message: Element,
): void {
  const chat = message.attrs.type === 'chat' || message.getChild('body') !== undefined;
  const excluded = message.getChild('private', ns.carbons) ?? message.getChild('x', ns.mucUser);
  if (!chat || excluded || message.attrs.type === 'groupchat' || message.attrs.type === 'error') return;
  for (const session of account.sessions.values()) {
    if (!session.carbons || got.includes(session)) continue;
    const forwarded = el('forwarded', { xmlns: ns.forward }, readdress(message, { xmlns: ns.client }));
    const copy = el(which, { xmlns: ns.carbons }, forwarded);
    const attrs = { xmlns: ns.client, from: account.bare, to: session.jid, type: message.attrs.type };
    world.send(session, el('message', attrs, copy));
  }
}

/** Tells those of an account's sessions that have asked for the roster. RFC 6121 §2.1.6. */
export function pushRoster(world: World, account: Account, query: Element): void {
  for (const session of account.sessions.values()) {
    if (!session.interested) continue;
    world.send(session, el('iq', { xmlns: ns.client, type: 'set', id: world.newId(), to: session.jid }, query));
  }
}
