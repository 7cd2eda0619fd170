// What the sessions of one front door share (server.ts has it), and what one keeps of a transaction.
import type { Clock, Duration } from '../clock.ts';
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
  /** Whether bare line ends from there are made whole instead of refused. */
  normalizes(address: string): boolean;
  /** Room for content that is being received; false when there is none. */
  reserve(octets: number): boolean;
  release(octets: number): void;
  /** The reply to content, and how long after its end. */
  onMessage(reply: Reply, took: Duration): void;
  /** Any negative reply. */
  onRefusal(reply: Reply): void;
}

export interface Transaction {
  readonly mail: MailCommand;
  readonly forwardPaths: ForwardPath[];
}

/** What one connection takes of the room for content. */
export class Held {
  readonly #hall: Pick<Hall, 'reserve' | 'release'>;
  #octets = 0;

  constructor(hall: Pick<Hall, 'reserve' | 'release'>) {
    this.#hall = hall;
  }

  reserve(octets: number): boolean {
    if (!this.#hall.reserve(octets)) return false;
    this.#octets += octets;
    return true;
  }

  /** All of it, unless told how much. A connection that has closed has given everything back already. */
  release(octets = this.#octets): void {
    const given = Math.min(octets, this.#octets);
    this.#hall.release(given);
    this.#octets -= given;
  }
}
