// HMAC (RFC 2104) with SHA-256, in two one-shot hashes over pads that are made once for each key: an object of
// node:crypto for each mail costs several times the hashing.
import { hash } from 'node:crypto';

/** RFC 2104 §2: octets of a block of SHA-256. */
const block = 64;

/** Each pad with room behind it for what is hashed with it: nothing is put together anew for each mail. */
interface Pads {
  readonly inner: Buffer;
  readonly outer: Buffer;
}
/** Of a text that is hashed so; a longer one is put together. */
const room = 2_048;
/** Of SHA-256. */
const digestLength = 32;
const padsOf = new WeakMap<Uint8Array, Pads>();

export function hmacSha256(secret: Uint8Array, text: string): Buffer {
  return hash('sha256', outerOf(secret, text), 'buffer');
}

export function hmacSha256Base64Url(secret: Uint8Array, text: string): string {
  return hash('sha256', outerOf(secret, text), 'base64url');
}

/** What is hashed last: valid until the next call. */
function outerOf(secret: Uint8Array, text: string): Buffer {
  let pads = padsOf.get(secret);
  if (!pads) {
    const key = secret.length > block ? hash('sha256', secret, 'buffer') : secret;
    const pad = (octet: number, more: number): Buffer => {
      const padded = Buffer.alloc(block + more);
      for (let at = 0; at < block; at += 1) padded[at] = octet ^ (key[at] ?? 0);
      return padded;
    };
    pads = { inner: pad(0x36, room), outer: pad(0x5c, digestLength) };
    padsOf.set(secret, pads);
  }
  const { inner, outer } = pads;
  // A character takes three octets at most.
  const fits = text.length * 3 <= room;
  const padded = fits
    ? inner.subarray(0, block + inner.write(text, block))
    : Buffer.concat([inner.subarray(0, block), Buffer.from(text)]);
  // One character an octet ("binary" is node:crypto's name for Latin-1): a short text costs less than a buffer of its own.
  outer.write(hash('sha256', padded, 'binary'), block, 'binary');
  return outer;
}
