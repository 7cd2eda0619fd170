// The page that the bench prints.
import { execFile } from 'node:child_process';
import { cpus, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Latency } from '../relay/latency.ts';
import type { Run } from '../relay/load.ts';
import { spread } from '../relay/table.ts';

export interface Freshness {
  /** Viewers whose page tells up to when it shows. */
  readonly pages: number;
  readonly waits: number;
  readonly never: number;
  /** Milliseconds from the event to the page. */
  readonly p50: number;
  readonly p99: number;
  readonly most: number;
}

export interface Cost {
  readonly name: string;
  readonly load: string;
  readonly messages: number;
  readonly pairs: readonly { readonly without: Run; readonly with: Run; readonly viewers: number }[];
}

export interface Measured {
  readonly startedWith: number;
  readonly count: number;
  readonly pairs: number;
  readonly fresh: {
    readonly turns: readonly {
      readonly fresh: Freshness;
      readonly events: number;
      readonly rate: number;
      readonly octets: number;
      /** Processors that the relay takes: while nobody looks, and while all do. */
      readonly alone: number;
      readonly processor: number;
    }[];
    readonly doors: Readonly<Record<'without' | 'with', readonly Latency[]>>;
  } | null;
  readonly costs: readonly Cost[];
}

async function headline(): Promise<string> {
  const [processor] = cpus();
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const { stdout } = await promisify(execFile)('git', ['-C', root, 'rev-parse', '--short', 'HEAD']);
  return `${new Date().toISOString().slice(0, 10)} · commit ${stdout.trim()} · ${cpus().length} × ${processor?.model ?? 'unknown processor'}, Linux ${release()}, Node ${process.version}.`;
}

export async function page({ startedWith, count, pairs, fresh, costs }: Measured): Promise<string> {
  const parts = [`# The console under ${count} viewers\n`, await headline()];
  parts.push(
    `Load average at the start: ${startedWith.toFixed(1)}. Pointsman as npm installs it; ${count} event streams: half of the first page, three`,
    'tenths of all events, a tenth each of queue and people, in two languages, half of them may act. They run in one process',
    'of their own, on the same two processors as the relay, generator and next hop. Made by `node bench/console/main.ts`.\n',
  );
  if (fresh) parts.push(freshTable(fresh));
  if (costs.length > 0) parts.push(costTable(costs, pairs));
  return `${parts.join('\n')}\n`;
}

function freshTable({ turns, doors }: NonNullable<Measured['fresh']>): string {
  const rows = turns.map(
    ({ fresh, rate, octets, alone, processor }) =>
      `| ${rate.toFixed(0)} | ${fresh.pages} | ${fresh.waits} | ${fresh.p50.toFixed(0)} | ${fresh.p99.toFixed(0)} | ${fresh.most.toFixed(0)} | ${fresh.never} | ${(octets / 1e6).toFixed(1)} | ${(100 * alone).toFixed(0)} % | ${(100 * processor).toFixed(0)} % |`,
  );
  const door = (latencies: readonly Latency[]) =>
    `${spread(
      latencies.map(({ p50 }) => p50),
      1,
    )} | ${spread(
      latencies.map(({ p99 }) => p99),
      1,
    )}`;
  return `## From the event to the page

Mail for a group at a steady pace; every event of every mail, for every viewer whose page tells up to when it shows.

| events /s | pages | event × page | p50 ms | p99 ms | most ms | never | MB/s to all | of a processor, nobody looks | all look |
|---|---|---|---|---|---|---|---|---|---|
${rows.join('\n')}

The front door meanwhile, from the final dot to its 250:

| | p50 ms | p99 ms |
|---|---|---|
| nobody looks | ${door(doors.without)} |
| all look | ${door(doors.with)} |
`;
}

function costTable(costs: readonly Cost[], pairs: number): string {
  const rows = costs.map(({ name, load, messages, pairs: all }) => {
    const each = (of: (pair: (typeof all)[number]) => number, digits: number) => spread(all.map(of), digits);
    return `| ${load}, ${name} | ${messages} | ${each((pair) => pair.without.through, 0)} | ${each((pair) => pair.with.through, 0)} | ${each((pair) => pair.with.through / pair.without.through, 3)} | ${each((pair) => pair.without.processor, 2)} | ${each((pair) => pair.with.processor, 2)} | ${each((pair) => pair.with.processor / pair.without.processor, 3)} | ${each((pair) => pair.viewers, 2)} |`;
  });
  return `## What it costs the relay

${pairs} pairs, each time the other one first; end to end, as fast as it goes. Median (lower quartile–upper quartile).

| load | messages | /s, nobody looks | /s, all look | ratio | CPU ms/msg, nobody | all | ratio | viewers’ own processors |
|---|---|---|---|---|---|---|---|---|
${rows.join('\n')}
`;
}
