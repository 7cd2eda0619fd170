// What is looked at every ten seconds: the process from outside (/proc), and what it says of itself (/metrics).
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface Sample {
  /** Seconds since the run began. */
  readonly at: number;
  /** Megabytes (10^6). */
  readonly resident: number;
  readonly heap: number;
  readonly descriptors: number;
  readonly queued: number;
  /** Messages watched over: neither taken nor at the end of their steps. */
  readonly open: number;
  /** Megabytes of the state folder. */
  readonly store: number;
  /** Milliseconds that the event loop was late, in the time since the last sample; its clock ticks every 10 ms. */
  readonly lag: number;
  /** Since the start of the process. */
  readonly accepted: number;
  readonly forwarded: number;
}

export async function takeSample(
  pid: number,
  options: { readonly httpPort: number; readonly state: string; readonly at: number },
): Promise<Sample> {
  const read = metricsFrom(await (await fetch(`http://127.0.0.1:${options.httpPort}/metrics`)).text());
  return {
    at: options.at,
    resident: residentOf(pid),
    heap: read('pointsman_nodejs_heap_size_used_bytes') / 1e6,
    descriptors: descriptorsOf(pid),
    queued: read('pointsman_deliveries', 'state="queued"') + read('pointsman_deliveries', 'state="held"'),
    open: ['waiting', 'held', 'tracked'].reduce(
      (sum, state) => sum + read('pointsman_tracked_messages', `state="${state}"`),
      0,
    ),
    store: folderSize(options.state) / 1e6,
    lag: read('pointsman_nodejs_eventloop_lag_p99_seconds') * 1_000,
    accepted: read('pointsman_story_events_total', 'event="accepted"'),
    forwarded: read('pointsman_story_events_total', 'event="forwarded"'),
  };
}

/** A counter that nothing was counted in is not there: 0. */
function metricsFrom(text: string): (name: string, label?: string) => number {
  const values = new Map<string, number>();
  for (const line of text.split('\n')) {
    const cut = line.lastIndexOf(' ');
    if (!line.startsWith('#') && cut > 0) values.set(line.slice(0, cut), Number(line.slice(cut + 1)));
  }
  return (name, label) => values.get(label === undefined ? name : `${name}{${label}}`) ?? 0;
}

export function residentOf(pid: number): number {
  return (Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * 4_096) / 1e6;
}

export const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

function folderSize(folder: string): number {
  let sum = 0;
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    // Files come and go while they are counted.
    const stat = statSync(join(folder, entry), { throwIfNoEntry: false });
    if (stat?.isFile()) sum += stat.blocks * 512;
  }
  return sum;
}
