// HMAC (RFC 2104) with SHA-256, in two one-shot hashes over pads that are made once for each key: an object of
// node:crypto for each mail costs several times the hashing.
import { hash } from 'node:crypto';

/** RFC 2104 §2: octets of a block of SHA-256. */
const block = 64;

interface Pads {
  readonly inner: Buffer;
  readonly outer: Buffer;
}
const padsOf = new WeakMap<Uint8Array, Pads>();

export function hmacSha256(secret: Uint8Array, text: string): Buffer {
  let pads = padsOf.get(secret);
  if (!pads) {
    const key = secret.length > block ? hash('sha256', secret, 'buffer') : secret;
    const pad = (octet: number): Buffer => Buffer.alloc(block, octet).map((one, at) => one ^ (key[at] ?? 0)) as Buffer;
    pads = { inner: pad(0x36), outer: pad(0x5c) };
    padsOf.set(secret, pads);
  }
  const inner = hash('sha256', Buffer.concat([pads.inner, Buffer.from(text)]), 'buffer');
  return hash('sha256', Buffer.concat([pads.outer, inner]), 'buffer');
}
