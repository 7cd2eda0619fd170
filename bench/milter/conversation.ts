// What an MTA says of one message, as load.c says it: in Postfix's words, under what was agreed. Octets for benchmarks
// that want no sockets.
import { commands, packet } from '../../src/milter/wire.ts';

export const octetsOf = (...texts: readonly string[]): Buffer => Buffer.from(texts.map((text) => `${text}\0`).join(''));

export const offered = packet(commands.negotiate, Buffer.from([0, 0, 0, 6, 0, 0, 1, 0xff, 0, 0x1f, 0xff, 0xff]));

/** Of the connection, once. */
export const introduction = Buffer.concat([
  macros('C', 'j', 'mx.test', '{daemon_name}', 'mx.test', '{client_addr}', '127.0.0.1'),
  packet(commands.connect, Buffer.concat([Buffer.from('client.test\x004\x12\x34', 'latin1'), octetsOf('127.0.0.1')])),
  macros('H'),
  packet(commands.helo, octetsOf('client.test')),
]);

const names = ['From', 'To', 'Subject', 'Date', 'Message-ID', 'MIME-Version', 'Content-Type'];

/**
 * Of one message, in the two writes in which it comes: by smtpd up to DATA, by cleanup the rest. No body is asked for.
 * The first number has ten digits; with another only the digits change.
 */
export class Conversation {
  readonly #parts: readonly Buffer[];
  readonly #places: readonly (readonly number[])[];

  constructor(recipient: string) {
    this.#parts = message(recipient);
    this.#places = this.#parts.map((part) => {
      const places: number[] = [];
      for (let at = part.indexOf(digits); at >= 0; at = part.indexOf(digits, at + 1)) places.push(at);
      return places;
    });
  }

  /** Buffers of their own, as those of a socket are. */
  of(number: number): readonly Buffer[] {
    const own = String(number).padStart(digits.length, '0');
    return this.#parts.map((part, index) => {
      const made = Buffer.from(new Uint8Array(part).buffer);
      for (const at of this.#places[index] ?? []) made.write(own, at, 'latin1');
      return made;
    });
  }
}

const digits = '0123456789';

function message(recipient: string): readonly Buffer[] {
  const id = `Q${digits}`;
  const envelope = [
    macros('M', '{mail_addr}', 'a@source.test'),
    packet(commands.mail, octetsOf('<a@source.test>', 'SIZE=10240')),
    macros('R', 'i', id, '{rcpt_addr}', recipient, '{rcpt_mailer}', 'smtp', '{rcpt_host}', 'test'),
    packet(commands.recipient, octetsOf(`<${recipient}>`)),
  ];
  const rest: Buffer[] = [];
  for (let field = 0; field < 12; field += 1) {
    const name = names[field] ?? `X-Field-${field}`;
    const value =
      field === 4
        ? ` <${digits}@source.test>`
        : field === 0
          ? ' A Sender <a@source.test>'
          : ' a value of about the length that the values of header fields have in real mail';
    rest.push(macros('L', 'i', id), packet(commands.header, octetsOf(name, value)));
  }
  rest.push(macros('E', 'i', id), packet(commands.endOfBody));
  return [Buffer.concat(envelope), Buffer.concat(rest)];
}

function macros(stage: string, ...values: readonly string[]): Buffer {
  return packet(
    commands.macro,
    Buffer.concat([Buffer.from(stage), values.length > 0 ? octetsOf(...values) : Buffer.alloc(0)]),
  );
}
