import { describe, expect, it } from 'vitest';
import { minute, second } from '../../../src/clock.ts';
import { PresenceCache, type PresenceFact } from '../../../src/presence/cache.ts';
import { expectBareJid, parseJid } from '../../../src/presence/jid.ts';
import type { Resource } from '../../../src/presence/presence.ts';

const alice = expectBareJid('alice@example.test');
const bob = expectBareJid('bob@example.test');
const t0 = Date.UTC(2026, 0, 5, 9);

function jid(text: string) {
  const parsed = parseJid(text);
  if (!parsed) throw new Error(text);
  return parsed;
}
const available = (from: string, show: Resource['show'] = 'available', more: Partial<Resource> = {}): PresenceFact => ({
  kind: 'available',
  jid: jid(from),
  resource: { show, priority: 0, since: t0, ...more },
});
const unavailable = (from: string, since = t0, status?: string): PresenceFact => ({
  kind: 'unavailable',
  jid: jid(from),
  since,
  ...(status === undefined ? {} : { status }),
});

/** Alice and Bob, subscribed to. */
function subscribed(): PresenceCache {
  const cache = new PresenceCache();
  cache.watch([alice, bob]);
  cache.subscription(alice, 'both', t0);
  cache.subscription(bob, 'to', t0);
  return cache;
}

describe('what resources say', () => {
  it('knows nobody who is not watched', () => {
    const cache = subscribed();
    expect(cache.apply(available('carol@example.test/x'), t0)).toEqual([]);
    expect(cache.presenceOf(expectBareJid('carol@example.test'))).toMatchObject({
      state: 'unknown',
      reason: 'never-seen',
    });
  });

  it('takes one resource away by its full JID, all by the bare one', () => {
    const cache = subscribed();
    cache.apply(available('alice@example.test/desk'), t0);
    cache.apply(available('alice@example.test/phone', 'away'), t0 + 1);
    expect(cache.apply(unavailable('alice@example.test/desk'), t0 + 2)).toMatchObject([
      { jid: alice, before: 'available', presence: { state: 'away', asOf: t0 + 2 } },
    ]);
    cache.apply(available('alice@example.test/desk'), t0 + 3);
    expect(cache.apply(unavailable('alice@example.test', t0 + 4, 'gone home'), t0 + 4)).toMatchObject([
      { before: 'available', presence: { state: 'offline', since: t0 + 4, status: 'gone home' } },
    ]);
    expect(cache.presenceOf(alice).resources).toBeUndefined();
  });

  it('tells of a change only when the roll-up changed, but always knows the newest', () => {
    const cache = subscribed();
    expect(cache.apply(available('alice@example.test/desk'), t0)).toHaveLength(1);
    expect(cache.apply(available('alice@example.test/desk'), t0 + 9)).toEqual([]);
    expect(cache.presenceOf(alice)).toMatchObject({ asOf: t0 + 9, since: t0 });
    expect(cache.apply(available('alice@example.test/phone', 'dnd'), t0 + 10)).toEqual([]);
    expect(cache.presenceOf(alice).resources).toHaveLength(2);
    expect(cache.apply(available('alice@example.test/desk', 'available', { status: 'lunch' }), t0 + 11)).toHaveLength(
      1,
    );
    expect(
      cache.apply(available('alice@example.test/desk', 'available', { status: 'lunch', idleSince: t0 }), t0 + 12),
    ).toMatchObject([{ before: 'available', presence: { idleSince: t0 } }]);
  });

  it('keeps the time of entering a state while another resource takes over in it', () => {
    const cache = subscribed();
    cache.apply(available('alice@example.test/desk', 'away', { since: t0 }), t0);
    cache.apply(available('alice@example.test/phone', 'away', { since: t0 + minute, priority: 5 }), t0 + minute);
    expect(cache.presenceOf(alice)).toMatchObject({ state: 'away', since: t0 });
    cache.apply(available('alice@example.test/phone', 'chat', { since: t0 + 2 * minute }), t0 + 2 * minute);
    expect(cache.presenceOf(alice)).toMatchObject({ state: 'chat', since: t0 + 2 * minute });
  });

  it('does not count a resource with a negative priority, but shows it', () => {
    const cache = subscribed();
    cache.apply(available('alice@example.test/bot', 'chat', { priority: -1 }), t0);
    expect(cache.presenceOf(alice)).toMatchObject({ state: 'offline', resources: [{ name: 'bot', priority: -1 }] });
  });

  it('bounds what one person may fill it with', () => {
    const cache = subscribed();
    for (let n = 0; n < 100; n += 1) cache.apply(available(`alice@example.test/${n}`), t0);
    expect(cache.presenceOf(alice).resources).toHaveLength(32);
  });

  it('an error makes it unknown, keeps what was known, and the next presence ends it', () => {
    const cache = subscribed();
    cache.apply(available('alice@example.test/desk', 'dnd'), t0);
    const [change] = cache.apply({ kind: 'error', jid: jid('alice@example.test/desk') }, t0 + minute);
    expect(change).toMatchObject({
      before: 'dnd',
      presence: { state: 'unknown', reason: 'error', lastKnown: { state: 'dnd', asOf: t0 } },
    });
    expect(cache.settle(t0 + 2 * minute).filter(({ jid }) => jid === alice)).toEqual([]);
    expect(cache.apply(available('alice@example.test/desk'), t0 + 3 * minute)).toMatchObject([
      { before: 'unknown', presence: { state: 'available' } },
    ]);
  });
});

describe('who does not tell us', () => {
  it.each([
    'none',
    'from',
  ] as const)('subscription %s: unknown, whatever is silent or says unavailable', (subscription) => {
    const cache = new PresenceCache();
    cache.watch([alice]);
    expect(cache.subscription(alice, subscription, t0)).toMatchObject([
      { presence: { state: 'unknown', reason: 'not-subscribed' } },
    ]);
    expect(cache.settle(t0 + minute)).toEqual([]);
    // COMPAT(Prosody 0.12): what it says to a subscription request.
    expect(cache.apply(unavailable('alice@example.test'), t0 + minute)).toEqual([]);
    expect(cache.presenceOf(alice).reason).toBe('not-subscribed');
  });

  it('the subscription granted: silence then means offline, and taken back unknown again', () => {
    const cache = new PresenceCache();
    cache.watch([alice]);
    cache.subscription(alice, 'none', t0);
    expect(cache.subscription(alice, 'to', t0 + 1)).toMatchObject([{ presence: { reason: 'never-seen' } }]);
    expect(cache.settle(t0 + 2)).toMatchObject([{ presence: { state: 'offline' } }]);
    cache.apply(available('alice@example.test/desk'), t0 + 3);
    expect(cache.subscription(alice, 'none', t0 + 4)).toMatchObject([
      {
        before: 'available',
        presence: { state: 'unknown', reason: 'not-subscribed', lastKnown: { state: 'available' } },
      },
    ]);
  });

  it('directed presence counts while it lasts', () => {
    const cache = new PresenceCache();
    cache.watch([alice]);
    cache.subscription(alice, 'none', t0);
    cache.apply(available('alice@example.test/desk'), t0);
    expect(cache.presenceOf(alice).state).toBe('available');
    expect(cache.subscription(alice, 'none', t0 + 1)).toEqual([]);
    cache.apply(unavailable('alice@example.test/desk'), t0 + 2);
    expect(cache.presenceOf(alice)).toMatchObject({ state: 'unknown', reason: 'not-subscribed' });
  });

  it('unknown is not offline before the roster is read', () => {
    const cache = new PresenceCache();
    cache.watch([alice]);
    expect(cache.settle(t0)).toEqual([]);
    expect(cache.presenceOf(alice)).toMatchObject({ state: 'unknown', reason: 'never-seen', asOf: null });
  });
});

describe('the link', () => {
  it('a new session: unknown (resync) with what was known, then what the server says, then silence is offline', () => {
    const cache = subscribed();
    cache.apply(available('alice@example.test/desk', 'chat'), t0);
    cache.apply(available('bob@example.test/desk', 'chat'), t0);
    const changes = cache.flush(t0 + minute);
    expect(changes.map(({ jid, presence }) => [jid, presence.reason, presence.lastKnown])).toEqual([
      [alice, 'resync', { state: 'chat', asOf: t0 }],
      [bob, 'resync', { state: 'chat', asOf: t0 }],
    ]);
    // Before the roster came, silence says nothing.
    expect(cache.settle(t0 + minute)).toEqual([]);
    cache.subscription(alice, 'both', t0 + minute);
    cache.subscription(bob, 'both', t0 + minute);
    expect(cache.unsettled).toBe(2);
    cache.apply(available('bob@example.test/desk', 'away', { since: t0 + 5 }), t0 + minute);
    expect(cache.settle(t0 + 2 * minute)).toMatchObject([
      { jid: alice, before: 'unknown', presence: { state: 'offline', since: null } },
    ]);
    expect(cache.presenceOf(bob)).toMatchObject({ state: 'away', since: t0 + 5 });
  });

  it('down: what was known stays and ages, after two minutes it is unknown, never offline', () => {
    const cache = subscribed();
    cache.apply(available('alice@example.test/desk'), t0);
    cache.linkDown(t0 + 60 * second, t0 + 50 * second);
    expect(cache.presenceOf(alice)).toMatchObject({ state: 'available', asOf: t0 + 50 * second });
    expect(cache.settle(t0 + 70 * second)).toEqual([]);
    expect(cache.tick(t0 + 179 * second)).toEqual([]);
    expect(cache.tick(t0 + 180 * second)).toMatchObject([
      {
        jid: alice,
        before: 'available',
        presence: { state: 'unknown', reason: 'link-down', lastKnown: { state: 'available', asOf: t0 + 50 * second } },
      },
    ]);
    expect(cache.tick(t0 + 181 * second)).toEqual([]);
    // Bob was never seen: still so.
    expect(cache.presenceOf(bob).reason).toBe('never-seen');
  });

  it('resumed: what was known holds again, also after it went stale', () => {
    const cache = subscribed();
    cache.apply(available('alice@example.test/desk', 'away'), t0);
    cache.apply(unavailable('bob@example.test'), t0);
    cache.linkDown(t0 + second);
    expect(cache.resumed(t0 + 2 * second)).toEqual([]);
    cache.linkDown(t0 + 3 * second);
    expect(cache.tick(t0 + 5 * minute)).toHaveLength(2);
    expect(cache.resumed(t0 + 6 * minute)).toMatchObject([
      { jid: alice, before: 'unknown', presence: { state: 'away', since: t0 } },
      { jid: bob, before: 'unknown', presence: { state: 'offline' } },
    ]);
  });

  it('a person no longer watched is forgotten, the others stay', () => {
    const cache = subscribed();
    cache.apply(available('alice@example.test/desk'), t0);
    cache.apply(available('bob@example.test/desk'), t0);
    cache.watch([bob]);
    expect(cache.presenceOf(alice).reason).toBe('never-seen');
    expect(cache.presenceOf(bob).state).toBe('available');
    expect(cache.watches(alice)).toBe(false);
  });
});
