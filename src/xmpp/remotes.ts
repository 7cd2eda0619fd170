// Federation: people whose server is not ours. When the way between the two servers fails nothing is said to us: who
// was available stays so for ever, and who is silent looks offline. So each other domain is asked by a ping (XEP-0199),
// and an error on anything we sent there counts too; what a domain that does not answer said is not known any more.
//
//   unasked ── session, or time ──▶ asking ── an answer, or anything heard ──▶ alive ── time ──▶ asking
//                                   asking ── none, or an s2s error ──▶ silent ── time ──▶ asking
import type { Clock, Duration, Instant } from '../clock.ts';
import { minute, second } from '../clock.ts';
import type { Log } from '../log.ts';
import type { PresenceFault } from '../presence/fault.ts';
import type { Iq } from './iq.ts';
import { IqError } from './iq.ts';
import { ns, xml } from './stanza.ts';

export interface RemoteEvents {
  /** It answers (again): what its people say can be asked for, and their silence means something after a while. */
  alive(domain: string, wasSilent: boolean): void;
  silent(domain: string): void;
}

interface Remote {
  state: 'unasked' | 'asking' | 'alive' | 'silent';
  dueAt: Instant;
  since: Instant;
  failures: number;
}

/** Connecting two servers takes DNS, TLS and dialback. */
const answerWithin: Duration = 20 * second;
const aliveEvery: Duration = 5 * minute;
const firstAgain: Duration = minute;
const longestAgain: Duration = 10 * minute;

/** RFC 6120 §8.3.3: our server cannot reach theirs. */
const unreachable: ReadonlySet<string> = new Set(['remote-server-not-found', 'remote-server-timeout']);

export class Remotes {
  readonly #clock: Clock;
  readonly #iq: Iq;
  readonly #log: Log;
  readonly #events: RemoteEvents;
  readonly #remotes = new Map<string, Remote>();
  /** Answers to what a former session asked count no more. */
  #session = 0;

  constructor(options: { clock: Clock; iq: Iq; log: Log; events: RemoteEvents }) {
    this.#clock = options.clock;
    this.#iq = options.iq;
    this.#log = options.log;
    this.#events = options.events;
  }

  watch(domains: ReadonlySet<string>): void {
    for (const domain of this.#remotes.keys()) if (!domains.has(domain)) this.#remotes.delete(domain);
    const now = this.#clock.now();
    for (const domain of domains) {
      if (!this.#remotes.has(domain))
        this.#remotes.set(domain, { state: 'unasked', dueAt: now, since: now, failures: 0 });
    }
  }

  /** A new session, or one after a long time down: nothing is known of the way to others. */
  reset(): void {
    this.#session += 1;
    for (const remote of this.#remotes.values()) Object.assign(remote, { state: 'unasked', dueAt: this.#clock.now() });
  }

  isAlive(domain: string): boolean {
    return this.#remotes.get(domain)?.state === 'alive';
  }

  has(domain: string): boolean {
    return this.#remotes.has(domain);
  }

  /** Presence or a message from there: nothing proves more. */
  heard(domain: string): void {
    const remote = this.#remotes.get(domain);
    if (remote && remote.state !== 'alive') this.#alive(domain, remote);
  }

  /** Something we sent there came back with this error. */
  failed(domain: string, condition: string): void {
    const remote = this.#remotes.get(domain);
    if (remote && unreachable.has(condition)) this.#silent(domain, remote, condition);
  }

  silentOnes(): readonly { readonly domain: string; readonly since: Instant }[] {
    return [...this.#remotes].flatMap(([domain, { state, since }]) => (state === 'silent' ? [{ domain, since }] : []));
  }

  tick(now: Instant): void {
    for (const [domain, remote] of this.#remotes) {
      if (remote.dueAt > now) continue;
      remote.dueAt = now + aliveEvery;
      if (remote.state === 'unasked') remote.state = 'asking';
      this.#ask(domain, remote);
    }
  }

  #ask(domain: string, remote: Remote): void {
    const session = this.#session;
    const current = (): boolean => session === this.#session && this.#remotes.get(domain) === remote;
    this.#iq.request('get', domain, xml('ping', { xmlns: ns.ping }), answerWithin).then(
      () => current() && this.#alive(domain, remote),
      (error: unknown) => {
        if (!current() || (error instanceof IqError && error.condition === 'link-down')) return;
        const condition = error instanceof IqError ? error.condition : 'undefined-condition';
        // XEP-0199 §4.2: that it does not know pings is an answer too.
        if (unreachable.has(condition) || condition === 'timeout') this.#silent(domain, remote, condition);
        else this.#alive(domain, remote);
      },
    );
  }

  #alive(domain: string, remote: Remote): void {
    const wasSilent = remote.state === 'silent';
    if (remote.state !== 'alive') remote.since = this.#clock.now();
    Object.assign(remote, { state: 'alive', failures: 0, dueAt: this.#clock.now() + aliveEvery });
    if (wasSilent) this.#log.info({ domain }, 'another server answers again');
    this.#events.alive(domain, wasSilent);
  }

  #silent(domain: string, remote: Remote, condition: string): void {
    const now = this.#clock.now();
    remote.failures += 1;
    remote.dueAt = now + Math.min(longestAgain, firstAgain * 2 ** Math.min(remote.failures - 1, 10));
    if (remote.state === 'silent') return;
    Object.assign(remote, { state: 'silent', since: now });
    this.#log.warn({ domain, condition }, 'another server cannot be reached: the presence of its people is not known');
    this.#events.silent(domain);
  }
}

export function silentFault({ domain, since }: { readonly domain: string; readonly since: Instant }): PresenceFault {
  return {
    id: 'xmpp-domain-silent',
    about: domain,
    severity: 'warning',
    since,
    text: `the XMPP server of ${domain} cannot be reached from ours: the presence of its people is not known`,
    action: 'check the connection between the two servers (s2s): DNS, certificates, and whether the other one runs',
  };
}
