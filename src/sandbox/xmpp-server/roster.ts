// The roster and the states of a subscription. RFC 6121 §2, §3 and its appendix A: what a sent or received
// subscription stanza changes, and whether it travels on. Pure.
import { type Element, el, ns } from './xml.ts';

export interface SubscriptionState {
  /** We see the contact's presence. */
  readonly to: boolean;
  /** The contact sees ours. */
  readonly from: boolean;
  /** We asked, without an answer yet. */
  readonly pendingOut: boolean;
  /** The contact asked, without an answer yet. */
  readonly pendingIn: boolean;
}

export interface RosterItem extends SubscriptionState {
  readonly jid: string;
  readonly name: string | undefined;
  readonly groups: readonly string[];
  /** False for somebody who only asked to see us: not shown in the roster (§3.1.3). */
  readonly listed: boolean;
}

export type SubscriptionVerb = 'subscribe' | 'subscribed' | 'unsubscribe' | 'unsubscribed';

export function isSubscriptionVerb(type: string | undefined): type is SubscriptionVerb {
  return type === 'subscribe' || type === 'subscribed' || type === 'unsubscribe' || type === 'unsubscribed';
}

export function newItem(jid: string): RosterItem {
  return {
    jid,
    name: undefined,
    groups: [],
    listed: false,
    to: false,
    from: false,
    pendingOut: false,
    pendingIn: false,
  };
}

/** RFC 6121 A.2: the account's own user sends it. */
export function afterSending(item: RosterItem, verb: SubscriptionVerb): { item: RosterItem; route: boolean } {
  switch (verb) {
    case 'subscribe':
      return { item: { ...item, listed: true, pendingOut: !item.to }, route: true };
    case 'unsubscribe':
      return { item: { ...item, to: false, pendingOut: false }, route: true };
    case 'subscribed': // A.2.3: only an answer; a pre-approval is not kept
      if (!item.pendingIn) return { item, route: false };
      return { item: { ...item, listed: true, from: true, pendingIn: false }, route: true };
    case 'unsubscribed':
      return { item: { ...item, from: false, pendingIn: false }, route: item.from || item.pendingIn };
    default:
      return verb satisfies never;
  }
}

/** RFC 6121 A.3: it comes from the contact. */
export function afterReceiving(
  item: RosterItem,
  verb: SubscriptionVerb,
): { item: RosterItem; deliver: boolean; answer?: 'subscribed' } {
  switch (verb) {
    case 'subscribe':
      if (item.from) return { item, deliver: false, answer: 'subscribed' };
      return { item: { ...item, pendingIn: true }, deliver: !item.pendingIn };
    case 'unsubscribe':
      return { item: { ...item, from: false, pendingIn: false }, deliver: item.from || item.pendingIn };
    case 'subscribed':
      if (!item.pendingOut) return { item, deliver: false };
      return { item: { ...item, to: true, pendingOut: false }, deliver: true };
    case 'unsubscribed':
      return { item: { ...item, to: false, pendingOut: false }, deliver: item.to || item.pendingOut };
    default:
      return verb satisfies never;
  }
}

export function subscriptionOf(item: SubscriptionState): 'none' | 'to' | 'from' | 'both' {
  if (item.to) return item.from ? 'both' : 'to';
  return item.from ? 'from' : 'none';
}

/** RFC 6121 §2.1.2. */
export function itemElement(item: RosterItem): Element {
  return el(
    'item',
    {
      jid: item.jid,
      name: item.name,
      subscription: subscriptionOf(item),
      ask: item.pendingOut ? 'subscribe' : undefined,
    },
    ...item.groups.map((group) => el('group', {}, group)),
  );
}

export function rosterQuery(...items: readonly Element[]): Element {
  return el('query', { xmlns: ns.roster }, ...items);
}
