// Who looks, and how they see: language, zone, role. Times are shown as they are in the viewer's zone (which the page's
// own script tells once, in a cookie) and relative to now; the script only lets them tick.
import { html, raw } from 'hono/html';
import { type Duration, formatDuration, type Instant } from '../../clock.ts';
import type { Role } from '../../config/users.ts';
import { printable } from '../../printable.ts';
import type { Hides } from './hidden.ts';
import type { Language, Words } from './words.ts';

export type Html = ReturnType<typeof html>;

export type { Role };
export { html, raw };

export const mayAct = (role: Role): boolean => role !== 'viewer';

/** What a page depends on besides its data: two viewers with the same view see the same page. */
export interface View {
  readonly t: Words;
  readonly language: Language;
  /** IANA name. */
  readonly zone: string;
  readonly role: Role;
  readonly now: Instant;
  /** In the sandbox people can be played with. */
  readonly sandbox: boolean;
  /** What of a group's mail is not for this viewer. */
  readonly hides: Hides;
  /** How fast time runs: 1 but in the sandbox. */
  readonly pace: number;
}

/**
 * Stands where the form token of the viewer's session goes: pages that many look at are made once. It is put in last,
 * into what is made already, so no text from mail can end up as a token but the viewer's own.
 */
export const tokenPlace = '@@form-token@@';

/** In every form that changes something. */
export const token = (): Html => html`<input type="hidden" name="token" value="${tokenPlace}">`;

/** Text from outside: what would not show, or turn the line around, is shown as what it is. */
export const safe = (text: string): string => printable(text);

const formats = new Map<string, Intl.DateTimeFormat>();

function format(view: Pick<View, 'language' | 'zone'>, style: 'time' | 'day' | 'full'): Intl.DateTimeFormat {
  const key = `${view.language} ${view.zone} ${style}`;
  let known = formats.get(key);
  if (!known) {
    if (formats.size > 500) formats.clear();
    const locale = view.language === 'de' ? 'de-DE' : 'en-GB';
    const clock = { hour: '2-digit', minute: '2-digit', second: '2-digit' } as const;
    const date = { weekday: 'short', day: 'numeric', month: 'short' } as const;
    const parts = style === 'time' ? clock : style === 'day' ? date : { ...date, year: 'numeric' as const, ...clock };
    known = new Intl.DateTimeFormat(locale, { timeZone: view.zone, ...parts });
    formats.set(key, known);
  }
  return known;
}

export const timeOfDay = (view: View, at: Instant): string => format(view, 'time').format(at);
export const dayOf = (view: View, at: Instant): string => format(view, 'day').format(at);
export const dateAndTime = (view: View, at: Instant): string => format(view, 'full').format(at);

/** `10:42:07`, and the date for whoever asks. */
export function clockTime(view: View, at: Instant): Html {
  return html`<time datetime="${iso(at)}" title="${dateAndTime(view, at)}">${timeOfDay(view, at)}</time>`;
}

/** `3m ago`, which ticks; the exact moment for whoever asks. */
export function ago(view: View, at: Instant): Html {
  const text = view.t.ago(formatDuration(Math.max(0, view.now - at)));
  return html`<time datetime="${iso(at)}" title="${dateAndTime(view, at)}" data-tick="ago">${text}</time>`;
}

/** `3m`: how long it has lasted. */
export function since(view: View, at: Instant): Html {
  const text = formatDuration(Math.max(0, view.now - at));
  return html`<time datetime="${iso(at)}" title="${dateAndTime(view, at)}" data-tick="for">${text}</time>`;
}

/** `in 3m`, or `now`. */
export function until(view: View, at: Instant): Html {
  const left = at - view.now;
  const text = left < 1000 ? view.t.due : view.t.in(formatDuration(left));
  return html`<time datetime="${iso(at)}" title="${dateAndTime(view, at)}" data-tick="in">${text}</time>`;
}

/** A fuse: how much of the time between the two moments is left. Ticks. */
export function fuse(view: View, from: Instant, to: Instant): Html {
  const span = Math.max(1, to - from);
  const left = Math.min(span, Math.max(0, to - view.now));
  return html`<progress class="fuse" aria-hidden="true" max="${span}" data-end="${to}" value="${left}"></progress>`;
}

export const length = (duration: Duration): string => formatDuration(duration);

export function octets(size: number): string {
  if (size < 1000) return `${size} B`;
  const [value, unit] = size < 1e6 ? [size / 1e3, 'kB'] : [size / 1e6, 'MB'];
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** RFC 3339; a moment that no date can show is said as the number it is. */
function iso(at: Instant): string {
  return Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : String(at);
}

/** The same page but for the ticking of time: two renderings of it that differ only in that are equal. */
export function withoutTicks(text: string): string {
  return text
    .replaceAll(/(<time [^>]*data-tick="[^"]*">)[^<]*</g, '$1<')
    .replaceAll(/(<progress class="fuse"[^>]*) value="[^"]*"/g, '$1');
}
