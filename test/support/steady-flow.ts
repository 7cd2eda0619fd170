// A steady flow of mail from a peer that behaves as an MTA does: what did not get its 250 it tries again, until it has.
import { setTimeout as pause } from 'node:timers/promises';
import { SmtpTalk } from './smtp-talk.ts';

export interface Posted {
  readonly subject: string;
  /** When the 250 came. */
  readonly at: number;
}

export class SteadyFlow {
  /** In the order of their 250. */
  readonly accepted: Posted[] = [];
  /** Content was sent, no reply came: it may have been kept, and is sent again. */
  unsure = 0;
  readonly #port: number;
  readonly #every: number;
  readonly #compose: (subject: string) => { to: string; content: Buffer };
  #stopping = false;
  #running: Promise<void> | undefined;
  #count = 0;

  constructor(options: {
    port: number;
    /** Milliseconds between two messages of one lane. */
    every: number;
    compose: (subject: string) => { to: string; content: Buffer };
  }) {
    this.#port = options.port;
    this.#every = options.every;
    this.#compose = options.compose;
  }

  /** `lanes`: connections side by side. */
  start({ lanes = 1 } = {}): void {
    this.#running = Promise.all(Array.from({ length: lanes }, () => this.#run())).then(() => undefined);
  }

  /** What is in hand still gets its 250. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      this.#count += 1;
      await this.#untilAccepted(`flow ${this.#count}`);
      await pause(this.#every); // the pace of the flow itself, not a wait for something
    }
  }

  async #untilAccepted(subject: string): Promise<void> {
    const { to, content } = this.#compose(subject);
    const deadline = Date.now() + 60_000;
    for (;;) {
      let sent = false;
      try {
        using talk = await SmtpTalk.open(this.#port);
        await talk.hello();
        if (!(await talk.say('MAIL FROM:<customer@elsewhere.test>')).startsWith('250')) throw new Error('MAIL refused');
        if (!(await talk.say(`RCPT TO:<${to}>`)).startsWith('250')) throw new Error('RCPT refused');
        if (!(await talk.say('DATA')).startsWith('354')) throw new Error('DATA refused');
        sent = true;
        const reply = await talk.content(content);
        if (!reply.startsWith('250')) throw new Error(reply);
        this.accepted.push({ subject, at: Date.now() });
        return;
      } catch (error) {
        if (sent) this.unsure += 1;
        if (Date.now() > deadline) throw new Error(`"${subject}" was not accepted within a minute`, { cause: error });
        await pause(20);
      }
    }
  }
}
