// Pages that change by themselves: made once for all who look, sent when they differ, and no faster than can be read.
import { html } from 'hono/html';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { minute, second } from '../../../src/clock.ts';
import type { Section } from '../../../src/console/web/layout.ts';
import { Live } from '../../../src/console/web/live.ts';
import { tokenPlace } from '../../../src/console/web/view.ts';
import { silentLog } from '../../../src/log.ts';
import { settle, TestClock } from '../../support/clock.ts';

let clock: TestClock;
let live: Live;
let made: number;
let shown: Record<string, string>;
const render = async (): Promise<readonly Section[]> => {
  made += 1;
  return Object.entries(shown).map(([id, text]) => ({ id, html: html`<p id="${id}">${text}</p>` }));
};
const plain = (text: string) => text;

beforeEach(() => {
  clock = new TestClock();
  live = new Live({ clock, log: silentLog, mostViewers: 3 });
  made = 0;
  shown = { one: 'a', two: 'b' };
});
afterEach(() => live.end());

class Viewer {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  constructor(finish: (text: string) => string = plain, page = render) {
    this.#reader = live.stream('now', page, finish).getReader();
  }
  /** What has come until now. */
  async read(): Promise<string> {
    const chunks: Uint8Array[] = [];
    for (;;) {
      const next = this.#pending ?? this.#reader.read();
      this.#pending = null;
      const got = await Promise.race([next, settle().then(() => settle())]);
      if (!got || got.done) {
        if (!got) this.#pending = next;
        return Buffer.concat(chunks).toString();
      }
      if (got.value) chunks.push(got.value);
    }
  }
  /** Asked for, and not come yet: the next look takes it. */
  #pending: ReturnType<ReadableStreamDefaultReader<Uint8Array>['read']> | null = null;
  leave(): Promise<void> {
    return this.#reader.cancel();
  }
}

/** Until what was touched is shown. */
const pass = async () => {
  await settle();
  await clock.advance(second);
};

describe('live pages', () => {
  test('the whole first, then only what differs', async () => {
    const stream = live.stream('now', render, plain).getReader();
    const next = async () => Buffer.from((await stream.read()).value ?? []).toString();
    expect(await next()).toBe('retry: 1000\n\n');
    await pass();
    expect(await next()).toBe(
      'data: <hx-partial hx-target="#one" hx-swap="outerMorph"><p id="one">a</p></hx-partial><hx-partial hx-target="#two" hx-swap="outerMorph"><p id="two">b</p></hx-partial>\n\n',
    );
    shown = { one: 'a', two: 'c\nd' };
    live.touch();
    await pass();
    expect(await next()).toBe(
      'data: <hx-partial hx-target="#two" hx-swap="outerMorph"><p id="two">c\ndata: d</p></hx-partial>\n\n',
    );
  });

  test('however many look and however often it is touched, a page is made a few times a second', async () => {
    new Viewer();
    new Viewer();
    await pass();
    made = 0;
    for (let event = 0; event < 100; event += 1) {
      shown = { one: String(event), two: 'b' };
      live.touch();
      await clock.advance(10);
    }
    await pass();
    expect(made).toBeGreaterThanOrEqual(3);
    expect(made).toBeLessThanOrEqual(6);
  });

  test('what two pages stand on is asked for once for both, and anew each time', async () => {
    let asked = 0;
    const pageOf = (word: string) => async () => {
      const data = await live.shared('data', async () => {
        asked += 1;
        return asked;
      });
      return [{ id: 'one', html: html`<p id="one">${word} ${data}</p>` }];
    };
    const streams = ['en', 'de'].map((word) => live.stream(word, pageOf(word), plain).getReader());
    const next = async () =>
      Promise.all(streams.map(async (stream) => Buffer.from((await stream.read()).value ?? []).toString()));
    await next();
    await pass();
    expect(await next()).toEqual([expect.stringContaining('>en 1<'), expect.stringContaining('>de 1<')]);
    live.touch();
    await pass();
    expect(await next()).toEqual([expect.stringContaining('>en 2<'), expect.stringContaining('>de 2<')]);
    expect(asked).toBe(2);
  });

  test('while the process is busy pages are made more seldom, yet they are', async () => {
    let busy = 1;
    live.end();
    live = new Live({ clock, log: silentLog, busy: () => busy });
    new Viewer();
    const madeIn = async (seconds: number) => {
      made = 0;
      for (let event = 0; event < seconds * 10; event += 1) {
        shown = { one: String(event), two: 'b' };
        live.touch();
        await clock.advance(100);
      }
      return made;
    };
    await madeIn(4);
    expect(await madeIn(12)).toBe(4);
    busy = 0.5;
    await madeIn(4);
    expect(await madeIn(2)).toBeGreaterThan(5);
  });

  test('one who leaves while others are written to gets nothing more, and hurts nobody', async () => {
    const leaving: Viewer[] = [];
    live.end();
    live = new Live({
      clock,
      log: silentLog,
      breathe: async () => {
        for (const one of leaving.splice(0)) await one.leave();
      },
    });
    const viewers = Array.from({ length: 45 }, () => new Viewer());
    leaving.push(...viewers.slice(20, 44));
    await pass();
    expect(live.viewers).toBe(21);
    expect(await viewers.at(-1)?.read()).toContain('id="one"');
  });

  test('nobody looks: nothing is made', async () => {
    live.touch();
    await clock.advance(minute);
    expect(made).toBe(0);
    const viewer = new Viewer();
    await pass();
    await viewer.leave();
    made = 0;
    live.touch();
    await clock.advance(minute);
    expect(made).toBe(0);
    expect(live.viewers).toBe(0);
  });

  test('the ticking of time alone is nothing new; silence is broken now and then', async () => {
    let label = 'first';
    const page = async () => {
      made += 1;
      const tick = html`<time datetime="x" data-tick="ago">${String(made)}s ago</time>`;
      const fuse = html`<progress class="fuse" max="9" data-end="9" value="${made}"></progress>`;
      return [{ id: 'one', html: html`<p id="one">${label} ${tick}${fuse}</p>` }];
    };
    const viewer = new Viewer(plain, page);
    await pass();
    expect(await viewer.read()).toContain('first <time');
    await clock.advance(14 * second);
    expect(made).toBeGreaterThan(2);
    expect(await viewer.read()).toBe('');
    await clock.advance(6 * second);
    expect(await viewer.read()).toBe(': still here\n\n');
    label = 'second';
    live.touch();
    await pass();
    expect(await viewer.read()).toMatch(/^data: .*second <time datetime="x" data-tick="ago">\d+s ago</);
    // Text that looks like a tick is text all the same.
    label = '<time data-tick="ago">never</time>';
    live.touch();
    await pass();
    expect(await viewer.read()).toContain('&lt;time data-tick=&quot;ago&quot;&gt;never');
  });

  test('what is the viewer’s own is put in for each', async () => {
    const page = async () => [{ id: 'one', html: html`<p id="one">${tokenPlace}</p>` }];
    const streams = ['ann', 'bob'].map((name) =>
      live.stream('now', page, (text) => text.replaceAll(tokenPlace, `token of ${name}`)).getReader(),
    );
    await pass();
    const texts = await Promise.all(
      streams.map(async (stream) => {
        await stream.read();
        return Buffer.from((await stream.read()).value ?? []).toString();
      }),
    );
    expect(texts[0]).toContain('token of ann');
    expect(texts[1]).toContain('token of bob');
    expect(texts[1]).not.toContain('ann');
  });

  test('one who reads nothing misses what is between, and is cut off after a while', async () => {
    const big = 'x'.repeat(300_000);
    const stream = live.stream('now', render, plain).getReader();
    const quick = new Viewer();
    shown = { one: big, two: 'b' };
    await pass();
    for (let turn = 0; turn < 10; turn += 1) {
      shown = { one: `${big}${turn}`, two: 'b' };
      live.touch();
      await pass();
    }
    expect(live.viewers).toBe(2);
    let held = 0;
    await clock.advance(70 * second);
    await quick.read();
    for (;;) {
      const { value, done } = await stream.read();
      if (done) break;
      held += value.length;
    }
    // The first, and what the buffer took before it was full: not ten times as much.
    expect(held).toBeLessThan(3 * big.length);
  });

  test('says when it is full', () => {
    expect(live.isFull).toBe(false);
    for (let count = 0; count < 3; count += 1) new Viewer();
    expect(live.isFull).toBe(true);
  });

  test('a page that cannot be made hurts no other', async () => {
    const broken = live.stream('broken', () => Promise.reject(new Error('no')), plain).getReader();
    const stream = live.stream('now', render, plain).getReader();
    await pass();
    await stream.read();
    expect(Buffer.from((await stream.read()).value ?? []).toString()).toContain('id="one"');
    await broken.cancel();
  });
});
