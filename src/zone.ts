// Wall clocks: what an instant is called in somebody's time zone, and which instant a wall time means there. Pure: the
// zone's rules come with the runtime, the instant is a parameter. The only place that asks the runtime for them: presence
// and rules must agree on when a day begins.
import type { Duration, Instant } from './clock.ts';
import { day, hour, minute, second } from './clock.ts';

/** A day and a time of day, without a zone. `dayNumber` counts days from 1970-01-01. */
export interface WallTime {
  readonly dayNumber: number;
  /** Milliseconds since midnight, as the wall clock shows them. */
  readonly time: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();
/** More zones than this are not kept: a rule file could name them all. */
const mostFormats = 500;

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known) return known;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  if (formats.size >= mostFormats) formats.clear();
  formats.set(zone, format);
  return format;
}

/** Whether the runtime knows the zone: `Europe/Berlin`, `UTC`. */
export function isZone(zone: string): boolean {
  try {
    return /^[A-Za-z]/.test(zone) && formatOf(zone) !== undefined;
  } catch {
    // RangeError is how Intl says no.
    return false;
  }
}

/** How far the wall clock is ahead of UTC at that instant. */
function offsetAt(at: Instant, zone: string): Duration {
  const part: Record<string, number> = {};
  for (const { type, value } of formatOf(zone).formatToParts(at)) part[type] = Number(value);
  const { year = 1970, month = 1, day: date = 1, hour: hours = 0, minute: minutes = 0, second: seconds = 0 } = part;
  const shown = Date.UTC(year, month - 1, date, hours, minutes, seconds);
  return shown - Math.floor(at / second) * second;
}

// Zones change at whole quarters of an hour, so within one the offset stays the same. One entry a zone is enough: the
// moments asked for are close together.
const offsets = new Map<string, { readonly quarter: number; readonly offset: Duration }>();

function recentOffset(at: Instant, zone: string): Duration {
  const quarter = Math.floor(at / (15 * minute));
  const known = offsets.get(zone);
  if (known?.quarter === quarter) return known.offset;
  const offset = offsetAt(at, zone);
  if (offsets.size >= mostFormats) offsets.clear();
  offsets.set(zone, { quarter, offset });
  return offset;
}

export function wallTimeAt(at: Instant, zone: string): WallTime {
  const local = at + recentOffset(at, zone);
  const dayNumber = Math.floor(local / day);
  return { dayNumber, time: local - dayNumber * day };
}

/**
 * The instant a wall time means. One that a clock change skips means the instant of the change; one that it shows twice
 * means the first. `time` may be 24 h or more: then it is a later day's.
 */
export function wallInstant({ dayNumber, time }: WallTime, zone: string): Instant {
  const local = dayNumber * day + time;
  const offsets = [offsetAt(local - day, zone), offsetAt(local + day, zone)];
  const meant = offsets.map((offset) => local - offset).filter((at) => at + offsetAt(at, zone) === local);
  if (meant.length > 0) return Math.min(...meant);
  // In a gap: both readings lie beside it, the change between them. Changes fall on whole minutes.
  let [low, high] = [local - Math.max(...offsets), local - Math.min(...offsets)];
  const before = offsetAt(low, zone);
  while (high - low > minute) {
    const middle = Math.floor((low + high) / 2 / minute) * minute;
    if (middle <= low) break;
    if (offsetAt(middle, zone) === before) low = middle;
    else high = middle;
  }
  return high;
}

/** 0 is Sunday. 1970-01-01 was a Thursday. */
export function weekdayOf(dayNumber: number): number {
  return (((dayNumber + 4) % 7) + 7) % 7;
}

/** `2026-12-24` as a day number; undefined when there is no such day. */
export function parseDate(text: string): number | undefined {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (!parts) return undefined;
  const at = Date.UTC(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]));
  return new Date(at).toISOString().startsWith(text) ? at / day : undefined;
}

export function formatDate(dayNumber: number): string {
  return new Date(dayNumber * day).toISOString().slice(0, 10);
}

/** `9:05`, `24:00` as milliseconds since midnight. */
export function parseTimeOfDay(text: string): number | undefined {
  const parts = /^(\d{1,2}):(\d{2})$/.exec(text);
  if (!parts) return undefined;
  const time = Number(parts[1]) * hour + Number(parts[2]) * minute;
  return Number(parts[2]) < 60 && time <= day ? time : undefined;
}
