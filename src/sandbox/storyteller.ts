// Prints the story as it happens. Two sources: the events of Pointsman, and what really goes over XMPP (who is there,
// what is said), so that humans who log in are in the story like everybody else. What needs a look-up is looked up in
// order: nothing overtakes what happened before it.
import type { Clock, Instant } from '../clock.ts';
import { describeError } from '../mail/error.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { State } from '../presence/presence.ts';
import { states } from '../presence/presence.ts';
import type { Considered } from '../routing/choose.ts';
import type { StoryEvent } from '../tracking/event.ts';
import type { Cast } from './cast.ts';
import { Layout } from './layout.ts';
import type { Messages } from './messages.ts';
import { asksForAnswer, splitJid } from './people.ts';
import { quoteWords, shorten, tellEvent, tellPresence } from './telling.ts';
import type { Element } from './xmpp-server/xmpp-server.ts';

export interface StorytellerOptions {
  readonly cast: Cast;
  readonly startedAt: Instant;
  readonly clock: Clock;
  /** Of the terminal; null when nobody looks. */
  readonly columns: number | null;
  /** How people are when the story begins; who is not named is available. */
  readonly moods: Readonly<Record<string, State>>;
  /** Whether this person is also there with another resource. */
  readonly isElsewhere: (bare: string, resource: string) => boolean;
  readonly messages: Messages;
  readonly consideredIn: (queueId: QueueId, decision: string) => Promise<readonly Considered[]>;
  readonly write: (text: string) => void;
}

export class Storyteller {
  readonly #options: StorytellerOptions;
  readonly #layout: Layout;
  readonly #owners: ReadonlyMap<string, string>;
  readonly #names: ReadonlyMap<string, string>;
  readonly #moods: Map<string, State>;
  #last: Promise<void> = Promise.resolve();
  readonly #shown = new Set<'person' | 'room'>();

  constructor(options: StorytellerOptions) {
    this.#options = options;
    this.#layout = new Layout(options.columns);
    this.#owners = new Map(options.cast.players.map(({ mailbox, name }) => [mailbox, name]));
    this.#names = new Map(options.cast.players.map(({ jid, name }) => [jid, name]));
    this.#moods = new Map(options.cast.players.map(({ name }) => [name, options.moods[name] ?? 'available']));
  }

  /** Resolves when all that has happened so far is printed. */
  settled(): Promise<void> {
    return this.#last;
  }

  heading(text: string): void {
    this.#then(async () => this.#options.write(this.#layout.heading(text)));
  }

  note(shortId: string | null, text: string): void {
    const at = this.#options.clock.now();
    this.#then(async () => this.#line(at, shortId, text));
  }

  event(event: StoryEvent): void {
    const { messages, consideredIn } = this.#options;
    this.#then(async () => {
      const considered = 'decision' in event ? await consideredIn(event.queueId, event.decision) : [];
      const message = messages.about(event.queueId);
      const sentences = tellEvent(event, { message, considered, owners: this.#owners });
      if (sentences.length === 0) return;
      const shortId = await messages.shortIdOf(event.queueId, event.seq);
      for (const sentence of sentences) this.#line(event.at, shortId, sentence);
    });
  }

  /** A stanza that a client has sent. */
  stanza(stanza: Element, from: string): void {
    const [bare, resource] = splitJid(from);
    const at = this.#options.clock.now();
    if (stanza.getName() === 'presence') this.#presence(at, bare, resource, stanza);
    const body = stanza.getName() === 'message' ? stanza.getChildText('body') : null;
    if (!body) return;
    const { cast } = this.#options;
    const [to] = splitJid(stanza.attrs.to ?? '');
    const bot = `${cast.bot}@${cast.domain}`;
    if (bare === bot) this.#said(at, to, body);
    else if (to === bot || stanza.attrs.type === 'groupchat') this.#answered(at, bare, to === bot ? null : to, body);
  }

  #presence(at: Instant, bare: string, resource: string, stanza: Element): void {
    const name = this.#names.get(bare);
    if (name === undefined || stanza.attrs.to !== undefined) return;
    const { type } = stanza.attrs;
    if (type !== undefined && type !== 'unavailable') return;
    const show = stanza.getChildText('show') ?? 'available';
    const state = type === 'unavailable' ? 'offline' : (states.find((known) => known === show) ?? 'available');
    if (this.#moods.get(name) === state) return;
    // The simulation makes room for a human: the person is still there.
    if (state === 'offline' && this.#options.isElsewhere(bare, resource)) return;
    this.#moods.set(name, state);
    this.#then(async () => this.#line(at, null, tellPresence(name, state)));
  }

  /** Pointsman says something to a person or in a room. */
  #said(at: Instant, to: string, body: string): void {
    const person = this.#names.get(to);
    const whom = person ?? `The room ${splitJid(to)[0]}`;
    const shortId = /#([0-9a-z]{4})\b/.exec(body)?.[1] ?? null;
    const kind = person === undefined ? 'room' : 'person';
    const asks = asksForAnswer(body);
    this.#then(async () => {
      if (!asks) return this.#line(at, shortId, `${whom} is told: ${quoteWords(body)}`);
      // The first one in full, so that it is seen once what an IM of Pointsman looks like.
      const first = !this.#shown.has(kind);
      this.#shown.add(kind);
      const short = person === undefined ? 'is asked who takes it.' : 'gets an IM: ack, pass or help?';
      this.#line(at, shortId, first ? `${whom} gets this IM:` : `${whom} ${short}`);
      if (first) this.#options.write(this.#layout.quoted(shorten(body, 1_000)));
    });
  }

  #answered(at: Instant, from: string, room: string | null, body: string): void {
    const who = this.#names.get(from) ?? from;
    const shortId = /\b(?:ack|pass)\s+#?([0-9a-z]{4})\b/i.exec(body)?.[1]?.toLowerCase() ?? null;
    const where = room === null ? '' : ' in the room';
    this.#then(async () => this.#line(at, shortId, `${who} answers${where}: ${quoteWords(body)}`));
  }

  #line(at: Instant, shortId: string | null, text: string): void {
    this.#options.write(this.#layout.line(at - this.#options.startedAt, shortId, text));
  }

  #then(step: () => Promise<void>): void {
    this.#last = this.#last.then(step).catch((error: unknown) => {
      this.#options.write(this.#layout.quoted(`(this could not be told: ${describeError(error)})`));
    });
  }
}
