// One mail that tells of several: what there is to say of each as text, and the mails themselves as they came, in a
// multipart/digest (RFC 2046 §5.1.5). Pure.
export interface Digested {
  /** For people, a line each. */
  readonly lines: readonly string[];
  /** Null: it is told of, and not attached. */
  readonly content: Uint8Array | null;
}

export interface DigestHead {
  readonly hostname: string;
  readonly to: string;
  /** Printable US-ASCII. */
  readonly subject: string;
  readonly at: number;
  /** For the Message-ID, and for a boundary that stands in no mail: nobody could know it before. */
  readonly id: string;
  /** Lines before and after the list. */
  readonly opening: readonly string[];
  readonly closing: readonly string[];
}

export function composeDigest(head: DigestHead, mails: readonly Digested[]): Uint8Array {
  const { hostname, to, subject, at, id, opening, closing } = head;
  const outer = `outer-${id}`;
  const inner = `inner-${id}`;
  const text = [...opening, '', ...mails.flatMap(({ lines }) => [...lines, '']), ...closing];
  const attached = mails.flatMap(({ content }) => (content === null ? [] : [content]));
  const top = [
    `Date: ${new Date(at).toUTCString().replace('GMT', '+0000')}`,
    `From: Pointsman <postmaster@${hostname}>`,
    `To: <${to}>`,
    `Subject: ${subject}`,
    `Message-ID: <${id}@${hostname}>`,
    // RFC 3834 §5: so that nobody's vacation answers.
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    `Content-Type: multipart/mixed; boundary="${outer}"`,
    '',
    `--${outer}`,
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    ...text,
  ];
  const parts: Uint8Array[] = [bytes(`${top.join('\r\n')}\r\n`)];
  if (attached.length > 0) {
    parts.push(bytes(`--${outer}\r\nContent-Type: multipart/digest; boundary="${inner}"\r\n\r\n`));
    for (const content of attached)
      parts.push(
        bytes(`--${inner}\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n`),
        content,
        bytes('\r\n'),
      );
    parts.push(bytes(`--${inner}--\r\n`));
  }
  parts.push(bytes(`--${outer}--\r\n`));
  return Buffer.concat(parts);
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
