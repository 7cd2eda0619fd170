// What follows from one delivery attempt. Pure: the same attempt at the same moment with the same chance always gives
// the same answer.
import type { Duration, Instant } from '../clock.ts';
import { type Reply, replies } from '../mail/reply.ts';

export interface RetryPolicy {
  /** Given up and reported after this, counted from acceptance. RFC 5321 §4.5.4.1: at least 4–5 days. */
  readonly lifetime: Duration;
  readonly firstRetry: Duration;
  readonly longestRetry: Duration;
}

export type Attempt =
  | { readonly kind: 'accepted'; readonly reply: Reply }
  | { readonly kind: 'temporary'; readonly reply?: Reply; readonly cause: string }
  | { readonly kind: 'permanent'; readonly reply: Reply; readonly cause: string };

export type AfterAttempt =
  | { readonly kind: 'delivered'; readonly reply: Reply }
  | { readonly kind: 'retry'; readonly at: Instant }
  | { readonly kind: 'failed'; readonly reply: Reply };

/**
 * @param attempts how many were made before this one
 * @param jitter chance in [0, 1): spreads retries over ±20 %
 */
export function afterAttempt(
  delivery: { readonly attempts: number; readonly acceptedAt: Instant },
  attempt: Attempt,
  policy: RetryPolicy,
  now: Instant,
  jitter: number,
): AfterAttempt {
  if (attempt.kind === 'accepted') return { kind: 'delivered', reply: attempt.reply };
  if (attempt.kind === 'permanent') return { kind: 'failed', reply: attempt.reply };
  const horizon = delivery.acceptedAt + policy.lifetime;
  // The diagnostic stays the next hop's own: it says why the time ran out.
  if (now >= horizon)
    return {
      kind: 'failed',
      reply: attempt.reply
        ? { ...replies.expired, text: `${replies.expired.text}; last reply: ${attempt.reply.text}` }
        : { ...replies.expired, text: `${replies.expired.text}; ${attempt.cause}` },
    };
  const backoff = Math.min(policy.longestRetry, policy.firstRetry * 2 ** Math.min(delivery.attempts, 20));
  // A last try at the horizon, so that the lifetime is used whole.
  return { kind: 'retry', at: Math.min(horizon, now + Math.round(backoff * (0.8 + 0.4 * jitter))) };
}
