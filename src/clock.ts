// Time and chance, the only file that reads either. Everything else gets a Clock or a Random as a parameter,
// so that tests advance a clock and never sleep, and a stored decision can be replayed.
/** A moment: milliseconds since 1970-01-01T00:00:00Z. Stored as such. */
export type Instant = number;
/** A length of time in milliseconds. */
export type Duration = number;

export const second: Duration = 1_000;
export const minute: Duration = 60 * second;
export const hour: Duration = 60 * minute;
export const day: Duration = 24 * hour;

export interface Clock {
  now(): Instant;
  /**
   * Resolves when `at` has come (at once when it is past) or when `signal` aborts; never rejects. Resolves too, within a
   * minute, when the clock was set back: a pause must not last a day for that. Who must know the time looks again.
   */
  sleepUntil(at: Instant, signal?: AbortSignal): Promise<void>;
}

/** Chance in [0, 1). */
export type Random = () => number;

// setTimeout keeps its delay in 32 bits; longer sleeps are taken in pieces. A piece of at most a minute also means
// that a clock jump is noticed within a minute.
const longestPiece = minute;

export const systemClock: Clock = {
  now: () => Date.now(),
  // Not with the promises of node:timers: for each sleep that is cut short they make an error, stack and all.
  sleepUntil: (at, signal) =>
    new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const look = (before: Instant): void => {
        const now = Date.now();
        const setBack = now < before - second && at !== Number.POSITIVE_INFINITY;
        if (now >= at || setBack || signal?.aborted) end();
        else timer = setTimeout(look, Math.min(at - now, longestPiece), now);
      };
      signal?.addEventListener('abort', end);
      look(Date.now());
    }),
};

export const systemRandom: Random = () => Math.random();

const units: readonly (readonly [string, Duration])[] = [
  ['d', day],
  ['h', hour],
  ['m', minute],
  ['s', second],
];

/** Reads `90s`, `10m`, `1h30m`, `5d`. Undefined when the text is not such a duration or is zero. */
export function parseDuration(text: string): Duration | undefined {
  const parts = /^(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?$/.exec(text.trim());
  if (!parts) return undefined;
  const total = units.reduce((sum, [, unit], index) => sum + Number(parts[index + 1] ?? 0) * unit, 0);
  return total > 0 ? total : undefined;
}

/** Writes a duration in its two largest units: `4m`, `1h 30m`, `2d 3h`; under a second it is `0s`. */
export function formatDuration(duration: Duration): string {
  // Several times for each member of a group in every decision: by hand, without lists.
  if (!(duration >= second)) return '0s';
  if (duration < minute) return `${Math.floor(duration / second)}s`;
  if (duration < hour) {
    const minutes = Math.floor(duration / minute);
    return withSeconds(minutes, 'm', duration - minutes * minute);
  }
  if (duration < day) {
    const hours = Math.floor(duration / hour);
    return withMinutes(hours, 'h', duration - hours * hour);
  }
  const days = Math.floor(duration / day);
  const left = duration - days * day;
  const hours = Math.floor(left / hour);
  return hours > 0 ? `${days}d ${hours}h` : withMinutes(days, 'd', left);
}

/** Two units: the second is the largest of which there is one at all. */
function withMinutes(whole: number, unit: string, left: Duration): string {
  const minutes = Math.floor(left / minute);
  return minutes > 0 ? `${whole}${unit} ${minutes}m` : withSeconds(whole, unit, left);
}

function withSeconds(whole: number, unit: string, left: Duration): string {
  const seconds = Math.floor(left / second);
  return seconds > 0 ? `${whole}${unit} ${seconds}s` : `${whole}${unit}`;
}
