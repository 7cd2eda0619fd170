// Rows and what they mean. JSON columns hold the domain's own values.
import type { Instant } from '../../clock.ts';
import type { Mailbox } from '../../mail/path.ts';
import type { QueueId } from '../../mail/queue-id.ts';
import type { BareJid } from '../../presence/jid.ts';
import type { Evidence, Grade } from '../../tracking/evidence.ts';
import type { Decision, Delivery, DeliveryState, Message, Nudge } from '../store.ts';

export interface MessageRow {
  readonly queue_id: QueueId;
  readonly accepted_at: Instant;
  readonly kind: Message['kind'];
  readonly reverse_path: string;
  readonly size: number;
  readonly envelope: string;
  readonly facts: string;
  readonly trace: string;
}

export const messageFrom = (row: MessageRow): Message => ({
  queueId: row.queue_id,
  acceptedAt: row.accepted_at,
  envelope: JSON.parse(row.envelope) as Message['envelope'],
  facts: JSON.parse(row.facts) as Message['facts'],
  size: row.size,
  trace: row.trace,
  kind: row.kind,
});

export interface DeliveryRow {
  readonly queue_id: QueueId;
  readonly seq: number;
  readonly state: DeliveryState;
  readonly path: string;
  readonly plan: string;
  readonly attempts: number;
  readonly forward_of: number | null;
  readonly chosen_mailbox: Mailbox | null;
  readonly chosen_person: string | null;
  readonly last_reply: string | null;
  readonly last_hop: string | null;
  readonly final_dot_at: Instant | null;
  readonly next_attempt_at: Instant | null;
  readonly on_hold_by: string | null;
  readonly delay_told_at: Instant | null;
}

export const deliveryFrom = (row: DeliveryRow): Delivery => ({
  queueId: row.queue_id,
  seq: row.seq,
  path: JSON.parse(row.path) as Delivery['path'],
  plan: JSON.parse(row.plan) as Delivery['plan'],
  state: row.state,
  attempts: row.attempts,
  forwardOf: row.forward_of,
  chosen: row.chosen_mailbox === null ? null : { mailbox: row.chosen_mailbox, person: row.chosen_person },
  lastReply: row.last_reply,
  lastHop: row.last_hop,
  finalDotAt: row.final_dot_at,
  nextAttemptAt: row.next_attempt_at,
  onHoldBy: row.on_hold_by,
  delayToldAt: row.delay_told_at,
});

export interface NudgeRow {
  readonly id: string;
  readonly queue_id: QueueId;
  readonly seq: number;
  readonly kind: Nudge['kind'];
  readonly recipient_kind: Nudge['to']['kind'];
  readonly recipient: BareJid;
  readonly person: string | null;
  readonly text: string;
  readonly step: number;
  readonly due_at: Instant;
  readonly stale_at: Instant;
  readonly state: Nudge['state'];
  readonly attempts: number;
  readonly sent_at: Instant | null;
}

export const nudgeFrom = (row: NudgeRow): Nudge => ({
  id: row.id,
  queueId: row.queue_id,
  seq: row.seq,
  kind: row.kind,
  to:
    row.recipient_kind === 'person'
      ? { kind: 'person', jid: row.recipient, person: row.person }
      : { kind: 'room', room: row.recipient },
  text: row.text,
  step: row.step,
  dueAt: row.due_at,
  staleAt: row.stale_at,
  state: row.state,
  attempts: row.attempts,
  sentAt: row.sent_at,
});

export interface EvidenceRow {
  readonly queue_id: QueueId;
  readonly seq: number;
  readonly at: Instant;
  readonly person: string | null;
  readonly grade: Grade;
  readonly source: string;
  readonly reference: string | null;
  readonly trusted: 0 | 1;
}

export const evidenceFrom = (row: EvidenceRow): Evidence => ({
  queueId: row.queue_id,
  seq: row.seq,
  at: row.at,
  person: row.person,
  grade: row.grade,
  source: row.source,
  reference: row.reference,
  trusted: row.trusted === 1,
});

export interface DecisionRow {
  readonly id: string;
  readonly queue_id: QueueId;
  readonly seq: number;
  readonly at: Instant;
  readonly why: Decision['why'];
  readonly plan: string;
  readonly snapshot: string;
  readonly choice: string;
}

export const decisionFrom = (row: DecisionRow): Decision => ({
  id: row.id,
  queueId: row.queue_id,
  seq: row.seq,
  at: row.at,
  why: row.why,
  plan: JSON.parse(row.plan) as Decision['plan'],
  snapshot: JSON.parse(row.snapshot) as Decision['snapshot'],
  choice: JSON.parse(row.choice) as Decision['choice'],
});
