// The milter protocol's octets: packets, commands from the MTA, replies to it. Pure; nothing here knows a socket.
//
// A packet is a 32-bit big-endian length, which counts the code, a one-octet code, and the payload. Strings end in NUL
// and are octets: addresses and headers are kept as they came, because what we echo must be what the MTA wrote.
// Versions 2 to 6 as Postfix (milter8.c) and Sendmail (milter.c, libmilter's mfdef.h) speak them; no RFC exists.

import type { ToldHeader } from '../mail/told-header.ts';

/** From the MTA (SMFIC_*). */
export const commands = {
  negotiate: 0x4f, // O
  connect: 0x43, // C
  helo: 0x48, // H
  mail: 0x4d, // M
  recipient: 0x52, // R
  data: 0x54, // T, since version 4
  header: 0x4c, // L
  endOfHeaders: 0x4e, // N
  body: 0x42, // B
  endOfBody: 0x45, // E
  abort: 0x41, // A
  quit: 0x51, // Q
  /** The SMTP session is over, the socket is kept for the next one. Since version 6. */
  quitNewConnection: 0x4b, // K
  macro: 0x44, // D
  unknown: 0x55, // U, since version 3
} as const;

/** To the MTA (SMFIR_*). SHUTDOWN and CONN_FAIL are left out: Postfix 3.7 loses the mail at the one, errs at the other. */
export const replyCodes = {
  negotiate: 0x4f, // O
  continue: 0x63, // c
  accept: 0x61, // a
  reject: 0x72, // r
  tempfail: 0x74, // t
  discard: 0x64, // d
  replyCode: 0x79, // y
  skip: 0x73, // s
  progress: 0x70, // p
  addRecipient: 0x2b, // +
  addRecipientPar: 0x32, // 2
  deleteRecipient: 0x2d, // -
  changeFrom: 0x65, // e
  addHeader: 0x68, // h
  insertHeader: 0x69, // i
  changeHeader: 0x6d, // m
  replaceBody: 0x62, // b
  quarantine: 0x71, // q
} as const;

/** What a milter may do at the end of a message (SMFIF_*). */
export const actions = {
  addHeaders: 0x001,
  changeBody: 0x002,
  addRecipient: 0x004,
  deleteRecipient: 0x008,
  changeHeaders: 0x010,
  quarantine: 0x020,
  changeFrom: 0x040,
  addRecipientPar: 0x080,
  setSymbolList: 0x100,
} as const;

/** What is left out of the conversation (SMFIP_*): NO… is not sent, NR_… is sent and not answered. */
export const steps = {
  noConnect: 0x0000_0001,
  noHelo: 0x0000_0002,
  noMail: 0x0000_0004,
  noRecipient: 0x0000_0008,
  noBody: 0x0000_0010,
  noHeaders: 0x0000_0020,
  noEndOfHeaders: 0x0000_0040,
  nrHeader: 0x0000_0080,
  noUnknown: 0x0000_0100,
  noData: 0x0000_0200,
  skip: 0x0000_0400,
  rejectedRecipients: 0x0000_0800,
  nrConnect: 0x0000_1000,
  nrHelo: 0x0000_2000,
  nrMail: 0x0000_4000,
  nrRecipient: 0x0000_8000,
  nrData: 0x0001_0000,
  nrUnknown: 0x0002_0000,
  nrEndOfHeaders: 0x0004_0000,
  nrBody: 0x0008_0000,
  headerLeadingSpace: 0x0010_0000,
} as const;

/** Where a list of macros is asked for (SMFIM_*). */
export const macroStages = {
  connect: 0,
  helo: 1,
  mail: 2,
  recipient: 3,
  data: 4,
  endOfMessage: 5,
  endOfHeaders: 6,
} as const;

/**
 * The largest packet that is taken. libmilter takes 65,535 octets, but Postfix sends a header whole, of up to
 * header_size_limit = 102,400 octets; 1 MiB is what the largest size in the protocol (MDS_1M) comes to.
 */
export const largestPacket = 1_048_576;

/** What came is no milter protocol; the connection cannot go on. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/** One packet in what arrived: nothing is copied, and no view is made of it, before somebody asks. Most nobody asks for. */
export class Packet {
  readonly code: number;
  readonly #chunk: Buffer;
  readonly #from: number;
  readonly #to: number;

  constructor(code: number, chunk: Buffer, from: number, to: number) {
    this.code = code;
    this.#chunk = chunk;
    this.#from = from;
    this.#to = to;
  }

  /** Octets of the payload. */
  get length(): number {
    return this.#to - this.#from;
  }

  /** The first octet of the payload; undefined when there is none. */
  get first(): number | undefined {
    return this.#from < this.#to ? this.#chunk[this.#from] : undefined;
  }

  /** A view of what came; valid as long as somebody holds it. */
  get payload(): Buffer {
    return this.#chunk.subarray(this.#from, this.#to);
  }

  /** One character an octet. */
  latin1(): string {
    return this.#chunk.toString('latin1', this.#from, this.#to);
  }

  /** Whether these octets are in the payload. Not Buffer.includes: that needs a view of it first, and these are short. */
  includes(octets: Uint8Array): boolean {
    const first = octets[0];
    const last = this.#to - octets.length;
    for (let at = this.#from; at <= last; at += 1) {
      if (this.#chunk[at] !== first) continue;
      let same = 1;
      while (same < octets.length && this.#chunk[at + same] === octets[same]) same += 1;
      if (same >= octets.length) return true;
    }
    return false;
  }

  /** False when it is no field of a header. */
  addTo(header: ToldHeader): boolean {
    return header.add(this.#chunk, this.#from, this.#to);
  }
}

/** Cuts what arrives into packets, wherever the network has cut it before. */
export class PacketReader {
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  /** What arrived after #chunk; put together only when a whole packet is there, so that many small pieces stay cheap. */
  #more: Buffer[] = [];
  #length = 0;

  push(chunk: Buffer): void {
    this.#length += chunk.length;
    if (this.#at === this.#chunk.length && this.#more.length === 0) {
      this.#chunk = chunk;
      this.#at = 0;
    } else this.#more.push(chunk);
  }

  /** Octets that have arrived and are in no packet yet. */
  get pending(): number {
    return this.#length;
  }

  /**
   * @param over whether such a packet is passed over, by its code and the first octet after it
   * @throws WireError for a length that no packet has
   */
  next(over?: (code: number, first: number | undefined) => boolean): Packet | undefined {
    for (;;) {
      const packet = this.#next(over);
      if (packet !== null) return packet;
    }
  }

  /** Null: it was passed over. */
  #next(over: ((code: number, first: number | undefined) => boolean) | undefined): Packet | null | undefined {
    if (this.#length < 4) return undefined;
    if (this.#chunk.length - this.#at < 4) this.#join();
    const chunk = this.#chunk;
    const at = this.#at;
    // Not readUInt32BE: it checks what is known here.
    const length =
      (((chunk[at] ?? 0) << 24) | ((chunk[at + 1] ?? 0) << 16) | ((chunk[at + 2] ?? 0) << 8) | (chunk[at + 3] ?? 0)) >>>
      0;
    if (length < 1 || length > largestPacket)
      throw new WireError(`a packet of ${length} octets; they have 1 to ${largestPacket}`);
    if (this.#length < 4 + length) return undefined;
    if (this.#chunk.length - this.#at < 4 + length) this.#join();
    const start = this.#at + 5;
    this.#at += 4 + length;
    this.#length -= 4 + length;
    const code = this.#chunk[start - 1] ?? 0;
    if (over?.(code, length > 1 ? this.#chunk[start] : undefined)) return null;
    return new Packet(code, this.#chunk, start, this.#at);
  }

  #join(): void {
    this.#chunk = Buffer.concat([this.#chunk.subarray(this.#at), ...this.#more]);
    this.#at = 0;
    this.#more = [];
  }
}

export function packet(code: number, payload: Uint8Array = nothing): Buffer {
  const made = Buffer.allocUnsafe(5 + payload.length);
  made.writeUInt32BE(1 + payload.length, 0);
  made[4] = code;
  made.set(payload, 5);
  return made;
}

const nothing = new Uint8Array(0);

// Those without a payload, made once. Postfix takes one with a payload for an error.
const bare = (code: number): Buffer => packet(code);
export const bareReplies = {
  continue: bare(replyCodes.continue),
  accept: bare(replyCodes.accept),
  reject: bare(replyCodes.reject),
  tempfail: bare(replyCodes.tempfail),
  discard: bare(replyCodes.discard),
  skip: bare(replyCodes.skip),
  progress: bare(replyCodes.progress),
} as const;

export interface Offer {
  readonly version: number;
  readonly actions: number;
  readonly protocol: number;
}

/** @throws WireError */
export function readOffer(payload: Buffer): Offer {
  if (payload.length < 12) throw new WireError(`a negotiation of ${payload.length} octets; it has at least 12`);
  return { version: payload.readUInt32BE(0), actions: payload.readUInt32BE(4), protocol: payload.readUInt32BE(8) };
}

/** @param symbols macros asked for, by stage */
export function offerPacket(offer: Offer, symbols: readonly (readonly [stage: number, names: string])[] = []): Buffer {
  const words = Buffer.alloc(12);
  words.writeUInt32BE(offer.version, 0);
  words.writeUInt32BE(offer.actions >>> 0, 4);
  words.writeUInt32BE(offer.protocol >>> 0, 8);
  const lists = symbols.map(([stage, names]) => {
    const number = Buffer.alloc(4);
    number.writeUInt32BE(stage, 0);
    return Buffer.concat([number, Buffer.from(`${names}\0`, 'latin1')]);
  });
  return packet(replyCodes.negotiate, Buffer.concat([words, ...lists]));
}

/** A command line of 2,048 octets has no more parameters, no MTA has more macros; each string costs a hundred octets more. */
export const mostStrings = 2_000;

/** Strings, each ending in NUL; octets after the last NUL are a string that was cut off. @throws WireError then */
export function readStrings(payload: Buffer, from = 0): Buffer[] {
  const strings: Buffer[] = [];
  for (let at = from; at < payload.length; ) {
    const end = payload.indexOf(0, at);
    if (end < 0) throw new WireError('a string that does not end in NUL');
    if (strings.length === mostStrings) throw new WireError(`a packet of more than ${mostStrings} strings`);
    strings.push(payload.subarray(at, end));
    at = end + 1;
  }
  return strings;
}

/** The SMTP client as the MTA tells of it. */
export interface ConnectFacts {
  /** `[address]` when the MTA knows no name. */
  readonly hostname: string;
  readonly family: 'inet' | 'inet6' | 'unix' | 'unknown';
  /** Without the `IPv6:` that Sendmail writes before it; the path of a unix socket; empty when unknown. */
  readonly address: string;
  readonly port: number;
}

const families: Readonly<Record<string, ConnectFacts['family']>> = {
  U: 'unknown',
  L: 'unix',
  '4': 'inet',
  '6': 'inet6',
};

/** @throws WireError */
export function readConnect(payload: Buffer): ConnectFacts {
  const end = payload.indexOf(0);
  if (end < 0 || end + 1 >= payload.length) throw new WireError('a CONNECT without host name or family');
  const hostname = payload.toString('utf8', 0, end);
  const letter = String.fromCharCode(payload[end + 1] ?? 0);
  const family = Object.hasOwn(families, letter) ? families[letter] : undefined;
  if (family === undefined) throw new WireError(`a CONNECT of the family ${JSON.stringify(letter)}`);
  if (family === 'unknown') return { hostname, family, address: '', port: 0 };
  if (payload.length < end + 4) throw new WireError('a CONNECT without port');
  const address = readStrings(payload, end + 4)[0];
  if (address === undefined) throw new WireError('a CONNECT without address');
  // COMPAT(Sendmail 8): "IPv6:2001:db8::1".
  return {
    hostname,
    family,
    address: address.toString('latin1').replace(/^IPv6:/i, ''),
    port: payload.readUInt16BE(end + 2),
  };
}

/** Names and values of a MACRO packet, after the octet that says which command they belong to. @throws WireError */
export function readMacros(payload: Buffer): {
  readonly stage: number;
  readonly values: readonly (readonly [string, string])[];
} {
  if (payload.length < 1) throw new WireError('a MACRO without the command it belongs to');
  const strings = readStrings(payload, 1);
  const values: [string, string][] = [];
  for (let at = 0; at + 1 < strings.length; at += 2)
    values.push([macroName(strings[at]?.toString('latin1') ?? ''), strings[at + 1]?.toString('utf8') ?? '']);
  return { stage: payload[0] ?? 0, values };
}

/** `{client_addr}` and `client_addr` are the same. */
export const macroName = (name: string): string => (/^\{.*\}$/.test(name) ? name.slice(1, -1) : name);

/** A string with its NUL. @throws RangeError when it has one inside: that would end it early */
export function nulEnded(text: string | Uint8Array): Buffer {
  const length = typeof text === 'string' ? Buffer.byteLength(text) : text.length;
  const octets = Buffer.allocUnsafe(length + 1);
  if (typeof text === 'string') octets.write(text, 'utf8');
  else octets.set(text);
  octets[length] = 0;
  if (octets.indexOf(0) < length) throw new RangeError('NUL inside a string for the MTA');
  return octets;
}
