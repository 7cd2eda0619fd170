// Text that came from outside, made fit for one line of an instant message or a terminal.

// C0, DEL, C1, bidirectional overrides and isolates (U+202A–202E, U+2066–2069), zero-width and line separators.
const unfit = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff]+/g;

/** One line of at most `limit` characters; what is cut ends in `…`. Lone surrogates become U+FFFD. */
export function oneLine(text: string, limit: number): string {
  const line = text.toWellFormed().replace(unfit, ' ').replace(/\s+/g, ' ').trim();
  const characters = Array.from(line);
  return characters.length <= limit
    ? line
    : `${characters
        .slice(0, limit - 1)
        .join('')
        .trimEnd()}…`;
}
