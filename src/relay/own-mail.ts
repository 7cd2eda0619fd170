// A mail of our own: a report, word of a fault, a digest. From the null reverse-path and with NOTIFY=NEVER: no report
// comes back of it (RFC 5321 §4.5.5, RFC 3461 §4.1).
import type { Instant } from '../clock.ts';
import type { Envelope } from '../mail/envelope.ts';
import { readFacts } from '../mail/header.ts';
import { type Mailbox, nullReversePath } from '../mail/path.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Acceptance } from '../store/store.ts';
import type { Stage } from './parts.ts';

export interface OwnMail {
  readonly queueId: QueueId;
  readonly to: Mailbox;
  readonly content: Uint8Array;
  readonly body: '7BIT' | '8BITMIME';
  readonly smtputf8: boolean;
  readonly rulesVersion: string;
  /** As its decision is explained. */
  readonly because: string;
}

export function ownMail(stage: Stage, mail: OwnMail, now: Instant): Acceptance {
  const { queueId, to, content, body, smtputf8, rulesVersion, because } = mail;
  const path = { mailbox: to, notify: ['never'] } as const;
  const envelope: Envelope = { reversePath: nullReversePath, forwardPaths: [path], body, smtputf8 };
  const client = { address: '127.0.0.1', port: 0, helo: stage.config.hostname, tls: false, carriesMembers: false };
  const facts = readFacts({ queueId, receivedAt: now, envelope, content, size: content.length, client });
  return {
    message: {
      queueId,
      acceptedAt: now,
      envelope: { reversePath: nullReversePath, body, smtputf8 },
      facts,
      size: content.length,
      trace: '',
      kind: 'report',
    },
    content,
    deliveries: [
      {
        seq: 0,
        path,
        plan: { kind: 'pass', address: to, rule: null, rulesVersion, because: [because] },
        forwardOf: null,
        chosen: null,
        firstAttemptAt: now,
      },
    ],
    tracked: [],
    events: [
      {
        event: 'accepted',
        at: now,
        queueId,
        from: nullReversePath,
        to: [to],
        size: content.length,
        peer: 'pointsman',
        ...(facts.subject === undefined ? {} : { subject: facts.subject }),
        ...(facts.messageId === undefined ? {} : { messageId: facts.messageId }),
      },
    ],
  };
}
