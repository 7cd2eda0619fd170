// Events for other programs: which moments of the story and of faults are told to whoever follows, and in what words.
// docs/reference/pubsub.md is the schema; fields are added, never changed. No subject, no address, no text of a mail.
import type { Instant } from '../clock.ts';
import type { StoryEvent } from '../tracking/event.ts';
import { grades } from '../tracking/evidence.ts';

export const publishedKinds = ['routing', 'claims', 'faults'] as const;
export type PublishedKind = (typeof publishedKinds)[number];

export interface Published {
  readonly kind: PublishedKind;
  /** `chosen`, `held`, `escalated`; `evidence`, `picked`, `closed`; `open`, `owned`, `cleared`. */
  readonly what: string;
  readonly at: Instant;
  readonly data: Readonly<Record<string, string | number | null>>;
}

/** Null: nobody but us is told. */
export function publishedOf(event: StoryEvent): Published | null {
  const { at, queueId } = event;
  const routing = (data: Published['data']): Published => ({
    ...{ kind: 'routing', what: event.event, at, data: { queueId, ...data } },
  });
  const claims = (data: Published['data']): Published => ({
    kind: 'claims',
    what: event.event,
    at,
    data: { queueId, ...data },
  });
  switch (event.event) {
    case 'chosen':
      return routing({ group: event.group, person: event.person ?? null, why: event.why });
    case 'held':
      return routing({ group: event.group, until: new Date(event.until).toISOString() });
    case 'escalated':
      return routing({ group: event.group ?? null, step: event.step, trigger: event.trigger });
    case 'picked':
      return claims({ person: event.person, by: event.by });
    case 'evidence':
      // From a promise on somebody has it in hand; below that it was only seen.
      return event.trusted && event.grade >= grades.promise
        ? claims({ person: event.person ?? null, grade: event.grade, source: event.source })
        : null;
    case 'closed':
      return claims({ group: event.group ?? null, state: event.state, by: event.by ?? null });
    default:
      return null;
  }
}

/** As a program that is told by a webhook hears it, too. */
export interface FaultChange {
  readonly number: number;
  readonly fault: string;
  readonly subject: string;
  readonly severity: string;
  readonly state: 'open' | 'owned' | 'cleared';
  readonly text: string;
  readonly owner: string | null;
  readonly openedAt: string;
  readonly clearedAt: string | null;
  readonly count: number;
}

export function publishedFault(change: FaultChange, now: Instant): Published {
  const { number, fault, subject, severity, state, text, owner, openedAt, clearedAt, count } = change;
  const data = { number, fault, subject, severity, text, owner, openedAt, clearedAt, count };
  return { kind: 'faults', what: state, at: now, data };
}
