// How often one person or room is spoken to. A few messages a minute go out one by one. Whoever has had that many hears
// what comes then in rounds, all that waits in one message, so that nothing waits longer than until the next round.
import { type Duration, type Instant, minute, second } from '../clock.ts';

/** Of messages to one person or room, before they hear the rest in rounds. */
export const perMinute = 8;
/** Between two rounds: the longest that anything is held back. */
export const roundEvery: Duration = 10 * second;
/** What was claimed for a round in several portions is still of that round. */
const roundLasts: Duration = second / 2;

export type Pace =
  | { readonly may: 'one by one' | 'together' }
  /** To be asked again then. */
  | { readonly may: 'wait'; readonly until: Instant };

export class Pacing {
  readonly #said = new Map<string, Instant[]>();
  readonly #rounds = new Map<string, Instant>();

  /** @param count how many things there are to say */
  ask(to: string, now: Instant, count = 1): Pace {
    const recent = this.#recent(to, now);
    if (recent.length < perMinute) {
      this.#rounds.delete(to);
      return { may: recent.length + count <= perMinute ? 'one by one' : 'together' };
    }
    // The first round is reckoned from the last thing that was said.
    const last = this.#rounds.get(to) ?? Math.max(...recent);
    if (this.#rounds.has(to) && now - last < roundLasts) return { may: 'together' };
    if (now - last < roundEvery) return { may: 'wait', until: last + roundEvery };
    this.#rounds.set(to, now);
    return { may: 'together' };
  }

  /** Something has gone out. What failed to go does not count. */
  said(to: string, now: Instant): void {
    this.#said.set(to, [...this.#recent(to, now), now].slice(-perMinute));
    if (this.#said.size > 10_000) this.#forgetQuiet(now);
  }

  #recent(to: string, now: Instant): Instant[] {
    return (this.#said.get(to) ?? []).filter((at) => now - at < minute);
  }

  #forgetQuiet(now: Instant): void {
    for (const to of [...this.#said.keys()]) {
      if (this.#recent(to, now).length > 0) continue;
      this.#said.delete(to);
      this.#rounds.delete(to);
    }
  }
}
