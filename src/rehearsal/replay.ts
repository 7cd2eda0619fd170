// Replay: recorded mail and presence go through other rules, and what came of it is held against what came of it under
// the rules of then (or under another set). Assumed, and said in the report: whoever has a mail does what the one who
// had it really did, in the time it really took: the first what the first did, the second what the second did.
import type { Instant } from '../clock.ts';
import type { MailFacts } from '../mail/facts.ts';
import type { Mailbox } from '../mail/path.ts';
import type { BareJid } from '../presence/jid.ts';
import type { Presence } from '../presence/presence.ts';
import type { GroupPlan, Plan } from '../routing/plan.ts';
import type { PersonName, Rules } from '../routing/rules.ts';
import type { Trigger } from '../tracking/event.ts';
import type { Behaviour, Load, Outcome } from './happening.ts';
import { observed, whither, words } from './words.ts';
import { World } from './world.ts';

export interface RecordedMail {
  readonly facts: MailFacts;
  readonly deliveries: readonly {
    readonly seq: number;
    readonly address: Mailbox;
    readonly person: PersonName | null;
    readonly mailbox: Mailbox | null;
    readonly choice: 'member' | 'hold' | 'fallback' | null;
    readonly plan?: Pick<Plan, 'kind'> & Pick<GroupPlan, 'mode'>;
    readonly also?: readonly PersonName[];
    readonly of?: string;
    readonly refusal?: { readonly code: number; readonly text: string };
    readonly because: readonly string[];
    readonly givenAt?: Instant;
    readonly moves?: readonly {
      readonly at: Instant;
      readonly trigger: Trigger;
      readonly from?: string;
      readonly to: string;
    }[];
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
  readonly #behaviour = new Map<string, readonly (Behaviour | null)[]>();
  readonly #jids: ReadonlyMap<BareJid, PersonName>;

  constructor(rules: Rules) {
    this.#jids = new Map([...rules.people.values()].flatMap(({ jid, name }) => (jid === null ? [] : [[jid, name]])));
    this.#world = new World({
      rules,
      tell: (outcome) => this.#note(outcome),
      behaviour: (facts, seq, turn) => {
        const each = this.#behaviour.get(keyOf(facts, seq)) ?? [];
        return each[Math.min(turn, each.length - 1)] ?? null;
      },
    });
  }

  presence({ jid, at, presence }: RecordedPresence): void {
    const person = this.#jids.get(jid);
    if (person !== undefined) this.#world.add({ at, kind: 'presence', person, presence });
  }

  mail({ facts, deliveries }: RecordedMail): void {
    for (const delivery of deliveries)
      this.#behaviour.set(keyOf(facts, delivery.seq), behaviourIn(delivery, facts.receivedAt));
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

/** What each who had it did. A step's time that ran out, or somebody who left, is no deed: it comes of itself again. */
function behaviourIn(
  { givenAt, moves = [], closed }: RecordedMail['deliveries'][number],
  receivedAt: Instant,
): readonly (Behaviour | null)[] {
  const deeds: (Behaviour | null)[] = [];
  let since = givenAt ?? receivedAt;
  for (const { at, trigger, from, to } of moves) {
    // Rooms and mailboxes have an @, and own nothing; the owner is told by a reminder.
    if (to === from || to.includes('@')) continue;
    deeds.push(trigger === 'passed' ? { after: Math.max(0, at - since), does: 'pass' } : null);
    since = at;
  }
  const done = closed !== null && (closed.state === 'acknowledged' || closed.state === 'answered');
  deeds.push(done ? { after: Math.max(0, closed.at - since), does: 'done' } : null);
  return deeds;
}

/** What really happened, in the same form. */
export function asItWas(mails: readonly RecordedMail[]): Run {
  const routes = new Map<string, Route>();
  const loads = new Map<PersonName, Load>();
  for (const { facts, deliveries } of mails) {
    for (const delivery of deliveries) {
      const { seq, person, because, also = [] } = delivery;
      const where = whereItWent(delivery);
      // Held to the end: it went nowhere.
      if (where === null) continue;
      routes.set(keyOf(facts, seq), { where, at: facts.receivedAt, why: because.slice(-2).join('; ') });
      // What was only observed was nobody's.
      if (delivery.plan?.mode === 'observe') continue;
      for (const one of also) loadOf(loads, one).given += 1;
      if (person === null) continue;
      loadOf(loads, person).given += 1;
    }
  }
  return { routes, loads };
}

function whereItWent(delivery: RecordedMail['deliveries'][number]): string | null {
  const { address, person, mailbox, choice, plan, also, of, refusal } = delivery;
  if (choice === null) return plan?.kind === 'group' ? null : `passed through to ${address}`;
  if (choice === 'hold') return null;
  const went = {
    kind: choice,
    mailbox: mailbox ?? address,
    unchanged: choice === 'fallback' && person === null && mailbox === address,
    person: person ?? undefined,
    group: of,
    also: also?.map((one) => ({ person: one })),
    refusal,
  };
  return plan?.mode === 'observe' ? observed(address, went) : whither(went);
}

function loadOf(loads: Map<PersonName, Load>, person: PersonName): Load {
  let load = loads.get(person);
  if (!load) {
    load = { given: 0, open: 0, peak: 0 };
    loads.set(person, load);
  }
  return load;
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
