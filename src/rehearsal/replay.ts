// Replay: recorded mail and presence go through other rules, and what came of it is held against what came of it under
// the rules of then (or under another set). Assumed, and said in the report: whoever gets a mail takes care of it in
// the time it really took, whoever that was; what nobody took care of, nobody does; who passed is not repeated.
import type { Duration, Instant } from '../clock.ts';
import type { MailFacts } from '../mail/facts.ts';
import type { Mailbox } from '../mail/path.ts';
import type { BareJid } from '../presence/jid.ts';
import type { Presence } from '../presence/presence.ts';
import type { PersonName, Rules } from '../routing/rules.ts';
import type { Load, Outcome } from './happening.ts';
import { words } from './words.ts';
import { World } from './world.ts';

export interface RecordedMail {
  readonly facts: MailFacts;
  readonly deliveries: readonly {
    readonly seq: number;
    readonly address: Mailbox;
    readonly person: PersonName | null;
    readonly mailbox: Mailbox | null;
    readonly choice: string | null;
    readonly because: readonly string[];
    readonly closed: { readonly at: Instant; readonly state: string; readonly ownedSince: Instant | null } | null;
  }[];
}

export interface RecordedPresence {
  readonly jid: BareJid;
  readonly at: Instant;
  readonly presence: Presence;
}

/** Where one recipient of one mail went first, when, and why. */
export interface Route {
  readonly where: string;
  readonly at: Instant;
  readonly why: string;
}

export interface Difference {
  readonly queueId: string;
  readonly receivedAt: Instant;
  readonly recipient: Mailbox;
  readonly subject: string | null;
  readonly before: Route;
  readonly after: Route;
}

export interface PersonLoad {
  readonly person: PersonName;
  readonly before: Load | null;
  readonly after: Load | null;
}

export interface ReplayReport {
  readonly mails: number;
  readonly recipients: number;
  readonly differences: readonly Difference[];
  readonly loads: readonly PersonLoad[];
  /** Mail whose attachments nobody recorded, while the new rules ask for them. */
  readonly withoutAttachments: number;
}

export interface Run {
  readonly routes: ReadonlyMap<string, Route>;
  readonly loads: ReadonlyMap<PersonName, Load>;
}

const keyOf = (facts: MailFacts, seq: number): string => `${facts.queueId} ${seq}`;

/** Feeds one set of rules, mail by mail, so that a week needs no more memory than what is open at once. */
export class Replay {
  readonly #world: World;
  readonly #routes = new Map<string, Route>();
  readonly #handled = new Map<string, Duration>();
  readonly #jids: ReadonlyMap<BareJid, PersonName>;

  constructor(rules: Rules) {
    this.#jids = new Map([...rules.people.values()].flatMap(({ jid, name }) => (jid === null ? [] : [[jid, name]])));
    this.#world = new World({
      rules,
      tell: (outcome) => this.#note(outcome),
      handledAfter: (facts, seq) => this.#handled.get(keyOf(facts, seq)) ?? null,
    });
  }

  presence({ jid, at, presence }: RecordedPresence): void {
    const person = this.#jids.get(jid);
    if (person !== undefined) this.#world.add({ at, kind: 'presence', person, presence });
  }

  mail({ facts, deliveries }: RecordedMail): void {
    for (const { seq, closed } of deliveries) {
      if (closed === null || (closed.state !== 'acknowledged' && closed.state !== 'answered')) continue;
      this.#handled.set(keyOf(facts, seq), Math.max(0, closed.at - (closed.ownedSince ?? facts.receivedAt)));
    }
    this.#world.add({ at: facts.receivedAt, kind: 'mail', name: facts.queueId, facts });
  }

  run(until: Instant): void {
    this.#world.run(until);
  }

  get result(): Run {
    return { routes: this.#routes, loads: this.#world.loads };
  }

  #note(outcome: Outcome): void {
    const { told, facts, seq } = outcome;
    if (told.kind === 'held' || told.kind === 'copied' || told.kind === 'step' || told.kind === 'closed') return;
    const key = keyOf(facts, seq);
    if (this.#routes.has(key)) return;
    const because = 'choice' in told ? told.choice.because : outcome.plan.because;
    this.#routes.set(key, { where: words(outcome), at: outcome.at, why: because.slice(-2).join('; ') });
  }
}

/** What really happened, in the same form. */
export function asItWas(mails: readonly RecordedMail[]): Run {
  const routes = new Map<string, Route>();
  const loads = new Map<PersonName, Load>();
  for (const { facts, deliveries } of mails) {
    for (const { seq, address, person, mailbox, choice, because } of deliveries) {
      const where =
        choice === 'member'
          ? `to ${person ?? mailbox}`
          : choice === 'fallback'
            ? mailbox === address
              ? `on to ${address}, unchanged`
              : `to ${person ?? mailbox} (fallback)`
            : `passed through to ${address}`;
      routes.set(keyOf(facts, seq), { where, at: facts.receivedAt, why: because.slice(-2).join('; ') });
      if (person === null) continue;
      const load = loads.get(person) ?? { given: 0, open: 0, peak: 0 };
      load.given += 1;
      loads.set(person, load);
    }
  }
  return { routes, loads };
}

export function compare(mails: readonly RecordedMail[], before: Run, after: Run, newRules: Rules): ReplayReport {
  const differences: Difference[] = [];
  let recipients = 0;
  for (const { facts, deliveries } of mails) {
    for (const { seq, address } of deliveries) {
      recipients += 1;
      const [was, is] = [before.routes.get(keyOf(facts, seq)), after.routes.get(keyOf(facts, seq))];
      const still: Route = { where: 'held', at: facts.receivedAt, why: 'nobody had become eligible by the end' };
      if ((was ?? still).where === (is ?? still).where) continue;
      differences.push({
        queueId: facts.queueId,
        receivedAt: facts.receivedAt,
        recipient: address,
        subject: facts.subject ?? null,
        before: was ?? still,
        after: is ?? still,
      });
    }
  }
  const people = [...new Set([...before.loads.keys(), ...after.loads.keys()])].sort();
  return {
    mails: mails.length,
    recipients,
    differences,
    loads: people.map((person) => ({
      person,
      before: before.loads.get(person) ?? null,
      after: after.loads.get(person) ?? null,
    })),
    withoutAttachments: newRules.reads?.attachments
      ? mails.filter(({ facts }) => facts.attachments === undefined).length
      : 0,
  };
}
