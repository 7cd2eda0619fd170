// What we know of everybody's presence, fed with facts from the stream and asked in memory. Pure and synchronous:
// time is a parameter, and every method that can change what is known returns the changes it made.
//
// The rules, because a wrong "offline" moves somebody's mail:
// - Silence says nothing until the server has had time to speak: settle() then makes it offline, and only for those
//   we are subscribed to (RFC 6121 §4.2.2; ejabberd sends nothing at all for who is offline).
// - A new session that is not a resumed one starts from nothing: what was known becomes unknown (resync). A server
//   that was restarted never takes back what it told the former session.
// - While the link is down what was known stays, ageing; after `staleAfter` it becomes unknown (link-down).
// - What was known before it became unknown is kept with its time, for a rule to use while it is fresh.
import type { Duration, Instant } from '../clock.ts';
import { minute } from '../clock.ts';
import type { BareJid, Jid } from './jid.ts';
import type { Presence, PresenceChange, Resource, UnknownReason } from './presence.ts';
import { neverSeen } from './presence.ts';
import { compareResources, rollUp } from './roll-up.ts';

/** One presence stanza, read. */
export type PresenceFact =
  | { readonly kind: 'available'; readonly jid: Jid; readonly resource: Omit<Resource, 'name'> }
  | { readonly kind: 'unavailable'; readonly jid: Jid; readonly since: Instant; readonly status?: string }
  | { readonly kind: 'error'; readonly jid: Jid };

/** RFC 6121 §2.1.2.5. `null`: the roster has not been read yet. */
export type Subscription = 'none' | 'to' | 'from' | 'both';

/** Nothing that is seen has changed, but what we know is newer. */
export interface Heard {
  readonly jid: BareJid;
  readonly presence: Presence;
}

interface Entry {
  subscription: Subscription | null;
  readonly resources: Map<string, Resource>;
  presence: Presence;
}

/** Clients go away by themselves after minutes; who chooses `away` has touched the keyboard a moment ago. */
const idleBeforeAway: Duration = minute / 2;

/** Resources kept of one person: more than any person has, few enough for a hostile server. */
const mostResources = 32;

export class PresenceCache {
  readonly #entries = new Map<BareJid, Entry>();
  readonly #staleAfter: Duration;
  #linkDownAt: Instant | null = null;
  #stale = false;

  constructor(options: { readonly staleAfter?: Duration } = {}) {
    this.#staleAfter = options.staleAfter ?? 2 * minute;
  }

  presenceOf(jid: BareJid): Presence {
    return this.#entries.get(jid)?.presence ?? neverSeen;
  }

  watches(jid: BareJid): boolean {
    return this.#entries.has(jid);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Who is still unknown although subscribed to: what settle() would make offline. */
  get unsettled(): number {
    let count = 0;
    for (const entry of this.#entries.values()) if (isUnsettled(entry)) count += 1;
    return count;
  }

  /** Replaces the set of people kept; of the others nothing is known any more. */
  watch(people: Iterable<BareJid>): void {
    const wanted = new Set(people);
    for (const jid of this.#entries.keys()) if (!wanted.has(jid)) this.#entries.delete(jid);
    for (const jid of wanted) {
      if (!this.#entries.has(jid)) {
        this.#entries.set(jid, { subscription: null, resources: new Map(), presence: neverSeen });
      }
    }
  }

  apply(fact: PresenceFact, now: Instant): readonly PresenceChange[] {
    const entry = this.#entries.get(fact.jid.bare);
    if (!entry) return [];
    switch (fact.kind) {
      case 'available': {
        const name = fact.jid.resource;
        // Presence of a bare JID names no resource; RFC 6121 §4.2 presence always comes from a full JID.
        if (name === undefined) return [];
        if (!entry.resources.has(name) && entry.resources.size >= mostResources) return [];
        entry.resources.set(name, withSince(entry.resources.get(name), { ...fact.resource, name }));
        return this.#roll(fact.jid.bare, entry, now, fact.resource.since);
      }
      case 'unavailable': {
        // RFC 6121 §4.5: from a full JID that resource has gone, from the bare JID all of them.
        if (fact.jid.resource === undefined) entry.resources.clear();
        else entry.resources.delete(fact.jid.resource);
        // COMPAT(Prosody 0.12): it also answers a request for a subscription with `unavailable`, of people who may be there.
        if (entry.resources.size === 0 && (entry.subscription === 'none' || entry.subscription === 'from')) {
          return this.#forget(fact.jid.bare, entry, now, 'not-subscribed');
        }
        return this.#roll(fact.jid.bare, entry, now, fact.since, fact.status);
      }
      case 'error':
        // RFC 6121 §4.3.2.1: we no longer hear of the person, which is not the same as the person having left.
        entry.resources.clear();
        return this.#forget(fact.jid.bare, entry, now, 'error');
      default:
        return fact satisfies never;
    }
  }

  /** The roster says so. Without `to` in it we are told nothing, so what we know is unknown. */
  subscription(jid: BareJid, subscription: Subscription, now: Instant): readonly PresenceChange[] {
    const entry = this.#entries.get(jid);
    if (!entry) return [];
    const before = entry.subscription;
    entry.subscription = subscription;
    const told = subscription === 'to' || subscription === 'both';
    if (told) {
      // Just granted: presence follows, or silence, which settle() will read.
      if (entry.presence.reason === 'not-subscribed') return this.#forget(jid, entry, now, 'never-seen');
      return [];
    }
    if (before === 'to' || before === 'both') entry.resources.clear();
    // Directed presence (RFC 6121 §4.6) may be known although we are not subscribed; it stays while it lasts.
    if (entry.resources.size > 0) return [];
    return this.#forget(jid, entry, now, 'not-subscribed');
  }

  /** A new session that is not a resumed one. */
  flush(now: Instant): readonly PresenceChange[] {
    this.#linkDownAt = null;
    this.#stale = false;
    const changes: PresenceChange[] = [];
    for (const [jid, entry] of this.#entries) {
      entry.resources.clear();
      entry.subscription = null;
      // Who was never seen has nothing to lose.
      if (entry.presence.reason === 'never-seen') continue;
      changes.push(...this.#forget(jid, entry, now, 'resync'));
    }
    return changes;
  }

  /** Another server cannot be reached: what it said of its people is not known any more, and their silence says nothing. */
  domainSilent(domain: string, now: Instant): readonly PresenceChange[] {
    const changes: PresenceChange[] = [];
    for (const [jid, entry] of this.#entries) {
      const { state, reason } = entry.presence;
      if (!jid.endsWith(`@${domain}`) || reason === 'remote-silent') continue;
      entry.resources.clear();
      if (state !== 'unknown' || reason !== 'link-down')
        changes.push(...this.#forget(jid, entry, now, 'remote-silent'));
    }
    return changes;
  }

  /** It answers again: its people are asked about, and their silence will mean something. Answers who. */
  domainBack(
    domain: string,
    now: Instant,
  ): { readonly people: readonly BareJid[]; readonly changes: readonly PresenceChange[] } {
    const people: BareJid[] = [];
    const changes: PresenceChange[] = [];
    for (const [jid, entry] of this.#entries) {
      if (!jid.endsWith(`@${domain}`) || entry.presence.reason !== 'remote-silent') continue;
      people.push(jid);
      const told = entry.subscription === 'to' || entry.subscription === 'both';
      changes.push(...this.#forget(jid, entry, now, told ? 'resync' : 'not-subscribed'));
    }
    return { people, changes };
  }

  /** The server has had its time: who is subscribed to and silent is offline. `whom`: of these only. */
  settle(now: Instant, whom: (jid: BareJid) => boolean = () => true): readonly PresenceChange[] {
    if (this.#linkDownAt !== null) return [];
    const changes: PresenceChange[] = [];
    for (const [jid, entry] of this.#entries) {
      if (!isUnsettled(entry) || !whom(jid)) continue;
      const known = entry.presence.lastKnown?.state === 'offline' ? entry.presence.lastKnown.asOf : null;
      changes.push(...this.#set(jid, entry, { state: 'offline', since: known, asOf: now }, now));
    }
    return changes;
  }

  /** `heardAt`: when the server was last heard, from which what is known ages. */
  linkDown(now: Instant, heardAt: Instant = now): readonly Heard[] {
    if (this.#linkDownAt !== null) return [];
    this.#linkDownAt = now;
    const heard: Heard[] = [];
    for (const [jid, entry] of this.#entries) {
      if (entry.presence.state === 'unknown') continue;
      // Octets are heard a moment before they are read: what we know is never older than when it was read.
      const asOf = Math.max(entry.presence.asOf ?? heardAt, heardAt);
      entry.presence = Object.freeze({ ...entry.presence, asOf });
      heard.push({ jid, presence: entry.presence });
    }
    return heard;
  }

  /** The session was resumed: the server replays what we missed, what is known is true again. */
  resumed(now: Instant): readonly PresenceChange[] {
    this.#linkDownAt = null;
    if (!this.#stale) return [];
    this.#stale = false;
    const changes: PresenceChange[] = [];
    for (const [jid, entry] of this.#entries) {
      if (entry.presence.reason !== 'link-down') continue;
      const known = entry.presence.lastKnown;
      if (entry.resources.size > 0) changes.push(...this.#roll(jid, entry, now, known?.asOf ?? now));
      else if (known?.state === 'offline') {
        changes.push(...this.#set(jid, entry, { state: 'offline', since: null, asOf: now }, now));
      }
    }
    return changes;
  }

  /**
   * Their clients were asked whether anybody is there. If so what we know is fresh; if none answered they are not
   * reachable now, though their server may yet believe so: unknown, until it or they say something new.
   */
  verified(jid: BareJid, here: boolean, now: Instant): readonly PresenceChange[] {
    const entry = this.#entries.get(jid);
    if (!entry || entry.presence.state === 'offline' || entry.presence.state === 'unknown') return [];
    if (!here) return this.#forget(jid, entry, now, 'no-answer');
    entry.presence = Object.freeze({ ...entry.presence, asOf: now });
    return [];
  }

  /** To be called now and then while the link is down. */
  tick(now: Instant): readonly PresenceChange[] {
    if (this.#linkDownAt === null || this.#stale || now - this.#linkDownAt < this.#staleAfter) return [];
    this.#stale = true;
    const changes: PresenceChange[] = [];
    for (const [jid, entry] of this.#entries) {
      // Other reasons for not knowing stay what they are.
      if (entry.presence.state === 'unknown') continue;
      changes.push(...this.#forget(jid, entry, now, 'link-down'));
    }
    return changes;
  }

  #roll(jid: BareJid, entry: Entry, now: Instant, stamp: Instant, lastWords?: string): readonly PresenceChange[] {
    const { state, best } = rollUp(entry.resources.values());
    const before = entry.presence;
    const status = best ? best.status : state === 'offline' ? (lastWords ?? keptLastWords(before)) : undefined;
    return this.#set(
      jid,
      entry,
      {
        state,
        // The same state by way of another resource is still the same stay in it.
        since: before.state === state && before.since !== null ? before.since : (best?.since ?? stamp),
        asOf: now,
        ...(status === undefined ? {} : { status }),
        ...(best?.statusSince === undefined ? {} : { statusSince: best.statusSince }),
        ...(best?.idleSince === undefined ? {} : { idleSince: best.idleSince }),
        ...(best && (best.show === 'away' || best.show === 'xa') ? { awayBy: awayBy(best) } : {}),
        ...(entry.resources.size === 0 ? {} : { resources: [...entry.resources.values()].sort(compareResources) }),
      },
      now,
    );
  }

  #forget(jid: BareJid, entry: Entry, now: Instant, reason: UnknownReason): readonly PresenceChange[] {
    const before = entry.presence;
    const lastKnown =
      before.state === 'unknown'
        ? before.lastKnown
        : before.asOf === null
          ? undefined
          : { state: before.state, asOf: before.asOf };
    const presence: Presence = {
      state: 'unknown',
      since: before.state === 'unknown' && before.since !== null ? before.since : now,
      asOf: before.asOf,
      reason,
      ...(lastKnown ? { lastKnown } : {}),
    };
    return this.#set(jid, entry, presence, now);
  }

  #set(jid: BareJid, entry: Entry, presence: Presence, now: Instant): readonly PresenceChange[] {
    const before = entry.presence;
    entry.presence = Object.freeze(presence);
    return sameRollUp(before, presence) ? [] : [{ jid, at: now, before: before.state, presence }];
  }
}

function isUnsettled(entry: Entry): boolean {
  const told = entry.subscription === 'to' || entry.subscription === 'both';
  const { reason } = entry.presence;
  return told && entry.resources.size === 0 && (reason === 'never-seen' || reason === 'resync');
}

/** A repeated presence (servers add avatars and the like) does not begin a new stay in the same show. */
function withSince(before: Resource | undefined, after: Resource): Resource {
  const since = before && before.show === after.show ? Math.min(before.since, after.since) : after.since;
  if (after.status === undefined) return { ...after, since };
  const statusSince = before?.status === after.status ? (before.statusSince ?? after.since) : after.since;
  return { ...after, since, statusSince };
}

/**
 * XEP-0319 §3: a client that goes away by itself says since when nobody was at it, and that lies before the change.
 * Without it, or with a later one, the person chose the show.
 */
function awayBy({ idleSince, since }: Resource): 'idle' | 'person' {
  return idleSince !== undefined && idleSince <= since - idleBeforeAway ? 'idle' : 'person';
}

function keptLastWords(before: Presence): string | undefined {
  return before.state === 'offline' ? before.status : undefined;
}

function sameRollUp(a: Presence, b: Presence): boolean {
  return a.state === b.state && a.reason === b.reason && a.status === b.status && a.idleSince === b.idleSince;
}
