// Watch, in the members' own mailboxes: which mails are to be looked at (those whose clock runs, the soonest first), and
// what is seen there. That only the owner of the mailbox could have done it makes it trusted; that a program may have
// done it for them makes it weaker than any word of theirs.
import { second } from '../clock.ts';
import type { Mailboxes, MailboxSight, WatchedMail } from '../mailboxes.ts';
import type { StoryEvent } from '../tracking/event.ts';
import { type Grade, grades } from '../tracking/evidence.ts';
import { weigh } from './escalating.ts';
import type { Stage } from './parts.ts';

/** As many as have the soonest deadlines; the others come up as these are done. */
const mostWatched = 5_000;

const meaning: Readonly<Record<MailboxSight['what'], { readonly grade: Grade; readonly source: string }>> = {
  seen: { grade: grades.seen, source: 'imap \\Seen' },
  answered: { grade: grades.answered, source: 'imap \\Answered' },
  'unread-gone': { grade: grades.accepted, source: 'imap deleted or moved unread' },
};

export interface MailboxWatch {
  /** Something may have changed in what is to be watched. */
  heard(event: StoryEvent): void;
  /** From now on, until the signal. */
  start(stopping: AbortSignal): void;
}

export function watchMailboxes(stage: Stage, mailboxes: Mailboxes): MailboxWatch {
  let due = Promise.withResolvers<void>();

  async function refresh(): Promise<void> {
    const { people } = stage.rules.current();
    const soonest = await stage.store.soonestTracked(mostWatched);
    mailboxes.watch(
      soonest.flatMap(({ owner, messageId, nextStepAt }): WatchedMail[] => {
        const mailbox = owner === null ? undefined : people.get(owner)?.mail;
        return owner === null || mailbox === undefined || messageId === null || nextStepAt === null
          ? []
          : [{ person: owner, mailbox, messageId, deadline: nextStepAt }];
      }),
    );
  }

  async function run(stopping: AbortSignal): Promise<void> {
    const stopped = new Promise<void>((resolve) => stopping.addEventListener('abort', () => resolve(), { once: true }));
    while (!stopping.aborted) {
      await refresh().catch((error: unknown) => stage.log.error({ err: error }, 'what to watch could not be read'));
      // Many events come together: one look a second at what they all changed.
      await Promise.race([due.promise, stopped]);
      due = Promise.withResolvers<void>();
      await stage.clock.sleepUntil(stage.clock.now() + second, stopping);
    }
  }

  async function sight({ person, messageId, what, reference }: MailboxSight): Promise<void> {
    for (const { queueId, seq, owner } of await stage.store.trackedByMessageId([messageId])) {
      if (owner !== person) continue;
      await weigh(
        stage,
        { queueId, seq },
        { queueId, seq, person, ...meaning[what], reference, trusted: true },
        person,
      );
    }
  }

  return {
    heard({ event }) {
      if (event === 'forwarded' || event === 'escalated' || event === 'closed' || event === 'operated') due.resolve();
    },
    start(stopping) {
      mailboxes.onSight((seen) => {
        sight(seen).catch((error: unknown) =>
          stage.log.error({ err: error }, 'what a mailbox shows could not be weighed'),
        );
      });
      run(stopping).catch((error: unknown) => stage.log.error({ err: error }, 'mailboxes are not watched any more'));
    },
  };
}
