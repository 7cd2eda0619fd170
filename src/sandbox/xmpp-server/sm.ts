// Stream management, XEP-0198: counting stanzas both ways, keeping what the client has not acknowledged, and resuming.
// Pure bookkeeping; stream.ts speaks the protocol and session.ts owns one of these.
import type { Element } from './xml.ts';

const modulus = 2 ** 32; // XEP-0198 §4: h wraps at 2^32

export class StreamManagement {
  readonly id: string;
  /** A fault may take it back. */
  resumable: boolean;
  /** Stanzas of the client's that we handled: our h. */
  handled = 0;
  /** An <r/> is on its way. */
  asked = false;
  #acked = 0;
  #unacked: Element[] = [];
  readonly #limit: number;

  constructor(id: string, resumable: boolean, limit: number) {
    this.id = id;
    this.resumable = resumable;
    this.#limit = limit;
  }

  get unacked(): readonly Element[] {
    return this.#unacked;
  }

  countHandled(): void {
    this.handled = (this.handled + 1) % modulus;
  }

  /** False when the client has left too many unacknowledged: the session must end. */
  keep(stanza: Element): boolean {
    this.#unacked.push(stanza);
    return this.#unacked.length <= this.#limit;
  }

  /** False when the client acknowledges more than was sent, or no number. */
  acknowledge(h: string | undefined): boolean {
    if (h === undefined || !/^\d{1,10}$/.test(h)) return false;
    const count = (Number(h) - this.#acked + modulus) % modulus;
    if (count > this.#unacked.length) return false;
    this.#unacked.splice(0, count);
    this.#acked = Number(h);
    return true;
  }
}
