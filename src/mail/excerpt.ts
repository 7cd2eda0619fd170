// How a mail begins: the first words of its first plain text, for people who are told of it. Read only where a group
// wants it said, and with limits. What is malformed or in no charset we know begins with nothing.
import { leaves } from './attachments.ts';

/** Octets of the text that are looked at. */
const looked = 4_096;

/** One line of at most `limit` characters; undefined when there is no plain text with anything of the writer's own in it. */
export function excerptOf(content: Uint8Array, limit = 160): string | undefined {
  for (const { type, marked, body } of leaves(content)) {
    if (marked || (type.value !== 'text/plain' && type.value !== '')) continue;
    const { encoding } = type;
    const octets = body.subarray(0, encoding === 'base64' ? 2 * looked : looked);
    const words = ownWords(decode(octets, encoding, type.params.charset));
    if (words !== '')
      return Array.from(words).length <= limit
        ? words
        : `${Array.from(words)
            .slice(0, limit - 1)
            .join('')}…`;
  }
  return undefined;
}

function decode(octets: Buffer, encoding: string, charset = 'utf-8'): string {
  try {
    const plain =
      encoding === 'base64'
        ? Buffer.from(octets.toString('latin1').replace(/[^A-Za-z0-9+/]/g, ''), 'base64')
        : encoding === 'quoted-printable'
          ? quotedPrintable(octets.toString('latin1'))
          : octets;
    return new TextDecoder(charset).decode(plain);
  } catch {
    // A charset that nobody has heard of.
    return '';
  }
}

/** RFC 2045 §6.7. */
function quotedPrintable(text: string): Buffer {
  const joined = text
    .replace(/[ \t]*=\r?\n/g, '')
    .replace(/=([0-9A-Fa-f]{2})/g, (_whole, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(joined, 'latin1');
}

/** Without what is cited, and without what stands under it. */
function ownWords(text: string): string {
  const lines = text.split(/\r?\n/);
  const end = lines.findIndex((line) => line === '-- ' || /^-{2,} ?\S.*-{2,}$/.test(line));
  return (end < 0 ? lines : lines.slice(0, end))
    .filter((line) => !line.startsWith('>'))
    .join(' ')
    .replace(/\s+/g, ' ')
    .trim();
}
