// Text that came from outside, made fit for one line of an instant message or a terminal.

// C0, DEL, C1, bidirectional marks, overrides and isolates, zero-width and line separators; fillers that show nothing
// (Hangul, Mongolian, interlinear, tags): one would pass for an empty subject, a thousand for a long pause.
const unfit =
  /(?:[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\u{e0000}-\u{e0fff}]|\u034f)+/gu;
/** More marks on one letter than any language has climb over the lines above. */
const piled = /(\p{M}{4})\p{M}+/gu;
/** Letters that are written from right to left (Unicode's R and AL), by block. */
const rightToLeft = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** One line of at most `limit` characters; what is cut ends in `…`. Lone surrogates become U+FFFD. */
export function oneLine(text: string, limit: number): string {
  const line = text.toWellFormed().replace(unfit, ' ').replace(piled, '$1').replace(/\s+/g, ' ').trim();
  const characters = Array.from(line);
  return characters.length <= limit
    ? line
    : `${characters
        .slice(0, limit - 1)
        .join('')
        .trimEnd()}…`;
}

/**
 * Words of somebody outside within a sentence of ours: one line that can neither end our quotation, nor look like an id
 * of ours, nor (written from right to left) change the order of what stands around it (Unicode UAX #9 §2.4.2).
 */
export function outsideWords(text: string, limit: number): string {
  const plain = oneLine(text, limit)
    .replace(/[“”„‟]/g, '"')
    .replace(/[#＃﹟]+(?=[a-z][a-z0-9]{3}(?![a-z0-9]))/gi, '');
  return rightToLeft.test(plain) ? `\u2068${plain}\u2069` : plain;
}

/** A line of ours, which may have such words in it, cut to a length: an isolation that the cut would leave open is closed. */
export function shorten(line: string, limit: number): string {
  const characters = Array.from(line);
  if (characters.length <= limit) return line;
  const kept = characters
    .slice(0, limit - 1)
    .join('')
    .trimEnd();
  const open = kept.split('\u2068').length > kept.split('\u2069').length;
  return `${kept}${open ? '\u2069' : ''}…`;
}
