// People of other domains, as the presence cache should know them: whose word counts, whether the way to their server is
// open, and when the silence of one of them means that they are offline.
import type { Clock, Duration, Instant } from '../clock.ts';
import type { Log } from '../log.ts';
import type { PresenceCache } from '../presence/cache.ts';
import type { PresenceFault } from '../presence/fault.ts';
import { type BareJid, domainPart, parseJid } from '../presence/jid.ts';
import type { PresenceChange } from '../presence/presence.ts';
import type { Iq } from './iq.ts';
import { Remotes, silentFault } from './remotes.ts';
import type { Element } from './stanza.ts';
import { errorCondition } from './stanza.ts';

export interface FederationOptions {
  readonly clock: Clock;
  readonly iq: Iq;
  readonly log: Log;
  readonly cache: PresenceCache;
  readonly ownDomain: string;
  /** Absent: all. */
  readonly trusted: readonly string[] | undefined;
  /** After the way is open: how long the other server may take to tell who is there. */
  readonly settleAfter: Duration;
  tell(changes: readonly PresenceChange[]): void;
  probe(jid: BareJid): void;
  /** What was asked of them may never have got there. */
  askAgain(jid: BareJid): void;
}

export class Federation {
  readonly #options: FederationOptions;
  readonly #remotes: Remotes;
  readonly #settleAt = new Map<string, Instant>();

  constructor(options: FederationOptions) {
    this.#options = options;
    const { clock, iq, log, cache, tell } = options;
    this.#remotes = new Remotes({
      clock,
      iq,
      log,
      events: {
        alive: (domain, wasSilent) => this.#onAlive(domain, wasSilent),
        silent: (domain) => tell(cache.domainSilent(domain, clock.now())),
      },
    });
  }

  isOwn(jid: BareJid): boolean {
    return domainPart(jid) === this.#options.ownDomain;
  }

  trusts(jid: BareJid): boolean {
    const { trusted } = this.#options;
    return trusted === undefined || this.isOwn(jid) || trusted.includes(domainPart(jid));
  }

  watch(people: Iterable<BareJid>): void {
    this.#remotes.watch(new Set([...people].filter((jid) => !this.isOwn(jid)).map(domainPart)));
  }

  /** A new session. */
  reset(): void {
    this.#remotes.reset();
    this.#settleAt.clear();
  }

  /** What comes from another server proves that it can be reached; an error that ours makes for it, that it cannot. */
  hear(stanza: Element): void {
    const from = parseJid(stanza.attrs.from ?? '');
    const domain = from ? domainPart(from.bare) : '';
    if (!this.#remotes.has(domain)) return;
    if (stanza.attrs.type === 'error') this.#remotes.failed(domain, errorCondition(stanza));
    else if (from?.resource !== undefined) this.#remotes.heard(domain);
  }

  tick(now: Instant): void {
    this.#remotes.tick(now);
    const { cache, tell } = this.#options;
    for (const [domain, at] of this.#settleAt) {
      if (at > now || !this.#remotes.isAlive(domain)) continue;
      this.#settleAt.set(domain, Number.POSITIVE_INFINITY);
      tell(cache.settle(now, (jid) => domainPart(jid) === domain));
    }
  }

  faults(): readonly PresenceFault[] {
    return this.#remotes.silentOnes().map(silentFault);
  }

  #onAlive(domain: string, wasSilent: boolean): void {
    const { clock, cache, settleAfter, tell, probe, askAgain } = this.#options;
    const now = clock.now();
    if (wasSilent || !this.#settleAt.has(domain)) this.#settleAt.set(domain, now + settleAfter);
    const { people, changes } = cache.domainBack(domain, now);
    tell(changes);
    for (const jid of people) {
      askAgain(jid);
      probe(jid);
    }
  }
}
