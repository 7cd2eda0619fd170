// What is kept of unwatched mail until it is written down: as little as can be, and as octets (shelf.ts). In a flood
// thousands wait, and the garbage collector would move and look through all that each of them holds on to. What can be
// worked out anew (what the header says, and why this one was chosen) is not among it.
import type { Instant } from '../clock.ts';
import type { Planned } from '../intake.ts';
import type { Envelope, ForwardPath } from '../mail/envelope.ts';
import type { MailFacts } from '../mail/facts.ts';
import { factsOf, fieldsOf } from '../mail/header.ts';
import type { Mailbox, ReversePath } from '../mail/path.ts';
import type { QueueId } from '../mail/queue-id.ts';
import { ToldHeader } from '../mail/told-header.ts';
import type { Presence } from '../presence/presence.ts';
import type { PersonSnapshot, Snapshot } from '../routing/choose.ts';
import type { GroupPlan } from '../routing/plan.ts';
import type { PersonName } from '../routing/rules.ts';
import type { NewDecision } from '../store/store.ts';
import type { Chosen } from './advised.ts';
import type { Packing, Page } from './shelf.ts';

export interface Unwritten {
  readonly client: Planned['client'];
  readonly envelope: Planned['envelope'];
  readonly plans: Planned['plans'];
  readonly queueId: QueueId;
  readonly receivedAt: Instant;
  readonly header: ToldHeader | undefined;
  /** Where there is no header to read them from. */
  readonly facts: MailFacts | null;
  readonly choices: readonly Pick<NewDecision, 'id' | 'seq' | 'snapshot'>[];
  readonly chosenOf: readonly GroupPlan[];
  readonly now: Instant;
}

export function toBeWritten(planned: Planned, made: readonly Chosen[], now: Instant): Unwritten {
  const { client, envelope, plans, header, facts } = planned;
  const { queueId, receivedAt } = facts;
  return {
    client,
    envelope,
    plans,
    queueId,
    receivedAt,
    header,
    facts: header === undefined ? facts : null,
    choices: made.map(({ decision: { id, seq, snapshot } }) => ({ id, seq, snapshot })),
    chosenOf: made.map(({ plan }) => plan),
    now,
  };
}

export function plannedAgain(unwritten: Unwritten): Planned {
  const { client, envelope, plans, queueId, receivedAt, header, facts } = unwritten;
  const common = { client, envelope, plans, needsContent: false, unsure: 'nothing' } as const;
  if (header === undefined) {
    if (facts === null) throw new RangeError(`nothing is known of ${queueId}`);
    return { ...common, facts };
  }
  const fields = fieldsOf(header.all());
  return { ...common, facts: factsOf({ queueId, receivedAt, envelope, client, fields, size: header.size }) };
}

/** Octets of a text at most, with its length. */
const roomOf = (text: string): number => 4 + 3 * text.length;

export const packing: Packing<Unwritten> = {
  room({ client, envelope, plans, queueId, header, choices, chosenOf }) {
    let room = 200 + roomOf(queueId) + roomOf(envelope.reversePath) + roomOf(client.helo) + roomOf(client.address);
    for (const { mailbox } of envelope.forwardPaths) room += 4 + roomOf(mailbox);
    room += 4 * (plans.length + chosenOf.length) + (header === undefined ? 0 : 4 + header.room);
    for (const { id } of choices) room += roomOf(id) + 4 + roomOfSnapshot;
    return room;
  },
  put(one, page) {
    const { queueId, receivedAt, now, header, facts, plans, choices, chosenOf } = one;
    page.putText(queueId);
    page.putNumber(receivedAt);
    page.putNumber(now);
    putClient(one.client, page);
    putEnvelope(one.envelope, page);
    page.putCount(plans.length);
    for (const plan of plans) page.putShared(plan);
    page.putCount(choices.length);
    for (const { id, seq, snapshot } of choices) {
      page.putText(id);
      page.putCount(seq);
      putSnapshot(snapshot, page);
    }
    for (const plan of chosenOf) page.putShared(plan);
    page.putShared(facts);
    page.putFlag(header !== undefined);
    if (header === undefined) return;
    page.putFlag(header.leadingSpace);
    page.putOctets((octets, at) => header.writeTo(octets, at));
  },
  take(page) {
    const queueId = page.takeText() as QueueId;
    const receivedAt = page.takeNumber();
    const now = page.takeNumber();
    const client = takeClient(page);
    const envelope = takeEnvelope(page);
    const plans = several(page.takeCount(), () => page.takeShared() as Planned['plans'][number]);
    const choices = several(page.takeCount(), () => ({
      id: page.takeText() as QueueId,
      seq: page.takeCount(),
      snapshot: takeSnapshot(page),
    }));
    const chosenOf = choices.map(() => page.takeShared() as GroupPlan);
    const facts = page.takeShared() as MailFacts | null;
    const header = page.takeFlag() ? takeHeader(page) : undefined;
    return { client, envelope, plans, queueId, receivedAt, header, facts, choices, chosenOf, now };
  },
};

function takeHeader(page: Page): ToldHeader {
  const leadingSpace = page.takeFlag();
  return ToldHeader.from(page.takeOctets(), leadingSpace);
}

const several = <T>(length: number, take: () => T): T[] => Array.from({ length }, take);

/** In what is not said here it stays the object it is. */
function putClient(client: Planned['client'], page: Page): void {
  const { address, port, helo, tls, carriesMembers, plain, forwardedFor } = client;
  const usual = plain === undefined && forwardedFor === undefined;
  page.putFlag(usual);
  if (!usual) {
    page.putShared(client);
    return;
  }
  page.putText(address);
  page.putCount(port);
  page.putText(helo);
  page.putFlag(tls);
  page.putFlag(carriesMembers);
}

function takeClient(page: Page): Planned['client'] {
  if (!page.takeFlag()) return page.takeShared() as Planned['client'];
  const address = page.takeText();
  const port = page.takeCount();
  const helo = page.takeText();
  return { address, port, helo, tls: page.takeFlag(), carriesMembers: page.takeFlag() };
}

const isUsual = ({ orcpt, notify }: ForwardPath): boolean =>
  orcpt === undefined && (notify === undefined || notify[0] === 'never');

function putEnvelope(envelope: Envelope, page: Page): void {
  const { reversePath, forwardPaths, body, smtputf8, ret, envid } = envelope;
  const usual = ret === undefined && envid === undefined && forwardPaths.every(isUsual);
  page.putFlag(usual);
  if (!usual) {
    page.putShared(envelope);
    return;
  }
  page.putText(reversePath);
  page.putFlag(body === '8BITMIME');
  page.putFlag(smtputf8);
  page.putCount(forwardPaths.length);
  for (const { mailbox, notify } of forwardPaths) {
    page.putText(mailbox);
    page.putFlag(notify !== undefined);
  }
}

function takeEnvelope(page: Page): Envelope {
  if (!page.takeFlag()) return page.takeShared() as Envelope;
  const reversePath = page.takeText() as ReversePath;
  const body = page.takeFlag() ? '8BITMIME' : '7BIT';
  const smtputf8 = page.takeFlag();
  const forwardPaths = several(page.takeCount(), (): ForwardPath => {
    const mailbox = page.takeText() as Mailbox;
    return page.takeFlag() ? { mailbox, notify: ['never'] } : { mailbox };
  });
  return { reversePath, forwardPaths, body, smtputf8 };
}

/** Of these alone is a snapshot made that is kept as octets; whatever else it may have, it stays the object it is then. */
const plainParts: ReadonlySet<string> = new Set<keyof Snapshot>([
  'now',
  'people',
  'lastInGroup',
  'runInGroup',
  'excluded',
  'holdUntil',
]);

/** Of a larger group the snapshot stays the object it is: to write down each of a thousand members takes longer. */
const mostPeople = 50;
const roomOfPerson = 28;
const roomOfSnapshot = 40 + mostPeople * roomOfPerson;

const nobody: Snapshot['excluded'] = {};

function isPlain(snapshot: Snapshot): boolean {
  for (const part in snapshot) if (!plainParts.has(part)) return false;
  for (const _ in snapshot.excluded) return false;
  return true;
}

function putSnapshot(snapshot: Snapshot, page: Page): void {
  const names = Object.keys(snapshot.people);
  if (names.length > mostPeople || !isPlain(snapshot)) {
    page.putCount(0);
    page.putShared(snapshot);
    return;
  }
  const { now, people, lastInGroup, runInGroup, holdUntil } = snapshot;
  page.putCount(names.length + 1);
  for (const name of names) {
    const { presence, open, units, lastAssignedAt } = people[name] as PersonSnapshot;
    page.putShared(name);
    page.putShared(presence);
    page.putCount(open);
    putOptional(units, page);
    putOptional(lastAssignedAt, page);
  }
  page.putNumber(now);
  page.putShared(lastInGroup);
  putOptional(runInGroup, page);
  putOptional(holdUntil, page);
}

function takeSnapshot(page: Page): Snapshot {
  const count = page.takeCount() - 1;
  if (count < 0) return page.takeShared() as Snapshot;
  const people: Record<PersonName, PersonSnapshot> = {};
  for (let each = 0; each < count; each += 1) {
    const name = page.takeShared() as PersonName;
    const presence = page.takeShared() as Presence;
    const open = page.takeCount();
    const units = takeOptional(page);
    const lastAssignedAt = takeOptional(page) ?? null;
    people[name] = { presence, open, ...(units === undefined ? {} : { units }), lastAssignedAt };
  }
  const now = page.takeNumber();
  const lastInGroup = page.takeShared() as PersonName | null;
  const run = takeOptional(page);
  const holdUntil = takeOptional(page) ?? null;
  return {
    now,
    excluded: nobody,
    holdUntil,
    people,
    lastInGroup,
    ...(run === undefined ? {} : { runInGroup: run }),
  };
}

/** 8 octets. */
const putOptional = (value: number | null | undefined, page: Page): void => page.putNumber(value ?? Number.NaN);

function takeOptional(page: Page): number | undefined {
  const value = page.takeNumber();
  return Number.isNaN(value) ? undefined : value;
}
