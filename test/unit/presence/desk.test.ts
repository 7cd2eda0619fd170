// The desk over a scripted stream: order, time, memory, faults.
import { describe, expect, it } from 'vitest';
import { day, hour, minute, second } from '../../../src/clock.ts';
import { silentLog } from '../../../src/log.ts';
import { type BareJid, expectBareJid } from '../../../src/presence/jid.ts';
import type { LinkStatus } from '../../../src/presence/link-status.ts';
import { neverSeen, type Presence, type PresenceChange } from '../../../src/presence/presence.ts';
import type { StreamWatcher } from '../../../src/presence/watcher.ts';
import { createPresenceDesk, type DeskOptions, followRules } from '../../../src/presence-desk.ts';
import { parseRules } from '../../../src/routing/parse.ts';
import { TestClock, testStart } from '../../support/clock.ts';

const alice = expectBareJid('alice@x.test');

class Stream implements StreamWatcher {
  readonly known = new Map<BareJid, Presence>();
  watched: readonly BareJid[] = [];
  status: LinkStatus = { state: 'up', since: testStart };
  tell: (change: PresenceChange) => void = () => undefined;
  tellRoom: (jid: BareJid, presence: Presence | null) => void = () => undefined;
  presenceOf = (jid: BareJid): Presence => this.known.get(jid) ?? neverSeen;
  onChange = (listener: (change: PresenceChange) => void): void => {
    this.tell = listener;
  };
  tellHeard: (jid: BareJid, presence: Presence) => void = () => undefined;
  onHeard = (listener: (jid: BareJid, presence: Presence) => void): void => {
    this.tellHeard = listener;
  };
  onOccupant = (listener: (jid: BareJid, presence: Presence | null) => void): void => {
    this.tellRoom = listener;
  };
  watch = (people: readonly BareJid[]): void => {
    this.watched = people;
  };
  link = (): LinkStatus => this.status;
  verify?: (jid: BareJid, within: number) => Promise<boolean | null>;
  says(state: Presence['state'], at: number, status?: string): void {
    const before = this.presenceOf(alice).state;
    const said = status === undefined ? {} : { status, statusSince: at };
    const presence: Presence = { state, since: at, asOf: at, ...said };
    this.known.set(alice, presence);
    this.tell({ jid: alice, at, before, presence });
  }
}

async function open(over: Partial<DeskOptions> = {}) {
  const clock = new TestClock();
  const stream = new Stream();
  const memories = new Map<string, string>();
  const forgotten: number[] = [];
  const store: DeskOptions['store'] = {
    remember: async (key, value) => void memories.set(key, value),
    recall: async (key) => memories.get(key) ?? null,
    forgetPresence: async (before) => {
      forgotten.push(before);
      return 0;
    },
  };
  const make = () =>
    createPresenceDesk({
      stream,
      clock,
      log: silentLog,
      store,
      damping: { up: 3 * second, down: 20 * second },
      ...over,
    });
  const desk = await make();
  const told: string[] = [];
  desk.onChange(({ jid, before, presence }) => {
    expect(desk.presenceOf(jid)).toBe(presence);
    told.push(`${before}→${presence.state}`);
  });
  desk.follow([{ name: 'alice', jid: alice }]);
  desk.start();
  return { clock, stream, desk, told, make, memories, forgotten };
}

const away = { state: 'away', setAt: testStart, from: testStart, until: testStart + hour, by: 'cli:ann' } as const;

describe('the presence desk', () => {
  it('watches whom it follows, tells of changes in order, and waits flaps out', async () => {
    const { clock, stream, desk, told } = await open();
    expect(stream.watched).toEqual([alice]);
    stream.says('available', clock.now());
    stream.says('offline', clock.now());
    expect(told).toEqual(['unknown→available', 'available→available']);
    await clock.advance(20 * second);
    expect(told).toEqual(['unknown→available', 'available→available', 'available→offline']);
    desk.stop();
  });

  it('what is heard again is no change, but newer: rules go by its age', async () => {
    const { clock, stream, desk, told } = await open();
    stream.says('available', clock.now());
    const came = clock.now();
    await clock.advance(hour);
    expect(desk.presenceOf(alice).asOf).toBe(came);
    stream.tellHeard(alice, { state: 'available', since: came, asOf: clock.now() });
    expect(desk.presenceOf(alice)).toMatchObject({ state: 'available', since: came, asOf: came + hour });
    expect(told).toEqual(['unknown→available']);
    desk.stop();
  });

  it('ends by itself what has an end, also when that was set while it slept', async () => {
    const { clock, stream, desk, told } = await open();
    stream.says('chat', clock.now());
    await clock.advance(minute);
    await desk.set('alice', away);
    expect(desk.presenceOfPerson('alice')).toMatchObject({ state: 'away', source: 'manual' });
    await clock.advance(hour);
    expect(told).toEqual(['unknown→chat', 'chat→away', 'away→chat']);
    desk.stop();
  });

  it('remembers over a restart what was set by hand, before it counts', async () => {
    const { desk, make, memories } = await open();
    await desk.set('alice', away);
    expect(memories.get('presence.overrides')).toContain('cli:ann');
    const again = await make();
    again.follow([{ name: 'alice', jid: alice }]);
    expect(again.presenceOfPerson('alice').state).toBe('away');
    await again.set('alice', null);
    expect(memories.get('presence.overrides')).toBe('[]');
    desk.stop();
  });

  it('does not count what could not be remembered', async () => {
    const refuse = async (): Promise<never> => Promise.reject(new Error('disk full'));
    const { desk } = await open({
      store: { remember: refuse, recall: async () => null, forgetPresence: async () => 0 },
    });
    await expect(desk.set('alice', away)).rejects.toThrow('disk full');
    expect(desk.presenceOfPerson('alice').state).toBe('unknown');
    desk.stop();
  });

  it('takes a duty room for a source', async () => {
    const { stream, desk, told } = await open();
    stream.tellRoom(alice, { state: 'available', since: testStart, asOf: testStart });
    expect(desk.presenceOf(alice)).toMatchObject({ state: 'available', source: 'room' });
    stream.tellRoom(alice, null);
    expect(told).toEqual(['unknown→available', 'available→unknown']);
    desk.stop();
  });

  it('tells of the link as a fault, with what to do, and forgets old history', async () => {
    const { clock, stream, desk, forgotten } = await open({ keepHistory: 30 * day });
    expect(desk.faults()).toEqual([]);
    stream.status = { state: 'down', since: testStart, downSince: testStart, cause: 'login', reason: 'not-authorized' };
    expect(desk.faults()).toMatchObject([{ id: 'xmpp-link-login', severity: 'error' }]);
    await clock.advance(2 * hour);
    expect(forgotten.length).toBe(3);
    expect(forgotten[0]).toBe(testStart - 30 * day);
    desk.stop();
  });

  it('a listener that throws or changes something on its way costs nobody a change', async () => {
    const { clock, stream, desk, told } = await open();
    desk.onPersonChange(() => {
      throw new Error('mine');
    });
    const end = desk.onPersonChange(({ change }) => {
      if (change.presence.state === 'available') stream.says('dnd', clock.now());
    });
    stream.says('available', clock.now());
    end();
    stream.says('chat', clock.now());
    expect(desk.presenceOf(alice).state).toBe('chat');
    expect(told.at(-1)).toBe('dnd→chat');
    desk.stop();
  });
});

describe('followRules', () => {
  // testStart is a Monday, 08:00 UTC or so: the hours are taken around it.
  const at = (offset: number): string => new Date(testStart + offset).toISOString().slice(11, 16);
  const today = new Date(testStart).toISOString().slice(0, 10);
  const rulesOf = (text: string) => {
    const { rules, problems } = parseRules([{ name: 'rules/x.yaml', text }]);
    if (!rules) throw new Error(problems.map(({ message }) => message).join('\n'));
    return rules;
  };
  const schedules = `schedules:
  early: { open: { days: mon-sun, from: '${at(-hour)}', to: '${at(hour)}' } }
`;

  it('takes hours, duty and absences of the rules to the board; the next rules replace them', async () => {
    const { clock, stream, desk } = await open();
    const to = { desk, notifier: null, rooms: [], readStatusIn: null };
    const people = `people:
  alice: { mail: alice@x.test, hours: early }
  bob: { mail: bob@x.test, jid: none, duty: early }
  carol: { mail: carol@x.test, jid: none, absent: { from: ${today}, to: ${today}, substitute: bob } }
groups: { all: { address: all@x.test, members: [alice, bob, carol], strategy: in-order, fallback: unchanged } }
`;
    followRules(rulesOf(people + schedules), to);
    stream.says('chat', clock.now());
    expect(desk.presenceOfPerson('alice')).toMatchObject({ state: 'chat' });
    expect(desk.presenceOfPerson('bob')).toMatchObject({ state: 'available', source: 'schedule' });
    expect(desk.presenceOfPerson('carol')).toMatchObject({ state: 'offline', source: 'absence', substitute: 'bob' });
    await clock.advance(hour);
    expect(desk.presenceOfPerson('alice')).toMatchObject({
      state: 'offline',
      source: 'schedule',
      live: { state: 'chat' },
    });
    expect(desk.presenceOfPerson('bob')).toMatchObject({ state: 'offline', source: 'schedule' });
    followRules(rulesOf(people.replace(', hours: early', '').replace(', duty: early', '') + schedules), to);
    expect(desk.presenceOfPerson('alice')).toMatchObject({ state: 'chat' });
    expect(desk.presenceOfPerson('bob')).toMatchObject({ state: 'unknown', reason: 'no-jid' });
    desk.stop();
  });

  it('reads times in a status text in the zone of the person, where the rules say one', async () => {
    const { clock, desk, stream } = await open();
    const text = `people:
  alice: { mail: alice@x.test, zone: Asia/Tokyo }
groups: { all: { address: all@x.test, members: [alice], strategy: in-order, fallback: unchanged } }
`;
    followRules(rulesOf(text), { desk, notifier: null, rooms: [], readStatusIn: 'UTC' });
    const until = clock.now() + 2 * hour;
    const inTokyo = new Date(until + 9 * hour).toISOString().slice(11, 16);
    stream.says('available', clock.now(), `in a meeting until ${inTokyo}`);
    expect(desk.presenceOfPerson('alice')).toMatchObject({ state: 'dnd', source: 'status' });
    expect(Math.abs((desk.presenceOfPerson('alice').until ?? 0) - until)).toBeLessThan(minute);
    desk.stop();
  });
});

describe('verify', () => {
  it('several who ask for one person ask once, and what is found out is known then', async () => {
    const { clock, stream, desk } = await open();
    stream.says('available', clock.now());
    let asked = 0;
    const answer = Promise.withResolvers<boolean>();
    stream.verify = () => {
      asked += 1;
      return answer.promise;
    };
    const both = Promise.all([desk.verify(alice, 5_000), desk.verify(alice, 5_000)]);
    stream.says('unknown', clock.now());
    answer.resolve(false);
    expect(await both).toEqual([false, false]);
    expect(asked).toBe(1);
    expect(desk.presenceOf(alice).state).toBe('unknown');
  });

  it('is null where there is no stream to ask by', async () => {
    const { desk } = await open();
    expect(await desk.verify(alice, 5_000)).toBeNull();
  });
});
