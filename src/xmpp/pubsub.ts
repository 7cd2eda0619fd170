// Events published to a node (XEP-0060) for other programs. One at a time, behind everything else: the next is handed
// over when the service has answered, so nudges never wait for more than one. What cannot be published is not kept for
// long: a program that needs all of it asks the API.
import { randomUUID } from 'node:crypto';
import type { Clock, Duration } from '../clock.ts';
import { second } from '../clock.ts';
import type { PubsubConfig } from '../config.ts';
import type { Log } from '../log.ts';
import type { Published } from '../notify/published.ts';
import { type Iq, IqError } from './iq.ts';
import { type Element, ns, xml } from './stanza.ts';

const most = 1_000;
/** After the service has refused one. */
const pause: Duration = 30 * second;
const keptByService = 50;

export interface PublisherOptions {
  readonly config: PubsubConfig;
  readonly iq: Pick<Iq, 'request'>;
  readonly clock: Clock;
  readonly log: Log;
}

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #waiting: Published[] = [];
  #up = false;
  #running = false;
  #lost = 0;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  publish(event: Published): void {
    if (!this.#options.config.events.includes(event.kind)) return;
    if (this.#waiting.length >= most) {
      this.#waiting.shift();
      this.#lost += 1;
    }
    this.#waiting.push(event);
    this.#go();
  }

  /** A session stands. */
  opened(): void {
    this.#up = true;
    this.#go();
  }

  #go(): void {
    if (!this.#up || this.#running) return;
    this.#running = true;
    this.#run().catch((error: unknown) => this.#options.log.error({ err: error }, 'events are not published any more'));
  }

  async #run(): Promise<void> {
    try {
      for (let event = this.#waiting[0]; event && this.#up; event = this.#waiting[0]) await this.#handOver(event);
    } finally {
      // In the same turn in which nothing was found: what is added after it begins anew.
      this.#running = false;
    }
  }

  async #handOver(event: Published): Promise<void> {
    const { clock, log, config } = this.#options;
    if (this.#lost > 0) log.warn({ lost: this.#lost, node: config.node }, 'events were not published: too many waited');
    this.#lost = 0;
    try {
      await this.#publishOne(event);
    } catch (error) {
      if (!(error instanceof IqError)) throw error;
      if (error.condition === 'link-down') {
        // The next session goes on with it.
        this.#up = false;
        return;
      }
      log.warn(
        { node: config.node, service: config.service, cause: error.condition },
        'an event could not be published',
      );
      await clock.sleepUntil(clock.now() + pause);
    }
    // It may have been dropped meanwhile, with too many behind it.
    if (this.#waiting[0] === event) this.#waiting.shift();
  }

  async #publishOne(event: Published): Promise<void> {
    try {
      await this.#ask(publishing(this.#options.config.node, event));
    } catch (error) {
      // XEP-0060 §7.1.3.3: there is no such node yet.
      if (!(error instanceof IqError) || error.condition !== 'item-not-found') throw error;
      await this.#makeNode();
      await this.#ask(publishing(this.#options.config.node, event));
    }
  }

  /** XEP-0060 §8.1 with a configuration; then §8.9: who may subscribe. */
  async #makeNode(): Promise<void> {
    const { node, subscribers } = this.#options.config;
    const fields = {
      'pubsub#access_model': 'whitelist',
      'pubsub#max_items': String(keptByService),
      'pubsub#persist_items': '1',
      'pubsub#title': 'Pointsman: routing, claims and faults',
    };
    const form = xml(
      'x',
      { xmlns: ns.data, type: 'submit' },
      xml('field', { var: 'FORM_TYPE', type: 'hidden' }, xml('value', {}, `${ns.pubsub}#node_config`)),
      ...Object.entries(fields).map(([name, value]) => xml('field', { var: name }, xml('value', {}, value))),
    );
    await this.#ask(xml('pubsub', { xmlns: ns.pubsub }, xml('create', { node }), xml('configure', {}, form)));
    if (subscribers.length === 0) return;
    const members = subscribers.map((jid) => xml('affiliation', { jid, affiliation: 'member' }));
    await this.#ask(xml('pubsub', { xmlns: `${ns.pubsub}#owner` }, xml('affiliations', { node }, ...members)));
  }

  #ask(payload: Element): Promise<Element> {
    return this.#options.iq.request('set', this.#options.config.service, payload);
  }
}

function publishing(node: string, { kind, what, at, data }: Published): Element {
  const json = xml('json', { xmlns: 'urn:xmpp:json:0' }, JSON.stringify(data)); // XEP-0335
  const event = xml('event', { xmlns: ns.event, kind, what, at: new Date(at).toISOString() }, json);
  return xml('pubsub', { xmlns: ns.pubsub }, xml('publish', { node }, xml('item', { id: randomUUID() }, event)));
}
