// Who is to be looked at when: a heap by time. An alarm that was set anew leaves its old entry behind, which the owner
// sees to be stale; so setting costs a logarithm and nothing is ever searched for.
import type { Instant } from '../clock.ts';

interface Alarm {
  readonly at: Instant;
  readonly name: string;
}

export class Alarms {
  readonly #heap: Alarm[] = [];

  clear(): void {
    this.#heap.length = 0;
  }

  first(): Instant | null {
    return this.#heap[0]?.at ?? null;
  }

  set(name: string, at: Instant): void {
    const heap = this.#heap;
    let index = heap.length;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above];
      if (!parent || parent.at <= at) break;
      heap[index] = parent;
      index = above;
    }
    heap[index] = { at, name };
  }

  /** Takes out whose time has come, each name once. */
  due(now: Instant): ReadonlySet<string> {
    const names = new Set<string>();
    for (let first = this.#heap[0]; first && first.at <= now; first = this.#heap[0]) {
      names.add(first.name);
      this.#removeFirst();
    }
    return names;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let index = 0;
    for (;;) {
      const [left, right] = [heap[2 * index + 1], heap[2 * index + 2]];
      const smaller = right && left && right.at < left.at ? 2 * index + 2 : 2 * index + 1;
      const child = heap[smaller];
      if (!child || child.at >= last.at) break;
      heap[index] = child;
      index = smaller;
    }
    heap[index] = last;
  }
}
