// What the adapter tells of presence, in the order in which it came to know it: changes, and that what is known has been
// heard again. A few are told at once; after a new session there are thousands, and they are told in slices.
import type { Log } from '../log.ts';
import type { Heard } from '../presence/cache.ts';
import type { PresenceChange } from '../presence/presence.ts';
import { Listeners } from './listeners.ts';
import { Slices } from './slices.ts';

export class Telling {
  readonly changes: Listeners<[PresenceChange]>;
  readonly heard: Listeners<[Heard]>;
  readonly #slices: Slices<PresenceChange | Heard>;

  constructor(log: Log) {
    this.changes = new Listeners(log);
    this.heard = new Listeners(log);
    this.#slices = new Slices((one) => {
      if ('before' in one) this.changes.tell(one);
      else this.heard.tell(one);
    });
  }

  tell(what: readonly (PresenceChange | Heard)[]): void {
    this.#slices.add(what);
  }

  stop(): void {
    this.#slices.stop();
  }
}
