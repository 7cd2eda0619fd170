// What a peer has told so far, and waiting for what it has not told yet. Each entry is taken once, so that two waits
// for the same kind of thing get two different things. A time limit is a deadline, never a pause.

export class Journal<T> {
  readonly #name: string;
  readonly #all: { entry: T; at: number; taken: boolean }[] = [];
  readonly #waiting: Set<() => void> = new Set();
  #ended: string | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  add(entry: T): void {
    this.#all.push({ entry, at: Date.now(), taken: false });
    for (const look of [...this.#waiting]) look();
  }

  /** Nothing will come any more; who waits is told why. */
  end(reason: string): void {
    this.#ended = reason;
    for (const look of [...this.#waiting]) look();
  }

  /** Takes the first entry that fits, of those not taken yet, waiting for it when need be. */
  next(fits: (entry: T) => boolean, { within = 20_000, what }: { within?: number; what: string }): Promise<T> {
    return new Promise((resolve, reject) => {
      const finish = () => {
        clearTimeout(timer);
        this.#waiting.delete(look);
      };
      const look = () => {
        const found = this.#all.find((known) => !known.taken && fits(known.entry));
        if (found) {
          found.taken = true;
          finish();
          resolve(found.entry);
        } else if (this.#ended !== undefined) {
          finish();
          reject(new Error(`${this.#name}: no ${what}: ${this.#ended}\n${this.tail()}`));
        }
      };
      const timer = setTimeout(() => {
        finish();
        reject(new Error(`${this.#name}: no ${what} within ${within} ms. Not taken so far:\n${this.tail()}`));
      }, within);
      this.#waiting.add(look);
      look();
    });
  }

  /** Everything so far that fits, taken or not. */
  seen(fits: (entry: T) => boolean = () => true): T[] {
    return this.#all.filter(({ entry }) => fits(entry)).map(({ entry }) => entry);
  }

  /** What is there already is not of interest any more. */
  skip(): void {
    for (const known of this.#all) known.taken = true;
  }

  tail(count = 15): string {
    return this.#all
      .filter(({ taken }) => !taken)
      .slice(-count)
      .map(({ entry }) => `  ${(typeof entry === 'string' ? entry : JSON.stringify(entry)).slice(0, 500)}`)
      .join('\n');
  }
}
