// A week of a thousand people coming and going, links breaking and being mended, words said by hand: at every step what
// the cache and the board believe is what a reference model, written for plainness and not for speed, believes.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { day, hour, minute, second } from '../../../src/clock.ts';
import { Board } from '../../../src/presence/board.ts';
import { PresenceCache } from '../../../src/presence/cache.ts';
import { type BareJid, expectBareJid } from '../../../src/presence/jid.ts';
import type { PresenceChange, Resource } from '../../../src/presence/presence.ts';

const times = { up: 3 * second, down: 20 * second };
const staleAfter = 2 * minute;
const shows = ['chat', 'available', 'away', 'xa', 'dnd'] as const;

/** One person as the plain words of the rules have them: no incremental state, all of it worked out anew each time. */
class ModelPerson {
  readonly resources = new Map<string, { show: Resource['show']; priority: number }>();
  heard: 'nothing' | 'resync' | 'told' = 'nothing';
  /** When the side (online, offline) last changed by what the stream says, and what counted before. */
  side: { is: string; since: number; shown: string } = { is: 'unknown', since: 0, shown: 'unknown' };
  manual: { state: string; until: number } | null = null;

  raw(link: ModelLink, now: number): string {
    if (link.downSince !== null && now - link.downSince >= staleAfter && link.ticked) return 'unknown';
    if (this.heard !== 'told') return 'unknown';
    const reachable = [...this.resources.values()].filter(({ priority }) => priority >= 0);
    return shows.find((show) => reachable.some((one) => one.show === show)) ?? 'offline';
  }

  /** To be called whenever anything may have changed, in the order of time. */
  note(raw: string, now: number): void {
    const is = raw === 'offline' || raw === 'unknown' ? raw : 'online';
    if (this.side.is === is) return;
    const shown = this.counts(this.side.is, now);
    const at = this.side.is === 'unknown' || is === 'unknown' ? Number.NEGATIVE_INFINITY : now;
    // Turned back before it counted: as if nothing had been.
    this.side = shown === is ? { is, since: Number.NEGATIVE_INFINITY, shown: is } : { is, since: at, shown };
  }

  counts(is: string, now: number): string {
    const wait = is === 'online' ? times.up : times.down;
    return now - this.side.since >= wait ? is : this.side.shown;
  }

  /** The side that counts, or what was said by hand. */
  believed(raw: string, now: number): { side: string; exact: string | null } {
    if (this.manual && this.manual.until > now) return { side: 'manual', exact: this.manual.state };
    const side = this.counts(this.side.is, now);
    return { side, exact: side === this.side.is ? raw : null };
  }
}

interface ModelLink {
  downSince: number | null;
  ticked: boolean;
}

function play(seed: number, people: number, steps: number): { changes: number; steps: number } {
  let state = seed >>> 0;
  const chance = (): number => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const pick = <T>(all: readonly T[]): T => all[Math.floor(chance() * all.length)] as T;

  const jids = Array.from({ length: people }, (_, index) => expectBareJid(`p${index}@x.test`));
  const cache = new PresenceCache({ staleAfter });
  const board = new Board({ damping: times });
  cache.watch(jids);
  let now = Date.UTC(2026, 10, 23);
  board.people(
    jids.map((jid, index) => ({ name: `p${index}`, jid })),
    (jid) => cache.presenceOf(jid),
    now,
  );
  const model = new Map<BareJid, ModelPerson>(jids.map((jid) => [jid, new ModelPerson()]));
  const link: ModelLink = { downSince: null, ticked: false };
  let changes = 0;
  const feed = (told: readonly PresenceChange[]): void => {
    for (const { jid, presence } of told) {
      changes += 1;
      if (presence !== cache.presenceOf(jid)) throw new Error(`told of ${jid} what is not so`);
      board.live(jid, presence, now);
    }
  };
  // Not expect(): it is asked some millions of times.
  const same = (jid: BareJid, found: string, wanted: string): void => {
    if (found !== wanted) throw new Error(`${jid} at ${now} is ${found}, and by the model ${wanted}`);
  };
  const check = (jid: BareJid): void => {
    const person = model.get(jid) as ModelPerson;
    const raw = person.raw(link, now);
    person.note(raw, now);
    same(jid, cache.presenceOf(jid).state, raw);
    const { side, exact } = person.believed(raw, now);
    const { state: shown } = board.presenceOf(jid);
    if (exact !== null) same(jid, shown, exact);
    else same(jid, shown === 'offline' ? 'offline' : 'online', side);
  };
  const checkAll = (): void => {
    for (const jid of jids) check(jid);
  };
  /** Everything that becomes due on the way happens when it is due, as the driver of the board sees to. */
  const pass = (to: number): void => {
    for (let next = board.nextAt(); next !== null && next <= to; next = board.nextAt()) {
      now = Math.max(now, next);
      board.tick(now);
    }
    now = to;
    board.tick(now);
  };

  for (const jid of jids) feed(cache.subscription(jid, 'both', now));
  for (let step = 0; step < steps; step += 1) {
    // Most things happen close together, some after a night.
    const pause = chance() < 0.5 ? chance() * 5 * second : chance() < 0.9 ? chance() * 5 * minute : chance() * 3 * hour;
    pass(now + Math.round(pause));
    const jid = pick(jids);
    const person = model.get(jid) as ModelPerson;
    const kind = chance();
    if (link.downSince !== null) {
      if (kind < 0.3) {
        feed(cache.tick(now));
        if (now - link.downSince >= staleAfter) link.ticked = true;
        checkAll();
      } else if (kind < 0.65) {
        feed(cache.resumed(now));
        Object.assign(link, { downSince: null, ticked: false });
        checkAll();
      } else {
        feed(cache.flush(now));
        Object.assign(link, { downSince: null, ticked: false });
        for (const one of model.values()) {
          one.resources.clear();
          one.heard = one.heard === 'nothing' ? 'nothing' : 'resync';
        }
        checkAll();
        for (const one of jids) feed(cache.subscription(one, 'both', now));
        pass(now + 5 * second);
        feed(cache.settle(now));
        for (const one of model.values()) one.heard = 'told';
        checkAll();
      }
      continue;
    }
    if (kind < 0.62) {
      const name = pick(['desk', 'phone', 'tablet']);
      const [show, priority] = [pick(shows), pick([0, 0, 5, -1])];
      feed(
        cache.apply(
          { kind: 'available', jid: { bare: jid, resource: name }, resource: { show, priority, since: now } },
          now,
        ),
      );
      person.resources.set(name, { show, priority });
      person.heard = 'told';
    } else if (kind < 0.88) {
      const resource = pick(['desk', 'phone', 'tablet', undefined]);
      feed(
        cache.apply(
          { kind: 'unavailable', jid: resource === undefined ? { bare: jid } : { bare: jid, resource }, since: now },
          now,
        ),
      );
      if (resource === undefined) person.resources.clear();
      else person.resources.delete(resource);
      person.heard = 'told';
    } else if (kind < 0.9) {
      feed(cache.apply({ kind: 'error', jid: { bare: jid } }, now));
      person.resources.clear();
      person.heard = 'resync';
    } else if (kind < 0.95) {
      const until = now + Math.round(chance() * 2 * hour) + 1;
      const wanted = pick(['away', 'offline', 'dnd'] as const);
      board.override(`p${jids.indexOf(jid)}`, { state: wanted, setAt: now, from: now, until, by: 'test' }, now);
      person.manual = { state: wanted, until };
    } else if (kind < 0.955) {
      cache.linkDown(now);
      Object.assign(link, { downSince: now, ticked: false });
    }
    check(jid);
    if (step % 200 === 0) checkAll();
  }
  checkAll();
  return { changes, steps };
}

it('a few people, many different weeks', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      play(seed, 4, 250);
    }),
    { numRuns: 150 },
  );
});

it('a thousand people, a week', () => {
  const { changes } = play(20_261_123, 1_000, 20_000);
  expect(changes).toBeGreaterThan(10_000);
  expect(day).toBe(86_400_000);
});
