// One message as the MTA tells of it, piece by piece. Octets are kept as they came and read only when asked for: most
// mail is not ours to route, and costs nothing but the keeping.
import { remembering } from '../mail/memo.ts';
import { ToldHeader } from '../mail/told-header.ts';
import type { Powers } from './reply.ts';
import { type ConnectFacts, commands, macroName, type Packet, readMacros, readStrings, WireError } from './wire.ts';

/** One address of the envelope. */
export interface EnvelopeAddress {
  /** The octets the MTA wrote, verbatim, with or without brackets: what `remove recipient` must be given. */
  readonly raw: Buffer;
  /** Without brackets; empty for the null reverse-path. */
  readonly address: string;
  /** `SIZE=1000`, `ORCPT=rfc822;team@example.org`; empty for mail that did not come by SMTP. */
  readonly parameters: readonly string[];
}

/** @throws WireError */
export const readAddress = (packet: Packet): EnvelopeAddress => addressOf(packet.latin1());

/** The same group is written to in mail after mail. */
const addressOf = remembering(addressIn, 500);

function addressIn(octets: string): EnvelopeAddress {
  const payload = Buffer.from(octets, 'latin1');
  const [raw, ...parameters] = readStrings(payload);
  if (raw === undefined) throw new WireError('an envelope command without an address');
  const text = raw.toString('utf8').trim();
  return {
    raw,
    // Postfix hands over what came by SMTP in brackets, and what came from sendmail(1) without.
    address: text.startsWith('<') && text.endsWith('>') ? text.slice(1, -1) : text,
    parameters: parameters.map((each) => each.toString('utf8')),
  };
}

// The order in which stages come: new macros for one make those of later ones old.
const stages = [
  commands.connect,
  commands.helo,
  commands.mail,
  commands.recipient,
  commands.data,
  commands.endOfHeaders,
  commands.endOfBody,
] as const;
/** By the octet that stands for the command. */
const stageOf: readonly number[] = Array.from({ length: 256 }, (_, octet) =>
  stages.indexOf(octet as (typeof stages)[number]),
);

/** Postfix sends macros for each header and each piece of the body, too, and nobody asks about them. */
export const macrosPassedOver = (code: number, first: number | undefined): boolean =>
  code === commands.macro && first !== undefined && (stageOf[first] ?? -1) < 0;

const wantedMacro = remembering((name: string) => {
  const wanted = macroName(name);
  return { wanted, octets: Buffer.from(wanted, 'latin1') };
}, 100);

/** Macros by stage; read when asked for. */
export class Macros {
  readonly #byStage: (Packet | undefined)[] = [];

  add(packet: Packet): void {
    if (packet.first === undefined) throw new WireError('a MACRO without the command it belongs to');
    const stage = stageOf[packet.first] ?? -1;
    if (stage < 0) return;
    this.#cut(stage);
    this.#byStage[stage] = packet;
  }

  /** The newest stage's value; `{name}` and `name` are the same. @throws WireError when the MTA's list is broken */
  get(name: string): string | undefined {
    const { wanted, octets } = wantedMacro(name);
    for (let stage = this.#byStage.length - 1; stage >= 0; stage -= 1) {
      const packet = this.#byStage[stage];
      // Looked for before anything is read: most that are asked for are not there.
      if (packet === undefined || !packet.includes(octets)) continue;
      const found = readMacros(packet.payload).values.find(([each]) => each === wanted);
      if (found) return found[1];
    }
    return undefined;
  }

  /** Those of a message go; those of the connection stay. */
  endMessage(): void {
    this.#cut(2);
  }

  clear(): void {
    this.#cut(0);
  }

  #cut(stage: number): void {
    if (this.#byStage.length > stage) this.#byStage.length = stage;
  }
}

/** The connection a message came by. */
export interface Client extends ConnectFacts {
  readonly helo: string;
}

export const unknownClient: Client = { hostname: '', family: 'unknown', address: '', port: 0, helo: '' };

export class Message {
  readonly client: Client;
  readonly sender: EnvelopeAddress;
  /** Those that were not refused. */
  readonly recipients: EnvelopeAddress[] = [];
  readonly powers: Powers;
  readonly #macros: Macros;
  /** As it was told; the rest of the header may be looked up in it later. */
  readonly header: ToldHeader;
  readonly #pieces: Buffer[] = [];
  #octets = 0;
  #body: 'none' | 'kept' | 'dropped' = 'none';
  /** Part of the header could not be kept: nothing can be decided by it. */
  incomplete = false;
  /** More than one message may have: the body was let go. */
  tooLarge = false;
  /** For the handlers: whatever they want to remember of it. */
  context: unknown = undefined;

  constructor(client: Client, sender: EnvelopeAddress, macros: Macros, powers: Powers) {
    this.client = client;
    this.sender = sender;
    this.#macros = macros;
    this.powers = powers;
    this.header = new ToldHeader(powers.leadingSpace);
  }

  macro(name: string): string | undefined {
    return this.#macros.get(name);
  }

  /** Octets held: headers and body. */
  get size(): number {
    return this.#octets;
  }

  /** @throws WireError */
  addField(packet: Packet): void {
    if (!packet.addTo(this.header)) throw new WireError('a HEADER without name or value');
    this.#octets += packet.length;
  }

  addBody(payload: Buffer): void {
    if (this.#body === 'dropped') return;
    this.#body = 'kept';
    this.#pieces.push(payload);
    this.#octets += payload.length;
  }

  get bodyDropped(): boolean {
    return this.#body === 'dropped';
  }

  /** Nobody will read it. */
  dropBody(): void {
    this.#body = 'dropped';
    for (const piece of this.#pieces) this.#octets -= piece.length;
    this.#pieces.length = 0;
  }

  /** Names and values in order, without the space after the colon; folded lines joined by LF. */
  headers(): readonly (readonly [name: string, value: string])[] {
    return this.header.all();
  }

  /** The header as octets of a message: CRLF line ends, the empty line not included. */
  headerBlock(): Buffer {
    let text = '';
    for (let index = 0; index < this.header.fields; index += 1) {
      const [name, value] = this.header.raw(index);
      const folded = value.includes('\n') ? value.replace(/\r?\n/g, '\r\n') : value;
      text += this.powers.leadingSpace ? `${name}:${folded}\r\n` : `${name}: ${folded}\r\n`;
    }
    return Buffer.from(text, 'latin1');
  }

  /** Undefined when it was not asked for, or is not kept. A message without a body has an empty one. */
  body(): Buffer | undefined {
    return this.#body === 'dropped' || !this.powers.body ? undefined : Buffer.concat(this.#pieces);
  }
}
