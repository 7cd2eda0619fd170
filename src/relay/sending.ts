// Sending what is due to be said, at the pace of notify/pacing.ts: what becomes due together, or has to wait for a round,
// goes as one message. What is no longer true is not sent. After a gap in which notes went out of date, one line
// says so. Every nudge is settled in the store: sent, again later, or stale.
import { hour, type Instant, minute, second } from '../clock.ts';
import { describeError } from '../mail/error.ts';
import { type MoreOfMessage, mayHaveArrived, type NotifyTarget } from '../notify/notifier.ts';
import { bundleText, greeting, newsText } from '../notify/nudge.ts';
import { Pacing } from '../notify/pacing.ts';
import { clockTime, phrasesIn } from '../notify/phrases.ts';
import type { BareJid } from '../presence/jid.ts';
import { isOpenAt, nextClosing } from '../routing/calendar.ts';
import type { Schedule } from '../routing/rules.ts';
import type { Nudge } from '../store/store.ts';
import type { StoryEvent } from '../tracking/event.ts';
import { grades } from '../tracking/evidence.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { addresseeOf, type Gap, Gaps } from './gaps.ts';
import { languageOfTarget } from './languages.ts';
import { deliveryOfStanza, languageOf } from './nudging.ts';
import { type Stage, tellAll } from './parts.ts';
import { isProposal } from './proposing.ts';

/** From how many on those for one person go as one message. */
const bundleFrom = 3;

export interface Sending {
  /** All that was claimed together. Each promise resolves when its nudge is settled. */
  send(nudges: readonly Nudge[]): Promise<void>[];
  /** Somebody is seen again: they are told once of what they have missed. */
  seenAgain(jid: BareJid): Promise<void>;
  /** Messages go again, to people (null) or to a room: what waits for its next try goes now. */
  reopened(room: BareJid | null): Promise<void>;
}

interface Wanted {
  readonly nudge: Nudge;
  readonly tracked: Tracked | null;
}

/** A message that may have gone although we were not told so: it is repeated as it was, never in another shape. */
interface Unsure {
  readonly nudges: readonly Nudge[];
  readonly text: string;
  readonly id: string;
  readonly more: MoreOfMessage;
  /** It is known by now: those of its notes that are claimed later need not go again. */
  gone: boolean;
}
/** What is remembered of those; more are forgotten, the oldest first. */
const mostUnsure = 2_000;

/** @param ended the relay stops */
export function createSending(stage: Stage, ended: AbortSignal): Sending {
  const pacing = new Pacing();
  const unsure = new Map<string, Unsure>();
  const gaps = new Gaps(stage, ended, sayWhatWasMissed);
  /** How often messages went again so far. What is in hand then cannot be hastened: it sees by this that it may try again. */
  let openings = 0;

  async function sendTo(to: Nudge['to'], nudges: readonly Nudge[]): Promise<void> {
    const until = quietUntil(stage, to, stage.clock.now());
    if (until !== null) {
      // Also what is out of date by then: it is counted then.
      await allAtOnce(nudges, ({ id }) => stage.store.settleNudge(id, { to: 'pending', dueAt: until }, {}));
      return;
    }
    const asked = await allAtOnce(nudges, async (nudge) => {
      const { queueId, seq } = nudge;
      return { nudge, tracked: await stage.store.tracked({ queueId, seq }) };
    });
    const wanted: Wanted[] = [];
    for (const each of asked) if (await stillWanted(each.nudge, each.tracked)) wanted.push(each);
    await tellOfQuiet(to, nudges, wanted);
    await sendNew(to, await repeated(wanted));
  }

  /** Those whose fate is not known go again exactly as they went; returns the others. */
  async function repeated(wanted: readonly Wanted[]): Promise<readonly Wanted[]> {
    const ids = new Set(wanted.map(({ nudge }) => nudge.id));
    const done = new Set<string>();
    for (const { nudge, tracked } of wanted) {
      const before = unsure.get(nudge.id);
      if (!before || done.has(nudge.id)) continue;
      if (before.gone) {
        done.add(nudge.id);
        await settleSent(nudge);
        continue;
      }
      const absent = before.nudges.filter(({ id }) => !ids.has(id));
      if (await anyOvertaken(absent)) {
        // What is left of it is said anew.
        for (const each of before.nudges) unsure.delete(each.id);
        continue;
      }
      // As they are claimed now: how often they were tried counts for the pause.
      const now = wanted.filter((each) => before.nudges.some(({ id }) => id === each.nudge.id));
      for (const each of now) done.add(each.nudge.id);
      await dispatch(
        now.map((each) => each.nudge),
        before.text,
        before.id,
        before.more,
        tracked,
        before,
      );
    }
    return wanted.filter(({ nudge }) => !done.has(nudge.id));
  }

  /** Whether any of them is not waiting to be said any more. */
  async function anyOvertaken(nudges: readonly Nudge[]): Promise<boolean> {
    for (const { id, queueId } of nudges) {
      const now = (await stage.store.nudges(queueId)).find((each) => each.id === id);
      if (now?.state !== 'pending') return true;
    }
    return false;
  }

  async function settleSent(nudge: Nudge): Promise<void> {
    const at = stage.clock.now();
    unsure.delete(nudge.id);
    const events = sentEvents(nudge, at);
    await stage.store.settleNudge(nudge.id, { to: 'sent', at }, { events });
    tellAll(stage, events);
  }

  async function sendNew(to: Nudge['to'], wanted: readonly Wanted[]): Promise<void> {
    const [first] = wanted;
    if (!first) return;
    const pace = pacing.ask(addressee(first.nudge), stage.clock.now(), wanted.length);
    const now = pace.may === 'wait' ? await held(wanted, pace.until) : wanted;
    if (now.length === 0) return;
    stage.reach('nudge-claimed');
    const asked = now.filter(({ nudge }) => nudge.kind === 'nudge');
    const news = now.filter(({ nudge }) => nudge.kind !== 'nudge');
    const together = pace.may !== 'one by one';
    if (asked.length >= (together ? 2 : bundleFrom) && (together || to.kind === 'person')) await sendBundle(asked);
    else for (const { nudge, tracked } of asked) await sendOne(nudge, tracked);
    if (together && news.length > 1) await sendNews(news);
    else for (const { nudge, tracked } of news) await sendOne(nudge, tracked);
  }

  /** Puts off what can wait until then. Returns what would be out of date then: no pacing may lose a note. */
  async function held(wanted: readonly Wanted[], until: Instant): Promise<readonly Wanted[]> {
    const [first] = wanted;
    const waiting = wanted.map(({ nudge }) => nudge).filter(({ staleAt }) => until < staleAt);
    if (first && waiting.length > 0) {
      const claimed = waiting.map(({ id, queueId, seq }) => ({ id, queueId, seq }));
      await stage.store.putOffNudges(first.nudge.to, claimed, until);
    }
    return wanted.filter(({ nudge }) => until >= nudge.staleAt);
  }

  async function stillWanted(nudge: Nudge, tracked: Tracked | null): Promise<boolean> {
    const { to } = nudge;
    const now = stage.clock.now();
    if (!stage.notifier || now >= nudge.staleAt) {
      if (!waitedForQuiet(stage, nudge)) await gaps.dropped(to, nudge, nudge.dueAt);
      await stage.store.settleNudge(nudge.id, { to: 'stale' }, {});
      return false;
    }
    if (nudge.attempts > 0 && (await hasArrived(nudge))) {
      await settleSent(nudge);
      return false;
    }
    if (await isNewsOfNothing(nudge, tracked)) {
      await stage.store.settleNudge(nudge.id, { to: 'stale' }, {});
      return false;
    }
    const group = tracked?.plan.group;
    if (to.kind === 'person' && to.person !== null && group && stage.absences.muted(to.person, group, now)) {
      await stage.store.settleNudge(nudge.id, { to: 'stale' }, {});
      return false;
    }
    return true;
  }

  /** One line for all that went out of date in somebody's quiet hours. */
  async function tellOfQuiet(to: Nudge['to'], nudges: readonly Nudge[], wanted: readonly Wanted[]): Promise<void> {
    if (to.kind !== 'person' || !stage.notifier) return;
    const kept = new Set(wanted.map(({ nudge }) => nudge.id));
    const now = stage.clock.now();
    const lost = nudges.filter((each) => !kept.has(each.id) && now >= each.staleAt && waitedForQuiet(stage, each));
    const [first] = lost;
    if (!first) return;
    const text = phrasesIn(languageOfTarget(stage, to)).quietSummary(lost.length);
    await stage.notifier
      .send({ kind: 'person', jid: to.jid }, text, `quiet.${first.id}`)
      .catch((error: unknown) =>
        stage.log.info({ to: to.jid, cause: describeError(error) }, 'what was missed could not be told'),
      );
  }

  /** Their client has said so (XEP-0184), although the server's word for it was lost. */
  async function hasArrived({ id, queueId }: Nudge): Promise<boolean> {
    return (await stage.store.evidence(queueId)).some(({ reference }) => reference === id);
  }

  /** That a mail has moved on is no news to somebody who was to be asked about it, and never was. */
  async function isNewsOfNothing({ kind, to, queueId, seq, id }: Nudge, tracked: Tracked | null): Promise<boolean> {
    if (kind !== 'notice' || to.kind !== 'person' || !tracked || isProposal(id)) return false;
    const asked = (await stage.store.nudges(queueId)).filter(
      (each) => each.seq === seq && each.kind === 'nudge' && each.to.kind === 'person' && each.to.jid === to.jid,
    );
    const mayKnow = ({ id: each, state }: Nudge) => state === 'sent' || state === 'pending' || unsure.has(each);
    if (asked.length === 0 || asked.some(mayKnow)) return false;
    const evidence = await stage.store.evidence(queueId);
    if (evidence.some(({ person, grade }) => person === to.person && grade >= grades.promise)) return false;
    // They were to hear of it while they could not: that is part of the gap.
    if (asked.some(({ attempts }) => attempts > 0)) {
      await gaps.dropped(to, { queueId, seq }, Math.min(...asked.map(({ dueAt }) => dueAt)));
    }
    return true;
  }

  function sayWhatWasMissed(to: NotifyTarget, gap: Gap, until: Instant): Promise<void> {
    if (!stage.notifier) return Promise.resolve();
    const now = stage.clock.now();
    const language = languageOfTarget(stage, to);
    const [from, end] = [clockTime(gap.since, now, language), clockTime(until, now, language)];
    const p = phrasesIn(language);
    const text = (to.kind === 'person' ? p.summary : p.roomSummary)(from, end, gap.mails.length);
    return stage.notifier.send(to, text, `gap.${gap.since}.${addresseeOf(to)}`);
  }

  async function sendOne(nudge: Nudge, tracked: Tracked | null): Promise<void> {
    const more = { ...factsForPrograms(nudge, tracked), ...(await corrected(nudge)) };
    await dispatch([nudge], nudge.text, nudge.id, more, tracked);
  }

  async function sendBundle(asked: readonly Wanted[]): Promise<void> {
    const [first] = asked;
    if (!first) return;
    const language = first.tracked ? languageOf(stage, first.tracked.plan.group) : 'en';
    const text = bundleText(
      asked.map(({ nudge }) => nudge.text),
      language,
      first.nudge.to.kind,
    );
    const nudges = asked.map(({ nudge }) => nudge);
    await dispatch(nudges, text, `bundle.${first.nudge.id}`, {}, first.tracked);
  }

  /** What has changed, line by line. It takes no nudge's place: it speaks of several. */
  async function sendNews(news: readonly Wanted[]): Promise<void> {
    const [first] = news;
    if (!first) return;
    const language = first.tracked ? languageOf(stage, first.tracked.plan.group) : 'en';
    const nudges = news.map(({ nudge }) => nudge);
    const text = newsText(
      nudges.map((nudge) => nudge.text),
      language,
    );
    await dispatch(nudges, text, `news.${first.nudge.id}`, {}, first.tracked);
  }

  /** A notice to somebody who was nudged about the same mail takes the nudge's place (XEP-0308), so it is not acted on. */
  async function corrected({ queueId, seq, kind, to }: Nudge): Promise<MoreOfMessage> {
    if (kind !== 'notice' || to.kind !== 'person') return {};
    const earlier = (await stage.store.nudges(queueId)).findLast(
      (each) =>
        each.seq === seq &&
        each.kind === 'nudge' &&
        each.state === 'sent' &&
        each.to.kind === 'person' &&
        each.to.jid === to.jid,
    );
    return earlier ? { replaces: earlier.id } : {};
  }

  async function dispatch(
    nudges: readonly Nudge[],
    text: string,
    id: string,
    more: MoreOfMessage,
    tracked: Tracked | null,
    again: Unsure | null = null,
  ): Promise<void> {
    const [first] = nudges;
    if (!first || !stage.notifier) return;
    const { to } = first;
    const greeted = to.kind === 'person' ? `greeted ${to.jid}` : null;
    const isFirst = greeted !== null && (await stage.store.recall(greeted)) === null;
    const language = tracked ? languageOf(stage, tracked.plan.group) : 'en';
    const whole = isFirst && !again ? `${greeting(stage.config.hostname, language)}${text}` : text;
    const openedBefore = openings;
    try {
      await stage.notifier.send(to, whole, id, more);
    } catch (error) {
      const cause = describeError(error);
      await gaps.opened(to);
      if (mayHaveArrived(error) && !again) {
        const one = { nudges, text: whole, id, more, gone: false };
        for (const { id: each } of nudges) unsure.set(each, one);
      }
      for (const each of unsure.keys()) {
        if (unsure.size <= mostUnsure) break;
        unsure.delete(each);
      }
      stage.log.info({ queueId: first.queueId, to: addressee(first), cause }, 'nudge not sent; trying again');
      // Together, so that what was one message can be repeated as one; and in one breath, so that what hastens them
      // (reopened) comes before all of them are put off, and is seen here, or after.
      const attempts = Math.max(...nudges.map((nudge) => nudge.attempts));
      const pause = openings > openedBefore ? 0 : Math.min(2 * minute, 5 * second * 2 ** Math.min(attempts, 6));
      const dueAt = stage.clock.now() + pause;
      await allAtOnce(nudges, (nudge) => later(nudge, dueAt));
      return;
    }
    if (again) again.gone = true;
    stage.reach('nudge-sent');
    const at = stage.clock.now();
    pacing.said(addressee(first), at);
    await allAtOnce(nudges, settleSent);
    if (isFirst && greeted !== null) await stage.store.remember(greeted, String(at));
    await gaps.heard(to);
  }

  async function later(nudge: Nudge, dueAt: Instant): Promise<void> {
    if (dueAt < nudge.staleAt) {
      await stage.store.settleNudge(nudge.id, { to: 'pending', dueAt }, {});
      return;
    }
    await gaps.dropped(nudge.to, nudge, nudge.dueAt);
    await stage.store.settleNudge(nudge.id, { to: 'stale' }, {});
  }

  return {
    send(nudges) {
      const byAddressee = Map.groupBy(nudges, addressee);
      return [...byAddressee.values()].map((list) => {
        const [first] = list;
        return first ? sendTo(first.to, list) : Promise.resolve();
      });
    },

    seenAgain: (jid) => gaps.back({ kind: 'person', jid }),

    async reopened(room) {
      openings += 1;
      if ((await stage.store.hastenNudges(stage.clock.now())) > 0) stage.wake();
      for (const each of room === null ? await gaps.rooms() : [room]) await gaps.back({ kind: 'room', room: each });
    },
  };
}

/** In one breath, so that the store writes them in one transaction: one by one each has to wait for a disk of its own. */
const allAtOnce = <T, R>(all: readonly T[], work: (one: T) => Promise<R>): Promise<R[]> => Promise.all(all.map(work));

const quietOf = ({ rules }: Stage, to: Nudge['to']): Schedule | undefined =>
  to.kind === 'person' && to.person !== null ? rules.current().people.get(to.person)?.quiet : undefined;

/** Null when they may be disturbed. A schedule that never ends is asked again in an hour: it may be changed. */
function quietUntil(stage: Stage, to: Nudge['to'], now: Instant): Instant | null {
  const quiet = quietOf(stage, to);
  return quiet && isOpenAt(quiet, now) ? (nextClosing(quiet, now) ?? now + hour) : null;
}

/** It was put off to the end of their quiet hours. */
function waitedForQuiet(stage: Stage, { to, dueAt, staleAt }: Nudge): boolean {
  const quiet = quietOf(stage, to);
  return quiet !== undefined && dueAt >= staleAt && isOpenAt(quiet, dueAt - 1);
}

function sentEvents({ kind, queueId, seq, step, ...nudge }: Nudge, at: Instant): StoryEvent[] {
  if (kind !== 'nudge') return [];
  const { to } = nudge;
  const whom = to.kind === 'room' ? { room: to.room } : to.person === null ? {} : { person: to.person };
  return [{ event: 'nudged', at, queueId, seq, to: to.kind === 'room' ? to.room : to.jid, step, ...whom }];
}

function factsForPrograms(nudge: Nudge, tracked: Tracked | null): MoreOfMessage {
  if (!tracked || !deliveryOfStanza(nudge.id)) return {};
  const { shortId: id, queueId, revision, state, owner, plan } = tracked;
  return { facts: { id, queueId, revision, step: nudge.step, kind: nudge.kind, group: plan.group, state, owner } };
}

const addressee = ({ to }: Nudge): string => addresseeOf(to);
