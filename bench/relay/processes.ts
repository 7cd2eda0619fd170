// What a system under test costs: processor time and memory of a process and everything it started, from /proc.
// Ended children count: what a process has waited for is in its cutime and cstime.
import { readdirSync, readFileSync } from 'node:fs';

/** Seconds of processor time. USER_HZ is 100 on every Linux that Node runs on. */
export function processorTime(root: number): number {
  let ticks = 0;
  for (const { times } of tree(root)) ticks += times.reduce((sum, each) => sum + each, 0);
  return ticks / 100;
}

/** Resident megabytes (10^6): the sum over the processes, so shared pages count for each of them. */
export function residentMemory(root: number): number {
  return sumOf(root, (pid) => Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * 4_096) / 1e6;
}

/** Proportional megabytes: shared pages count once. */
export function proportionalMemory(root: number): number {
  return (
    sumOf(root, (pid) => {
      const line = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'));
      return Number(line?.[1] ?? 0) * 1_024;
    }) / 1e6
  );
}

function sumOf(root: number, octets: (pid: number) => number): number {
  let sum = 0;
  for (const { pid } of tree(root)) sum += orGone(() => octets(pid)) ?? 0;
  return sum;
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly times: readonly number[];
}

function tree(root: number): readonly Process[] {
  const all = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (readProcess(Number(name)) ?? []) : []));
  const children = Map.groupBy(all, ({ parent }) => parent);
  const found: Process[] = all.filter(({ pid }) => pid === root);
  for (const process of found) found.push(...(children.get(process.pid) ?? []));
  return found;
}

function readProcess(pid: number): Process | undefined {
  const line = orGone(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  // proc(5): the name, in brackets, may itself contain brackets and spaces.
  const fields = line?.slice(line.lastIndexOf(')') + 2).split(' ');
  if (!fields) return undefined;
  return { pid, parent: Number(fields[1]), times: fields.slice(11, 15).map(Number) };
}

/** Undefined when the process has ended meanwhile. */
function orGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES') return undefined;
    throw error;
  }
}
