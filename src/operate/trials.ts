// Trying rules out for the console: what goes into a rehearsal is put together here, the rehearsal itself is done beside
// the program (rehearsing/), so that no rule set, however large, makes mail wait.
import { type Clock, type Duration, day, type Instant } from '../clock.ts';
import type { QueueId } from '../mail/queue-id.ts';
import { RefusedError } from '../operations.ts';
import type { Oversight, Replayed, ReplayQuestion, RuleFile, TryQuestion } from '../oversight.ts';
import { neverSeen, type Presence } from '../presence/presence.ts';
import type { Watcher } from '../presence/watcher.ts';
import type { Answered, Task } from '../rehearsal/tasks.ts';
import { directoryFile } from '../routing/directory-text.ts';
import type { RuleSource } from '../routing/rules.ts';
import type { Store } from '../store/store.ts';

/** @throws RefusedError when it took too long, or too many are waiting */
export type Rehearse = (task: Task) => Promise<Answered>;

export interface TrialOptions {
  readonly store: Pick<Store, 'recorded' | 'presenceHistory'>;
  readonly clock: Clock;
  readonly rules: RuleSource & { filesInForce(): readonly RuleFile[] };
  readonly watcher: Pick<Watcher, 'presenceOf' | 'presenceOfPerson'>;
  readonly relay: { load(person: string): { readonly open: number; readonly lastAssignedAt: Instant | null } };
  readonly rehearse: Rehearse;
}

/** Presence of before counts: what people were when the days began. */
const lead: Duration = 7 * day;
const mostMails = 50_000;
const mostChanges = 200_000;
const mostDifferences = 500;
const largestSet = 2_000_000;
const longestMessage = 1_000_000;

export function createTrials(options: TrialOptions): Pick<Oversight, 'tryOut' | 'replayDays'> {
  const { rules, clock, rehearse } = options;

  function filesFor(files: readonly RuleFile[] | null): readonly RuleFile[] {
    if (files === null) return rules.filesInForce();
    if (files.reduce((sum, { text }) => sum + text.length, 0) > largestSet)
      throw new RefusedError(`the rule files are larger than ${largestSet} characters together`);
    // What the directory says goes with any rules that are tried.
    const known = rules.filesInForce().filter(({ name }) => name === directoryFile);
    return files.some(({ name }) => name === directoryFile) ? files : [...files, ...known];
  }

  return {
    async tryOut(question) {
      if (question.message.length > longestMessage)
        throw new RefusedError(
          `the message is longer than ${longestMessage} characters; rules need little of the body`,
        );
      const { to, from, at, message } = question;
      const answered = await rehearse({
        kind: 'try',
        files: filesFor(question.files),
        message,
        ...(to ? { to } : {}),
        ...(from === undefined ? {} : { from }),
        at,
        people: peopleFor(options, question),
      });
      if (answered.refused !== undefined) throw new RefusedError(answered.refused);
      return { version: answered.version, problems: answered.problems, story: answered.story ?? [] };
    },
    async replayDays(question): Promise<Replayed> {
      const from = clock.now();
      const { mails, until } = await recordedMails(options.store, question);
      const presence = await recordedPresence(options.store, question.since - lead, until);
      const task = { kind: 'replay', files: filesFor(question.files), mails, presence, until } as const;
      const { version, problems, report } = await rehearse({ ...task, most: mostDifferences });
      return {
        version,
        problems,
        since: question.since,
        until,
        mails: report?.mails ?? mails.length,
        recipients: report?.recipients ?? 0,
        moved: report?.moved ?? 0,
        differences: report?.differences ?? [],
        loads: (report?.loads ?? []).map(({ person, before, after }) => ({
          person,
          before: before && { given: before.given, peak: before.peak },
          after: after && { given: after.given, peak: after.peak },
        })),
        withoutAttachments: report?.withoutAttachments ?? 0,
        took: clock.now() - from,
      };
    },
  };
}

/** As they are now, but for those of whom something else was said. */
function peopleFor({ rules, watcher, relay }: TrialOptions, { people, at }: TryQuestion) {
  return [...rules.current().people.values()].map(({ name, jid }) => {
    const said = people[name];
    const now: Presence =
      watcher.presenceOfPerson?.(name) ?? (jid === null ? { ...neverSeen, reason: 'no-jid' } : watcher.presenceOf(jid));
    const presence: Presence =
      said === undefined
        ? now
        : said === 'unknown'
          ? neverSeen
          : { state: said, since: at - 1, asOf: at - 1, source: 'manual' };
    return { name, presence, ...relay.load(name) };
  });
}

async function recordedMails(store: Pick<Store, 'recorded'>, { since, until }: ReplayQuestion) {
  const mails: Awaited<ReturnType<Store['recorded']>>[number][] = [];
  const limit = 1_000;
  for (let after: QueueId | undefined; ; ) {
    const page: Awaited<ReturnType<Store['recorded']>> = await store.recorded({
      since,
      until,
      limit,
      ...(after === undefined ? {} : { after }),
    });
    mails.push(...page);
    const last = page.at(-1)?.facts;
    if (!last || page.length < limit) return { mails, until };
    if (mails.length >= mostMails) return { mails, until: last.receivedAt };
    after = last.queueId;
  }
}

async function recordedPresence(store: Pick<Store, 'presenceHistory'>, since: Instant, until: Instant) {
  const all: Awaited<ReturnType<Store['presenceHistory']>>[number][] = [];
  const limit = 5_000;
  for (let from = since; ; ) {
    const page = await store.presenceHistory({ since: from, until, limit });
    all.push(...page);
    const last = page.at(-1);
    if (page.length < limit || !last) return all;
    if (all.length > mostChanges)
      throw new RefusedError(`there are more than ${mostChanges} changes of presence in these days; take fewer`);
    // Of the last moment some may be missing: it is read again, whole.
    const first = all.findIndex(({ at }) => at === last.at);
    if (all[0]?.at !== last.at) all.splice(first);
    from = last.at === from ? last.at + 1 : last.at;
  }
}
