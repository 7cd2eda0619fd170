// What is said to peers goes out behind all that the event loop has in hand: those that share a processor with us are
// woken once, not one by one.
let waiting: (() => void)[] = [];

/** Soon, in the order in which it was asked for. `work` must not throw. */
export function atEndOfTurn(work: () => void): void {
  if (waiting.push(work) > 1) return;
  setImmediate(() => {
    const all = waiting;
    waiting = [];
    for (const each of all) each();
  });
}
