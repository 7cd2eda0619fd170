// 3 Choose, 4 Forward: when. Mail that has just been accepted is attempted from memory, what was stored is claimed; both
// wait for their turn in the same place. What belongs to one message and was claimed together goes together.
import type { Client } from '../intake.ts';
import type { Content } from '../mail/content.ts';
import type { Envelope } from '../mail/envelope.ts';
import type { HandedOn } from '../store/onward.ts';
import type { Tracked } from '../tracking/tracked.ts';
import type { Work } from './choosing.ts';
import { dispatch, hopFor } from './forwarding.ts';
import type { Stage } from './parts.ts';
import { turnAway } from './putting-back.ts';
import { type Place, Shares, senderOf, Turns } from './turns.ts';

/** Messages being attempted at one time; the most that wait for it in memory, with their content. */
export const attemptsAtOnce = 200;
const waitingMost = 1_000;
const waitingOctets = 32 * 1_048_576;
/** While more than these wait, what escalations forward waits in the store. */
const waitingOnward = 100;
/** Deliveries claimed from the store at one time, waiting for their turn or having it. */
export const claimedAtOnce = 200;

export interface Attempts {
  /** For a message that is about to be made durable; null: there is no room, it is to be claimed later. */
  reserve(envelope: Envelope, client: Client, octets: number): Reserved | null;
  /** What was claimed. */
  forward(claimed: readonly Work[]): Promise<void>[];
  /** Whether there is any for what an escalation forwards: few of those wait in memory. */
  roomOnward(): boolean;
  /** What an escalation forwards, leased with the change that asked for it. */
  sendOnward(handed: readonly HandedOn[], standing: Tracked): void;
  state(): { readonly inHand: number; readonly waiting: number };
  /** When all that was reserved has been sent. */
  ended(): Promise<void>;
}

interface Reserved {
  /** It was not accepted. */
  giveBack(): void;
  /** It is durable. The peer hears so first: this begins when there is time. */
  send(works: readonly Work[], content: Content): void;
}

/** `signal`: transactions are cut off. */
export function createAttempts(stage: Stage, signal: AbortSignal): Attempts {
  const { nextHops } = stage.config;
  const connections = new Map(
    [...nextHops.byDomain.values(), nextHops.default].map(({ name, maxConnections }) => [name, maxConnections]),
  );
  const turns = new Turns({
    slots: attemptsAtOnce,
    waiting: waitingMost,
    octets: waitingOctets,
    // One more for each connection: it goes as soon as the one before it has ended.
    most: (hop) => Math.min(stage.hops.most(hop, stage.clock.now()), 2 * (connections.get(hop) ?? 1)),
  });
  const shares = new Shares(claimedAtOnce);
  const inHand = new Set<string>();
  /** Claimed while it was in hand. */
  const claimedAgain = new Map<string, () => void>();
  const fresh = new Set<Promise<void>>();

  /** When its turn has come. `content`: when it is in memory still. */
  async function send(works: readonly Work[], place: Place, content?: Content): Promise<void> {
    const mine = new Set(works);
    for (const each of mine) inHand.add(keyOf(each));
    const letGo = (work: Work) => {
      // Once: by the end somebody else may have it in hand.
      if (!mine.delete(work)) return;
      inHand.delete(keyOf(work));
      claimedAgain.get(keyOf(work))?.();
    };
    try {
      let waited = false;
      const sent = turns.take(place, (left) => dispatch(stage, works, { signal, left, letGo, waited }, content));
      waited = true;
      await sent;
    } finally {
      for (const each of [...mine]) letGo(each);
    }
  }

  /** With what goes to the same next hop, and comes from the same sender. */
  function placeOf(
    { reversePath, forwardPaths }: Pick<Envelope, 'reversePath' | 'forwardPaths'>,
    { address, forwardedFor }: Pick<Client, 'address' | 'forwardedFor'>,
    octets: number,
  ): Place {
    const [first] = forwardPaths;
    const hop = first ? hopFor(nextHops, first.mailbox).name : '';
    return { hop, sender: senderOf(reversePath, forwardedFor ?? address), urgent: false, octets };
  }

  function placeOfClaimed(works: readonly Work[], octets: number): Place {
    const [first] = works;
    if (!first) return { hop: '', sender: '', urgent: false, octets: 0 };
    const { message, delivery } = first;
    const { mailbox } = delivery.chosen ?? delivery.path;
    const urgent = works.some((each) => each.delivery.forwardOf !== null);
    const envelope = { ...message.envelope, forwardPaths: [{ mailbox }] };
    return { ...placeOf(envelope, { address: message.facts.peer }, octets), urgent };
  }

  /** Of one message. */
  function sendClaimed(works: readonly Work[], content?: Content): Promise<void> {
    const place = placeOfClaimed(works, content?.length ?? 0);
    if (!shares.enter(place.hop, place.urgent)) return turnAway(stage, works, place.hop);
    if (!turns.reserve(place)) {
      shares.leave(place.hop);
      return turnAway(stage, works, place.hop);
    }
    return send(works, place, content).finally(() => shares.leave(place.hop));
  }

  /**
   * A clock that jumps ahead ends leases early: what is on its way already must not be sent a second time. But what has
   * just been put back, and was made due and claimed at once, is in hand only until its attempt has heard of that.
   */
  async function sendAgain(work: Work): Promise<void> {
    const key = keyOf(work);
    if (claimedAgain.has(key)) return;
    await new Promise<void>((ended) => claimedAgain.set(key, ended));
    claimedAgain.delete(key);
    const { queueId, seq, state, attempts, nextAttemptAt } = work.delivery;
    const now = (await stage.store.message(queueId))?.deliveries.find((each) => each.seq === seq);
    const isAsClaimed = now?.state === state && now.attempts === attempts && now.nextAttemptAt === nextAttemptAt;
    if (isAsClaimed && !inHand.has(key)) await sendClaimed([work]);
  }

  /** To be waited for before the end. */
  function sendInTime(begun: Promise<void>): void {
    const sent: Promise<void> = begun
      .catch((error: unknown) =>
        stage.log.error({ err: error }, 'an attempt failed; its lease will bring the work back'),
      )
      .finally(() => fresh.delete(sent));
    fresh.add(sent);
  }

  return {
    reserve(envelope, client, octets) {
      const place = placeOf(envelope, client, octets);
      if (!turns.reserve(place)) return null;
      return {
        giveBack: () => turns.giveBack(place),
        send(works, content) {
          sendInTime(new Promise<void>((begin) => stage.leisure.later(begin)).then(() => send(works, place, content)));
        },
      };
    },
    forward(claimed) {
      const anew = claimed.filter((each) => !inHand.has(keyOf(each)));
      const again = claimed.filter((each) => inHand.has(keyOf(each)));
      const messages = Map.groupBy(anew, ({ message }) => message.queueId);
      return [...[...messages.values()].map((works) => sendClaimed(works)), ...again.map(sendAgain)];
    },
    roomOnward: () => turns.waiting < waitingOnward,
    sendOnward(handed, standing) {
      const works = handed.map(({ message, delivery, content }): Work => {
        return { message, delivery, dotStored: content !== null, standing };
      });
      if (works.length > 0) sendInTime(sendClaimed(works, handed[0]?.content ?? undefined));
    },
    state: () => ({ inHand: turns.running, waiting: turns.waiting }),
    async ended() {
      while (fresh.size > 0) await Promise.all(fresh);
    },
  };
}

const keyOf = ({ delivery }: Work): string => `${delivery.queueId} ${delivery.seq}`;
