// What may end a transaction with a next hop early: its time is over, or we stop. An AbortController, but one that costs
// nothing while nobody waits: a message that finds a kept connection free only has to be told.
export class Ending {
  /** Whoever has the transaction in hand. */
  onAbort: (() => void) | undefined;
  #aborted = false;
  #controller: AbortController | undefined;

  get aborted(): boolean {
    return this.#aborted;
  }

  /** For those who wait. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted) this.#controller.abort();
    return this.#controller.signal;
  }

  abort(): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#controller?.abort();
    this.onAbort?.();
  }
}
