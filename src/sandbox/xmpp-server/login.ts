// Login on one stream, RFC 6120 §6: which mechanism, one exchange at a time, a few attempts.
import { parseAddress } from './address.ts';
import type { Faults } from './faults.ts';
import { limits } from './options.ts';
import { type Mechanism, mechanisms, type SaslExchange, type SaslStep, startExchange } from './sasl.ts';
import type { Account, Link } from './session.ts';
import type { World } from './world.ts';
import { type Element, el, ns } from './xml.ts';

export class Login {
  readonly #world: World;
  readonly #faults: Faults;
  readonly #link: Link;
  readonly #connection: number;
  #exchange: SaslExchange | undefined;
  #failures = 0;

  constructor(world: World, faults: Faults, link: Link, connection: number) {
    this.#world = world;
    this.#faults = faults;
    this.#link = link;
    this.#connection = connection;
  }

  /** One SASL element of the client's. The account is returned when it is in; the caller then sends `success`. */
  take(element: Element, allowed: boolean): { account: Account; success: Element } | undefined {
    const condition = this.#faults.refusedAuth ?? (allowed ? undefined : 'encryption-required');
    if (condition) return this.#refuse(condition);
    if (element.name === 'abort') return this.#refuse('aborted');
    const text = element.getText().trim();
    if (element.name === 'auth') {
      const mechanism = mechanisms.find((name) => name === element.attrs.mechanism);
      if (!mechanism) return this.#refuse('invalid-mechanism');
      this.#exchange = this.#start(mechanism);
      if (text === '') {
        // §6.4.2: without an initial response the first challenge is empty.
        this.#link.send(el('challenge', { xmlns: ns.sasl }));
        return undefined;
      }
    }
    if (!this.#exchange) return this.#refuse('malformed-request');
    // §6.4.2: "=" is an empty response.
    if (text !== '=' && !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return this.#refuse('incorrect-encoding');
    return this.#judge(this.#exchange.step(text === '=' ? '' : Buffer.from(text, 'base64').toString()));
  }

  #accountOf(user: string): Account | undefined {
    return this.#world.accountOf(`${user}@${this.#world.domain}`);
  }

  #start(mechanism: Mechanism): SaslExchange {
    return startExchange(mechanism, {
      passwordOf: (user) => this.#accountOf(user)?.password,
      mayActAs: (user, authzid) => parseAddress(authzid)?.bare === this.#accountOf(user)?.bare,
    });
  }

  #judge(step: SaslStep): { account: Account; success: Element } | undefined {
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    switch (step.kind) {
      case 'challenge':
        this.#link.send(el('challenge', { xmlns: ns.sasl }, base64(step.data)));
        return undefined;
      case 'success': {
        const account = this.#accountOf(step.user);
        if (!account) return this.#refuse('not-authorized');
        return { account, success: el('success', { xmlns: ns.sasl }, ...(step.data ? [base64(step.data)] : [])) };
      }
      case 'failure':
        return this.#refuse(step.condition);
      default:
        return step satisfies never;
    }
  }

  // §6.4.5, §6.5
  #refuse(condition: string): undefined {
    this.#exchange = undefined;
    this.#world.events.emit({ kind: 'auth-failed', connection: this.#connection, condition });
    this.#link.send(el('failure', { xmlns: ns.sasl }, el(condition)));
    if (++this.#failures >= limits.loginAttempts) this.#link.fail('policy-violation', 'too many failed logins');
    return undefined;
  }
}
