import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Planned } from '../../../src/intake.ts';
import type { Envelope } from '../../../src/mail/envelope.ts';
import type { MailFacts } from '../../../src/mail/facts.ts';
import { expectMailbox, nullReversePath } from '../../../src/mail/path.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { ToldHeader } from '../../../src/mail/told-header.ts';
import { neverSeen, type Presence } from '../../../src/presence/presence.ts';
import { Shelf } from '../../../src/relay/shelf.ts';
import { packing, type Unwritten } from '../../../src/relay/unwritten.ts';
import type { PersonSnapshot, Snapshot } from '../../../src/routing/choose.ts';
import type { GroupPlan } from '../../../src/routing/plan.ts';

const there: Presence = { state: 'available', since: 1, asOf: 2 };
const plan = { kind: 'group', group: 'team', candidates: [] } as unknown as GroupPlan;
const pass = { kind: 'pass' } as unknown as Planned['plans'][number];
const mailboxes = ['ann@example.org', 'jörg@bücher.example'].map(expectMailbox);
const queueId = fc.stringMatching(/^[0-9A-HJKMNP-TV-Z]{13}$/).map((text) => text as QueueId);
const moment = fc.integer({ min: 0, max: 2e12 });
const text = fc.string({ unit: 'grapheme', maxLength: 90 });
/** With the prototype that objects of ours have. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record<T>(model, { noNullPrototype: true });
/** Mostly not there. */
const maybe = <T>(key: string, value: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 8, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: value.map((each) => ({ [key]: each })) });

const client: fc.Arbitrary<Planned['client']> = fc
  .tuple(
    record({
      address: fc.ipV6(),
      port: fc.nat({ max: 65_535 }),
      helo: text,
      tls: fc.boolean(),
      carriesMembers: fc.boolean(),
    }),
    maybe('plain', fc.boolean()),
    maybe('forwardedFor', text),
  )
  .map(([common, ...others]) => Object.assign({}, common, ...others));

const forwardPath = fc
  .tuple(
    fc.constantFrom(...mailboxes).map((mailbox) => ({ mailbox })),
    maybe('notify', fc.constantFrom(['never'], ['success', 'delay'])),
    maybe('orcpt', text),
  )
  .map(([path, ...others]): Envelope['forwardPaths'][number] => Object.assign({}, path, ...others));

const envelope: fc.Arbitrary<Envelope> = fc
  .tuple(
    record({
      reversePath: fc.constantFrom(nullReversePath, ...mailboxes),
      forwardPaths: fc.array(forwardPath, { maxLength: 4 }),
      body: fc.constantFrom('7BIT', '8BITMIME'),
      smtputf8: fc.boolean(),
    }),
    maybe('ret', fc.constantFrom('FULL', 'HDRS')),
    maybe('envid', text),
  )
  .map(([common, ...others]) => Object.assign({}, common, ...others));

const person: fc.Arbitrary<PersonSnapshot> = fc
  .tuple(
    record({
      presence: fc.constantFrom(there, neverSeen),
      open: fc.nat(),
      lastAssignedAt: fc.option(moment, { nil: null }),
    }),
    maybe('units', fc.nat()),
  )
  .map(([common, other]) => Object.assign({}, common, other));

const names = fc.constantFrom('ann', 'ben', 'jörg', 'toString');
const snapshot: fc.Arbitrary<Snapshot> = fc
  .tuple(
    record({
      now: moment,
      people: fc.oneof(
        fc.dictionary(names, person, { noNullPrototype: true }),
        fc.constant(
          Object.fromEntries(
            Array.from({ length: 60 }, (_, at) => [`p${at}`, { presence: there, open: at, lastAssignedAt: null }]),
          ),
        ),
      ),
      lastInGroup: fc.option(names, { nil: null }),
      excluded: fc.oneof(fc.constant({}), fc.constant({ ann: 'has said away' })),
      holdUntil: fc.option(moment, { nil: null }),
    }),
    maybe('runInGroup', fc.nat()),
    maybe('acceptedAt', moment),
    maybe('held', fc.boolean()),
    maybe('behind', fc.nat()),
    maybe('lastHandler', names),
    maybe('others', fc.constant({ night: { last: 'ben', run: 2 } })),
    maybe('standIns', fc.constant({ ann: [] })),
    maybe('proposal', fc.constant({ asked: [], until: 5 })),
  )
  .map(([common, ...others]) => Object.assign({}, common, ...others));

const header = fc
  .tuple(
    fc.array(fc.tuple(fc.stringMatching(/^[A-Za-z-]{1,20}$/), fc.string({ unit: 'binary', maxLength: 300 })), {
      maxLength: 9,
    }),
    fc.boolean(),
    fc.boolean(),
  )
  .map(([fields, leadingSpace, apart]) => {
    const told = new ToldHeader(leadingSpace);
    const octets = fields.map(([name, value]) => Buffer.from(`${name}\0${value.replaceAll('\0', '')}\0`, 'latin1'));
    const whole = Buffer.concat(octets);
    let at = 0;
    for (const each of octets) {
      told.add(apart ? each : whole, apart ? 0 : at, apart ? each.length : at + each.length);
      at += each.length;
    }
    return told;
  });

const facts = { queueId: 'x', subject: 'whole' } as unknown as MailFacts;

const unwritten: fc.Arbitrary<Unwritten> = record({
  client,
  envelope,
  plans: fc.array(fc.constantFrom(plan, pass), { maxLength: 4 }),
  queueId,
  receivedAt: moment,
  header: fc.option(header, { nil: undefined }),
  choices: fc.array(record({ id: queueId, seq: fc.nat(), snapshot }), { maxLength: 3 }),
  now: moment,
}).map((one) => ({
  ...one,
  facts: one.header === undefined ? facts : null,
  chosenOf: one.choices.map(() => plan),
}));

describe('what is kept until it is written down', () => {
  test('is all there when it is: envelope, header, plans, and what was known when it was decided', () => {
    const plain = ({ header: told, ...rest }: Unwritten) => ({
      ...rest,
      header: told && { fields: told.all(), size: told.size, leadingSpace: told.leadingSpace },
    });
    fc.assert(
      fc.property(fc.array(unwritten, { minLength: 1, maxLength: 3 }), (all) => {
        const shelf = new Shelf(packing);
        const before = shelf.octets;
        for (const one of all) {
          const octets = shelf.octets;
          const room = shelf.room(one);
          shelf.put(one, room);
          expect(shelf.octets - octets).toBeLessThanOrEqual(room);
        }
        for (const one of all) {
          const taken = shelf.take();
          expect(plain(taken)).toStrictEqual(plain(one));
          expect(taken.plans.every((each, at) => each === one.plans[at])).toBe(true);
          expect(taken.chosenOf.every((each) => each === plan)).toBe(true);
        }
        expect(shelf.octets).toBe(before);
      }),
      { numRuns: 400 },
    );
  });
});
