// Turns: who goes next, and who finds room to wait.
import { describe, expect, it, test } from 'vitest';
import { type Place, Shares, senderOf, Turns } from '../../../src/relay/turns.ts';
import { settle } from '../../support/clock.ts';

/** Jobs that end when told; the order in which they were started. */
class Bench {
  readonly started: string[] = [];
  readonly #ends = new Map<string, () => void>();
  readonly turns: Turns;
  most = new Map<string, number>();

  constructor({ slots = 4, waiting = 100, octets = 1_000 } = {}) {
    this.turns = new Turns({ slots, waiting, octets, most: (hop) => this.most.get(hop) ?? 1_000 });
  }

  offer(name: string, hop = 'a', sender = 's', more: Partial<Place> = {}): boolean {
    const place = { hop, sender, urgent: false, octets: 1, ...more };
    if (!this.turns.reserve(place)) return false;
    const run = async (): Promise<void> => {
      this.started.push(name);
      await new Promise<void>((resolve) => this.#ends.set(name, resolve));
    };
    void this.turns.take(place, run);
    return true;
  }

  async end(...names: string[]): Promise<void> {
    for (const name of names) this.#ends.get(name)?.();
    await settle();
  }
}

describe('a slot that becomes free', () => {
  it('goes to senders in turn, however much each of them has', async () => {
    const bench = new Bench({ slots: 1 });
    for (const name of ['f1', 'f2', 'f3', 'f4']) bench.offer(name, 'a', 'flood');
    bench.offer('x1', 'a', 'ann');
    bench.offer('y1', 'a', 'bob');
    for (const name of ['f1', 'f2', 'x1', 'y1', 'f3', 'f4']) await bench.end(name);
    expect(bench.started).toEqual(['f1', 'f2', 'x1', 'y1', 'f3', 'f4']);
  });

  it('goes to next hops in turn', async () => {
    const bench = new Bench({ slots: 1 });
    for (const name of ['a1', 'a2', 'a3']) bench.offer(name, 'a');
    bench.offer('b1', 'b');
    for (const name of ['a1', 'a2', 'b1', 'a3']) await bench.end(name);
    expect(bench.started).toEqual(['a1', 'a2', 'b1', 'a3']);
  });

  it('goes to what an escalation asks for before all others', async () => {
    const bench = new Bench({ slots: 1 });
    for (const name of ['a1', 'a2']) bench.offer(name);
    bench.offer('b1', 'b');
    bench.offer('u1', 'b', 's', { urgent: true });
    await bench.end('a1');
    expect(bench.started).toEqual(['a1', 'u1']);
  });

  it('is never given to a next hop that gets no more, and the others go on', async () => {
    const bench = new Bench({ slots: 2 });
    bench.most.set('a', 1);
    for (const name of ['a1', 'a2']) bench.offer(name);
    bench.offer('b1', 'b');
    expect(bench.started).toEqual(['a1', 'b1']);
    await bench.end('b1');
    expect(bench.started).toEqual(['a1', 'b1']);
    bench.most.set('a', 2);
    bench.turns.pump();
    expect(bench.started).toEqual(['a1', 'b1', 'a2']);
  });

  it('is free for the next hop as soon as it has nothing more to do with a job', async () => {
    const bench = new Bench({ slots: 4 });
    bench.most.set('a', 1);
    let left = (): void => undefined;
    const place = { hop: 'a', sender: 's', urgent: false, octets: 1 };
    bench.turns.reserve(place);
    void bench.turns.take(place, (gone) => {
      left = gone;
      return new Promise(() => undefined);
    });
    bench.offer('a2');
    expect(bench.started).toEqual([]);
    left();
    expect(bench.started).toEqual(['a2']);
  });
});

describe('slots and room', () => {
  it('are never all taken by one next hop, or by few: some are left for the next one', () => {
    const bench = new Bench({ slots: 200, waiting: 1_000, octets: 1e6 });
    for (const hop of ['a', 'b', 'c']) for (let n = 0; n < 600; n += 1) bench.offer(`${hop}${n}`, hop, 'flood');
    expect(bench.turns.running).toBeGreaterThan(150);
    expect(bench.turns.running).toBeLessThan(200);
    expect(bench.turns.waiting).toBeLessThan(1_000);
    expect(bench.offer('late', 'd', 'somebody')).toBe(true);
    expect(bench.started.at(-1)).toBe('late');
  });

  it('are not held by a next hop that hangs', () => {
    const bench = new Bench({ slots: 10 });
    for (let n = 0; n < 20; n += 1) bench.offer(`a${n}`, 'a');
    bench.most.set('a', 0);
    for (let n = 0; n < 20; n += 1) bench.offer(`b${n}`, 'b');
    expect(bench.started.filter((name) => name.startsWith('b'))).toHaveLength(8);
  });

  it('that were reserved and not used are given back', () => {
    const bench = new Bench({ slots: 1, waiting: 4 });
    const place = { hop: 'a', sender: 's', urgent: false, octets: 1 };
    const taken = [1, 2, 3, 4].filter(() => bench.turns.reserve(place)).length;
    expect(taken).toBe(2);
    for (let count = 0; count < taken; count += 1) bench.turns.giveBack(place);
    expect([1, 2, 3, 4].filter(() => bench.turns.reserve(place))).toHaveLength(2);
  });

  it('to wait are left by one sender for the others', () => {
    const bench = new Bench({ slots: 1, waiting: 100 });
    let taken = 0;
    while (bench.offer(`f${taken}`, 'a', 'flood')) taken += 1;
    expect(taken).toBe(51);
    expect(bench.offer('x', 'a', 'ann')).toBe(true);
  });

  it('have a bound in octets', () => {
    const bench = new Bench({ slots: 1, octets: 10 });
    bench.offer('running');
    expect(bench.offer('small', 'a', 's', { octets: 6 })).toBe(true);
    expect(bench.offer('more', 'a', 's', { octets: 6 })).toBe(false);
  });

  it('are given back when a job fails', async () => {
    const { turns } = new Bench({ slots: 1 });
    const place = { hop: 'a', sender: 's', urgent: false, octets: 1 };
    turns.reserve(place);
    await expect(turns.take(place, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(turns.running).toBe(0);
    let ran = false;
    turns.reserve(place);
    await turns.take(place, async () => {
      ran = true;
    });
    expect(ran).toBe(true);
  });
});

test('shares: who has much gets more only while much is free, and what is urgent always', () => {
  const shares = new Shares(30);
  let held = 0;
  while (shares.enter('a', false)) held += 1;
  expect(held).toBe(20);
  expect(shares.enter('b', false)).toBe(true);
  expect(shares.enter('a', true)).toBe(true);
  for (let count = 0; count < 11; count += 1) shares.leave('a');
  expect(shares.enter('a', false)).toBe(true);
});

test.each([
  ['news-4711=eve=example.net@lists.example', 'news-98=joe=example.org@Lists.Example'],
  ['bounce+a1b2@x.org', 'bounce+c3d4@x.org'],
  ['alarm17@x.org', 'alarm18@x.org'],
])('%s and %s are one sender', (one, other) => {
  expect(senderOf(one, '192.0.2.1')).toBe(senderOf(other, '192.0.2.2'));
});

test.each([
  ['ann@x.org', 'bob@x.org'],
  ['ann.lee@x.org', 'ann.ray@x.org'],
  ['1@x.org', '2@x.org'],
])('%s and %s are two', (one, other) => {
  expect(senderOf(one, '192.0.2.1')).not.toBe(senderOf(other, '192.0.2.1'));
});

test('reports are told apart by who hands them in', () => {
  expect(senderOf('<>', 'a')).not.toBe(senderOf('<>', 'b'));
});
