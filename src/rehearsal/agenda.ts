// What is still to happen, earliest first; of the same moment in the order in which it was added. A binary heap.
import type { Instant } from '../clock.ts';

export class Agenda<T extends { readonly at: Instant }> {
  readonly #heap: { readonly item: T; readonly number: number }[] = [];
  #added = 0;

  add(item: T): void {
    const heap = this.#heap;
    heap.push({ item, number: this.#added++ });
    for (let at = heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#before(at, parent)) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** The next one that is not after `until`. */
  take(until: Instant): T | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.item.at > until) return undefined;
    const last = heap.pop();
    if (heap.length > 0 && last) {
      heap[0] = last;
      for (let at = 0; ; ) {
        const left = 2 * at + 1;
        if (left >= heap.length) break;
        const least = left + 1 < heap.length && this.#before(left + 1, left) ? left + 1 : left;
        if (!this.#before(least, at)) break;
        this.#swap(at, least);
        at = least;
      }
    }
    return first.item;
  }

  #before(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a], this.#heap[b]];
    if (!one || !other) return false;
    return one.item.at !== other.item.at ? one.item.at < other.item.at : one.number < other.number;
  }

  #swap(a: number, b: number): void {
    const [one, other] = [this.#heap[a], this.#heap[b]];
    if (!one || !other) return;
    this.#heap[a] = other;
    this.#heap[b] = one;
  }
}
