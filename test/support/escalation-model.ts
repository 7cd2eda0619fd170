// A reference model of one message's escalation, written from what is promised and not from how it is done. It knows
// policies of every kind of step, repetition, hours, several takers, and acknowledgements that end; escalation-life.ts
// lives the same random life with the real relay and store, comparing after every event.
import { type Duration, hour, type Instant, minute } from '../../src/clock.ts';

export const members = ['alice', 'bob', 'dave'] as const;
const seconds = ['erin', 'frank'] as const;
export const everybody = [...members, ...seconds, 'carol'] as const;
export type Who = (typeof everybody)[number];

type Target = 'next' | 'everyone' | 'second' | 'owner' | 'room' | 'carol';
interface Step {
  readonly to: Target;
  readonly after: Duration;
  readonly times?: number;
}

export interface Scenario {
  readonly name: string;
  readonly until: 'taken' | 'answered';
  readonly steps: readonly Step[];
  readonly repeat?: number;
  readonly repeatFrom?: number;
  readonly takers?: number;
  readonly ack?: { readonly lasts: Duration; readonly grace: Duration };
  /** Only while the shift is on. */
  readonly hours?: true;
}

const next: Step = { to: 'next', after: 10 * minute, times: 2 };
const room: Step = { to: 'room', after: 5 * minute };
const boss: Step = { to: 'carol', after: 10 * minute };

export const scenarios: readonly Scenario[] = [
  { name: 'plain', until: 'taken', steps: [next, room, boss] },
  {
    name: 'wide',
    until: 'taken',
    steps: [{ ...next, times: 1 }, { to: 'everyone', after: 10 * minute }, { to: 'second', after: 10 * minute }, room],
    repeat: 1,
    repeatFrom: 1,
  },
  {
    name: 'again',
    until: 'taken',
    steps: [next, { to: 'owner', after: 5 * minute }, room, { ...next, times: 1 }, boss],
    repeat: 2,
    repeatFrom: 2,
  },
  { name: 'two', until: 'taken', takers: 2, steps: [next, { to: 'owner', after: 5 * minute }, boss] },
  { name: 'hours', until: 'taken', hours: true, steps: [next, room, boss] },
  {
    name: 'lasting',
    until: 'taken',
    ack: { lasts: 15 * minute, grace: 5 * minute },
    steps: [next, room, { to: 'second', after: 5 * minute }],
    repeat: 1,
  },
  { name: 'answer', until: 'answered', steps: [{ ...next, times: 1 }, { to: 'owner', after: 5 * minute }, boss] },
];

const targetText: Record<Target, string> = {
  next: 'next',
  everyone: 'everyone',
  second: '{ group: second }',
  owner: 'owner',
  room: '{ room: duty@rooms.example.org }',
  carol: '{ person: carol }',
};

/** Of the shift, in hours of the day. */
const shift: readonly (readonly [number, number])[] = [
  [9, 10],
  [11, 12],
  [13, 24],
];

export const modelRules = `
people:
${everybody.map((who) => `  ${who}: { mail: ${who}@example.org${who === 'carol' ? ', operator: true' : ''} }`).join('\n')}
groups:
  second: { address: second@example.org, members: [${seconds.join(', ')}], strategy: in-order, policy: none }
${scenarios
  .map(
    ({ name }) => `  ${name}:
    address: ${name}@example.org
    members: [${members.join(', ')}]
    strategy: in-order
    fallback: { mailbox: archive@example.org }
    policy: ${name}`,
  )
  .join('\n')}
schedules:
  shift:
    zone: UTC
    open:
${shift.map(([from, to]) => `      - { days: mon-sun, from: '${String(from).padStart(2, '0')}:00', to: '${to}:00' }`).join('\n')}
policies:
${scenarios
  .map(
    ({ name, until, steps, repeat, repeatFrom, takers, ack, hours }) => `  ${name}:
    until: ${until}
    ask: [dsn]
    maxForwards: 1000
${hours ? '    hours: shift\n' : ''}${takers ? `    takers: ${takers}\n` : ''}${ack ? `    ack: { lasts: ${ack.lasts / minute}m, grace: ${ack.grace / minute}m }\n` : ''}${repeat ? `    repeat: ${repeat}\n` : ''}${repeatFrom ? `    repeatFrom: step${repeatFrom}\n` : ''}    steps:
${steps.map(({ to, after, times }, index) => `      - { name: step${index}, after: ${after / minute}m, to: ${targetText[to]}, times: ${times ?? 1} }`).join('\n')}`,
  )
  .join('\n')}
`;

function isOpen(at: Instant): boolean {
  const time = (at % (24 * hour)) / hour;
  return shift.some(([from, to]) => from <= time && time < to);
}

/** The shift begins and ends at full hours. */
const nextFullHour = (at: Instant): Instant => (Math.floor(at / hour) + 1) * hour;

function opens(at: Instant): Instant {
  let when = at;
  while (!isOpen(when)) when = nextFullHour(when);
  return when;
}

/** So much of the shift, from now on; at its end the shift is on. */
function afterShift(from: Instant, lasts: Duration): Instant {
  let at = opens(from);
  let left = lasts;
  while (at + left >= nextFullHour(at)) {
    left -= nextFullHour(at) - at;
    at = opens(nextFullHour(at));
  }
  return at + left;
}

/** Why it is with somebody no longer. Who has said no, or whose mailbox has, is not asked when the steps begin again. */
type Cause = 'time' | 'operator' | 'passed' | 'refused' | 'left' | 'pledge';
type Why = 'no' | 'had it';

export class Model {
  readonly scenario: Scenario;
  state: 'tracked' | 'acknowledged' | 'answered' | 'expired' = 'tracked';
  owner: Who | null = 'alice';
  due: Instant | null;
  /** How many of the steps are behind us, counting each time that one is taken. */
  step = 0;
  taken = 0;
  /** How often it went on, and to how many it was forwarded by that. */
  moves = 0;
  forwards = 0;
  here: ReadonlySet<Who> = new Set(everybody);
  tried: ReadonlyMap<Who, Why> = new Map();
  pledge: { readonly kind: 'promise' | 'ack'; readonly reminded: boolean } | null = null;
  takenBy: ReadonlySet<Who> = new Set();
  #ownedSince: Instant;
  #saidSo: ReadonlyMap<Who, Instant> = new Map();

  constructor(scenario: Scenario, now: Instant) {
    this.scenario = scenario;
    this.#ownedSince = now;
    this.due = this.#after(0, now);
  }

  clone(): Model {
    const copy = new Model(this.scenario, 0);
    Object.assign(copy, this);
    copy.#ownedSince = this.#ownedSince;
    copy.#saidSo = this.#saidSo;
    return copy;
  }

  /** The steps as one list. */
  #steps(): Step[] {
    const { steps, repeat = 0, repeatFrom = 0 } = this.scenario;
    return [...steps, ...Array.from({ length: repeat }, () => steps.slice(repeatFrom)).flat()];
  }

  #after(step: number, now: Instant): Instant {
    const list = this.#steps();
    const { after } = list[step] ?? (this.scenario.steps.at(-1) as Step);
    return this.scenario.hours ? afterShift(now, after) : now + after;
  }

  #first(of: readonly Who[], tried: ReadonlyMap<Who, Why>): Who | undefined {
    return of.find((each) => this.here.has(each) && !tried.has(each));
  }

  #own(person: Who, now: Instant): void {
    if (this.owner !== person) this.#ownedSince = now;
    this.owner = person;
  }

  /** What is due; or what somebody has done to the one who has it. */
  move(now: Instant, cause: Cause): void {
    if (this.state !== 'tracked') throw new Error('it is over');
    if (cause === 'time' && this.pledge?.kind === 'ack' && !this.pledge.reminded && this.owner !== null) {
      this.pledge = { ...this.pledge, reminded: true };
      this.due = now + (this.scenario.ack?.grace ?? 0);
      this.moves += 1;
      return;
    }
    const gone = (cause !== 'time' && cause !== 'operator') || (cause === 'time' && this.pledge !== null);
    this.pledge = null;
    this.moves += 1;
    const before = this.owner;
    const had = new Map(this.tried);
    const not = new Map(had);
    if (before !== null) not.set(before, cause === 'passed' || cause === 'refused' ? 'no' : 'had it');
    const other = gone ? this.#first(members, not) : undefined;
    if (other) {
      this.#give(other, not, now);
      this.due = this.#after(this.step, now);
      return;
    }
    this.#takeSteps(now, cause, gone, had, not);
  }

  #give(to: Who, not: ReadonlyMap<Who, Why>, now: Instant): void {
    const rest = new Map(not);
    rest.delete(to);
    this.tried = rest;
    // It is theirs anew, also when it was before.
    this.owner = null;
    this.#own(to, now);
    this.forwards += 1;
  }

  #takeSteps(now: Instant, cause: Cause, gone: boolean, had: Map<Who, Why>, not: Map<Who, Why>): void {
    const list = this.#steps();
    const { steps, repeatFrom = 0, hours } = this.scenario;
    let skipped = 0;
    // Whoever has it keeps it while nobody else does and they have not left it.
    const keep = (): void => {
      this.tried = gone ? not : had;
      if (gone) this.owner = null;
    };
    for (let index = this.step, taken = this.taken; index < list.length; index += 1, taken = 0) {
      const step = list[index] as Step;
      const anew = index >= steps.length && (index - steps.length) % (steps.length - repeatFrom) === 0;
      if (anew && taken === 0) {
        for (const who of [...had.keys()]) if (had.get(who) !== 'no') had.delete(who);
        for (const who of [...not.keys()]) if (not.get(who) !== 'no' && who !== this.owner) not.delete(who);
      }
      if (hours && cause !== 'operator' && !isOpen(now)) {
        keep();
        [this.step, this.taken, this.due] = [index, taken, opens(now)];
        if (!gone && skipped === 0) this.moves -= 1;
        return;
      }
      const person =
        step.to === 'next'
          ? this.#first(members, not)
          : step.to === 'second'
            ? this.#first(seconds, not)
            : step.to === 'carol' && !not.has('carol')
              ? 'carol'
              : undefined;
      const asked = step.to === 'everyone' ? members.filter((each) => this.here.has(each) && !not.has(each)) : [];
      const reminds = step.to === 'owner' && this.owner !== null && !gone;
      if (person === undefined && asked.length === 0 && !reminds && step.to !== 'room') {
        skipped += 1;
        continue;
      }
      if (person !== undefined) this.#give(person, not, now);
      else {
        keep();
        this.tried = new Map([...this.tried, ...asked.map((each) => [each, 'had it'] as const)]);
        this.forwards += asked.length;
      }
      const more = taken + 1 < (step.times ?? 1);
      [this.step, this.taken] = more ? [index, taken + 1] : [index + 1, 0];
      this.due = this.#after(this.step, now);
      return;
    }
    keep();
    this.moves -= 1;
    [this.state, this.step, this.taken, this.due] = ['expired', list.length, 0, null];
  }

  // What people do. Each answers nothing: what does not count changes nothing.

  mayAct(who: Who): boolean {
    const asked = this.scenario.steps.some(({ to }) => to === 'second');
    const candidates: readonly Who[] = asked ? [...members, ...seconds] : members;
    return who === 'carol' || this.owner === who || candidates.includes(who);
  }

  #wantsMore(who: Who): boolean {
    const { takers = 1 } = this.scenario;
    return takers > 1 && this.takenBy.size < takers && !this.takenBy.has(who);
  }

  #hasSaidSo(): boolean {
    return this.owner !== null && (this.#saidSo.get(this.owner) ?? -1) >= this.#ownedSince;
  }

  #says(who: Who, now: Instant): void {
    this.#saidSo = new Map([...this.#saidSo, [who, now]]);
  }

  #pledge(who: Who, kind: 'promise' | 'ack', until: Instant, now: Instant): void {
    const tried = new Map(this.tried);
    tried.delete(who);
    this.tried = tried;
    this.#own(who, now);
    this.pledge = { kind, reminded: false };
    this.due = until;
  }

  #close(state: 'acknowledged' | 'answered', who: Who): void {
    [this.state, this.owner, this.due, this.pledge] = [state, who, null, null];
  }

  /** `allowed`: whose it was when they said so may take it, though it has moved on since. */
  ack(who: Who, now: Instant, allowed = this.mayAct(who)): void {
    const { until, ack, takers = 1 } = this.scenario;
    if (!allowed || (this.state !== 'tracked' && this.state !== 'expired')) return;
    if (this.state === 'tracked' && !this.#wantsMore(who) && this.#hasSaidSo()) {
      if (this.owner !== who || until === 'answered') return;
    }
    if (until === 'answered' && this.state === 'expired') return;
    this.#says(who, now);
    if (until === 'answered') {
      this.#take(who, now);
    } else if (ack && this.state === 'tracked') {
      this.#pledge(who, 'ack', now + ack.lasts, now);
    } else {
      if (takers > 1) this.takenBy = new Set([...this.takenBy, who]);
      if (takers > 1 && this.takenBy.size < takers && this.state === 'tracked') this.#take(who, now);
      else this.#close('acknowledged', who);
    }
  }

  /** Theirs, and its clock begins anew. */
  #take(who: Who, now: Instant): void {
    this.#own(who, now);
    this.pledge = null;
    this.due = this.#after(this.step, now);
  }

  promise(who: Who, lasts: Duration, now: Instant): void {
    if (!this.mayAct(who) || this.state !== 'tracked') return;
    if (this.owner !== who && !this.#wantsMore(who) && this.#hasSaidSo()) return;
    this.#says(who, now);
    this.#pledge(who, 'promise', now + lasts, now);
  }

  pass(who: Who, now: Instant): void {
    if (!this.mayAct(who) || this.state !== 'tracked') return;
    if (this.owner === who) this.move(now, 'passed');
    else this.tried = new Map([...this.tried, [who, 'no']]);
  }

  reply(who: Who): void {
    if (this.mayAct(who) && (this.state === 'tracked' || this.state === 'expired')) this.#close('answered', who);
  }

  /** By an operator. */
  give(to: Who, now: Instant): void {
    if (this.state !== 'tracked' || this.owner === to) return;
    const not = new Map(this.tried);
    not.delete(to);
    if (this.owner !== null) not.set(this.owner, 'had it');
    this.#give(to, not, now);
    this.moves += 1;
    this.pledge = null;
    this.due = this.#after(this.step, now);
  }

  snooze(lasts: Duration, now: Instant): void {
    if (this.state !== 'tracked' || this.owner === null) return;
    this.#says(this.owner, now);
    this.#pledge(this.owner, 'promise', now + lasts, now);
  }

  /** Whether their leaving moves it: not from one whom a step names, nor what somebody has acknowledged. */
  goesWith(who: Who): boolean {
    const list = this.#steps();
    const last = this.taken > 0 ? list[this.step] : list[this.step - 1];
    return this.state === 'tracked' && this.owner === who && this.pledge?.kind !== 'ack' && last?.to !== 'carol';
  }
}
