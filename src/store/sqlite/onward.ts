// What an escalation forwards, as it is handed over in the transaction that has added it.
import type { HandedOn } from '../onward.ts';
import type { DeliveryRef } from '../store.ts';
import { content } from './messages.ts';
import { type DeliveryRow, deliveryFrom, type MessageRow, messageFrom } from './rows.ts';
import type { Work } from './work.ts';

export function handOn(work: Work, forwarded: readonly DeliveryRef[]): readonly HandedOn[] {
  return forwarded.flatMap(({ queueId, seq }) => {
    const message = work.sql.get<MessageRow>('SELECT * FROM messages WHERE queue_id = ?', queueId);
    const delivery = work.sql.get<DeliveryRow>('SELECT * FROM deliveries WHERE queue_id = ? AND seq = ?', queueId, seq);
    if (!message || !delivery) return [];
    const octets = content(work, queueId);
    return {
      message: messageFrom(message),
      delivery: { ...deliveryFrom(delivery), finalDotAt: null },
      content: octets instanceof Uint8Array ? octets : null,
    };
  });
}
