// The audit: whatever is done by hand is written down before it is done, with who does it and how things stand, and
// again with what came of it. A decorator: what acts knows nothing of it, and nothing that acts can forget it.
import type { Clock } from '../clock.ts';
import type { QueueId } from '../mail/queue-id.ts';
import { type Operations, RefusedError } from '../operations.ts';
import type { LookBack, Standing } from '../store/look-back.ts';
import type { Intervened } from '../store/store.ts';
import type { Tracked } from '../tracking/tracked.ts';

interface Action<Result> {
  readonly by: string;
  readonly action: string;
  readonly subject: string;
  readonly wish?: Standing;
  readonly before?: () => Promise<Standing>;
  readonly after: (result: Result) => Standing;
  readonly run: () => Promise<Result>;
}

export function withAudit(
  operations: Operations,
  { store, clock }: { readonly store: Pick<LookBack, 'audit' | 'auditEnd'>; readonly clock: Clock },
): Operations {
  async function audited<Result>({ run, after, before, wish = {}, ...what }: Action<Result>): Promise<Result> {
    const standing = (await before?.()) ?? {};
    const number = await store.audit({ at: clock.now(), ...what, wish, before: standing });
    try {
      const result = await run();
      await store.auditEnd(number, 'done', after(result));
      return result;
    } catch (error) {
      const refused = error instanceof RefusedError;
      const why: Standing = refused ? { why: error.message.slice(0, 500) } : {};
      await store.auditEnd(number, refused ? 'refused' : 'failed', why);
      throw error;
    }
  }

  const message = (id: string) => async (): Promise<Standing> => {
    const story = await operations.story(id);
    if (!story) return {};
    const states = story.deliveries.map(({ seq, state, onHoldBy }) => `${seq} ${state}${onHoldBy ? ' on hold' : ''}`);
    return { deliveries: states.join(', '), ...(story.tracked[0] ? standingOf(story.tracked[0]) : {}) };
  };
  const presence = (name: string) => async (): Promise<Standing> => {
    const [person] = await operations.presence({ person: name }).catch(() => []);
    return person ? { state: person.presence.state, source: person.source } : {};
  };
  const onMail = (queueId: QueueId, by: string, action: string, wish?: Standing) => ({
    by,
    action,
    subject: queueId,
    before: message(queueId),
    ...(wish ? { wish } : {}),
  });

  return {
    ...operations,
    retry: (queueId, by) =>
      audited({
        ...onMail(queueId, by, 'retry'),
        run: () => operations.retry(queueId, by),
        after: (due) => ({ due }),
      }),
    intervene: (queueId, action, by) =>
      audited({
        ...onMail(queueId, by, action),
        run: () => operations.intervene(queueId, action, by),
        after: intervened,
      }),
    requeue: (queueId, to, by) =>
      audited({
        ...onMail(queueId, by, 'requeue', { to: to.slice(0, 320) }),
        run: () => operations.requeue(queueId, to, by),
        after: intervened,
      }),
    ack: (id, by) =>
      audited({
        by,
        action: 'ack',
        subject: id,
        before: message(id),
        run: () => operations.ack(id, by),
        after: (outcome) => ({ outcome: outcome.kind, ...('tracked' in outcome ? standingOf(outcome.tracked) : {}) }),
      }),
    reassign: (id, person, by) =>
      audited({
        by,
        action: 'reassign',
        subject: id,
        wish: { to: person.slice(0, 200) },
        before: message(id),
        run: () => operations.reassign(id, person, by),
        after: standingOf,
      }),
    snooze: (id, lasts, by) =>
      audited({
        by,
        action: 'snooze',
        subject: id,
        wish: { for: lasts },
        before: message(id),
        run: () => operations.snooze(id, lasts, by),
        after: standingOf,
      }),
    takeStep: (id, step, by) =>
      audited({
        by,
        action: 'take step',
        subject: id,
        wish: { step },
        before: message(id),
        run: () => operations.takeStep(id, step, by),
        after: standingOf,
      }),
    setPresence: (name, wish, by) =>
      audited({
        by,
        action: wish === null ? 'presence back' : 'presence',
        subject: name.slice(0, 200),
        wish: wish === null ? {} : { state: wish.state, until: wish.until, note: wish.note ?? null },
        before: presence(name),
        run: () => operations.setPresence(name, wish, by),
        after: ({ presence: now, source }) => ({ state: now.state, source }),
      }),
    actOnFault: (number, action, by) =>
      audited({
        by,
        action: `fault ${action}`,
        subject: `f${number}`,
        before: async () => {
          const fault = (await operations.faults('open')).find((one) => one.number === number);
          return fault ? { kind: fault.kind, owner: fault.owner } : {};
        },
        run: () => operations.actOnFault(number, action, by),
        after: ({ owner, clearedAt }) => ({ owner, cleared: clearedAt !== null }),
      }),
    rotateMarkKey: (by) =>
      audited({
        by,
        action: 'rotate-mark-key',
        subject: '',
        run: () => operations.rotateMarkKey(by),
        after: ({ key }) => ({ key }),
      }),
    acceptDirectory: (by) =>
      audited({
        by,
        action: 'accept directory',
        subject: '',
        before: async () => ({ held: (operations.directory()?.held ?? []).map(({ subject }) => subject).join(', ') }),
        run: () => operations.acceptDirectory(by),
        after: ({ people }) => ({ people }),
      }),
    reload: (by) =>
      audited({
        by,
        action: 'reload',
        subject: '',
        before: async () => ({ version: operations.ruleFiles().version }),
        run: () => operations.reload(by),
        after: ({ version, problems }) => ({ version, problems: problems.length }),
      }),
  };
}

const intervened = ({ done, busy }: Intervened): Standing => ({ done: done.join(', '), busy: busy.join(', ') });

const standingOf = ({ state, owner, shortId }: Tracked): Standing => ({ state, owner, shortId });
