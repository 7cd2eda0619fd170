// One random life of one message, lived with the real relay and store beside the model of escalation-model.ts, and
// compared after everything that happens.
import fc from 'fast-check';
import { type Duration, type Instant, minute, second } from '../../src/clock.ts';
import { nullReversePath } from '../../src/mail/path.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { RefusedError } from '../../src/operations.ts';
import type { Tracked } from '../../src/tracking/tracked.ts';
import { everybody, Model, members, modelRules, scenarios, type Who } from './escalation-model.ts';
import { postfixDsn } from './reports.ts';
import { Story } from './story.ts';

export type Happening =
  | { readonly kind: 'time'; readonly minutes: number }
  | { readonly kind: 'comes' | 'leaves' | 'ack' | 'pass' | 'reply' | 'forged' | 'give'; readonly who: Who }
  | { readonly kind: 'promise'; readonly who: Who; readonly minutes: number }
  | { readonly kind: 'snooze'; readonly minutes: number }
  | { readonly kind: 'bounce' | 'crash' | 'step' }
  /** An acknowledgement in the very instant at which the step is due. */
  | { readonly kind: 'race'; readonly who: Who };

export interface Life {
  readonly scenario: string;
  readonly happenings: readonly Happening[];
}

const who = fc.constantFrom(...everybody);
const upTo = (minutes: number) => fc.integer({ min: 1, max: minutes });
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('time' as const), minutes: upTo(25) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('comes', 'leaves', 'pass', 'forged'), who }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('ack', 'ack', 'reply', 'race', 'give'), who }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('promise' as const), who, minutes: upTo(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('snooze' as const), minutes: upTo(20) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('bounce', 'crash', 'step') }) },
);
export const lives: fc.Arbitrary<Life> = fc.record({
  scenario: fc.constantFrom(...scenarios.map(({ name }) => name)),
  happenings: fc.array(happening, { minLength: 1, maxLength: 14 }),
});

/** @throws where the relay and the model differ */
export async function live({ scenario: name, happenings }: Life): Promise<void> {
  const scenario = scenarios.find((each) => each.name === name);
  if (!scenario) throw new Error(`no scenario ${name}`);
  const story = await Story.begin(modelRules);
  try {
    for (const person of everybody) story.presence(person, 'available');
    const queueId = await story.mail(`${name}@example.org`);
    await story.hears('alice', /Answer: ack/);
    const life = new Living(story, queueId, new Model(scenario, story.clock.now()));
    for (const each of happenings) await life.happen(each);
    await life.runOut();
  } finally {
    await story.quiet(Infinity);
    story.ignoreErrors(/timer queue could not be read/);
    await story.end();
  }
}

class Living {
  readonly #story: Story;
  readonly #queueId: QueueId;
  /** More than one after a race whose outcome tells too little: what comes later tells which of them it was. */
  #models: readonly Model[];
  readonly #bounced = new Set<number>();
  #before = '';
  #races = 0;

  constructor(story: Story, queueId: QueueId, model: Model) {
    this.#story = story;
    this.#queueId = queueId;
    this.#models = [model];
  }

  /** They differ in nothing that can be seen. */
  get #model(): Model {
    return this.#models[0] as Model;
  }

  #all(change: (model: Model) => void): void {
    for (const model of this.#models) change(model);
  }

  async happen(each: Happening): Promise<void> {
    const model = this.#model;
    const story = this.#story;
    const now = story.clock.now();
    switch (each.kind) {
      case 'time':
        await this.#pass(each.minutes * minute);
        break;
      case 'comes':
        this.#all((one) => {
          one.here = new Set([...one.here, each.who]);
        });
        story.presence(each.who, 'available');
        break;
      case 'leaves':
        await this.#leave(each.who);
        break;
      case 'ack':
        this.#all((one) => one.ack(each.who, now));
        await this.#says(each.who, 'ack');
        break;
      case 'race':
        await this.#race(each.who);
        break;
      case 'pass':
        this.#all((one) => one.pass(each.who, now));
        await this.#says(each.who, 'pass');
        break;
      case 'reply':
        this.#all((one) => one.reply(each.who));
        await this.#reply(each.who, story.ours.copies);
        break;
      case 'forged':
        await this.#reply(each.who, 'ann@example.net');
        break;
      case 'promise':
        this.#all((one) => one.promise(each.who, each.minutes * minute, now));
        await this.#says(each.who, `${each.minutes}m`);
        break;
      case 'give':
        this.#all((one) => one.give(each.who, now));
        await unlessRefused(story.relay.reassign(this.#ref, each.who, 'root'));
        break;
      case 'snooze':
        this.#all((one) => one.snooze(each.minutes * minute, now));
        await unlessRefused(story.relay.snooze(this.#ref, each.minutes * minute, 'root'));
        break;
      case 'step':
        if (model.state === 'tracked') this.#all((one) => one.move(now, 'operator'));
        await unlessRefused(story.relay.takeStep(this.#ref, null, 'root'));
        break;
      case 'bounce':
        await this.#bounce();
        break;
      case 'crash':
        await story.quiet(Infinity);
        await story.crash();
        break;
      default:
        each satisfies never;
    }
    await this.#compare(JSON.stringify(each));
  }

  /** To the end: nothing that is open stays open for ever. */
  async runOut(): Promise<void> {
    for (let steps = 0; steps < 60 && this.#model.due !== null; steps += 1) await this.#pass(30 * minute);
    await this.#compare('the end');
    if (this.#model.state === 'tracked') throw new Error('the model never ends');
    const closings = this.#story.events.filter(({ event }) => event === 'closed').length;
    if (closings < 1 || closings > 2) throw new Error(`it was closed ${closings} times`);
  }

  get #ref() {
    return { queueId: this.#queueId, seq: 0 };
  }

  async #says(person: Who, words: string): Promise<void> {
    await this.#story.says(person, `${words} ${(await this.#stored()).shortId}`);
  }

  async #pass(time: Duration): Promise<void> {
    const { clock } = this.#story;
    const until = clock.now() + time;
    while (this.#model.due !== null && this.#model.due <= until) {
      await this.#to(this.#model.due);
      this.#all((one) => one.move(clock.now(), 'time'));
      await this.#compare('a step that is due');
    }
    await this.#to(until);
  }

  async #to(at: Instant): Promise<void> {
    await this.#story.clock.advance(at - this.#story.clock.now());
    await this.#story.quiet(Infinity);
  }

  async #leave(person: Who): Promise<void> {
    const { clock } = this.#story;
    if (!this.#model.here.has(person)) return;
    // Leaving counts when it has lasted; what is due meanwhile comes first.
    if (this.#model.due !== null && this.#model.due <= clock.now() + 3 * second) await this.#pass(3 * second);
    this.#all((one) => {
      one.here = new Set([...one.here].filter((each) => each !== person));
    });
    this.#story.presence(person, 'offline');
    await this.#to(clock.now() + 2 * second);
    if (this.#model.goesWith(person)) this.#all((one) => one.move(clock.now(), 'left'));
  }

  /** Whoever is first: what follows is as if one had come after the other. */
  async #race(person: Who): Promise<void> {
    const { clock, says } = { clock: this.#story.clock, says: `ack ${(await this.#stored()).shortId}` };
    const { due } = this.#model;
    if (due === null) {
      this.#all((one) => one.ack(person, clock.now()));
      await this.#story.says(person, says);
      return;
    }
    await this.#to(due - 1);
    this.#races += 1;
    await Promise.all([clock.advance(1), this.#story.says(person, says)]);
    await this.#story.quiet(Infinity);
    const step = (model: Model): void => {
      if (model.due !== null && model.due <= due) model.move(due, 'time');
    };
    // Judged by what it was when it was said, or by what it has become.
    const orders: readonly (readonly ((model: Model, theirs: boolean) => void)[])[] = [
      [(model) => model.ack(person, due - 1), step],
      [(model) => model.ack(person, due), step],
      [step, (model) => model.ack(person, due)],
      [step, (model, theirs) => model.ack(person, due, theirs)],
    ];
    this.#models = this.#models.flatMap((before) =>
      orders.map((order) => {
        const model = before.clone();
        for (const each of order) each(model, before.mayAct(person));
        return model;
      }),
    );
  }

  async #bounce(): Promise<void> {
    const model = this.#model;
    const stored = await this.#story.store.message(this.#queueId);
    const theirs = stored?.deliveries.filter(({ chosen }) => model.owner !== null && chosen?.person === model.owner);
    const delivery = theirs?.at(-1);
    if (delivery?.state !== 'delivered' || this.#bounced.has(delivery.seq)) return;
    this.#bounced.add(delivery.seq);
    if (model.state === 'tracked') this.#all((one) => one.move(this.#story.clock.now(), 'refused'));
    const report = postfixDsn({ recipient: `${delivery.chosen?.mailbox}`, action: 'failed', status: '5.1.1' });
    await this.#story.mail(this.#story.ours.reportsOn(delivery), { from: nullReversePath, content: report });
  }

  async #reply(person: Who, to: string): Promise<void> {
    const messageId = (await this.#stored()).messageId;
    await this.#story.mail(to, { from: `${person}@example.org`, headers: `In-Reply-To: ${messageId}\r\n` });
  }

  async #stored(): Promise<Tracked> {
    const tracked = await this.#story.store.tracked(this.#ref);
    if (!tracked) throw new Error('it is not tracked any more');
    return tracked;
  }

  async #seen() {
    const { state, owner, nextStepAt, step, stepTaken, tried, takenBy, pledge } = await this.#stored();
    const moves = this.#story.events.filter(({ event }) => event === 'escalated').length;
    const stored = await this.#story.store.message(this.#queueId);
    const forwards = (stored?.deliveries ?? []).filter(({ forwardOf }) => forwardOf !== null);
    return {
      ...{ state, owner, nextStepAt, step, stepTaken, moves },
      tried: Object.keys(tried)
        .filter((each) => each !== owner)
        .toSorted(),
      takenBy: [...(takenBy ?? [])].toSorted(),
      pledge: pledge?.kind ?? null,
      forwards: forwards.length,
      ended: forwards.every((each) => each.state === 'delivered' || each.state === 'dropped'),
    };
  }

  async #compare(after: string): Promise<void> {
    await this.#story.quiet(Infinity);
    const story = JSON.stringify(await this.#seen());
    const fitting = this.#models.filter((model) => JSON.stringify(expected(model)) === story);
    // A forward is not sent only when somebody took the mail in the very instant in which it was given to others.
    const dropped = this.#story.events.filter((event) => event.event === 'operated' && /dropped/.test(event.action));
    if (dropped.length > members.length * this.#races) throw new Error(`after ${after}: a forward was dropped`);
    if (fitting.length === 0) {
      const wanted = this.#models.map((model) => JSON.stringify(expected(model))).join('\nor\n');
      throw new Error(`after ${after}:\n${story}, and it should be\n${wanted}\nfrom\n${this.#before}`);
    }
    this.#models = fitting;
    this.#before = story;
  }
}

function expected({ state, owner, due, step, taken, moves, tried, takenBy, pledge, forwards }: Model) {
  return {
    ...{ state, owner, nextStepAt: due, step, stepTaken: taken, moves },
    tried: [...tried.keys()].filter((each) => each !== owner).toSorted(),
    takenBy: [...takenBy].toSorted(),
    pledge: pledge?.kind ?? null,
    forwards,
    ended: true,
  };
}

async function unlessRefused(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
  }
}
