// Signing in: who fails often waits, whoever they are; who asks while others are being asked after waits a little. A
// guess costs the one who guesses, not the relay: passwords are hashed one at a time, off the thread that carries mail.
import { type Clock, type Duration, minute, second } from '../../clock.ts';
import type { User, Users } from '../../config/users.ts';

const free = 5;
const forgotten: Duration = 15 * minute;
const longestWait: Duration = 15 * minute;
const mostWaiting = 8;
const mostRemembered = 10_000;

export type SignIn = { readonly kind: 'in'; readonly user: User } | { readonly kind: 'wrong' | 'wait' };

interface Failures {
  count: number;
  last: number;
}

export class Door {
  readonly #users: Users;
  readonly #clock: Clock;
  readonly #failures = new Map<string, Failures>();
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(users: Users, clock: Clock) {
    this.#users = users;
    this.#clock = clock;
  }

  /** @param address where the request comes from; behind a proxy that of the proxy */
  async signIn(name: string, password: string, address: string): Promise<SignIn> {
    // By name, so that many addresses do not help; by address, so that many names do not.
    const keys = [`name ${name.slice(0, 64)}`, `from ${address}`];
    if (keys.some((key) => this.#mustWait(key)) || this.#waiting >= mostWaiting) return { kind: 'wait' };
    // Counted before the answer is known: a hundred asked at the same time are a hundred.
    for (const key of keys) this.#failed(key);
    this.#waiting += 1;
    const verified = this.#last.then(() => this.#users.verify(name, password));
    this.#last = verified.catch(() => undefined);
    try {
      const user = await verified;
      if (!user) return { kind: 'wrong' };
      for (const key of keys) this.#failures.delete(key);
      return { kind: 'in', user };
    } finally {
      this.#waiting -= 1;
    }
  }

  #mustWait(key: string): boolean {
    const known = this.#failures.get(key);
    if (!known) return false;
    const age = this.#clock.now() - known.last;
    if (age >= forgotten) {
      this.#failures.delete(key);
      return false;
    }
    return known.count >= free && age < Math.min(longestWait, second * 2 ** Math.min(known.count - free, 20));
  }

  #failed(key: string): void {
    const known = this.#failures.get(key) ?? { count: 0, last: 0 };
    this.#failures.delete(key);
    this.#failures.set(key, { count: known.count + 1, last: this.#clock.now() });
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > mostRemembered && oldest !== undefined) this.#failures.delete(oldest);
  }
}
