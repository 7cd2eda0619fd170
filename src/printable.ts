// Text from mail, presence and peers, made safe to show: on a terminal it cannot move the cursor, recolour, retitle or
// reverse the direction of what stands around it.

// Cc: C0, DEL, C1 (an eight-bit CSI is U+009B). Zl, Zp: line ends for some viewers. The rest are the bidirectional
// controls of Unicode UAX 9 §2 and the byte order mark.
const unsafe = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

/** Nearly all there is, and nothing in it to make safe. */
const plain = /^[\x20-\x7e]*$/;

/** One line: white space becomes a space, every other control character becomes U+FFFD. */
export function printable(text: string): string {
  if (plain.test(text)) return text;
  return text
    .toWellFormed()
    .replace(/[\t\r\n]+/g, ' ')
    .replace(unsafe, '\ufffd');
}

/** As `printable`, but line feeds stay: for text of ours that holds text from outside. */
export function printableLines(text: string): string {
  if (plain.test(text)) return text;
  return text.split('\n').map(printable).join('\n');
}
