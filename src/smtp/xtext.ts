// RFC 3461 §4: xtext, the encoding of ENVID and ORCPT in MAIL and RCPT; RFC 6533 §3: its form for UTF-8 addresses.

const xtext = /^(?:[\x21-\x2a\x2c-\x3c\x3e-\x7e]|\+[0-9A-F]{2})*$/;

/** Undefined when `text` is not xtext, or hides a control character or a non-ASCII octet. */
export function decodeXtext(text: string): string | undefined {
  if (!xtext.test(text)) return undefined;
  const decoded = text.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return /^[\x20-\x7e]*$/.test(decoded) ? decoded : undefined;
}

export function encodeXtext(text: string): string {
  return text.replace(/[^\x21-\x2a\x2c-\x3c\x3e-\x7e]/g, (character) => {
    return Buffer.from(character)
      .toString('hex')
      .toUpperCase()
      .replace(/../g, (octet) => `+${octet}`);
  });
}

/** RFC 6533 §3, utf-8-addr-xtext and utf-8-addr-unitext: `\x{E9}` or, in an SMTPUTF8 transaction, the character. */
export function decodeUtf8Address(text: string, smtputf8: boolean): string | undefined {
  if (!smtputf8 && /[^\x21-\x7e]/.test(text)) return undefined;
  let wrong = false;
  // Six digits at most: looking for the end of each one that has none would take quadratic time.
  const decoded = text.replace(/\\x\{([^}]{0,6})\}|\\|[+=\x00-\x20]/g, (whole: string, hex?: string) => {
    const point = hex !== undefined && /^[0-9A-F]{2,6}$/.test(hex) ? Number.parseInt(hex, 16) : Number.NaN;
    // 10FFFF is the last code point; surrogates and controls are no characters.
    if (Number.isNaN(point) || point > 0x10ffff || point < 0x20 || (point >= 0xd800 && point <= 0xdfff)) {
      wrong = true;
      return whole;
    }
    return String.fromCodePoint(point);
  });
  return wrong || /[\x00-\x1f\x7f-\x9f]/.test(decoded) ? undefined : decoded;
}

/** The other way; characters beyond ASCII stay as they are only for a next hop that offers SMTPUTF8. */
export function encodeUtf8Address(text: string, smtputf8: boolean): string {
  const special = smtputf8 ? /[\x00-\x20\x7f+=\\]/gu : /[\x00-\x20\x7f+=\\]|[^\x00-\x7f]/gu;
  return text.replace(special, (character) => {
    const hex = (character.codePointAt(0) ?? 0).toString(16).toUpperCase();
    return `\\x{${hex.padStart(2, '0')}}`;
  });
}
