// The way out: the Transport port on nodemailer's SMTP connection, with our own pool for each next hop.
// Rules kept here:
// - the octets of the content are not changed: what would have to be converted is refused (RFC 6152 §3, RFC 6531 §3.5);
// - every recipient gets an outcome, and what we do not understand is temporary;
// - a refused session (greeting, EHLO, STARTTLS) says nothing about the message, so it is temporary even with a 5xx;
// - a kept connection that turns out dead is replaced once, silently, when nothing of the message had been answered;
// - the final dot is written only after `onFinalDot` has resolved.
import { Readable } from 'node:stream';
import { type Clock, minute, second, systemClock } from '../clock.ts';
import { type Log, silentLog } from '../log.ts';
import { describeError } from '../mail/error.ts';
import { isInternationalised, nullReversePath } from '../mail/path.ts';
import { isPermanent, isPositive, type Reply, replies } from '../mail/reply.ts';
import type { NextHop, Outcome, Shipment, Transport } from '../transport.ts';
import {
  type Extensions,
  type Failure,
  isFailure,
  type Parameters,
  type Result,
  type Timeouts,
} from './hop-connection.ts';
import { type Lease, Pool } from './pool.ts';

export const defaultTimeouts: Timeouts = {
  connect: 30 * second,
  greeting: 2 * minute,
  idle: 10 * minute,
  transaction: 30 * minute,
  kept: 30 * second,
};

export interface TransportOptions {
  /** Our name in EHLO. */
  readonly hostname: string;
  readonly timeouts?: Partial<Timeouts>;
  readonly log?: Log;
  readonly clock?: Clock;
}

interface ShipOptions {
  readonly signal: AbortSignal;
  readonly onFinalDot: () => Promise<void>;
}

export function createTransport(options: TransportOptions): Transport {
  return new SmtpTransport(options);
}

class SmtpTransport implements Transport {
  readonly #hostname: string;
  readonly #timeouts: Timeouts;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #pools = new Map<string, Pool>();
  #closed = false;

  constructor(options: TransportOptions) {
    this.#hostname = options.hostname;
    this.#timeouts = { ...defaultTimeouts, ...options.timeouts };
    this.#log = options.log ?? silentLog;
    this.#clock = options.clock ?? systemClock;
  }

  async ship(hop: NextHop, shipment: Shipment, options: ShipOptions): Promise<readonly Outcome[]> {
    const deadline = new AbortController();
    const signal = AbortSignal.any([deadline.signal, options.signal]);
    const due = this.#clock.now() + this.#timeouts.transaction;
    const over = new AbortController();
    void this.#clock.sleepUntil(due, over.signal).then(() => {
      if (!over.signal.aborted) deadline.abort();
    });
    try {
      return await this.#shipWithin(hop, shipment, signal, options.onFinalDot);
    } catch (error) {
      const cause = isFailure(error) ? error.cause : describeError(error);
      this.#log.warn({ queueId: shipment.queueId, nextHop: hop.name, cause }, 'next hop not reached');
      return shipment.recipients.map(() => temporary(isFailure(error) ? error : { cause }));
    } finally {
      over.abort();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const pool of this.#pools.values()) pool.close();
    this.#pools.clear();
  }

  async #shipWithin(
    hop: NextHop,
    shipment: Shipment,
    signal: AbortSignal,
    onFinalDot: () => Promise<void>,
  ): Promise<readonly Outcome[]> {
    const pool = this.#poolOf(hop);
    const traits = inspect(shipment);
    let lease = await pool.acquire(signal);
    for (;;) {
      const fitting = tailor(shipment, traits, lease.connection.extensions);
      if (fitting.to.length === 0) {
        pool.release(lease.connection, true);
        return fitting.outcomes as Outcome[];
      }
      const dot = { written: false, error: undefined as unknown };
      const result = await this.#transfer(pool, lease, fitting.parameters, shipment, signal, async () => {
        try {
          await onFinalDot();
        } catch (error) {
          dot.error = error;
          throw error;
        }
        dot.written = true;
      });
      if (lease.reused && isStale(result, dot.written)) {
        this.#log.debug({ queueId: shipment.queueId, nextHop: hop.name }, 'kept connection was gone; dialling again');
        lease = await pool.acquire(signal, true);
        continue;
      }
      const outcomes = [...fitting.outcomes];
      for (const [index, outcome] of judge(result, dot, lease.connection.extensions.dsn).entries()) {
        outcomes[fitting.to[index] as number] = outcome;
      }
      return outcomes as Outcome[];
    }
  }

  async #transfer(
    pool: Pool,
    lease: Lease,
    parameters: Parameters,
    shipment: Shipment,
    signal: AbortSignal,
    onFinalDot: () => Promise<void>,
  ): Promise<Result> {
    const content = Readable.from(pieces(shipment, onFinalDot), { objectMode: false, highWaterMark: pieceSize });
    let result: Result;
    try {
      result = await lease.connection.transfer(parameters, content, signal);
    } catch (error) {
      // A mistake of ours or of nodemailer's must not cost the pool a connection for good.
      lease.connection.abandon();
      pool.release(lease.connection, false);
      throw error;
    } finally {
      content.destroy();
    }
    const clean = result.kind === 'done' || result.reusable;
    if (clean && result.kind === 'failed') {
      // MAIL may have been accepted: the transaction is cleared before the connection serves another message.
      void lease.connection.clear().then((cleared) => pool.release(lease.connection, cleared));
    } else {
      if (!clean) lease.connection.abandon();
      pool.release(lease.connection, clean);
    }
    return result;
  }

  #poolOf(hop: NextHop): Pool {
    if (this.#closed) throw { cause: 'shutting down' } satisfies Failure;
    const key = JSON.stringify([hop.name, hop.host, hop.port, hop.tls, hop.maxConnections]);
    let pool = this.#pools.get(key);
    if (!pool) {
      pool = new Pool(hop, this.#hostname, this.#timeouts, this.#clock);
      this.#pools.set(key, pool);
    }
    return pool;
  }
}

// One piece is what a socket buffer takes well.
const pieceSize = 65_536;

/** The header lines to prepend, then the content; before the last piece the final dot is announced. */
async function* pieces(shipment: Shipment, onFinalDot: () => Promise<void>): AsyncGenerator<Buffer> {
  const { content } = shipment;
  const whole = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  let held: Buffer = Buffer.from(shipment.prepend, 'utf8');
  if (whole.length <= pieceSize - held.length) held = Buffer.concat([held, whole]);
  else {
    for (let at = 0; at < whole.length; at += pieceSize) {
      yield held;
      held = whole.subarray(at, at + pieceSize);
    }
  }
  await onFinalDot();
  yield held;
}

interface Traits {
  readonly eightBit: boolean;
  readonly eightBitHeader: boolean;
  readonly bareLineEnd: boolean;
}

/** What decides whether the message can go as it is. One pass, about a nanosecond an octet. */
function inspect(shipment: Shipment): Traits {
  const { content } = shipment;
  let eightBit = false;
  let bareLineEnd = false;
  let eightBitHeader = isInternational(shipment.prepend);
  let inHeader = true;
  let before = 0x0a;
  let lineLength = 0;
  for (let at = 0; at < content.length; at++) {
    const octet = content[at] as number;
    if (octet === 0x0a) {
      if (before !== 0x0d) bareLineEnd = true;
      if (lineLength <= 1) inHeader = false;
      lineLength = 0;
    } else {
      if (before === 0x0d) bareLineEnd = true;
      lineLength++;
      if (octet > 0x7f) {
        eightBit = true;
        if (inHeader) eightBitHeader = true;
      }
    }
    before = octet;
  }
  if (before === 0x0d) bareLineEnd = true;
  return { eightBit: eightBit || eightBitHeader, eightBitHeader, bareLineEnd };
}

const isInternational = (text: string): boolean => /[^\x00-\x7f]/.test(text);

interface Fitting {
  /** Indices of the recipients that can be tried. */
  readonly to: readonly number[];
  /** Of those that cannot; undefined for the others. */
  readonly outcomes: readonly (Outcome | undefined)[];
  readonly parameters: Parameters;
}

function tailor(shipment: Shipment, traits: Traits, extensions: Extensions): Fitting {
  const { envelope, recipients } = shipment;
  const size = shipment.content.length + Buffer.byteLength(shipment.prepend);
  const header = envelope.smtputf8 && traits.eightBitHeader;
  const general = refusalOfAll(shipment, traits, extensions, size);
  const outcomes = recipients.map(({ mailbox }) => {
    if (general) return general;
    return isInternationalised(mailbox) && !extensions.smtputf8 ? refused(replies.needsSmtputf8) : undefined;
  });
  const to = recipients.flatMap((_, index) => (outcomes[index] === undefined ? [index] : []));
  const trying = to.flatMap((index) => recipients[index] ?? []);
  const [first] = trying;
  const from = envelope.reversePath === nullReversePath ? '' : envelope.reversePath;
  const international = header || [from, ...trying.map(({ mailbox }) => mailbox)].some(isInternational);
  return {
    to,
    outcomes,
    parameters: {
      from,
      to: trying.map(({ mailbox }) => mailbox),
      size,
      smtputf8: international,
      eightBitMime: extensions.eightBitMime && (envelope.body === '8BITMIME' || traits.eightBit),
      ...(envelope.ret ? { ret: envelope.ret } : {}),
      ...(envelope.envid ? { envid: envelope.envid } : {}),
      ...(first?.notify ? { notify: first.notify } : {}),
      ...(first?.orcpt ? { orcpt: first.orcpt } : {}),
    },
  };
}

function refusalOfAll(shipment: Shipment, traits: Traits, extensions: Extensions, size: number): Outcome | undefined {
  const { reversePath, smtputf8 } = shipment.envelope;
  // nodemailer would turn a bare CR or LF into CRLF; the front door lets none in.
  if (traits.bareLineEnd) return refused(replies.bareLineEnd);
  if (extensions.size > 0 && size > extensions.size) return refused(replies.tooBig);
  if (isInternationalised(reversePath) && !extensions.smtputf8) return refused(replies.needsSmtputf8);
  if (smtputf8 && traits.eightBitHeader && !extensions.smtputf8) return refused(replies.headerNeedsSmtputf8);
  if (traits.eightBit && !extensions.eightBitMime) return refused(replies.needs8bitmime);
  return undefined;
}

function refused(reply: Reply): Outcome {
  return { kind: 'permanent', reply, cause: `${reply.text}: not offered by the next hop, and we do not convert` };
}

/** The session, not the message, failed: the next hop had closed it while it was kept. */
function isStale(result: Result, dotWritten: boolean): boolean {
  if (result.kind !== 'failed' || result.begun || dotWritten) return false;
  return result.failure.reply === undefined || result.failure.reply.code === 421;
}

function judge(result: Result, dot: { written: boolean; error: unknown }, dsn: boolean): Outcome[] {
  const several = result.refused.length > 1;
  return result.refused.map((reply): Outcome => {
    if (reply) return answered(reply, 'recipient refused', several && reply.code === 552);
    if (result.kind === 'done') {
      // nodemailer takes whatever begins with a 2 for a yes; only a reply is one.
      return isPositive(result.reply)
        ? { kind: 'accepted', reply: result.reply, dsn }
        : temporary({ cause: `${result.reply.text}; after the final dot: possible duplicate` });
    }
    const { failure } = result;
    if (failure.reply) return answered(failure.reply, failure.cause, false);
    if (dot.error !== undefined) return temporary({ cause: `final dot withheld: ${describeError(dot.error)}` });
    const cause = dot.written ? `${failure.cause}; lost after the final dot: possible duplicate` : failure.cause;
    return temporary({ cause });
  });
}

/** RFC 5321 §4.5.3.1.10: 552 for one of several recipients means "too many for now", unless it says mailbox full. */
function answered(reply: Reply, cause: string, crowded: boolean): Outcome {
  const tooMany = crowded && (reply.enhanced === undefined || reply.enhanced === '5.5.3');
  return isPermanent(reply) && !tooMany ? { kind: 'permanent', reply, cause } : { kind: 'temporary', reply, cause };
}

/** Also for a 5xx of the session: it refuses us, not the message. */
function temporary(failure: Failure): Outcome {
  return { kind: 'temporary', cause: failure.cause, ...(failure.reply ? { reply: failure.reply } : {}) };
}
