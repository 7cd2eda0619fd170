// Whose turn it is: there may be thousands of mailboxes and only so many connections. Pure. While there are enough, each
// mailbox keeps one and is told of every change at once. When there are not, those whose mail is due first keep theirs,
// and a part of the connections goes round the others: soonest deadline first, none more often than needed.
import { type Duration, type Instant, second } from '../clock.ts';

export interface Turn {
  readonly mailbox: string;
  /** The earliest of its mails. */
  readonly deadline: Instant;
}

export interface Rota {
  /** Keep a connection. */
  readonly standing: readonly string[];
  /** Are visited, in this order. */
  readonly rounds: readonly string[];
  /** How many connections go round. */
  readonly visitors: number;
}

export function rota(turns: readonly Turn[], connections: number): Rota {
  const order = turns.toSorted((a, b) => a.deadline - b.deadline || (a.mailbox < b.mailbox ? -1 : 1));
  const names = order.map(({ mailbox }) => mailbox);
  if (names.length <= connections) return { standing: names, rounds: [], visitors: 0 };
  const visitors = Math.max(1, Math.ceil(connections / 4));
  const standing = connections - visitors;
  return { standing: names.slice(0, standing), rounds: names.slice(standing), visitors };
}

/** A mailbox is not visited again sooner, so that the others get their turn. */
export const visitEvery: Duration = 30 * second;

/** The next one to visit; null when all were visited lately. */
export function nextVisit(
  rounds: readonly string[],
  visitedAt: ReadonlyMap<string, Instant>,
  inHand: ReadonlySet<string>,
  now: Instant,
): string | null {
  return (
    rounds.find((mailbox) => !inHand.has(mailbox) && (visitedAt.get(mailbox) ?? -Infinity) + visitEvery <= now) ?? null
  );
}
