// The one shape of an error: what the peer is told, what we keep for ourselves, and whether trying again can help.
import { isTemporary, type Reply, replies } from './reply.ts';

export class PointsmanError extends Error {
  /** Public: short, generic, never configuration or paths. */
  readonly reply: Reply;

  constructor(reply: Reply, privateCause: string, options?: { cause?: unknown }) {
    super(privateCause, options);
    this.name = 'PointsmanError';
    this.reply = reply;
  }

  get temporary(): boolean {
    return isTemporary(this.reply);
  }
}

/** The reply for any thrown value: unknown means temporary (promise 2). */
export function replyFor(error: unknown): Reply {
  return error instanceof PointsmanError ? error.reply : replies.localError;
}

export function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
