// The way out: the Transport port over SMTP, with a pool of kept connections for each next hop.
// Rules kept here:
// - the octets of the content are not changed: what would have to be converted is refused (RFC 6152 §3, RFC 6531 §3.5);
// - every recipient gets an outcome, and what we do not understand is temporary;
// - a refused session (greeting, EHLO, STARTTLS) says nothing about the message, so it is temporary even with a 5xx;
// - a kept connection that turns out dead, or takes no more mail, is replaced once, silently, when nothing of the message
//   had been accepted;
// - the final dot is written only after `onFinalDot` has resolved.
import { isAscii } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { type Clock, type Instant, minute, second, systemClock } from '../clock.ts';
import { type Log, silentLog } from '../log.ts';
import { type Content, headOf, isFile, mostInMemory } from '../mail/content.ts';
import { describeError } from '../mail/error.ts';
import { headerBlock } from '../mail/header.ts';
import { isInternationalised, nullReversePath } from '../mail/path.ts';
import { isPermanent, isPositive, isTemporary, type Reply, replies } from '../mail/reply.ts';
import type { NextHop, Outcome, Shipment, Transport } from '../transport.ts';
import { DotStuffing } from './dot-stuffing.ts';
import { Ending } from './ending.ts';
import {
  type Extensions,
  type Failure,
  isFailure,
  type Letter,
  type Parameters,
  type Result,
  type Timeouts,
} from './hop-words.ts';
import { hasBareLineEnd, LineEnds } from './line-ends.ts';
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
  readonly onFinalDot: () => Promise<void> | undefined;
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
  readonly #limits = new Map<Ending, Instant>();
  readonly #followers = new WeakMap<AbortSignal, Set<Ending>>();
  readonly #end = new AbortController();
  #watching = false;
  #closed = false;

  constructor(options: TransportOptions) {
    this.#hostname = options.hostname;
    this.#timeouts = { ...defaultTimeouts, ...options.timeouts };
    this.#log = options.log ?? silentLog;
    this.#clock = options.clock ?? systemClock;
  }

  async ship(hop: NextHop, shipment: Shipment, options: ShipOptions): Promise<readonly Outcome[]> {
    const limit = new Ending();
    const followers = this.#followersOf(options.signal).add(limit);
    if (options.signal.aborted) limit.abort();
    this.#limits.set(limit, this.#clock.now() + this.#timeouts.transaction);
    if (!this.#watching) void this.#watchLimits();
    try {
      return await this.#shipWithin(hop, shipment, limit, options.onFinalDot);
    } catch (error) {
      const cause = isFailure(error) ? error.cause : describeError(error);
      this.#log.warn({ queueId: shipment.queueId, nextHop: hop.name, cause }, 'next hop not reached');
      return shipment.recipients.map(() => temporary(isFailure(error) ? error : { cause }));
    } finally {
      followers.delete(limit);
      this.#limits.delete(limit);
    }
  }

  /** One listener for all transactions that end with the same signal. */
  #followersOf(signal: AbortSignal): Set<Ending> {
    let followers = this.#followers.get(signal);
    if (!followers) {
      const all = new Set<Ending>();
      const stop = (): void => {
        for (const each of all) each.abort();
      };
      signal.addEventListener('abort', stop, { once: true });
      this.#followers.set(signal, all);
      followers = all;
    }
    return followers;
  }

  /** One sleeper for all transactions: they are in the order in which their time ends. */
  async #watchLimits(): Promise<void> {
    this.#watching = true;
    for (;;) {
      const [first] = this.#limits;
      if (!first) break;
      const [limit, due] = first;
      if (due <= this.#clock.now()) {
        this.#limits.delete(limit);
        limit.abort();
      } else await this.#clock.sleepUntil(due, this.#end.signal);
      if (this.#closed) break;
    }
    this.#watching = false;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#end.abort();
    for (const pool of this.#pools.values()) pool.close();
    this.#pools.clear();
  }

  async #shipWithin(
    hop: NextHop,
    shipment: Shipment,
    ending: Ending,
    onFinalDot: ShipOptions['onFinalDot'],
  ): Promise<readonly Outcome[]> {
    const pool = this.#poolOf(hop);
    const traits = await inspect(shipment);
    let lease = await pool.acquire(ending);
    for (;;) {
      const fitting = tailor(shipment, traits, lease.connection.extensions);
      if (fitting.to.length === 0) {
        pool.release(lease.connection, true);
        return fitting.outcomes as Outcome[];
      }
      const dot = { written: false, error: undefined as unknown };
      const result = await this.#transfer(pool, lease, fitting.parameters, ending, {
        ...letterOf(shipment),
        onFinalDot: () => announce(onFinalDot, dot),
      });
      if (lease.reused && isStale(result, dot.written)) {
        this.#log.debug({ queueId: shipment.queueId, nextHop: hop.name }, 'kept connection was gone; dialling again');
        lease = await pool.acquire(ending, true);
        continue;
      }
      const outcomes = [...fitting.outcomes];
      for (const [index, outcome] of judge(result, dot, lease.connection.extensions.dsn).entries()) {
        outcomes[fitting.to[index] as number] = outcome;
      }
      return outcomes as Outcome[];
    }
  }

  async #transfer(pool: Pool, lease: Lease, parameters: Parameters, ending: Ending, letter: Letter): Promise<Result> {
    let result: Result;
    try {
      result = await lease.connection.transfer(parameters, letter, ending);
    } catch (error) {
      // A mistake of ours must not cost the pool a connection for good.
      lease.connection.abandon();
      pool.release(lease.connection, false);
      throw error;
    }
    const clean = result.kind === 'done' || result.reusable;
    // It has served enough: another one takes its place, and this one is left with QUIT.
    if (clean && lease.reused && isStale(result, false)) pool.release(lease.connection, false);
    else if (clean && result.kind === 'failed') {
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
    const key = JSON.stringify([hop.name, hop.host, hop.port, hop.tls, hop.maxConnections, hop.socket, hop.auth?.user]);
    let pool = this.#pools.get(key);
    if (!pool) {
      pool = new Pool(hop, this.#hostname, this.#timeouts, this.#clock);
      this.#pools.set(key, pool);
    }
    return pool;
  }
}

interface Dot {
  written: boolean;
  error: unknown;
}

function announce(onFinalDot: ShipOptions['onFinalDot'], dot: Dot): Promise<void> | undefined {
  const failed = (error: unknown): never => {
    dot.error = error;
    throw error;
  };
  const written = (): void => {
    dot.written = true;
  };
  try {
    const recorded = onFinalDot();
    if (recorded) return recorded.then(written, failed);
  } catch (error) {
    failed(error);
  }
  written();
  return undefined;
}

// One piece is what a socket buffer takes well.
const pieceSize = 65_536;

/** The header lines to prepend, then the content, with dots stuffed. */
function letterOf({ prepend, content }: Shipment): Pick<Letter, 'whole' | 'pieces'> {
  const head = Buffer.from(prepend, 'utf8');
  const pieces = async function* (): AsyncGenerator<Buffer> {
    const stuffing = new DotStuffing();
    yield* stuffing.add(head);
    for await (const piece of piecesOf(content)) yield* stuffing.add(piece);
    yield* stuffing.end();
  };
  if (isFile(content) || content.length > mostInMemory) return { pieces };
  const stuffing = new DotStuffing();
  return { pieces, whole: [...stuffing.add(head), ...stuffing.add(bufferOf(content)), ...stuffing.end()] };
}

const bufferOf = (octets: Uint8Array): Buffer => Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);

async function* piecesOf(content: Content): AsyncGenerator<Buffer> {
  if (isFile(content)) {
    yield* createReadStream(content.path, { highWaterMark: pieceSize });
    return;
  }
  const whole = bufferOf(content);
  for (let at = 0; at < whole.length; at += pieceSize) yield whole.subarray(at, at + pieceSize);
}

interface Traits {
  readonly eightBit: boolean;
  readonly eightBitHeader: boolean;
  readonly bareLineEnd: boolean;
}

/** What decides whether the message can go as it is. One pass, less than a nanosecond an octet. */
async function inspect({ prepend, content }: Shipment): Promise<Traits> {
  let ascii = !isInternational(prepend);
  let bareLineEnd = false;
  if (isFile(content)) {
    const lineEnds = new LineEnds();
    for await (const piece of piecesOf(content)) {
      ascii &&= isAscii(piece);
      lineEnds.add(piece);
    }
    bareLineEnd = lineEnds.bare;
  } else {
    ascii &&= isAscii(content);
    bareLineEnd = hasBareLineEnd(content);
  }
  const eightBitHeader = !ascii && (isInternational(prepend) || !isAscii(headerBlock(headOf(content))));
  return { eightBit: !ascii, eightBitHeader, bareLineEnd };
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
  // What a next hop makes of a bare CR or LF is its own matter (SMTP smuggling); the front door lets none in.
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

/**
 * The session, not the message, failed: the next hop had closed it while it was kept, or takes no more mail on it. Some
 * say so with 421, OpenSMTPD with 452 to every further MAIL, and goes on saying it as long as the connection is used.
 */
function isStale(result: Result, dotWritten: boolean): boolean {
  if (result.kind !== 'failed' || result.begun || dotWritten) return false;
  const { reply } = result.failure;
  return reply === undefined || isTemporary(reply);
}

function judge(result: Result, dot: { written: boolean; error: unknown }, dsn: boolean): Outcome[] {
  const several = result.own.length > 1;
  return result.own.map((reply): Outcome => {
    if (reply && isPositive(reply)) return { kind: 'accepted', reply, dsn };
    if (reply) return answered(reply, 'recipient refused', several && reply.code === 552);
    if (result.kind === 'done') {
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
