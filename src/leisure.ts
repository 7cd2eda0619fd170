// What nobody waits for (the line in the log, the way out of mail that is safe) is done while the event loop has nothing
// better to do: best of all while a message is on its way to the disk, for then its peer waits anyway. A peer that hands
// over one message after the other on one connection feels every turn that is taken before it gets its reply.

export interface Leisure {
  /** Does it soon, in the order in which it was asked for. `work` must not throw. */
  readonly later: (work: () => void) => void;
  /** Something was sent to the disk in this turn: from its end on there is time. */
  readonly meanwhile: () => void;
}

/** So long at the most, when nothing is sent to the disk. */
const longest = 2;

export function createLeisure(): Leisure {
  const waiting: (() => void)[] = [];
  let atLast: NodeJS.Timeout | undefined;
  let soon: NodeJS.Immediate | undefined;
  const run = (): void => {
    clearTimeout(atLast);
    clearImmediate(soon);
    atLast = undefined;
    soon = undefined;
    for (const work of waiting.splice(0)) work();
  };
  return {
    later(work) {
      waiting.push(work);
      atLast ??= setTimeout(run, longest);
    },
    meanwhile() {
      // Behind whatever was to be done at the end of this turn, the sending itself included.
      if (waiting.length > 0) soon ??= setImmediate(run);
    },
  };
}

/** There is one event loop, so there is one of its leisure. */
export const leisure: Leisure = createLeisure();

/** For tests: at the end of each turn. */
export const turnByTurn: Leisure = { later: (work) => void setImmediate(work), meanwhile: () => undefined };
