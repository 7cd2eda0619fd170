// Whether to sleep between a reply and what the peer says next. A peer on the same machine speaks again after some ten
// microseconds. To fall asleep and be woken takes longer than that, and as much processor time as to look again: most of
// all in a virtual machine, where a processor without work is handed back to its host. So for a moment we look again.
// For peers further away that is in vain: whoever has not been quick is not waited for like this.

/** Milliseconds that a peer has to be quick. */
const moment = 0.08;
/** So many in vain, one after the other, and nobody seems to be quick … */
const enough = 4;
/** … but of so many replies one asks again. */
const seldom = 64;

export interface Peer {
  /** When it was answered last; null once it has spoken since: what follows that says nothing of how quick it is. */
  answeredAt: number | null;
}

export class Attention {
  readonly #now: () => number;
  readonly #soon: (work: () => void) => void;
  #until = 0;
  #awake = false;
  #rewarded = false;
  #inVain = 0;
  #passed = 0;

  /** `soon`: after the event loop has looked once. */
  constructor(now: () => number, soon: (work: () => void) => void) {
    this.#now = now;
    this.#soon = soon;
  }

  /** It may speak next. */
  answered(peer: Peer): void {
    const now = this.#now();
    peer.answeredAt = now;
    if (this.#inVain >= enough) {
      this.#passed += 1;
      if (this.#passed % seldom !== 0) return;
    }
    this.#until = now + moment;
    if (this.#awake) return;
    this.#awake = true;
    this.#rewarded = false;
    this.#soon(this.#look);
  }

  /** It has spoken. */
  heard(peer: Peer): void {
    const { answeredAt } = peer;
    peer.answeredAt = null;
    if (answeredAt === null || this.#now() - answeredAt > moment) return;
    this.#inVain = 0;
    this.#rewarded = true;
    // There is something to do; its reply begins anew.
    this.#until = 0;
  }

  readonly #look = (): void => {
    if (this.#now() < this.#until) {
      this.#soon(this.#look);
      return;
    }
    this.#awake = false;
    if (!this.#rewarded) this.#inVain += 1;
  };
}
