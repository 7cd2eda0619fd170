// Scripted trouble with single stanzas, on their way in from a client or out to one: drop, delay, or hold them.
import type { Clock, Duration } from '../../clock.ts';
import type { Element } from './xml.ts';

export type Direction = 'in' | 'out';

export interface Match {
  /** Both when absent. */
  readonly direction?: Direction;
  /** `jid` is the full JID of the client that sent it or is to get it. */
  readonly fits: (stanza: Element, jid: string) => boolean;
}

/** Ends the interception; what is held back then goes on its way. */
export interface Interception {
  readonly caught: readonly Element[];
  stop(): void;
}

interface Rule extends Match {
  take(stanza: Element, goOn: () => void): void;
}

export class Interceptors {
  readonly #rules = new Set<Rule>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  drop(match: Match): Interception {
    return this.#add(match, () => undefined);
  }

  /** Each by so much, by the server's clock; later stanzas overtake it. */
  delay(match: Match, by: Duration): Interception {
    return this.#add(match, (goOn) => void this.#clock.sleepUntil(this.#clock.now() + by).then(goOn));
  }

  /** Until stop(). */
  hold(match: Match): Interception {
    const held: (() => void)[] = [];
    const rule = this.#add(match, (goOn) => held.push(goOn));
    return {
      caught: rule.caught,
      stop() {
        rule.stop();
        for (const goOn of held.splice(0)) goOn();
      },
    };
  }

  /** The first rule that fits takes the stanza. */
  pass(direction: Direction, jid: string, stanza: Element, goOn: () => void) {
    for (const rule of this.#rules) {
      if ((rule.direction ?? direction) === direction && rule.fits(stanza, jid)) return rule.take(stanza, goOn);
    }
    goOn();
  }

  #add(match: Match, take: (goOn: () => void) => void): Interception {
    const caught: Element[] = [];
    const rule: Rule = {
      ...match,
      take(stanza, goOn) {
        caught.push(stanza);
        take(goOn);
      },
    };
    this.#rules.add(rule);
    return { caught, stop: () => this.#rules.delete(rule) };
  }
}
