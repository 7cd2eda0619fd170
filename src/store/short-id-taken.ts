// The one error of the store port that its caller answers by itself.
import { PointsmanError } from '../mail/error.ts';
import { replies } from '../mail/reply.ts';

/** Another open tracked message has this short id: draw another and call again; nothing was written. */
export class ShortIdTaken extends PointsmanError {
  readonly shortId: string;

  constructor(shortId: string) {
    super(replies.localError, `the short id ${shortId} is taken by another open message`);
    this.name = 'ShortIdTaken';
    this.shortId = shortId;
  }
}
