// The story of a message as data: appended in the same transaction as what it tells of, shown by `track show`,
// logged, and printed by the sandbox. Old events stay readable: add kinds and optional fields, never change one.
import type { Instant } from '../clock.ts';
import type { QueueId } from '../mail/queue-id.ts';

export type StoryEvent = { readonly at: Instant; readonly queueId: QueueId; readonly seq?: number } & (
  | {
      readonly event: 'accepted';
      readonly from: string;
      readonly to: readonly string[];
      readonly size: number;
      readonly peer: string;
      readonly subject?: string;
      readonly messageId?: string;
    }
  | {
      readonly event: 'chosen';
      readonly group: string;
      readonly person?: string;
      readonly mailbox: string;
      readonly why: 'dispatch' | 'retry' | 'escalation';
      readonly because: readonly string[];
      readonly decision: string;
    }
  | {
      readonly event: 'held';
      readonly group: string;
      readonly until: Instant;
      readonly because: readonly string[];
      readonly decision: string;
    }
  | {
      /** Operators are asked who shall have it; the numbers they answer count from 1. */
      readonly event: 'proposed';
      readonly group: string;
      readonly until: Instant;
      readonly to: readonly string[];
      readonly candidates: readonly string[];
      readonly decision: string;
    }
  | { readonly event: 'picked'; readonly person: string; readonly by: string }
  | {
      readonly event: 'forwarded';
      readonly to: string;
      readonly person?: string;
      readonly nextHop: string;
      readonly reply: string;
    }
  | {
      readonly event: 'deferred';
      readonly to: string;
      readonly nextHop: string;
      readonly reply: string;
      readonly nextAttemptAt: Instant;
    }
  | { readonly event: 'failed'; readonly to: string; readonly nextHop: string; readonly reply: string }
  | {
      readonly event: 'reported';
      readonly to: string;
      readonly report: QueueId;
      /** RFC 3464 §2.3.3; absent: failed. */
      readonly action?: string;
    }
  | {
      readonly event: 'nudged';
      readonly to: string;
      readonly person?: string;
      readonly room?: string;
      readonly step: number;
    }
  | {
      readonly event: 'evidence';
      readonly person?: string;
      readonly grade: number;
      readonly source: string;
      readonly trusted: boolean;
      readonly reference?: string;
    }
  | {
      readonly event: 'escalated';
      readonly group?: string;
      readonly step: string;
      readonly trigger: Trigger;
      readonly from?: string;
      readonly to: string;
      /** Steps before it that had no target, with the reason. */
      readonly skipped?: readonly string[];
      /** Nobody is asked before then: the step's hours begin. */
      readonly until?: Instant;
    }
  | { readonly event: 'closed'; readonly group?: string; readonly state: string; readonly by?: string }
  | {
      readonly event: 'fault';
      readonly fault: string;
      readonly severity: 'critical' | 'fatal' | 'error' | 'warning';
      readonly text: string;
    }
  | { readonly event: 'operated'; readonly action: string; readonly by: string }
);

/** Why a step was taken. */
export type Trigger =
  | 'time'
  | 'passed'
  | 'owner offline'
  | 'undeliverable'
  | 'ack expired'
  | 'promise expired'
  | 'operator';

export type EventKind = StoryEvent['event'];
