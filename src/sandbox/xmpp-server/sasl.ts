// SASL on the server's side: PLAIN (RFC 4616), SCRAM-SHA-1 (RFC 5802) and SCRAM-SHA-256 (RFC 7677). One exchange is one
// object; each step takes the client's bytes and says what to answer. Passwords are compared in constant time.
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';

export type SaslStep =
  | { readonly kind: 'challenge'; readonly data: string }
  | { readonly kind: 'success'; readonly user: string; readonly data?: string }
  | { readonly kind: 'failure'; readonly condition: string };

export interface SaslExchange {
  step(message: string): SaslStep;
}

export interface Credentials {
  /** Undefined for an account that does not exist. */
  passwordOf(user: string): string | undefined;
  /** Whether this user may act as this authorisation identity. */
  mayActAs(user: string, authzid: string): boolean;
}

export const mechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN'] as const;
export type Mechanism = (typeof mechanisms)[number];

const iterations = 4096; // RFC 5802 §5.1: the least that is allowed; the passwords here are sandbox passwords
const failed = (condition: string): SaslStep => ({ kind: 'failure', condition });

export function startExchange(mechanism: Mechanism, credentials: Credentials): SaslExchange {
  switch (mechanism) {
    case 'PLAIN':
      return { step: (message) => plain(message, credentials) };
    case 'SCRAM-SHA-1':
      return new Scram('sha1', 20, credentials);
    case 'SCRAM-SHA-256':
      return new Scram('sha256', 32, credentials);
    default:
      return mechanism satisfies never;
  }
}

function plain(message: string, credentials: Credentials): SaslStep {
  const [authzid = '', user, password, ...rest] = message.split('\0');
  if (!user || password === undefined || rest.length > 0) return failed('malformed-request');
  const expected = credentials.passwordOf(user);
  if (expected === undefined || !same(sha256(expected), sha256(password))) return failed('not-authorized');
  if (authzid !== '' && !credentials.mayActAs(user, authzid)) return failed('invalid-authzid');
  return { kind: 'success', user };
}

/** What the first round fixed for the second. */
interface Started {
  readonly user: string;
  readonly authzid: string;
  readonly gs2: string;
  readonly clientFirst: string;
  readonly serverFirst: string;
  readonly nonce: string;
  readonly salted: Buffer;
}

class Scram implements SaslExchange {
  readonly #hash: string;
  readonly #keyLength: number;
  readonly #credentials: Credentials;
  #started: Started | undefined;

  constructor(hash: string, keyLength: number, credentials: Credentials) {
    this.#hash = hash;
    this.#keyLength = keyLength;
    this.#credentials = credentials;
  }

  step(message: string): SaslStep {
    return this.#started ? this.#final(message, this.#started) : this.#first(message);
  }

  // RFC 5802 §5: client-first-message = gs2-header "n=" user ",r=" nonce. Channel binding ("p=") is not offered.
  #first(message: string): SaslStep {
    const parts = /^((?:n|y),(?:a=([^,]*))?,)(n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/s.exec(message);
    const [, gs2 = '', authzid = '', clientFirst = '', rawUser = '', clientNonce = ''] = parts ?? [];
    if (!parts) return failed('malformed-request');
    const user = saslName(rawUser);
    const password = this.#credentials.passwordOf(user);
    if (password === undefined) return failed('not-authorized');
    const salt = randomBytes(16);
    const nonce = clientNonce + randomBytes(18).toString('base64');
    const serverFirst = `r=${nonce},s=${salt.toString('base64')},i=${iterations}`;
    const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, this.#keyLength, this.#hash);
    this.#started = { user, authzid: saslName(authzid), gs2, clientFirst, serverFirst, nonce, salted };
    return { kind: 'challenge', data: serverFirst };
  }

  #final(message: string, started: Started): SaslStep {
    const { user, authzid, gs2, clientFirst, serverFirst, nonce, salted } = started;
    const parts = /^((?:c=([^,]*)),r=([^,]+)(?:,.*)?),p=([^,]+)$/s.exec(message);
    if (!parts) return failed('malformed-request');
    const [, withoutProof = '', binding = '', echoed = '', proofText = ''] = parts;
    if (echoed !== nonce || Buffer.from(binding, 'base64').toString() !== gs2) return failed('not-authorized');
    // RFC 5802 §3
    const authMessage = `${clientFirst},${serverFirst},${withoutProof}`;
    const clientKey = this.#hmac(salted, 'Client Key');
    const storedKey = createHash(this.#hash).update(clientKey).digest();
    const signature = this.#hmac(storedKey, authMessage);
    const proof = Buffer.from(proofText, 'base64');
    if (proof.length !== signature.length) return failed('not-authorized');
    const claimedKey = Buffer.from(proof.map((byte, index) => byte ^ (signature[index] ?? 0)));
    if (!same(createHash(this.#hash).update(claimedKey).digest(), storedKey)) return failed('not-authorized');
    if (authzid !== '' && !this.#credentials.mayActAs(user, authzid)) return failed('invalid-authzid');
    const serverSignature = this.#hmac(this.#hmac(salted, 'Server Key'), authMessage);
    return { kind: 'success', user, data: `v=${serverSignature.toString('base64')}` };
  }

  #hmac(key: Buffer, data: string): Buffer {
    return createHmac(this.#hash, key).update(data).digest();
  }
}

// RFC 5802 §5.1: "," and "=" travel as =2C and =3D.
function saslName(text: string): string {
  return text.replaceAll('=2C', ',').replaceAll('=3D', '=').normalize('NFKC');
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text.normalize('NFKC')).digest();
}

function same(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
