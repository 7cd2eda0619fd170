// Watches members' mailboxes by IMAP: as many connections as are allowed, given out by the rota, each tried again with
// back-off when it breaks. Whatever changed while nobody looked is seen by the look that every connection begins with.
import { type Clock, type Duration, type Instant, minute, type Random, second } from '../clock.ts';
import type { ImapConfig } from '../config.ts';
import type { Log } from '../log.ts';
import { describeError } from '../mail/error.ts';
import type { Mailbox } from '../mail/path.ts';
import type { Mailboxes, MailboxSight, WatchedMail } from '../mailboxes.ts';
import { nextVisit, rota, visitEvery } from './rota.ts';
import { Session, type Sighting } from './session.ts';

export interface ImapMailboxes extends Mailboxes {
  start(): void;
  stop(): Promise<void>;
}

interface Watched {
  readonly person: string;
  readonly mailbox: Mailbox;
  readonly deadline: Instant;
  readonly mails: Map<string, Sighting>;
}

/** One mailbox that keeps a connection. */
interface Slot {
  readonly end: AbortController;
  session: Session | null;
  done: Promise<void>;
}

const longestPause: Duration = 5 * minute;

export function createMailboxes(
  config: ImapConfig,
  { clock, random, log }: { clock: Clock; random: Random; log: Log },
): ImapMailboxes {
  const listeners: ((sight: MailboxSight) => void)[] = [];
  let watched = new Map<string, Watched>();
  const standing = new Map<string, Slot>();
  const visitedAt = new Map<string, Instant>();
  const inHand = new Set<string>();
  const stopping = new AbortController();
  let visitors: Promise<void>[] = [];
  let rounds: readonly string[] = [];
  let started = false;
  let changed = new AbortController();

  function sessionFor(mailbox: string): Session {
    const of = () => watched.get(mailbox);
    return new Session({
      config,
      mailbox: mailbox as Mailbox,
      watched: () => of()?.mails ?? new Map(),
      found: (messageId) => log.debug({ mailbox, messageId }, 'mail found in its mailbox'),
      tell(messageId, what, reference) {
        const person = of()?.person;
        if (person !== undefined) for (const listener of listeners) listener({ person, messageId, what, reference });
      },
    });
  }

  async function stand(mailbox: string, slot: Slot): Promise<void> {
    const { signal } = slot.end;
    for (let failures = 0; !signal.aborted; failures += 1) {
      const session = sessionFor(mailbox);
      slot.session = session;
      try {
        await session.open();
        failures = 0;
        await session.stand(signal);
      } catch (error) {
        if (signal.aborted) break;
        // A server that is restarted closes every connection: that is no news. What fails twice is.
        const level = failures > 0 ? 'warn' : 'info';
        log[level]({ mailbox, cause: describeError(error) }, 'a mailbox cannot be watched; trying again');
      } finally {
        session.close();
      }
      const pause = Math.min(longestPause, 2 * second * 2 ** Math.min(failures, 10)) * (0.5 + random());
      await clock.sleepUntil(clock.now() + pause, signal);
    }
  }

  async function visit(mailbox: string): Promise<void> {
    const session = sessionFor(mailbox);
    try {
      await session.open();
      await session.leave();
    } catch (error) {
      log.warn({ mailbox, cause: describeError(error) }, 'a mailbox could not be looked at; trying again');
    } finally {
      session.close();
    }
  }

  /** Goes round those that have no connection of their own, as long as there are such. */
  async function goRound(): Promise<void> {
    while (!stopping.signal.aborted && rounds.length > 0) {
      const mailbox = nextVisit(rounds, visitedAt, inHand, clock.now());
      if (mailbox === null) {
        const next = Math.min(...rounds.map((each) => visitedAt.get(each) ?? clock.now())) + visitEvery;
        await clock.sleepUntil(
          Math.max(next, clock.now() + second),
          AbortSignal.any([stopping.signal, changed.signal]),
        );
        continue;
      }
      inHand.add(mailbox);
      await visit(mailbox);
      inHand.delete(mailbox);
      visitedAt.set(mailbox, clock.now());
    }
  }

  function arrange(): void {
    if (!started || stopping.signal.aborted) return;
    const plan = rota([...watched.values()], config.connections);
    const wanted = new Set(plan.standing);
    for (const [mailbox, slot] of standing) if (!wanted.has(mailbox)) slot.end.abort();
    for (const mailbox of plan.standing) {
      const slot = standing.get(mailbox);
      // One that is just leaving makes room first: arrange() is called again when it is gone.
      if (slot) {
        slot.session?.look();
        continue;
      }
      if (standing.size >= config.connections - plan.visitors) continue;
      const fresh: Slot = { end: new AbortController(), session: null, done: Promise.resolve() };
      standing.set(mailbox, fresh);
      fresh.done = stand(mailbox, fresh).finally(() => {
        standing.delete(mailbox);
        arrange();
      });
    }
    rounds = plan.rounds;
    for (const mailbox of visitedAt.keys()) if (!watched.has(mailbox)) visitedAt.delete(mailbox);
    changed.abort();
    changed = new AbortController();
    while (visitors.length < plan.visitors) {
      const visitor: Promise<void> = goRound().finally(() => {
        visitors = visitors.filter((each) => each !== visitor);
      });
      visitors.push(visitor);
    }
  }

  return {
    onSight: (listener) => void listeners.push(listener),
    watch(mails) {
      watched = gather(mails, watched);
      arrange();
    },
    start() {
      started = true;
      arrange();
    },
    async stop() {
      stopping.abort();
      for (const { end } of standing.values()) end.abort();
      await Promise.all([...[...standing.values()].map(({ done }) => done), ...visitors]);
    },
  };
}

/** By mailbox; what was seen before stays known. */
function gather(mails: readonly WatchedMail[], before: ReadonlyMap<string, Watched>): Map<string, Watched> {
  const after = new Map<string, Watched>();
  for (const { person, mailbox, messageId, deadline } of mails) {
    const known = after.get(mailbox);
    const sighting = before.get(mailbox)?.mails.get(messageId) ?? { found: false, told: new Set() };
    if (known) {
      known.mails.set(messageId, sighting);
      if (deadline < known.deadline) after.set(mailbox, { ...known, deadline });
    } else after.set(mailbox, { person, mailbox, deadline, mails: new Map([[messageId, sighting]]) });
  }
  return after;
}
