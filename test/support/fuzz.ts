// One property of a parser, tried with many cases: few in every run, FUZZ_RUNS of them in the long one
// (test/long/fuzz.test.ts), which also keeps a record of what was tried. FUZZ_SEED repeats a run.
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { runs } from './runs.ts';

// Unless told otherwise fast-check stays with some ten items; the long run uses what each arbitrary allows. This stands
// here because it counts for arbitraries made later: a test file imports this one before it makes its own.
if (process.env.FUZZ_RUNS !== undefined)
  fc.configureGlobal({ baseSize: 'medium', defaultSizeToMaxWhenMaxSpecified: true });

export interface FuzzRecord {
  readonly parser: string;
  readonly cases: number;
  readonly seed: number;
  readonly seconds: number;
  /** Octets of the longest input. */
  readonly longest: number;
}

/** Of this process, in order. */
export const fuzzRecords: FuzzRecord[] = [];

type Given<T extends [unknown, ...unknown[]]> = { [K in keyof T]: fc.Arbitrary<T[K]> };

/** @throws with the seed and the smallest case when the property does not hold */
export function fuzz<T extends [unknown, ...unknown[]]>(
  parser: string,
  usual: number,
  given: Given<T>,
  holds: (...values: T) => void,
): void {
  const record = new Record(parser);
  const property = fc.property(...given, (...values: T) => {
    record.see(values);
    holds(...values);
  });
  record.done(fc.check(property, parametersOf(usual)));
}

/** Likewise, where the parser answers later. */
export async function fuzzLater<T extends [unknown, ...unknown[]]>(
  parser: string,
  usual: number,
  given: Given<T>,
  holds: (...values: T) => Promise<void>,
): Promise<void> {
  const record = new Record(parser);
  const property = fc.asyncProperty(...given, async (...values: T) => {
    record.see(values);
    await holds(...values);
  });
  record.done(await fc.check(property, parametersOf(usual)));
}

function parametersOf(usual: number): fc.Parameters<unknown> {
  const seed = Number(process.env.FUZZ_SEED ?? Number.NaN);
  return { numRuns: runs(usual), ...(Number.isSafeInteger(seed) ? { seed } : {}) };
}

class Record {
  readonly #parser: string;
  readonly #began = performance.now();
  #longest = 0;

  constructor(parser: string) {
    this.#parser = parser;
  }

  see(values: readonly unknown[]): void {
    this.#longest = Math.max(this.#longest, octetsIn(values));
  }

  done<T>(details: fc.RunDetails<T>): void {
    const report = fc.defaultReportMessage(details);
    if (report !== undefined) throw new Error(report, { cause: details.errorInstance });
    fuzzRecords.push({
      parser: this.#parser,
      cases: details.numRuns,
      seed: details.seed,
      seconds: (performance.now() - this.#began) / 1_000,
      longest: this.#longest,
    });
  }
}

function octetsIn(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (value instanceof Uint8Array) return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce<number>((sum, each) => sum + octetsIn(each), 0);
}

/** What was tried in this process, as a page. */
export function fuzzPage(): string {
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).stdout.trim();
  const rows = fuzzRecords.map(
    ({ parser, cases, seed, seconds, longest }) =>
      `| ${parser} | ${cases.toLocaleString('en')} | ${seed} | ${seconds.toFixed(1)} | ${longest} |`,
  );
  return `# Fuzzing the parsers of the mail path

${new Date().toISOString().slice(0, 10)}, commit ${commit}; all of it held. The same again:
\`FUZZ_SEED=${fuzzRecords[0]?.seed} FUZZ_OUT=docs/measurements/fuzz.md npx vitest run --project long test/long/fuzz.test.ts\`.

Each case is a text that is made of the pieces of the parser's own grammar and of any octets, often cut into pieces as a
network would. A property says what must hold: nothing is thrown, nothing hangs, what is taken keeps its bounds, and what
can be written comes back as it was.

| parser | cases | seed | seconds | longest input, octets |
|---|---|---|---|---|
${rows.join('\n')}

Long inputs have a test of their own, \`test/long/growth.test.ts\`: every parser gets texts of 64 kB, and of 256 kB where
that took more than 4 ms, in which one or two pieces of its grammar stand over and over, behind and before each of the
others; four times the text must not take nine times the time.
`;
}
