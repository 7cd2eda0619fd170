// A reference model of one message's escalation, written from what is promised and not from how it is done, and a runner
// that lives the same random life with the real relay and store, comparing after every event.
//
// The policy: next (twice, after 10 minutes each), the duty room after 5, carol after 10, then the end after 10 more.
import fc from 'fast-check';
import { type Duration, type Instant, minute, second } from '../../src/clock.ts';
import { nullReversePath } from '../../src/mail/path.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { takePromise } from '../../src/relay/promising.ts';
import type { Tracked } from '../../src/tracking/tracked.ts';
import { postfixDsn } from './reports.ts';
import { Story } from './story.ts';

export const modelRules = `
people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@example.org }
  carol: { mail: carol@example.org, operator: true }
  dave: { mail: dave@example.org }
groups:
  support:
    address: support@example.org
    members: [alice, bob, dave]
    strategy: in-order
    fallback: { mailbox: archive@example.org }
    policy: model
policies:
  model:
    until: taken
    ask: [dsn]
    maxForwards: 100
    steps:
      - { name: next, after: 10m, to: next, times: 2 }
      - { name: room, after: 5m, to: { room: duty@rooms.example.org } }
      - { name: boss, after: 10m, to: { person: carol } }
`;

const members = ['alice', 'bob', 'dave'] as const;
const everybody = [...members, 'carol'] as const;
type Who = (typeof everybody)[number];

export type Happening =
  | { readonly kind: 'time'; readonly minutes: number }
  | { readonly kind: 'comes' | 'leaves' | 'ack' | 'pass' | 'reply' | 'forged'; readonly who: Who }
  | { readonly kind: 'promise'; readonly who: Who; readonly minutes: number }
  | { readonly kind: 'bounce' }
  | { readonly kind: 'crash' }
  /** An acknowledgement in the very instant at which the step is due. */
  | { readonly kind: 'race'; readonly who: Who };

const who = fc.constantFrom(...everybody);
export const lives: fc.Arbitrary<Happening[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('time' as const), minutes: fc.integer({ min: 1, max: 12 }) }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('comes', 'leaves', 'pass', 'forged'), who }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('ack', 'reply', 'race'), who }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('promise' as const), who, minutes: fc.integer({ min: 1, max: 20 }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('bounce', 'crash') }) },
  ),
  { minLength: 1, maxLength: 14 },
);

const delays: readonly Duration[] = [10 * minute, 10 * minute, 5 * minute, 10 * minute];

class Model {
  state: 'tracked' | 'acknowledged' | 'answered' | 'expired' = 'tracked';
  owner: Who | null = 'alice';
  due: Instant | null;
  /** How many of the four moves are behind us. */
  position = 0;
  moves = 0;
  readonly here = new Set<Who>(members);
  tried = new Set<Who>();

  constructor(now: Instant) {
    this.due = now + 10 * minute;
  }

  #next(): Who | undefined {
    return members.find((each) => this.here.has(each) && !this.tried.has(each));
  }

  #own(person: Who): void {
    this.owner = person;
    this.tried.delete(person);
  }

  /** @param gone the owner is out of it: passed, left, bounced, broke a promise */
  move(now: Instant, gone: boolean): void {
    this.moves += 1;
    const before = this.owner;
    const triedBefore = new Set(this.tried);
    if (before) this.tried.add(before);
    const next = this.#next();
    if (gone && next) {
      this.#own(next);
      this.due = now + (delays[this.position] ?? 10 * minute);
      return;
    }
    if (this.position < 2) {
      if (next) {
        this.#own(next);
        this.#goOn(now, this.position + 1);
        return;
      }
      this.position = 2;
    }
    if (this.position === 2) {
      if (gone) this.owner = null;
      else this.tried = triedBefore;
      this.#goOn(now, 3);
      return;
    }
    if (this.position === 3 && !this.tried.has('carol')) {
      this.#own('carol');
      this.#goOn(now, 4);
      return;
    }
    if (gone) this.owner = null;
    else this.tried = triedBefore;
    this.moves -= 1;
    this.position = 4;
    this.state = 'expired';
    this.due = null;
  }

  #goOn(now: Instant, position: number): void {
    this.position = position;
    this.due = now + (delays[position] ?? 10 * minute);
  }

  close(state: 'acknowledged' | 'answered', person: Who): void {
    if (this.state !== 'tracked' && this.state !== 'expired') return;
    this.state = state;
    this.owner = person;
    this.due = null;
  }
}

/** One life; throws where the relay and the model differ. */
export async function live(happenings: readonly Happening[]): Promise<void> {
  const story = await Story.begin(modelRules);
  try {
    for (const person of members) story.presence(person, 'available');
    const queueId = await story.mail('support@example.org');
    await story.hears('alice', /Answer: ack/);
    const life = new Life(story, queueId, new Model(story.clock.now()));
    for (const each of happenings) await life.happen(each);
    await life.runOut();
  } finally {
    await story.quiet();
    story.logged.splice(
      0,
      story.logged.length,
      ...story.logged.filter((line) => !/timer queue could not/.test(line.message)),
    );
    await story.end();
  }
}

class Life {
  readonly #story: Story;
  readonly #queueId: QueueId;
  readonly #model: Model;
  readonly #bounced = new Set<number>();
  #promised = false;

  constructor(story: Story, queueId: QueueId, model: Model) {
    this.#story = story;
    this.#queueId = queueId;
    this.#model = model;
  }

  async happen(each: Happening): Promise<void> {
    const model = this.#model;
    const story = this.#story;
    switch (each.kind) {
      case 'time':
        await this.#pass(each.minutes * minute);
        break;
      case 'comes':
        model.here.add(each.who);
        story.presence(each.who, 'available');
        break;
      case 'leaves':
        await this.#leave(each.who);
        break;
      case 'ack':
        if (!this.#isPromisedBeside(each.who)) model.close('acknowledged', each.who);
        await story.says(each.who, `ack ${(await this.#stored()).shortId}`);
        break;
      case 'race':
        await this.#race(each.who);
        break;
      case 'pass':
        if (model.state === 'tracked' && model.owner === each.who) {
          this.#promised = false;
          model.move(story.clock.now(), true);
        } else if (model.state === 'tracked') model.tried.add(each.who);
        await story.says(each.who, `pass ${(await this.#stored()).shortId}`);
        break;
      case 'reply':
        model.close('answered', each.who);
        await this.#reply(each.who, story.ours.copies);
        break;
      case 'forged':
        await this.#reply(each.who, 'ann@example.net');
        break;
      case 'promise':
        await this.#promise(each.who, each.minutes * minute);
        break;
      case 'bounce':
        await this.#bounce();
        break;
      case 'crash':
        await story.quiet();
        await story.crash();
        break;
      default:
        each satisfies never;
    }
    await this.#compare(JSON.stringify(each));
  }

  /** To the end: nothing that is open stays open for ever. */
  async runOut(): Promise<void> {
    for (let steps = 0; steps < 12 && this.#model.due !== null; steps += 1) await this.#pass(30 * minute);
    await this.#compare('the end');
    if (this.#model.state === 'tracked') throw new Error('the model never ends');
    const closings = this.#story.events.filter(({ event }) => event === 'closed').length;
    if (closings < 1 || closings > 2) throw new Error(`it was closed ${closings} times`);
  }

  async #pass(time: Duration): Promise<void> {
    const { clock } = this.#story;
    const until = clock.now() + time;
    while (this.#model.due !== null && this.#model.due <= until) {
      await this.#to(this.#model.due);
      this.#model.move(clock.now(), this.#promised);
      this.#promised = false;
      await this.#compare('a step that is due');
    }
    await this.#to(until);
  }

  async #to(at: Instant): Promise<void> {
    await this.#story.clock.advance(at - this.#story.clock.now());
    await this.#story.quiet();
  }

  async #leave(person: Who): Promise<void> {
    const model = this.#model;
    const { clock } = this.#story;
    if (!model.here.has(person)) return;
    // Leaving counts when it has lasted; what is due meanwhile comes first.
    if (model.due !== null && model.due <= clock.now() + 3 * second) await this.#pass(3 * second);
    model.here.delete(person);
    this.#story.presence(person, 'offline');
    await this.#to(clock.now() + 2 * second);
    if (model.state === 'tracked' && model.owner === person && model.position < 4) {
      this.#promised = false;
      model.move(clock.now(), true);
    }
  }

  /** Somebody else has given their word: whoever wants it now is told who has it. */
  #isPromisedBeside(person: Who): boolean {
    return this.#promised && this.#model.state === 'tracked' && this.#model.owner !== person;
  }

  async #race(person: Who): Promise<void> {
    const beside = this.#isPromisedBeside(person);
    const { clock } = this.#story;
    const { shortId } = await this.#stored();
    if (this.#model.due !== null) {
      const due = this.#model.due;
      await Promise.all([clock.advance(due - clock.now()), this.#story.says(person, `ack ${shortId}`)]);
      await this.#story.quiet();
      // Whoever was first: taken it is in the end, by them. A step that came first is counted.
      const escalated = this.#story.events.filter(({ event }) => event === 'escalated').length;
      if (escalated > this.#model.moves || (await this.#stored()).step > 3)
        this.#model.move(clock.now(), this.#promised);
      this.#promised = false;
    } else await this.#story.says(person, `ack ${shortId}`);
    // Heard before the promise ran out it is refused; after it, it counts.
    if (!beside || (await this.#stored()).state === 'acknowledged') this.#model.close('acknowledged', person);
  }

  async #promise(person: Who, lasts: Duration): Promise<void> {
    const { store, clock, relay } = this.#story;
    const model = this.#model;
    if (model.state === 'tracked') {
      if (model.owner !== person) model.owner = person;
      model.tried.delete(person);
      model.due = clock.now() + lasts;
      this.#promised = true;
    }
    const tell = (event: Story['events'][number]) => void this.#story.events.push(event);
    const stage = { store, clock, ledger: { moved: () => undefined }, tell, wake: () => relay.wake() };
    await takePromise(
      stage as never,
      { queueId: this.#queueId, seq: 0 },
      { person, lasts, source: 'im promise', reference: null },
    );
  }

  async #bounce(): Promise<void> {
    const model = this.#model;
    const story = await this.#story.store.message(this.#queueId);
    const delivery = story?.deliveries.findLast(
      ({ state, chosen, seq }) => state === 'delivered' && chosen?.person === model.owner && !this.#bounced.has(seq),
    );
    if (!delivery || model.owner === null) return;
    this.#bounced.add(delivery.seq);
    if (model.state === 'tracked') {
      this.#promised = false;
      model.move(this.#story.clock.now(), true);
    }
    const report = postfixDsn({ recipient: `${delivery.chosen?.mailbox}`, action: 'failed', status: '5.1.1' });
    await this.#story.mail(this.#story.ours.reportsOn(delivery), { from: nullReversePath, content: report });
  }

  async #reply(person: Who, to: string): Promise<void> {
    const messageId = (await this.#stored()).messageId;
    await this.#story.mail(to, { from: `${person}@example.org`, headers: `In-Reply-To: ${messageId}\r\n` });
  }

  async #stored(): Promise<Tracked> {
    const tracked = await this.#story.store.tracked({ queueId: this.#queueId, seq: 0 });
    if (!tracked) throw new Error('it is not tracked any more');
    return tracked;
  }

  async #compare(after: string): Promise<void> {
    await this.#story.quiet();
    const { state, owner, nextStepAt, step, stepTaken } = await this.#stored();
    const position = step === 0 ? stepTaken : step + 1;
    const moves = this.#story.events.filter(({ event }) => event === 'escalated').length;
    const { model, story } = { model: this.#model, story: { state, owner, nextStepAt, position, moves } };
    const expected = {
      state: model.state,
      owner: model.owner,
      nextStepAt: model.due,
      position: model.position,
      moves: model.moves,
    };
    if (JSON.stringify(story) !== JSON.stringify(expected))
      throw new Error(`after ${after}: ${JSON.stringify(story)}, and it should be ${JSON.stringify(expected)}`);
  }
}
