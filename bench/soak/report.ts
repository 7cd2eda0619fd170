// From samples to verdicts, a page and a picture.
import { cpus, release } from 'node:os';
import type { Sample } from './sampling.ts';

export interface Verdict {
  readonly what: string;
  readonly kept: boolean;
  readonly measured: string;
}

const mean = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0) / (values.length || 1);
const least = (values: readonly number[]): number => Math.min(...values);
const most = (values: readonly number[]): number => values.reduce((max, each) => Math.max(max, each), 0);

/** Memory may differ by so much between the second and the last quarter: what a collector leaves lying differs. */
export const tolerance = { share: 0.05, megabytes: 10 } as const;

export function quarters(samples: readonly Sample[]): readonly (readonly Sample[])[] {
  const size = samples.length / 4;
  return [0, 1, 2, 3].map((at) => samples.slice(Math.round(at * size), Math.round((at + 1) * size)));
}

export function judgeMemory(samples: readonly Sample[]): Verdict[] {
  const [, second = [], , last = []] = quarters(samples);
  return (['resident', 'heap'] as const).map((what) => {
    // Of the heap what is left after a collection counts: the lowest of a quarter.
    const of = what === 'resident' ? mean : least;
    const [before, after] = [second, last].map((part) => of(part.map((sample) => sample[what])));
    const allowed = (before ?? 0) * (1 + tolerance.share) + tolerance.megabytes;
    return {
      what: `${what === 'resident' ? 'resident memory, mean' : 'heap of the main thread, lowest'} of the last quarter: at most that of the second + ${tolerance.share * 100} % + ${tolerance.megabytes} MB`,
      kept: (after ?? Number.POSITIVE_INFINITY) <= allowed,
      measured: `${before?.toFixed(1)} MB, then ${after?.toFixed(1)} MB`,
    };
  });
}

export interface Run {
  readonly minutes: number;
  readonly peak: readonly number[];
  readonly rate: number;
  readonly messages: number;
  readonly facts: readonly string[];
  readonly samples: readonly Sample[];
  readonly verdicts: readonly Verdict[];
}

const columns = [
  ['accepted', 'accepted /s', 0],
  ['forwarded', 'forwarded /s', 0],
  ['resident', 'RSS MB', 0],
  ['heap', 'heap MB', 0],
  ['descriptors', 'descriptors', 0],
  ['queued', 'queued', 0],
  ['open', 'watched', 0],
  ['store', 'store MB', 0],
  ['lag', 'event loop p99 ms', 1],
] as const satisfies readonly (readonly [keyof Sample, string, number])[];

export function page(run: Run): string {
  const { samples, verdicts } = run;
  const [processor] = cpus();
  const rows = slices(samples, 12).map((part) => {
    const span = (part.at(-1)?.at ?? 0) - (part[0]?.at ?? 0);
    const cells = columns.map(([key, , digits]) => {
      const values = part.map((sample) => sample[key]);
      if (key === 'accepted' || key === 'forwarded')
        return (((values.at(-1) ?? 0) - (values[0] ?? 0)) / (span || 1)).toFixed(digits);
      return (key === 'store' ? (values.at(-1) ?? 0) : key === 'lag' ? most(values) : mean(values)).toFixed(digits);
    });
    return `| ${clock(part.at(-1)?.at ?? 0)} | ${cells.join(' | ')} |`;
  });
  return `# Soak: ${run.minutes} minutes at ${run.rate} messages a second

${new Date().toISOString().slice(0, 10)} · ${cpus().length} × ${processor?.model ?? 'unknown processor'}, Linux ${release()}, Node ${process.version}. Made by
\`npm run soak -- --minutes ${run.minutes}\`; generator, next hop, XMPP server and people share the processors with Pointsman.

Peak found first, as fast as ten sessions go: ${run.peak.map((each) => each.toFixed(0)).join(', ')} messages a second end to end.
${run.facts.join('\n')}

| what must hold | held | measured |
|---|---|---|
${verdicts.map(({ what, kept, measured }) => `| ${what} | ${kept ? 'yes' : '**NO**'} | ${measured} |`).join('\n')}

![memory, descriptors, queue, store and event loop over the run](soak.svg)

A sample each ten seconds; means of each stretch, the store at its end, the worst of the event loop (its clock ticks every
10 ms, so 10 is nothing). "watched" are messages that nobody has taken yet. The store keeps finished content for one
minute here, and the story of each message for good: that is what it grows by.

| until | ${columns.map(([, title]) => title).join(' | ')} |
|---${'|---'.repeat(columns.length)}|
${rows.join('\n')}
`;
}

function slices<T>(all: readonly T[], count: number): T[][] {
  const size = all.length / Math.min(count, all.length || 1);
  return Array.from({ length: Math.min(count, all.length) }, (_, at) =>
    // One more in front: rates are differences.
    all.slice(Math.max(0, Math.round(at * size) - 1), Math.round((at + 1) * size)),
  );
}

const clock = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(Math.round(seconds % 60)).padStart(2, '0')}`;

const panels = [
  ['resident', 'resident memory, MB'],
  ['heap', 'heap of the main thread, MB'],
  ['descriptors', 'open descriptors'],
  ['queued', 'deliveries queued'],
  ['open', 'messages watched'],
  ['store', 'store, MB'],
  ['lag', 'event loop p99, ms'],
] as const satisfies readonly (readonly [keyof Sample, string])[];

/** One line over time for each of the panels, each from zero to its own greatest value. */
export function picture(samples: readonly Sample[]): string {
  const [width, height, gap, left] = [720, 54, 22, 10];
  const end = samples.at(-1)?.at || 1;
  const drawn = panels.map(([key, title], index) => {
    const top = 18 + index * (height + gap);
    const max = most(samples.map((sample) => sample[key])) || 1;
    const points = samples
      .map((sample) => {
        const x = left + (sample.at / end) * (width - 2 * left);
        const y = top + height - (sample[key] / max) * height;
        return `${x.toFixed(1)},${y.toFixed(1)}`;
      })
      .join(' ');
    return `  <text x="${left}" y="${top - 5}">${title}: 0 to ${max >= 100 ? max.toFixed(0) : max.toFixed(1)}</text>
  <path d="M${left} ${top + height}H${width - left}" stroke="#bbb"/>
  <polyline points="${points}" fill="none" stroke="#1a6" stroke-width="1.5"/>`;
  });
  const total = 18 + panels.length * (height + gap);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${total}" font-family="sans-serif" font-size="12">
  <rect width="${width}" height="${total}" fill="#fff"/>
${drawn.join('\n')}
</svg>
`;
}
