// Runs the episodes one after the other: sets how everybody is, sends the mail, waits until it is closed. Nothing here
// reaches into Pointsman: mail goes in over SMTP like anybody's.
import { randomUUID } from 'node:crypto';
import { createTransport } from 'nodemailer';
import type { Clock, Duration } from '../clock.ts';
import { second } from '../clock.ts';
import { describeError } from '../mail/error.ts';
import type { StoryEvent } from '../tracking/event.ts';
import type { Player } from './cast.ts';
import { type Episode, type Programme, strangersDomain } from './episodes.ts';
import type { SunkMail } from './mail-sink.ts';
import type { Messages } from './messages.ts';
import type { Narration } from './narration.ts';
import type { People } from './people.ts';
import type { Reaction } from './reaction.ts';

/** Between two episodes: at first so that much is seen in a minute or two, later so that one can read and try. */
const firstPause: Duration = 4 * second;
const laterPause: Duration = 30 * second;
/** How long changed presence may take to be known before the mail is sent. */
const presenceTime: Duration = 500;

export class Mailer {
  readonly #front: ReturnType<typeof createTransport>;
  readonly #members: ReturnType<typeof createTransport>;

  /** @param listeners the first for everybody, the second for mail of the people themselves */
  constructor([front, members]: readonly { readonly host: string; readonly port: number }[]) {
    const common = { secure: false, ignoreTLS: true, name: 'sandbox.example.net' };
    this.#front = createTransport({ ...front, ...common });
    this.#members = createTransport({ ...members, ...common });
  }

  async send(mail: {
    from: string;
    to: string;
    subject: string;
    text: string;
    messageId: string;
    references?: string;
  }): Promise<void> {
    await this.#front.sendMail(mail);
  }

  async reply(player: Player, mail: SunkMail): Promise<void> {
    await this.#members.sendMail({
      from: player.mailbox,
      to: mail.replyTo ?? `postmaster@${strangersDomain}`,
      subject: `Re: ${mail.subject ?? ''}`,
      text: 'I take care of it.\n',
      ...(mail.messageId === undefined ? {} : { inReplyTo: mail.messageId, references: mail.messageId }),
    });
  }
}

export interface DirectorOptions {
  readonly programme: Programme;
  readonly people: People;
  readonly send: Mailer['send'];
  readonly messages: Messages;
  /** Where the people look up what to do with a mail, by Message-ID. */
  readonly scripts: Map<string, readonly Reaction[]>;
  readonly clock: Clock;
  readonly narration: Pick<Narration, 'heading' | 'trouble'>;
  readonly signal: AbortSignal;
}

export class Director {
  readonly #options: DirectorOptions;
  readonly #closed = new Map<string, () => void>();
  /** What is being shown; null before the first. */
  #scene: string | null = null;
  /** Aborted: somebody has taken part, and the play stands still. */
  #stopped = new AbortController();
  #resumed = Promise.resolve();
  #resume: () => void = () => undefined;

  constructor(options: DirectorOptions) {
    this.#options = options;
  }

  /** Until the signal aborts. */
  async run(): Promise<void> {
    const { programme, signal } = this.#options;
    for (const episode of programme.opening) await this.#play(episode, firstPause);
    for (let round = 0; !signal.aborted && programme.afterwards.length > 0; round += 1)
      for (const episode of programme.afterwards) await this.#play(episode, round === 0 ? 2 * firstPause : laterPause);
  }

  /** What is being shown; null while it stands still. */
  get scene(): string | null {
    return this.#stopped.signal.aborted ? null : this.#scene;
  }

  /** Somebody plays with the people: they stay as that somebody wants them. */
  standStill(): void {
    if (this.#stopped.signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#resumed = promise;
    this.#resume = resolve;
    this.#stopped.abort();
  }

  goOn(): void {
    if (!this.#stopped.signal.aborted) return;
    this.#stopped = new AbortController();
    this.#resume();
  }

  hear(event: StoryEvent): void {
    if (event.event !== 'closed') return;
    const messageId = this.#options.messages.about(event.queueId)?.messageId;
    if (messageId) this.#closed.get(messageId)?.();
  }

  async #play(episode: Episode, pause: Duration): Promise<void> {
    const { people, scripts, clock, narration, signal } = this.#options;
    if (this.#stopped.signal.aborted) await Promise.race([this.#resumed, aborted(signal)]);
    if (signal.aborted) return;
    this.#scene = episode.title;
    narration.heading(episode.title);
    await people.become(episode.moods);
    await this.#wait(presenceTime);
    if (signal.aborted) return;
    const messageId = `<${randomUUID()}@${strangersDomain}>`;
    const over = new AbortController();
    this.#closed.set(messageId, () => over.abort());
    scripts.set(messageId, episode.script);
    const [oldest] = scripts.keys();
    if (scripts.size > 500 && oldest !== undefined) scripts.delete(oldest);
    try {
      if (!(await this.#send({ ...episode.mail, messageId }))) return;
      const sentAt = clock.now();
      const { later } = episode;
      const cut = AbortSignal.any([signal, this.#stopped.signal]);
      if (later) {
        await clock.sleepUntil(sentAt + later.after, cut);
        if (!cut.aborted) await people.become(later.moods, 'as they are');
      }
      await clock.sleepUntil(sentAt + episode.atMost, AbortSignal.any([cut, over.signal]));
    } finally {
      this.#closed.delete(messageId);
      await this.#wait(pause);
    }
  }

  /** Other rules than the samples may refuse it: that is a story, too. */
  async #send(mail: Parameters<Mailer['send']>[0]): Promise<boolean> {
    try {
      await this.#options.send(mail);
      return true;
    } catch (error) {
      this.#options.narration.trouble(
        `The mail “${mail.subject}” for ${mail.to} was not taken: ${describeError(error)}`,
      );
      return false;
    }
  }

  #wait(time: Duration): Promise<void> {
    const { clock, signal } = this.#options;
    return clock.sleepUntil(clock.now() + time, signal);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
