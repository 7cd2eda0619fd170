// Questions and answers (RFC 6120 §8.2.3). Our own because the library takes an answer from anybody who knows the id.
import { randomUUID } from 'node:crypto';
import type { Clock, Duration } from '../clock.ts';
import { second } from '../clock.ts';
import type { Element } from './stanza.ts';
import { errorCondition, normaliseAddress, ns, xml } from './stanza.ts';

export class IqError extends Error {
  /** RFC 6120 §8.3.3, or `timeout`, or `link-down`. */
  readonly condition: string;

  constructor(condition: string, asked: string) {
    super(`${asked}: ${condition}`);
    this.name = 'IqError';
    this.condition = condition;
  }
}

interface Question {
  readonly to: string | null;
  readonly resolve: (answer: Element) => void;
  readonly reject: (error: IqError) => void;
  readonly asked: string;
}

/** Answers a question put to us: what goes into the result, or the condition of an error. */
export type Answer = { readonly result: Element | null } | { readonly error: string };
export type Answerer = (query: Element, from: string | null) => Answer | null;

const mostOpen = 1_000;

export class Iq {
  readonly #clock: Clock;
  readonly #send: (stanza: Element) => Promise<void>;
  readonly #own: () => { readonly bare: string; readonly full: string; readonly domain: string };
  readonly #open = new Map<string, Question>();
  readonly #answerers: { readonly type: 'get' | 'set'; readonly name: string; xmlns: string; answer: Answerer }[] = [];

  constructor(options: {
    clock: Clock;
    send: (stanza: Element) => Promise<void>;
    own: () => { readonly bare: string; readonly full: string; readonly domain: string };
  }) {
    this.#clock = options.clock;
    this.#send = options.send;
    this.#own = options.own;
  }

  /** `to` null: our own account. Resolves with the result stanza; rejects with IqError. */
  request(type: 'get' | 'set', to: string | null, payload: Element, within: Duration = 30 * second): Promise<Element> {
    const id = randomUUID();
    const asked = `${payload.name} of ${to ?? 'our server'}`;
    if (this.#open.size >= mostOpen) return Promise.reject(new IqError('resource-constraint', asked));
    const answered = new AbortController();
    return new Promise<Element>((resolve, reject) => {
      const done = (): void => {
        this.#open.delete(id);
        answered.abort();
      };
      const question: Question = {
        to,
        asked,
        resolve: (answer) => {
          done();
          resolve(answer);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
      this.#open.set(id, question);
      this.#clock.sleepUntil(this.#clock.now() + within, answered.signal).then(() => {
        if (this.#open.get(id) === question) question.reject(new IqError('timeout', asked));
      });
      const stanza = xml('iq', { type, id, ...(to === null ? {} : { to }) }, payload);
      this.#send(stanza).catch(() => {
        if (this.#open.get(id) === question) question.reject(new IqError('link-down', asked));
      });
    });
  }

  answer(type: 'get' | 'set', name: string, xmlns: string, answer: Answerer): void {
    this.#answerers.push({ type, name, xmlns, answer });
  }

  /** The session is gone: no answer will come. */
  fail(): void {
    for (const question of [...this.#open.values()]) question.reject(new IqError('link-down', question.asked));
  }

  handle(stanza: Element): void {
    const { type, id } = stanza.attrs;
    if (type === 'result' || type === 'error') {
      const question = id === undefined ? undefined : this.#open.get(id);
      if (!question || !this.#isFrom(question.to, stanza.attrs.from)) return;
      if (type === 'result') question.resolve(stanza);
      else question.reject(new IqError(errorCondition(stanza), question.asked));
      return;
    }
    this.#reply(stanza);
  }

  /** RFC 6120 §8.1.2.1, §10.3.3: what has no `to` is answered by our own account or server. */
  #isFrom(to: string | null, from: string | undefined): boolean {
    const { bare, full, domain } = this.#own();
    if (to !== null && normaliseAddress(to) !== domain && normaliseAddress(to) !== bare) {
      return from !== undefined && normaliseAddress(from) === normaliseAddress(to);
    }
    return from === undefined || [bare, full, domain].includes(normaliseAddress(from));
  }

  #reply(stanza: Element): void {
    const { type, id, from } = stanza.attrs;
    const children = stanza.getChildElements();
    const [query] = children;
    const answer = ((): Answer => {
      // RFC 6120 §8.2.3: exactly one child.
      if ((type !== 'get' && type !== 'set') || !query || children.length !== 1) return { error: 'bad-request' };
      for (const answerer of this.#answerers) {
        if (answerer.type !== type || !query.is(answerer.name, answerer.xmlns)) continue;
        const said = answerer.answer(query, from ?? null);
        if (said) return said;
      }
      return { error: 'service-unavailable' };
    })();
    if (id === undefined) return;
    const address = { id, ...(from === undefined ? {} : { to: from }) };
    const reply =
      'result' in answer
        ? xml('iq', { type: 'result', ...address }, ...(answer.result ? [answer.result] : []))
        : xml(
            'iq',
            { type: 'error', ...address },
            xml(
              'error',
              { type: answer.error === 'bad-request' ? 'modify' : 'cancel' },
              xml(answer.error, { xmlns: ns.stanzaErrors }),
            ),
          );
    // Whoever asked asks again, if it matters, when the link is back.
    this.#send(reply).catch(() => undefined);
  }
}
