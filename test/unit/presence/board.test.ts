// Which source decides, until when, and how a flap is waited out.
import { describe, expect, it } from 'vitest';
import { hour, minute, second } from '../../../src/clock.ts';
import type { BoardPerson } from '../../../src/presence/board.ts';
import { Board } from '../../../src/presence/board.ts';
import { expectBareJid } from '../../../src/presence/jid.ts';
import type { Override } from '../../../src/presence/override.ts';
import { readOverrides, writeOverrides } from '../../../src/presence/override.ts';
import { neverSeen, type Presence } from '../../../src/presence/presence.ts';
import { parseSchedule } from '../../support/written-schedule.ts';

const alice = expectBareJid('alice@x.test');
/** A Monday, 10:00 UTC. */
const t0 = Date.parse('2026-11-23T10:00:00Z');
const online = (more: Partial<Presence> = {}): Presence => ({ state: 'available', since: t0, asOf: t0, ...more });
const offline = (more: Partial<Presence> = {}): Presence => ({ state: 'offline', since: t0, asOf: t0, ...more });
const unknown = (more: Partial<Presence> = {}): Presence => ({ ...neverSeen, reason: 'link-down', ...more });

function schedule(text: string) {
  const parsed = parseSchedule([text], { zone: 'UTC' });
  if ('wrong' in parsed) throw new Error(parsed.wrong);
  return parsed.schedule;
}

function board(person: Partial<BoardPerson> = {}, raw: Presence = online()) {
  const made = new Board({ damping: { up: 3 * second, down: 20 * second } });
  made.people([{ name: 'alice', jid: alice, ...person }], () => raw, t0);
  return made;
}
const by = (source: string, state: string) => ({ source, state });

const override = (more: Partial<Override> = {}): Override => ({
  state: 'away',
  setAt: t0,
  from: t0,
  until: t0 + hour,
  by: 'cli:ann',
  ...more,
});

describe('which source decides', () => {
  it('the stream, when nothing else has to say anything: its own words, unchanged', () => {
    const raw = online({ status: 'here' });
    expect(board({}, raw).presenceOf(alice)).toBe(raw);
  });

  it('by hand over everything, with what the stream says beside it, until its end', () => {
    const made = board();
    const [set] = made.override('alice', override({ note: 'dentist', substitute: 'bob' }), t0);
    expect(set?.change).toMatchObject({ before: 'available', presence: by('manual', 'away') });
    expect(made.presenceOf(alice)).toMatchObject({
      until: t0 + hour,
      status: 'dentist',
      substitute: 'bob',
      live: { state: 'available' },
    });
    made.live(alice, online({ state: 'chat' }), t0 + minute);
    expect(made.presenceOf(alice).state).toBe('away');
    expect(made.nextAt()).toBe(t0 + hour);
    expect(made.tick(t0 + hour - 1)).toEqual([]);
    expect(made.tick(t0 + hour)[0]?.change).toMatchObject({ before: 'away', presence: { state: 'chat' } });
    expect(made.overrides.size).toBe(0);
  });

  it('by hand from a later time on: until then nothing changes', () => {
    const made = board();
    expect(made.override('alice', override({ state: 'offline', from: t0 + hour, until: null }), t0)).toEqual([]);
    expect(made.tick(t0 + hour)[0]?.change.presence).toMatchObject(by('manual', 'offline'));
    expect(made.override('alice', null, t0 + 2 * hour)[0]?.change.presence.state).toBe('available');
  });

  it('an absence over the phone that stays online, with the substitute', () => {
    const absences = [{ from: t0 - hour, until: t0 + hour, substitute: 'bob' }];
    const made = board({ absences });
    expect(made.presenceOf(alice)).toMatchObject({ ...by('absence', 'offline'), substitute: 'bob', until: t0 + hour });
    expect(made.tick(t0 + hour)[0]?.change.presence.state).toBe('available');
  });

  it('a schedule that limits says offline outside its hours, and nothing within', () => {
    const made = board({ hours: schedule('mon 08:00-12:00') });
    expect(made.presenceOf(alice).source).toBeUndefined();
    expect(made.tick(t0 + 2 * hour)[0]?.change.presence).toMatchObject(by('schedule', 'offline'));
  });

  it('a schedule that does not limit decides only when nothing live is known', () => {
    const made = board({ duty: schedule('mon 08:00-12:00') });
    made.live(alice, unknown(), t0);
    expect(made.presenceOf(alice)).toMatchObject({
      ...by('schedule', 'available'),
      live: { state: 'unknown', reason: 'link-down' },
    });
    made.tick(t0 + 2 * hour);
    expect(made.presenceOf(alice)).toMatchObject(by('schedule', 'offline'));
    made.live(alice, online(), t0 + 3 * hour);
    expect(made.presenceOf(alice)).not.toHaveProperty('source');
  });

  it('a schedule is enough for who has no JID', () => {
    const made = new Board();
    made.people([{ name: 'bob', jid: null, duty: schedule('mon 08:00-12:00') }], () => neverSeen, t0);
    expect(made.presenceOfPerson('bob')).toMatchObject(by('schedule', 'available'));
    expect(made.tick(t0 + 2 * hour)).toMatchObject([{ person: 'bob', jid: null, change: { before: 'available' } }]);
  });

  it('a room for whom the stream says nothing of, or that nobody is there; never over their own show', () => {
    const room = online({ state: 'chat' });
    const made = board({}, unknown({ reason: 'not-subscribed' }));
    made.room(alice, room, t0);
    expect(made.presenceOf(alice)).toMatchObject(by('room', 'chat'));
    made.live(alice, offline(), t0);
    expect(made.presenceOf(alice)).toMatchObject(by('room', 'chat'));
    made.live(alice, online({ state: 'dnd' }), t0 + minute);
    made.tick(t0 + 2 * minute);
    expect(made.presenceOf(alice).state).toBe('dnd');
    // A negative priority only: they asked for no messages, whatever the room says.
    const resources = [{ name: 'r', show: 'chat', priority: -1, since: t0 }] as const;
    made.live(alice, offline({ resources }), t0 + 3 * minute);
    made.tick(t0 + 4 * minute);
    expect(made.presenceOf(alice).state).toBe('offline');
    made.room(alice, null, t0 + 5 * minute);
    expect(made.presenceOf(alice).source).toBeUndefined();
  });

  it('a time in the status text is soft dnd with an end, when it is read, and only of who is there', () => {
    const raw = online({ status: 'meeting until 11:30', statusSince: t0 });
    expect(board({}, raw).presenceOf(alice).state).toBe('available');
    const made = board({ readStatusIn: 'UTC' }, raw);
    expect(made.presenceOf(alice)).toMatchObject({
      ...by('status', 'dnd'),
      status: 'meeting until 11:30',
      until: t0 + 90 * minute,
      live: { state: 'available' },
    });
    expect(made.tick(t0 + 90 * minute)[0]?.change.presence.state).toBe('available');
    made.live(alice, offline({ status: 'back at 14:00' }), t0 + 91 * minute);
    made.tick(t0 + 92 * minute);
    expect(made.presenceOf(alice)).toMatchObject({ state: 'offline' });
  });
});

describe('flaps', () => {
  it('a short absence moves nothing, and is seen beside it', () => {
    const made = board();
    expect(made.live(alice, offline(), t0 + second)).toMatchObject([
      { change: { presence: { state: 'available', live: { state: 'offline' } } } },
    ]);
    made.live(alice, online({ state: 'away' }), t0 + 5 * second);
    expect(made.presenceOf(alice)).toMatchObject({ state: 'away' });
    expect(made.presenceOf(alice)).not.toHaveProperty('live');
    expect(made.tick(t0 + minute)).toEqual([]);
  });

  it('one that lasts is believed after its time, counted from its beginning', () => {
    const made = board();
    made.live(alice, offline(), t0);
    made.live(alice, offline({ status: 'bye' }), t0 + 15 * second);
    expect(made.nextAt()).toBe(t0 + 20 * second);
    expect(made.tick(t0 + 20 * second)[0]?.change).toMatchObject({
      before: 'available',
      presence: { state: 'offline', status: 'bye' },
    });
    made.live(alice, online(), t0 + minute);
    expect(made.presenceOf(alice).state).toBe('offline');
    expect(made.tick(t0 + minute + 3 * second)[0]?.change.presence.state).toBe('available');
  });

  it('between shows nothing is waited for, and not knowing is never hidden', () => {
    const made = board();
    made.live(alice, online({ state: 'dnd' }), t0);
    expect(made.presenceOf(alice).state).toBe('dnd');
    made.live(alice, unknown(), t0);
    expect(made.presenceOf(alice).state).toBe('unknown');
    made.live(alice, offline(), t0);
    expect(made.presenceOf(alice).state).toBe('offline');
  });

  it('a line that flaps for an hour moves nothing', () => {
    const made = board();
    for (let at = t0; at < t0 + hour; at += 10 * second) {
      made.tick(at);
      made.live(alice, (at / (10 * second)) % 2 === 0 ? offline() : online(), at);
      expect(made.presenceOf(alice).state).toBe('available');
    }
  });
});

describe('people who come and go with the rules', () => {
  it('keep what is known of them, and what was set by hand', () => {
    const made = board();
    made.override('alice', override({ until: null }), t0);
    made.people([], () => neverSeen, t0);
    expect(made.presenceOf(alice)).toBe(neverSeen);
    made.people([{ name: 'alice', jid: alice }], () => online(), t0);
    expect(made.presenceOf(alice)).toMatchObject(by('manual', 'away'));
  });

  it('two names on one account have the same stream and their own words by hand', () => {
    const made = new Board();
    made.people(
      [
        { name: 'a', jid: alice },
        { name: 'b', jid: alice },
      ],
      () => neverSeen,
      t0,
    );
    made.override('b', override(), t0);
    expect(made.live(alice, online(), t0).map(({ person }) => person)).toEqual(['a', 'b']);
    expect([made.presenceOfPerson('a').state, made.presenceOfPerson('b').state]).toEqual(['available', 'away']);
  });
});

it('what was set by hand survives being written down; what cannot be read is left out', () => {
  const overrides = new Map([
    ['alice', override({ note: 'x', substitute: 'bob' })],
    ['bob', override({ until: null })],
  ]);
  expect(readOverrides(writeOverrides(overrides))).toEqual(overrides);
  for (const odd of [null, '', '{', '{}', '[1,["x"],["y",{}],["z",{"state":"unknown"}]]'])
    expect(readOverrides(odd).size).toBe(0);
});
