// Set by hand: somebody, or an operator for them, says what holds, whatever clients and servers say. With an end, or
// until it is taken back. Pure; remembered as JSON, so old ones must stay readable.
import type { Instant } from '../clock.ts';
import type { State } from './presence.ts';
import { states } from './presence.ts';

export interface Override {
  readonly state: Exclude<State, 'unknown'>;
  readonly setAt: Instant;
  /** Begins then; for a planned absence later than `setAt`. */
  readonly from: Instant;
  /** Null: until it is taken back. */
  readonly until: Instant | null;
  /** Who set it, for the record. */
  readonly by: string;
  readonly note?: string;
  /** Who does the work meanwhile, by name. */
  readonly substitute?: string;
}

export const overrideStates = states.filter((state) => state !== 'unknown');

export function writeOverrides(overrides: ReadonlyMap<string, Override>): string {
  return JSON.stringify([...overrides]);
}

/** What cannot be read is left out: a hand-edited store must not keep Pointsman from starting. */
export function readOverrides(text: string | null): Map<string, Override> {
  const found = new Map<string, Override>();
  if (text === null) return found;
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    // Not JSON: there is nothing to read from it.
    return found;
  }
  for (const entry of Array.isArray(list) ? list : []) {
    if (!Array.isArray(entry) || typeof entry[0] !== 'string') continue;
    const override = readOverride(entry[1]);
    if (override) found.set(entry[0], override);
  }
  return found;
}

function readOverride(value: unknown): Override | undefined {
  if (value === null || typeof value !== 'object') return undefined;
  const { state, setAt, from, until, by, note, substitute } = value as Record<string, unknown>;
  const known = overrideStates.find((one) => one === state);
  if (!known || !isInstant(setAt) || !isInstant(from) || typeof by !== 'string') return undefined;
  if (until !== null && !isInstant(until)) return undefined;
  return {
    state: known,
    setAt,
    from,
    until,
    by,
    ...(typeof note === 'string' ? { note } : {}),
    ...(typeof substitute === 'string' ? { substitute } : {}),
  };
}

function isInstant(value: unknown): value is Instant {
  return typeof value === 'number' && Number.isFinite(value);
}
