// Lines end in CRLF and in nothing else (RFC 5321 §2.3.8): what a next hop makes of a bare CR or LF is its own matter,
// and that is how mail is smuggled. Checked on the way in, and again on the way out, but not twice for the same octets:
// looking at each of them takes longer than sending them.

const known = new WeakSet<Uint8Array>();

/** For octets that have been looked at, and that nobody changes. */
export function vouchForLineEnds(content: Uint8Array): void {
  known.add(content);
}

export function hasBareLineEnd(content: Uint8Array): boolean {
  if (known.has(content)) return false;
  for (let at = 0; at < content.length; at++) {
    const octet = content[at] as number;
    if (octet > 0x0d) continue;
    if (octet === 0x0a) return true;
    if (octet === 0x0d) {
      at += 1;
      if (content[at] !== 0x0a) return true;
    }
  }
  return false;
}

/** Each bare CR and each bare LF as CRLF. */
export function withWholeLineEnds(content: Uint8Array): Uint8Array {
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('latin1');
  const whole = new Uint8Array(Buffer.from(text.replace(/\r\n|\r|\n/g, '\r\n'), 'latin1'));
  vouchForLineEnds(whole);
  return whole;
}
