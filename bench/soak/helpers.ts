// The generator and the next hop, each in a process of its own, seen from here.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Flow, Told as FromGenerator } from './generator.ts';
import type { Asked, Told as FromSink } from './sink.ts';

function start(name: string): ChildProcess {
  return fork(fileURLToPath(new URL(name, import.meta.url)), { env: { ...process.env, NODE_OPTIONS: '' } });
}

export class NextHop {
  readonly #child = start('sink.ts');
  readonly #listening = Promise.withResolvers<number>();
  #judged: ((verdict: FromSink & { kind: 'judged' }) => void) | undefined;
  messages = 0;
  highest = 0;

  constructor() {
    this.#child.on('message', (told: FromSink) => {
      if (told.kind === 'listening') this.#listening.resolve(told.port);
      else if (told.kind === 'judged') this.#judged?.(told);
      else {
        this.messages = told.messages;
        this.highest = told.highest;
      }
    });
  }

  get port(): Promise<number> {
    return this.#listening.promise;
  }

  judge(asked: Omit<Asked, 'kind'>): Promise<FromSink & { kind: 'judged' }> {
    const { promise, resolve } = Promise.withResolvers<FromSink & { kind: 'judged' }>();
    this.#judged = resolve;
    this.#child.send({ kind: 'judge', ...asked } satisfies Asked);
    return promise;
  }

  stop(): void {
    this.#child.kill();
  }
}

export class Generator {
  /** Milliseconds behind its pace, at worst, since it was last read. */
  #behind = 0;
  sent = 0;

  takeBehind(): number {
    const worst = this.#behind;
    this.#behind = 0;
    return worst;
  }

  /** Resolves when the last message has its 250; the milliseconds that took. @throws when one was refused */
  async run(flow: Flow, signal?: AbortSignal): Promise<number> {
    const child = start('generator.ts');
    const started = performance.now();
    this.sent = 0;
    child.send(flow);
    try {
      for (;;) {
        const [told] = (await once(child, 'message', signal ? { signal } : {})) as [FromGenerator];
        if (told.kind === 'failed') throw new Error(`the generator: ${told.message}`);
        this.sent = told.count;
        if (told.kind === 'done') return performance.now() - started;
        this.#behind = Math.max(this.#behind, told.behind);
      }
    } finally {
      child.kill();
    }
  }
}
