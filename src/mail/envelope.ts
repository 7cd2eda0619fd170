// The envelope: who sent, to whom, and with which parameters. RFC 5321 §2.3.1, RFC 3461 (DSN), RFC 6152, RFC 6531.
import type { Mailbox, ReversePath } from './path.ts';

/** RFC 3461 §4.1. `never` stands alone; an absent NOTIFY means what `['failure']` and perhaps `delay` mean. */
export type Notify = readonly ['never'] | readonly ('success' | 'failure' | 'delay')[];

export interface ForwardPath {
  readonly mailbox: Mailbox;
  readonly notify?: Notify;
  /** RFC 3461 §4.2, xtext-decoded: `rfc822;someone@example.org`. */
  readonly orcpt?: string;
}

export interface Envelope {
  readonly reversePath: ReversePath;
  readonly forwardPaths: readonly ForwardPath[];
  readonly body: '7BIT' | '8BITMIME';
  readonly smtputf8: boolean;
  /** RFC 3461 §4.3. */
  readonly ret?: 'FULL' | 'HDRS';
  /** RFC 3461 §4.4, xtext-decoded. */
  readonly envid?: string;
}
