// Many steps that are due together and go to one mailbox: one mail that tells of all of them, with the mails attached as
// they came, instead of a storm. All of it is one transaction, that is done anew when one of them has moved on meanwhile.

import { formatDuration, type Instant } from '../clock.ts';
import { isFile } from '../mail/content.ts';
import { composeDigest, type Digested } from '../mail/digest.ts';
import type { Mailbox } from '../mail/path.ts';
import { headline } from '../notify/nudge.ts';
import { templatesIn } from '../notify/templates.ts';
import type { Acceptance } from '../store/store.ts';
import { type Advance, advance } from '../tracking/advance.ts';
import { stepAt } from '../tracking/steps.ts';
import type { Forwards, Tracked } from '../tracking/tracked.ts';
import { roomFor } from './choosing.ts';
import { consequencesOf, standingOf } from './escalating.ts';
import { factsOf, historyIn, languageOf, nudgeOwner } from './nudging.ts';
import { ownMail } from './own-mail.ts';
import { awayNow, casTries, type Stage, tellAll, wakeSteps } from './parts.ts';

/** Fewer go each by itself. */
export const digestFrom = 5;
/** Octets: of one mail, and of all in one digest. What is larger is told of and not attached. */
const largest = 262_144;
const largestSum = 4 * 1_048_576;

/** Answers those that were not taken care of. */
export async function digest(stage: Stage, due: readonly Standing[], tries = casTries): Promise<readonly Tracked[]> {
  const now = stage.clock.now();
  const wanted = Map.groupBy(due, ({ tracked }) => mailboxOf(tracked, now));
  const rest: Tracked[] = [];
  for (const [mailbox, several] of wanted) {
    if (mailbox === null || several.length < digestFrom) rest.push(...several.map(({ tracked }) => tracked));
    else rest.push(...(await together(stage, mailbox, several, tries)));
  }
  return rest;
}

interface Standing {
  readonly tracked: Tracked;
  readonly forwards: Forwards;
}

/** Whose step wants a digest, and where it would go. */
function mailboxOf(tracked: Tracked, now: Instant): Mailbox | null {
  const { state, pledge, nextStepAt, plan, step } = tracked;
  if (state !== 'tracked' || pledge || nextStepAt === null || nextStepAt > now) return null;
  const next = stepAt(plan.policy, step);
  if (!next?.digest || (next.to.kind !== 'person' && next.to.kind !== 'mailbox')) return null;
  return next.to.mailbox;
}

/** Whether its next step does, whenever that is. */
export const wantsDigest = ({ plan, step }: Tracked): boolean => stepAt(plan.policy, step)?.digest === true;

interface Moved {
  readonly before: Tracked;
  readonly next: Advance;
}

async function together(
  stage: Stage,
  mailbox: Mailbox,
  several: readonly Standing[],
  tries: number,
): Promise<readonly Tracked[]> {
  const now = stage.clock.now();
  const moved: Moved[] = [];
  const rest: Tracked[] = [];
  for (const { tracked: before, forwards } of several) {
    const facts = { now, excluded: awayNow(stage, now), holdUntil: null };
    const next = advance(before, 'time', stage.ledger.snapshot(before.plan, stage.watcher, facts));
    if (forwards.onTheirWay === 0 && next.move.kind === 'forward' && next.move.mailbox === mailbox)
      moved.push({ before, next });
    else rest.push(before);
  }
  const [first, ...others] = moved;
  const all = several.map(({ tracked }) => tracked);
  if (!first || moved.length < digestFrom) return all;
  const report = await mailOf(stage, mailbox, moved, now);
  const each = moved.map(({ before, next }) => consequencesOf(stage, before, next, next.trigger, now));
  const also = {
    tracked: others.map(({ next }) => next.tracked),
    decisions: each.flatMap(({ decisions = [] }) => decisions),
    events: [...each.flatMap(({ events = [] }) => events), ...report.events],
    withdrawNudgesOf: each.flatMap(({ withdrawNudgesOf = [] }) => withdrawNudgesOf),
    nudges: [
      ...each.flatMap(({ nudges = [] }) => nudges),
      ...moved.flatMap(({ before, next }) =>
        next.tracked.owner === before.owner ? [] : nudgeOwner(stage, next.tracked, [], now),
      ),
    ],
    reports: [report],
  };
  if ((await stage.store.advance(first.next.tracked, also)) === 'stale') {
    // One of them was taken in this instant: the others go together all the same.
    if (tries <= 1) return all;
    const now = await Promise.all(all.map(({ queueId, seq }) => standingOf(stage, { queueId, seq })));
    const still = now.flatMap(({ tracked, forwards }) => (tracked ? [{ tracked, forwards }] : []));
    return digest(stage, still, tries - 1);
  }
  for (const { before, next } of moved) stage.ledger.moved(before, next.tracked);
  stage.reach('step-advanced');
  for (const { before, next } of moved) if (next.tracked.owner !== before.owner) await roomFor(stage, before.owner);
  tellAll(stage, also.events);
  wakeSteps(
    stage,
    moved.map(({ next }) => next.tracked),
  );
  stage.wake(['attempt', 'nudge']);
  return rest;
}

async function mailOf(stage: Stage, to: Mailbox, moved: readonly Moved[], now: Instant): Promise<Acceptance> {
  const queueId = stage.newQueueId(now);
  const { hostname } = stage.config;
  const [first] = moved;
  const language = first ? languageOf(stage, first.before.plan.group) : 'en';
  const words = templatesIn(language);
  const mails: Digested[] = [];
  let sum = 0;
  for (const { before } of moved) {
    const facts = factsOf(stage, before, now);
    const history = historyIn(language, before);
    if (before.owner !== null) history.push(words.digestOwner(before.owner));
    const content = await contentOf(stage, before, largestSum - sum);
    sum += content?.length ?? 0;
    const lines = [headline(facts), words.digestAge(formatDuration(facts.age), history.join('; '))];
    mails.push({ lines: content === null ? [...lines, words.digestLarge] : lines, content });
  }
  const bytes = composeDigest(
    {
      hostname,
      to,
      subject: `[Pointsman ${hostname}] ${moved.length} mails that nobody has taken`,
      at: now,
      id: queueId,
      opening: [words.digest(moved.length)],
      closing: [words.digestAnswer],
    },
    mails,
  );
  const { version: rulesVersion } = stage.rules.current();
  const because = `a digest of ${moved.length} escalated mails`;
  return ownMail(stage, { queueId, to, content: bytes, body: '8BITMIME', smtputf8: false, rulesVersion, because }, now);
}

/** Null: too large, or with a header that only a next hop with SMTPUTF8 may get (RFC 6532 §3.7). */
async function contentOf(stage: Stage, { queueId }: Tracked, left: number): Promise<Uint8Array | null> {
  const found = await stage.store.message(queueId);
  if (!found?.contentKept || found.message.envelope.smtputf8) return null;
  if (found.message.size > Math.min(largest, left)) return null;
  const content = await stage.store.content(queueId);
  return isFile(content) ? null : content;
}
