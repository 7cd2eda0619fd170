// Pages that change by themselves. Whoever looks at the same page in the same way shares one rendering: however many
// look and however much happens, a page is made at most a few times a second, and only the parts that differ are sent.
//
// A viewer who reads too slowly misses the parts in between, and gets the whole when there is room again; one who reads
// nothing for long is cut off, and its browser comes back by itself.
import type { Clock, Duration } from '../../clock.ts';
import { second } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { Section } from './layout.ts';
import { html, tokenPlace, withoutTicks } from './view.ts';

/** Time between two renderings of one page: what happens meanwhile is shown together. */
const pace: Duration = 250;
/** With many viewers writing to them costs more than making the page. */
const slowPace: Duration = 600;
const many = 50;
/** While mail keeps the process busy it comes first: pages change more seldom then. */
const busyPace: Duration = 3 * second;
/** Share of the time in which the process is at work: from here on pages wait longer, there as long as they ever do. */
const busyFrom = 0.6;
const busyAll = 0.9;
/** Written to in one go; between two goes whatever else has come is done, for a peer waits for its reply. */
const together = 20;
/** Also when nothing happens: presence grows old, and a link that went down says so by no event. */
const breath: Duration = 5 * second;
/** A connection that says nothing for longer is taken for dead by what stands between. */
const heartbeat: Duration = 15 * second;
/** Behind for longer than this: cut off. */
const patience: Duration = 60 * second;
const mostWaiting = 256 * 1024;

export interface LiveOptions {
  /** Of the wall: in the sandbox time may run fast, but nobody looks faster for that. */
  readonly clock: Clock;
  readonly log: Log;
  /** All of them together. */
  readonly mostViewers?: number;
  /** Of the time since it was last asked, the share in which the process had work, from 0 to 1. */
  readonly busy?: () => number;
  /** Resolves when whatever else waited in the event loop has had its turn. */
  readonly breathe?: () => Promise<void>;
}

export type Render = () => Promise<readonly Section[]>;

interface Viewer {
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  readonly finish: (text: string) => string;
  /** Since when it has not taken what was sent; null while it keeps up. */
  behindSince: number | null;
  sentAt: number;
}

interface Page {
  readonly render: Render;
  readonly viewers: Set<Viewer>;
  /** What was sent last, by section. */
  shown: Map<string, Shown>;
}

interface Shown {
  readonly text: string;
  readonly essence: string;
}

export class Live {
  readonly #pages = new Map<string, Page>();
  readonly #options: LiveOptions;
  readonly #ended = new AbortController();
  #viewers = 0;
  #wake = new AbortController();
  #touched = false;
  /** Of the pass that is being made. */
  readonly #common = new Map<string, Promise<unknown>>();
  readonly #written = new WeakMap<Section, Promise<Shown>>();

  constructor(options: LiveOptions) {
    this.#options = options;
    this.#run().catch((error: unknown) => options.log.error({ err: error }, 'the console has stopped being live'));
  }

  get viewers(): number {
    return this.#viewers;
  }

  get isFull(): boolean {
    return this.#viewers >= (this.#options.mostViewers ?? 500);
  }

  /** Something has happened that may show. Cheap: called for every event of every message. */
  touch = (): void => {
    // To abort costs some microseconds; once is enough.
    if (this.#viewers === 0 || this.#touched) return;
    this.#touched = true;
    this.#wake.abort();
  };

  /**
   * What several pages stand on, asked for once for all that are made together: the same page in another language, or
   * for another role. To be called while a page is rendered, always with the same type for the same key.
   */
  shared<Value>(key: string, make: () => Promise<Value>): Promise<Value> {
    const known = this.#common.get(key) as Promise<Value> | undefined;
    if (known) return known;
    const made = make();
    this.#common.set(key, made);
    return made;
  }

  /**
   * @param key of the page together with all that its look depends on
   * @param finish puts in what is the viewer's own
   */
  stream(key: string, render: Render, finish: (text: string) => string): ReadableStream<Uint8Array> {
    let page: Page | undefined;
    let viewer: Viewer | undefined;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          page = this.#pages.get(key) ?? { render, viewers: new Set(), shown: new Map() };
          this.#pages.set(key, page);
          viewer = { controller, finish, behindSince: null, sentAt: this.#options.clock.now() };
          page.viewers.add(viewer);
          this.#viewers += 1;
          controller.enqueue(encoder.encode('retry: 1000\n\n'));
          // The page was made a moment before the stream began: what changed between is sent now.
          const shown = [...page.shown.values()].map(({ text }) => text).join('');
          if (shown !== '') this.#send(viewer, new Message(shown));
          this.#wake.abort();
        },
        cancel: () => {
          if (page && viewer) this.#leave(key, page, viewer);
        },
      },
      new ByteLengthQueuingStrategy({ highWaterMark: mostWaiting }),
    );
  }

  end(): void {
    this.#ended.abort();
    for (const [key, page] of this.#pages)
      for (const viewer of page.viewers) {
        this.#leave(key, page, viewer);
        close(viewer);
      }
  }

  #leave(key: string, page: Page, viewer: Viewer): void {
    if (!page.viewers.delete(viewer)) return;
    this.#viewers -= 1;
    if (page.viewers.size === 0) this.#pages.delete(key);
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#ended;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      this.#touched = false;
      const rest = this.#viewers > 0 ? clock.now() + breath : Number.POSITIVE_INFINITY;
      await clock.sleepUntil(rest, AbortSignal.any([signal, this.#wake.signal]));
      await clock.sleepUntil(clock.now() + this.#pace(), signal);
      this.#common.clear();
      for (const [key, page] of [...this.#pages]) {
        if (signal.aborted) return;
        await this.#show(page).catch((error: unknown) =>
          log.error({ err: error, page: key }, 'a page could not be made anew'),
        );
        for (const viewer of [...page.viewers]) this.#keepAlive(key, page, viewer);
      }
      this.#common.clear();
    }
  }

  #pace(): Duration {
    const usual = this.#viewers > many ? slowPace : pace;
    const busy = this.#options.busy?.() ?? 0;
    const part = Math.min(1, Math.max(0, (busy - busyFrom) / (busyAll - busyFrom)));
    return usual + part * (busyPace - usual);
  }

  async #show(page: Page): Promise<void> {
    const sections = await page.render();
    const changed: string[] = [];
    const shown: Page['shown'] = new Map();
    for (const one of sections) {
      // The same section may stand on several pages.
      const written = this.#written.get(one) ?? write(one);
      this.#written.set(one, written);
      const { text, essence } = await written;
      if (page.shown.get(one.id)?.essence !== essence) changed.push(text);
      shown.set(one.id, { text, essence });
    }
    page.shown = shown;
    if (changed.length === 0) return;
    const news = new Message(changed.join(''));
    const whole = new Message([...shown.values()].map(({ text }) => text).join(''));
    let sent = 0;
    for (const viewer of [...page.viewers]) {
      // Meanwhile one may have left.
      if (!page.viewers.has(viewer)) continue;
      this.#send(viewer, viewer.behindSince === null ? news : whole);
      sent += 1;
      if (sent % together === 0) await this.#options.breathe?.();
    }
  }

  #send(viewer: Viewer, message: Pick<Message, 'for'>): void {
    const now = this.#options.clock.now();
    if ((viewer.controller.desiredSize ?? 0) <= 0) {
      viewer.behindSince ??= now;
      return;
    }
    viewer.behindSince = null;
    viewer.sentAt = now;
    viewer.controller.enqueue(message.for(viewer.finish));
  }

  #keepAlive(key: string, page: Page, viewer: Viewer): void {
    const now = this.#options.clock.now();
    if (viewer.behindSince !== null && now - viewer.behindSince >= patience) {
      this.#leave(key, page, viewer);
      close(viewer);
    } else if (now - viewer.sentAt >= heartbeat) this.#send(viewer, stillHere);
  }
}

const encoder = new TextEncoder();

/** Octets are shared among all viewers unless something of theirs stands in it. */
class Message {
  readonly #text: string;
  #octets: Uint8Array | undefined;

  constructor(text: string) {
    // HTML standard §9.2.5: each line of the data with its own name.
    this.#text = `data: ${text.replaceAll(/\r\n|\r|\n/g, '\ndata: ')}\n\n`;
  }

  for(finish: (text: string) => string): Uint8Array {
    if (this.#text.includes(tokenPlace)) return encoder.encode(finish(this.#text));
    this.#octets ??= encoder.encode(this.#text);
    return this.#octets;
  }
}

const octets = encoder.encode(': still here\n\n');
const stillHere = { for: () => octets };

async function write({ id, html: content }: Section): Promise<Shown> {
  const text = (await html`<hx-partial hx-target="#${id}" hx-swap="outerMorph">${content}</hx-partial>`).toString();
  return { text, essence: withoutTicks(text) };
}

function close({ controller }: Viewer): void {
  try {
    controller.close();
  } catch (error) {
    // The other side was quicker: it is closed already, which is what was wanted.
    if (!(error instanceof TypeError)) throw error;
  }
}
