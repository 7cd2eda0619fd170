// Those who want to hear of something: told one thing after the other, in the order it happened, also when hearing of
// one thing causes the next; and what one of them fails in costs the others nothing.
import type { Log } from '../log.ts';

export class Listeners<T extends readonly unknown[]> {
  readonly #log: Log;
  readonly #listeners: ((...what: T) => void)[] = [];
  readonly #queue: T[] = [];
  #telling = false;

  constructor(log: Log) {
    this.#log = log;
  }

  add(listener: (...what: T) => void): void {
    this.#listeners.push(listener);
  }

  tell(...what: T): void {
    this.#queue.push(what);
    if (this.#telling) return;
    this.#telling = true;
    try {
      // By index: taking from the front of a long queue again and again costs its square.
      for (let index = 0; index < this.#queue.length; index += 1) {
        for (const listener of this.#listeners) this.#guarded(() => listener(...(this.#queue[index] as T)));
      }
    } finally {
      this.#queue.length = 0;
      this.#telling = false;
    }
  }

  #guarded(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#log.error({ err: error }, 'a listener of the XMPP adapter failed');
    }
  }
}
