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
  /** Resolves when `at` has come (at once when it is past) or when `signal` aborts; never rejects. */
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
      const look = (): void => {
        const left = at - Date.now();
        if (left <= 0 || signal?.aborted) end();
        else timer = setTimeout(look, Math.min(left, longestPiece));
      };
      signal?.addEventListener('abort', end);
      look();
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
  let left = Math.max(0, duration);
  const words: string[] = [];
  for (const [name, unit] of units) {
    const count = Math.floor(left / unit);
    left -= count * unit;
    if (count > 0 && words.length < 2) words.push(`${count}${name}`);
  }
  return words.join(' ') || '0s';
}
