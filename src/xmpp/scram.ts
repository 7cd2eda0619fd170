// SASL for the link: SCRAM (RFC 5802, RFC 7677) and PLAIN (RFC 4616) in the shape @xmpp/client plugs in.
//
// Our own because the library's SCRAM costs over a second of CPU a login (one WebCrypto call an iteration; OpenSSL's
// pbkdf2 takes 25 ms), has no SHA-256, garbles passwords beyond Latin-1 (it encodes with btoa), and never checks the
// server's signature, which is what proves that the server knows the password too.
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { Mechanism } from '@xmpp/client';

const derive = promisify(pbkdf2);

interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** The library encodes with btoa(), which takes octets as Latin-1 characters. */
const octets = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

const variants = {
  'SCRAM-SHA-256': { hash: 'sha256', length: 32 },
  'SCRAM-SHA-1': { hash: 'sha1', length: 20 },
} as const;
export type ScramName = keyof typeof variants;

// RFC 7677 §4 asks for at least 4096; a hostile server must not make us compute for minutes.
const fewestIterations = 4_096;
const mostIterations = 1_000_000;

export class Scram implements Mechanism {
  readonly name: ScramName;
  readonly clientFirst = true;
  readonly #nonce: string;
  #first = '';
  #challenge: string | null = null;
  #serverSignature: Buffer | null = null;

  constructor(name: ScramName, nonce: string = randomBytes(18).toString('base64')) {
    this.name = name;
    this.#nonce = nonce;
  }

  challenge(text: string): void {
    this.#challenge = text;
  }

  async response({ username, password }: Credentials): Promise<string> {
    if (this.#challenge === null) {
      // RFC 5802 §5.1: "=" and "," are escaped in the name.
      const name = username.normalize('NFKC').replaceAll('=', '=3D').replaceAll(',', '=2C');
      this.#first = `n=${name},r=${this.#nonce}`;
      return octets(`n,,${this.#first}`);
    }
    // The server may send its signature as one more challenge; it is checked with the success.
    if (this.#serverSignature) return '';
    return await this.#prove(this.#challenge, password);
  }

  async #prove(challenge: string, password: string): Promise<string> {
    const { hash, length } = variants[this.name];
    const { nonce, salt, iterations } = readChallenge(challenge);
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length) {
      throw new Error('SCRAM: the server did not build on our nonce');
    }
    const hmac = (key: Buffer, data: string | Buffer): Buffer => createHmac(hash, key).update(data).digest();
    const salted = await derive(password.normalize('NFKC'), salt, iterations, length, hash);
    const clientKey = hmac(salted, 'Client Key');
    const final = `c=biws,r=${nonce}`;
    const message = `${this.#first},${challenge},${final}`;
    const signature = hmac(createHash(hash).update(clientKey).digest(), message);
    const proof = Buffer.from(clientKey.map((octet, index) => octet ^ (signature[index] ?? 0)));
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), message);
    return octets(`${final},p=${proof.toString('base64')}`);
  }

  /** RFC 5802 §3: whether the server proved that it knows the password. `text`: what came with the success. */
  serverProved(text: string): boolean {
    // Some servers put it into a last challenge instead.
    const said = text === '' ? (this.#challenge ?? '') : text;
    const given = Buffer.from(/(?:^|,)v=([A-Za-z0-9+/=]+)/.exec(said)?.[1] ?? '', 'base64');
    const due = this.#serverSignature;
    return due !== null && given.length === due.length && timingSafeEqual(given, due);
  }
}

function readChallenge(challenge: string): { nonce: string; salt: Buffer; iterations: number } {
  const fields = new Map(challenge.split(',').map((part) => [part.slice(0, 2), part.slice(2)]));
  // RFC 5802 §5.1: a mandatory extension that we do not know must fail.
  if (fields.has('m=')) throw new Error('SCRAM: the server asks for an extension that is not known');
  const nonce = fields.get('r=') ?? '';
  const salt = Buffer.from(fields.get('s=') ?? '', 'base64');
  const iterations = Number(fields.get('i='));
  if (nonce === '' || salt.length === 0 || salt.length > 1024) throw new Error('SCRAM: the challenge is not readable');
  if (!Number.isInteger(iterations) || iterations < fewestIterations || iterations > mostIterations) {
    throw new Error(`SCRAM: ${iterations} iterations asked, ${fewestIterations} to ${mostIterations} are accepted`);
  }
  return { nonce, salt, iterations };
}

/** Sent inside TLS only: stream.ts sees to that. */
export class Plain implements Mechanism {
  readonly name = 'PLAIN';
  readonly clientFirst = true;

  response({ username, password }: Credentials): string {
    return octets(`\0${username}\0${password}`);
  }

  challenge(): void {
    // PLAIN has none (RFC 4616 §2); response() would repeat itself and the server refuse.
  }
}
