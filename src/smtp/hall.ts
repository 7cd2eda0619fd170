// What the sessions of one front door share (server.ts has it), and what one keeps of a transaction.
import type { Clock } from '../clock.ts';
import type { Intake } from '../intake.ts';
import type { Log } from '../log.ts';
import type { ContentWriter } from '../mail/content.ts';
import type { ForwardPath } from '../mail/envelope.ts';
import type { Reply } from '../mail/reply.ts';
import type { MailCommand } from './command.ts';

/** What all sessions of one front door share. */
export interface Hall {
  readonly hostname: string;
  readonly size: number;
  readonly maxRecipients: number;
  readonly intake: Intake;
  readonly clock: Clock;
  readonly log: Log;
  /** For content too large for memory. */
  readonly openContent?: () => ContentWriter;
  draining(): boolean;
  /** Decides at connect, on the real peer address. A Reply with 421 ends the connection, another one only the mail. */
  admit(address: string): Reply | undefined;
  carriesMembers(address: string): boolean;
  /** Room for content that is being received; false when there is none. */
  reserve(octets: number): boolean;
  release(octets: number): void;
  onMessage(reply: Reply): void;
}

export interface Transaction {
  readonly mail: MailCommand;
  readonly forwardPaths: ForwardPath[];
}
