// Our own mark on mail that goes to a member of a group: a header that only we can have written, so that mail a member
// sends back is known again though Delivered-To was lost on the way. It is bound to the group and to the Message-ID:
// copied onto another mail it says nothing. What looks like a mark and is none is left alone, and not believed.
import { timingSafeEqual } from 'node:crypto';
import { hmacSha256, hmacSha256Base64Url } from './hmac.ts';

export interface MarkKey {
  /** Names the key in the header; not secret. */
  readonly id: string;
  readonly secret: Uint8Array;
}

export const markHeader = 'X-Pointsman-Trace';

/** One header line, by the newest key; empty when there is none. */
export function loopMark(keys: readonly MarkKey[], group: string, messageId: string | undefined): string {
  const value = loopMarkValue(keys, group, messageId);
  return value === undefined ? '' : `${markHeader}: ${value}\r\n`;
}

/** Of the header field alone. */
export function loopMarkValue(
  [newest]: readonly MarkKey[],
  group: string,
  messageId: string | undefined,
): string | undefined {
  return newest && `v1 ${newest.id} ${hmacSha256Base64Url(newest.secret, marked(group, messageId))}`;
}

/** @param values of all headers of that name, as they came */
export function isMarked(
  values: readonly string[],
  keys: readonly MarkKey[],
  group: string,
  messageId: string | undefined,
): boolean {
  // Somebody may have put in a thousand of them to keep us busy.
  return values.slice(0, 50).some((value) => {
    const parts = /^v1 ([A-Za-z0-9_-]{1,32}) ([A-Za-z0-9_-]{43})$/.exec(value.trim());
    const key = keys.find(({ id }) => id === parts?.[1]);
    if (!key || !parts?.[2]) return false;
    const given = Buffer.from(parts[2], 'base64url');
    const wanted = digest(key, group, messageId);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  });
}

const digest = ({ secret }: MarkKey, group: string, messageId: string | undefined): Buffer =>
  hmacSha256(secret, marked(group, messageId));

const marked = (group: string, messageId: string | undefined): string => JSON.stringify(['v1', group, messageId ?? '']);
