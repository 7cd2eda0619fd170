// A rehearsal: mail, presence and answers happen at given moments, and the rules decide, by the very functions that
// decide in earnest (plan, choose, advance, acknowledge). Everything between is made short: a next hop takes mail at
// once, a nudge is read at once. Pure: time is what the happenings say, nothing is stored.
import type { Instant } from '../clock.ts';
import type { MailFacts } from '../mail/facts.ts';
import type { Mailbox } from '../mail/path.ts';
import { neverSeen, type Presence } from '../presence/presence.ts';
import { type Choice, choose, type PersonSnapshot, type Snapshot } from '../routing/choose.ts';
import type { Surroundings } from '../routing/match.ts';
import { allCandidates, type Candidate, type GroupPlan, otherPools, plan } from '../routing/plan.ts';
import type { GroupName, PersonName } from '../routing/rules.ts';
import { standInsFor } from '../routing/stand-ins.ts';
import { acknowledge } from '../tracking/acknowledge.ts';
import { advance } from '../tracking/advance.ts';
import type { Trigger } from '../tracking/event.ts';
import { grades } from '../tracking/evidence.ts';
import { dueAfter } from '../tracking/steps.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { Agenda } from './agenda.ts';
import type { Answer, Behaviour, Happening, Load, Outcome, WorldOptions } from './happening.ts';
import { needsOf } from './needs.ts';

interface Delivery {
  readonly mail: string;
  readonly facts: MailFacts;
  readonly seq: number;
  readonly recipient: Mailbox;
  readonly plan: GroupPlan;
  state: 'waiting' | 'held' | 'gone';
  tracked: Tracked | null;
  /** How many have had it before the one who has it now; -1: nobody yet. */
  turn: number;
}

type Event =
  | Happening
  | { readonly at: Instant; readonly kind: 'wake'; readonly delivery: Delivery }
  | { readonly at: Instant; readonly kind: 'step'; readonly delivery: Delivery; readonly revision: number }
  | { readonly at: Instant; readonly kind: Behaviour['does']; readonly delivery: Delivery; readonly turn: number };

export class World {
  readonly #options: WorldOptions;
  readonly #agenda = new Agenda<Event>();
  readonly #presence = new Map<PersonName, Presence>();
  readonly #people = new Map<PersonName, { units: number; lastAt: Instant | null; owned: Set<Delivery> }>();
  readonly #turns = new Map<GroupName, { last: PersonName; run: number }>();
  readonly #held = new Map<GroupName, Set<Delivery>>();
  readonly #handlers: Map<string, PersonName>;
  readonly #loads = new Map<PersonName, Load>();
  #now: Instant = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#handlers = new Map(options.handlers);
    for (const [person, units] of Object.entries(options.units ?? {})) this.#person(person).units = units;
    for (const [person, at] of Object.entries(options.lastAssignedAt ?? {})) this.#person(person).lastAt = at;
    for (const [group, last] of Object.entries(options.lastInGroup ?? {})) this.#turns.set(group, { last, run: 1 });
  }

  get loads(): ReadonlyMap<PersonName, Load> {
    return this.#loads;
  }

  add(happening: Happening): void {
    this.#agenda.add(happening);
  }

  /** Until nothing is left to happen, or until that moment. */
  run(until: Instant): void {
    for (let next = this.#agenda.take(until); next !== undefined; next = this.#agenda.take(until)) {
      this.#now = Math.max(this.#now, next.at);
      this.#happen(next);
    }
  }

  #happen(event: Event): void {
    switch (event.kind) {
      case 'mail':
        this.#accept(event.name, event.facts);
        return;
      case 'presence':
        this.#changePresence(event.person, event.presence);
        return;
      case 'answer':
        this.#answer(event.person, event.answer, event.mail);
        return;
      case 'wake':
        if (event.delivery.state === 'held') this.#dispatch(event.delivery);
        return;
      case 'step':
        if (event.delivery.tracked?.revision === event.revision) this.#escalate(event.delivery, 'time');
        return;
      case 'done':
      case 'pass': {
        const { tracked, turn } = event.delivery;
        if (tracked?.state !== 'tracked' || turn !== event.turn) return;
        if (event.kind === 'done') this.#weigh(event.delivery, grades.answered, tracked.owner);
        else if (tracked.owner !== null) this.#escalate(event.delivery, 'passed');
        return;
      }
      default:
        event satisfies never;
    }
  }

  #accept(mail: string, facts: MailFacts): void {
    const { rules } = this.#options;
    for (const [seq, recipient] of facts.recipients.entries()) {
      const one = plan(facts, recipient, rules, this.#surroundings(facts));
      const base = { at: this.#now, mail, facts, seq, recipient, plan: one };
      if (one.kind === 'reject') {
        const { code, text } = one.reply;
        this.#options.tell({ ...base, told: { kind: 'rejected', code, text } });
        continue;
      }
      if (one.copies) this.#options.tell({ ...base, told: { kind: 'copied', to: one.copies } });
      if (one.kind === 'pass') this.#options.tell({ ...base, told: { kind: 'passed' } });
      else this.#dispatch({ mail, facts, seq, recipient, plan: one, state: 'waiting', tracked: null, turn: -1 });
    }
  }

  #surroundings(facts: MailFacts): Surroundings {
    return {
      now: this.#now,
      presenceOf: (person) => this.#presence.get(person),
      waiting: (group) => {
        const held = [...(this.#held.get(group) ?? [])].map((delivery) => delivery.facts.receivedAt);
        return { count: held.length, oldestAt: held.length === 0 ? null : Math.min(...held) };
      },
      threadSeen: facts.references.some((id) => this.#handlers.has(id)),
    };
  }

  #dispatch(delivery: Delivery): void {
    const { plan: rule, facts } = delivery;
    const snapshot = this.#snapshot(delivery);
    const choice = choose(rule, snapshot);
    const wasHeld = delivery.state === 'held';
    if (rule.mode === 'observe') {
      delivery.state = 'gone';
      this.#tell(delivery, { kind: 'observed', choice, snapshot });
      // Turns go on as if it had been given, so that a week of watching shows what a week would bring.
      if (choice.kind === 'member' && !choice.also) this.#assign(choice.person, rule.group);
      return;
    }
    if (choice.kind === 'hold') {
      delivery.state = 'held';
      const line = this.#held.get(rule.group) ?? new Set();
      this.#held.set(rule.group, line.add(delivery));
      if (!wasHeld) this.#tell(delivery, { kind: 'held', choice, snapshot });
      const head = snapshot.behind === undefined;
      this.#agenda.add({ at: head ? (choice.wakeAt ?? choice.until) : choice.until, kind: 'wake', delivery });
      return;
    }
    delivery.state = 'gone';
    this.#held.get(rule.group)?.delete(delivery);
    this.#tell(delivery, { kind: 'chosen', choice, snapshot });
    if (choice.kind === 'fallback' && choice.refusal) return;
    const shared = choice.also !== undefined;
    const person = shared ? null : (choice.person ?? null);
    for (const one of peopleOf(choice)) this.#count(one).given += 1;
    if (choice.kind === 'member' && person !== null) this.#assign(person, choice.group ?? rule.group);
    if (facts.messageId !== undefined && person !== null) this.#handlers.set(facts.messageId, person);
    if (rule.policy !== null) this.#track(delivery, { ...rule, policy: rule.policy }, person);
    if (wasHeld) this.#wakeNext(rule.group);
  }

  #snapshot({ plan: rule, facts, state, tracked, seq }: Delivery): Snapshot {
    const handler = facts.references.map((id) => this.#handlers.get(id)).findLast((one) => one !== undefined);
    const behind = [...(this.#held.get(rule.group) ?? [])].filter(
      (other) =>
        (other.facts !== facts || other.seq !== seq) &&
        other.facts.receivedAt <= facts.receivedAt &&
        (other.facts.receivedAt < facts.receivedAt || other.facts.queueId < facts.queueId) &&
        needsOf(other.plan) === needsOf(rule),
    ).length;
    return {
      ...this.#known(rule),
      excluded: tracked?.tried ?? {},
      holdUntil: rule.hold === null ? null : facts.receivedAt + rule.hold,
      ...(rule.chain ? { acceptedAt: facts.receivedAt } : {}),
      ...(state === 'held' ? { held: true } : {}),
      ...(behind > 0 ? { behind } : {}),
      ...(handler === undefined ? {} : { lastHandler: handler }),
    };
  }

  #known(rule: GroupPlan): Omit<Snapshot, 'excluded' | 'holdUntil'> {
    const people: Record<PersonName, PersonSnapshot> = {};
    const candidates = allCandidates(rule);
    const presenceOf = ({ person, jid }: Pick<Candidate, 'person' | 'jid'>): Presence =>
      this.#presence.get(person) ?? (jid === null ? { ...neverSeen, reason: 'no-jid' } : neverSeen);
    const standIns = standInsFor(candidates, this.#options.rules.people, presenceOf, this.#now);
    for (const candidate of [...candidates, ...Object.values(standIns).flat()]) {
      const { units, lastAt, owned } = this.#person(candidate.person);
      people[candidate.person] = { presence: presenceOf(candidate), open: owned.size, units, lastAssignedAt: lastAt };
    }
    const turn = this.#turns.get(rule.group);
    const others = otherPools(rule).flatMap(({ group }) => {
      const other = this.#turns.get(group);
      return other ? [[group, other] as const] : [];
    });
    return {
      now: this.#now,
      people,
      lastInGroup: turn?.last ?? null,
      ...(turn ? { runInGroup: turn.run } : {}),
      ...(others.length > 0 ? { others: Object.fromEntries(others) } : {}),
      ...(Object.keys(standIns).length > 0 ? { standIns } : {}),
    };
  }

  #track(delivery: Delivery, rule: Tracked['plan'], owner: PersonName | null): void {
    const { facts, seq, recipient } = delivery;
    const first = rule.policy.steps[0];
    const tracked: Tracked = {
      queueId: facts.queueId,
      seq,
      shortId: '',
      state: 'tracked',
      revision: 1,
      plan: rule,
      owner,
      ownedSince: owner === null ? null : this.#now,
      step: 0,
      stepTaken: 0,
      nextStepAt: first ? dueAfter(first, this.#now) : null,
      tried: {},
      acceptedAt: facts.receivedAt,
      closedAt: null,
      closedBy: null,
      messageId: facts.messageId ?? null,
      subject: facts.subject ?? null,
      from: facts.from ?? facts.reversePath,
      reversePath: facts.reversePath,
      address: recipient,
    };
    this.#become(delivery, tracked);
  }

  /** Who owns it, how much they have, and when the next step is due follow from it. */
  #become(delivery: Delivery, tracked: Tracked): void {
    const before = delivery.tracked;
    const cost = tracked.plan.cost ?? 1;
    const had = before?.state === 'tracked' ? before.owner : null;
    const has = tracked.state === 'tracked' ? tracked.owner : null;
    delivery.tracked = tracked;
    if (had !== has) {
      if (had !== null) {
        const person = this.#person(had);
        person.owned.delete(delivery);
        person.units = Math.max(0, person.units - cost);
        this.#count(had).open = person.owned.size;
      }
      if (has !== null) {
        const person = this.#person(has);
        person.owned.add(delivery);
        person.units += cost;
        const load = this.#count(has);
        load.open = person.owned.size;
        load.peak = Math.max(load.peak, person.units);
      }
    }
    const { revision, nextStepAt } = tracked;
    if (tracked.state === 'tracked' && nextStepAt !== null)
      this.#agenda.add({ at: nextStepAt, kind: 'step', delivery, revision });
    // An offer that nobody has yet is somebody's turn, too.
    if (tracked.state === 'tracked' && (before === null || (has !== null && has !== had))) this.#behave(delivery);
    if (had !== null && had !== has) this.#roomFor(had);
  }

  #behave(delivery: Delivery): void {
    delivery.turn += 1;
    const { facts, seq, turn } = delivery;
    const one = this.#options.behaviour?.(facts, seq, turn);
    if (one) this.#agenda.add({ at: this.#now + one.after, kind: one.does, delivery, turn });
  }

  #escalate(delivery: Delivery, trigger: Trigger): void {
    const before = delivery.tracked;
    if (before?.state !== 'tracked') return;
    const snapshot: Snapshot = { ...this.#known(before.plan), excluded: {}, holdUntil: null };
    const next = advance(before, trigger, snapshot);
    this.#tell(delivery, { kind: 'step', trigger, from: before.owner, next });
    if (next.move.kind === 'reassign') this.#assign(next.move.person, before.plan.group);
    this.#become(delivery, next.tracked);
  }

  #answer(person: PersonName, answer: Answer, mail: string | undefined): void {
    const owned = [...this.#person(person).owned].filter((one) => mail === undefined || one.mail === mail);
    const delivery = owned[0] ?? this.#offered(person, mail);
    if (!delivery) return;
    if (answer === 'pass') {
      if (delivery.tracked?.owner === person) this.#escalate(delivery, 'passed');
      return;
    }
    const grade = answer === 'read' ? grades.seen : answer === 'ack' ? grades.taken : grades.answered;
    this.#weigh(delivery, grade, person);
  }

  /** Something offered to several, that they may take. */
  #offered(person: PersonName, mail: string | undefined): Delivery | undefined {
    return [...this.#offers].find(
      (one) =>
        one.tracked?.state === 'tracked' &&
        one.tracked.owner === null &&
        (mail === undefined || one.mail === mail) &&
        allCandidates(one.plan).some((candidate) => candidate.person === person),
    );
  }

  readonly #offers = new Set<Delivery>();

  #weigh(delivery: Delivery, grade: (typeof grades)[keyof typeof grades], person: PersonName | null): void {
    if (!delivery.tracked) return;
    const result = acknowledge(delivery.tracked, { grade, trusted: true, person }, person ?? 'somebody', this.#now);
    if (result.kind !== 'closed' && result.kind !== 'owned') return;
    this.#become(delivery, result.tracked);
    if (result.kind === 'closed')
      this.#tell(delivery, { kind: 'closed', state: result.tracked.state, by: person ?? 'somebody' });
  }

  #changePresence(person: PersonName, presence: Presence): void {
    const before = this.#presence.get(person)?.state;
    this.#presence.set(person, presence);
    if (presence.state === 'unknown') return;
    this.#roomFor(person);
    if (presence.state !== 'offline' || before === 'offline') return;
    for (const delivery of [...this.#person(person).owned])
      if (delivery.tracked && wasChosen(delivery.tracked)) this.#escalate(delivery, 'owner offline');
  }

  /** Held mail that may go to them looks again. */
  #roomFor(person: PersonName): void {
    for (const [group, line] of this.#held)
      if ([...line].some((one) => allCandidates(one.plan).some((each) => each.person === person))) this.#wakeAll(group);
  }

  #wakeAll(group: GroupName): void {
    const line = [...(this.#held.get(group) ?? [])];
    const [first] = line;
    const kinds = new Set(line.map((one) => needsOf(one.plan)));
    for (const delivery of kinds.size > 1 ? line : first ? [first] : [])
      this.#agenda.add({ at: this.#now, kind: 'wake', delivery });
  }

  #wakeNext(group: GroupName): void {
    const [next] = this.#held.get(group) ?? [];
    if (next) this.#agenda.add({ at: this.#now, kind: 'wake', delivery: next });
  }

  #assign(person: PersonName, group: GroupName): void {
    this.#person(person).lastAt = this.#now;
    const turn = this.#turns.get(group);
    this.#turns.set(group, { last: person, run: turn?.last === person ? turn.run + 1 : 1 });
  }

  #person(name: PersonName) {
    let known = this.#people.get(name);
    if (!known) {
      known = { units: 0, lastAt: null, owned: new Set() };
      this.#people.set(name, known);
    }
    return known;
  }

  #count(name: PersonName): Load {
    let load = this.#loads.get(name);
    if (!load) {
      load = { given: 0, open: 0, peak: 0 };
      this.#loads.set(name, load);
    }
    return load;
  }

  #tell(delivery: Delivery, told: Outcome['told']): void {
    if (told.kind === 'chosen' && told.choice.kind !== 'hold' && told.choice.also) this.#offers.add(delivery);
    if (told.kind === 'closed') this.#offers.delete(delivery);
    const { mail, facts, seq, recipient, plan: rule } = delivery;
    this.#options.tell({ at: this.#now, mail, facts, seq, recipient, plan: rule, told });
  }
}

const peopleOf = ({ person, also = [] }: Exclude<Choice, { kind: 'hold' }>): PersonName[] => [
  ...(person === undefined ? [] : [person]),
  ...also.map((each) => each.person),
];

/** A step that names a person does not ask whether they are there; their being offline moves nothing. */
function wasChosen({ plan: rule, step, stepTaken }: Tracked): boolean {
  const { steps } = rule.policy;
  const last = stepTaken > 0 ? steps[step] : steps[step - 1];
  return last?.to.kind !== 'person' && last?.to.kind !== 'mailbox';
}
