// Long work in slices, one in each turn of the event loop: after a new session there are thousands of roster items and
// changes of presence, and mail must not wait for the last of them. Slices are counted, not timed: the same each time.
import type { Socket } from 'node:net';

/** Things done in one turn; each costs some tens of microseconds with all who listen. */
const perTurn = 128;
/** Octets read in one turn. */
const readAtOnce = 16 * 1024;

/** Reading in slices: what has come beyond one is read in the next turn, and nothing more is taken from the socket. */
export class Reading {
  readonly #each: (piece: string) => void;
  readonly #maySlice: () => boolean;
  readonly #failed: (error: Error) => void;
  readonly #queue: Iterator<string>[] = [];
  #taken = 0;
  #paused = false;

  /** `maySlice`: whether what follows may wait; in a handshake it may not. `failed`: a piece could not be read or taken. */
  constructor(each: (piece: string) => void, maySlice: () => boolean, failed: (error: Error) => void) {
    this.#each = each;
    this.#maySlice = maySlice;
    this.#failed = failed;
  }

  read(pieces: Iterator<string>, socket: Socket | null): void {
    this.#queue.push(pieces);
    if (!this.#paused) this.#goOn(socket);
  }

  /** Also in a later turn: nobody else would catch it there. */
  #goOn(socket: Socket | null): void {
    try {
      this.#go(socket);
    } catch (error) {
      this.#queue.length = 0;
      this.#failed(error as Error);
    }
  }

  #go(socket: Socket | null): void {
    for (;;) {
      const next = this.#queue[0]?.next();
      if (next === undefined) return;
      if (next.done) {
        this.#queue.shift();
        continue;
      }
      this.#each(next.value);
      this.#taken += next.value.length;
      if (this.#taken < readAtOnce || socket === null || !this.#maySlice()) continue;
      this.#taken = 0;
      this.#paused = true;
      socket.pause();
      setImmediate(() => {
        this.#paused = false;
        this.#goOn(socket);
        if (!this.#paused) socket.resume();
      });
      return;
    }
  }
}

/** Things to be done one after the other, in order, however many come at once. */
export class Slices<T> {
  readonly #each: (one: T) => void;
  #waiting: T[] = [];
  #next = 0;
  #turn: NodeJS.Immediate | null = null;

  /** `each` must not throw. */
  constructor(each: (one: T) => void) {
    this.#each = each;
  }

  /** A few are done at once, as if there were no slices: the usual case. */
  add(things: readonly T[]): void {
    if (this.#turn === null && things.length <= perTurn) {
      for (const one of things) this.#each(one);
      return;
    }
    for (const one of things) this.#waiting.push(one);
    this.#turn ??= setImmediate(() => this.#slice());
  }

  /** What has not been done is dropped. */
  stop(): void {
    if (this.#turn !== null) clearImmediate(this.#turn);
    this.#turn = null;
    this.#waiting = [];
    this.#next = 0;
  }

  #slice(): void {
    const slice = this.#waiting.slice(this.#next, this.#next + perTurn);
    this.#next += slice.length;
    for (const one of slice) this.#each(one);
    if (this.#next < this.#waiting.length) this.#turn = setImmediate(() => this.#slice());
    else this.stop();
  }
}

/** The same for things that are known beforehand. Ends early, with false, when `goesOn` says no after a turn. */
export async function inSlices<T>(
  things: Iterable<T>,
  each: (one: T) => void,
  goesOn: () => boolean,
): Promise<boolean> {
  let count = 0;
  for (const one of things) {
    each(one);
    count += 1;
    if (count % perTurn !== 0) continue;
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (!goesOn()) return false;
  }
  return true;
}
