// Messages: accepting one, its content, and when that may go.

import { basename } from 'node:path';
import type { Instant } from '../../clock.ts';
import { isFile } from '../../mail/content.ts';
import { PointsmanError } from '../../mail/error.ts';
import type { QueueId } from '../../mail/queue-id.ts';
import { replies } from '../../mail/reply.ts';
import type { Acceptance, DueKind } from '../store.ts';
import { insertDelivery } from './deliveries.ts';
import { appendEvent } from './look.ts';
import { dropTimer, setTimer } from './timers.ts';
import { insertTracked } from './tracked.ts';
import { ended, type Work } from './work.ts';

export function accept(work: Work, acceptance: Acceptance): void {
  const { message, content } = acceptance;
  work.sql.run(
    `INSERT INTO messages (queue_id, accepted_at, kind, reverse_path, size, envelope, facts, trace)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    message.queueId,
    message.acceptedAt,
    message.kind,
    message.envelope.reversePath,
    message.size,
    JSON.stringify(message.envelope),
    JSON.stringify(message.facts),
    message.trace,
  );
  if (content !== null) {
    const file = isFile(content) ? basename(content.path) : null;
    const octets = isFile(content) ? new Uint8Array() : content;
    work.sql.run(
      'INSERT INTO message_content (queue_id, content, file) VALUES (?, ?, ?)',
      message.queueId,
      octets,
      file,
    );
  }
  for (const delivery of acceptance.deliveries) insertDelivery(work, message.queueId, delivery);
  for (const tracked of acceptance.tracked) insertTracked(work, tracked);
  for (const event of acceptance.events) appendEvent(work, event);
  if (acceptance.deliveries.every(({ taken }) => taken !== undefined)) ended(work, message.queueId, message.acceptedAt);
}

/** Octets, or the name of the file they are in. */
export function content(work: Work, queueId: QueueId): Uint8Array | { file: string; length: number } {
  const row = work.sql.get<{ content: Uint8Array; file: string | null }>(
    'SELECT content, file FROM message_content WHERE queue_id = ?',
    queueId,
  );
  if (row && row.file !== null) {
    const message = work.sql.get<{ size: number }>('SELECT size FROM messages WHERE queue_id = ?', queueId);
    if (message) return { file: row.file, length: message.size };
  }
  if (!row) throw new PointsmanError(replies.localError, `the content of ${queueId} is not kept`);
  return row.content;
}

export function contentKept(work: Work, queueId: QueueId): boolean {
  return work.sql.get('SELECT 1 FROM message_content WHERE queue_id = ?', queueId) !== undefined;
}

/** Nothing waits, nothing is open. A dead letter is all that is left of a mail nobody was told about: it is kept. */
function finished(work: Work, queueId: QueueId): boolean {
  const attempts: DueKind = 'attempt';
  return (
    work.sql.get('SELECT 1 FROM timers WHERE kind = ? AND queue_id = ? LIMIT 1', attempts, queueId) === undefined &&
    work.sql.get(
      `SELECT 1 FROM tracked WHERE queue_id = ? AND state IN ('waiting', 'held', 'tracked') LIMIT 1`,
      queueId,
    ) === undefined &&
    work.sql.get(`SELECT 1 FROM deliveries WHERE queue_id = ? AND state = 'dead' LIMIT 1`, queueId) === undefined
  );
}

/** At the end of a verb: a message that it finished gets its retire timer, in the same transaction. */
export function scheduleRetirement(work: Work, queueId: QueueId, end: Instant): void {
  if (!finished(work, queueId) || !contentKept(work, queueId)) return;
  setTimer(work, 'retire', { queueId, seq: 0 }, end + work.keepContent);
}

/** Before a delivery is added to a message that was accepted earlier. */
export function reopen(work: Work, queueId: QueueId): void {
  if (!contentKept(work, queueId)) {
    throw new PointsmanError(replies.localError, `${queueId} cannot be forwarded: its content is not kept`);
  }
  dropTimer(work, 'retire', { queueId, seq: 0 });
}

/** Does nothing to a message that is not finished (any more): a forward added meanwhile still needs the content. */
export function retireContent(work: Work, queueId: QueueId): void {
  dropTimer(work, 'retire', { queueId, seq: 0 });
  if (!finished(work, queueId)) return;
  const row = work.sql.get<{ file: string | null }>('SELECT file FROM message_content WHERE queue_id = ?', queueId);
  if (row && row.file !== null) work.gone.push(row.file);
  work.sql.run('DELETE FROM message_content WHERE queue_id = ?', queueId);
}
