// One run of one load through one system: smtp-source in front, smtp-sink behind, the clock between.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { programPath } from '../../test/support/peers.ts';
import { processorTime, residentMemory } from './processes.ts';
import type { Sink } from './sink.ts';
import type { System } from './systems.ts';

export interface Load {
  /** Octets of content. */
  readonly size: number;
  readonly sessions: number;
  /** smtp-source keeps its connections; otherwise each message has its own. */
  readonly keep: boolean;
}

export const nameOf = ({ size, sessions, keep }: Load): string =>
  `${size >= 1_000 ? `${Math.round(size / 1_000)} kB` : `${size} B`} × ${sessions}${keep ? ', kept' : ''}`;

export interface Run {
  readonly system: string;
  readonly messages: number;
  /** Per second, until smtp-source had its last 250. */
  readonly accepted: number;
  /** Per second, until smtp-sink had the last message. */
  readonly through: number;
  /** Milliseconds of the system's processor time for each message. */
  readonly processor: number;
  /** Megabytes at the end. */
  readonly resident: number;
}

const limit = 60_000;

/** @throws when messages are missing after a minute. */
export async function runLoad(system: System, sink: Sink, load: Load, messages: number): Promise<Run> {
  const before = { count: sink.count, processor: processorTime(system.pid) };
  const args = ['-s', load.sessions, '-l', load.size, '-m', messages, '-M', 'source.test', '-f', 'a@source.test'];
  const more = ['-t', system.recipient, ...(load.keep ? ['-d'] : []), `127.0.0.1:${system.port}`];
  const started = performance.now();
  const source = spawn(programPath('smtp-source') ?? 'smtp-source', [...args.map(String), ...more], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaints = '';
  source.stderr.on('data', (text) => {
    complaints += text;
  });
  let acceptedAfter: number | undefined;
  void once(source, 'exit').then(() => {
    acceptedAfter = performance.now() - started;
  });
  while (sink.count - before.count < messages || acceptedAfter === undefined) {
    if (performance.now() - started > limit || complaints !== '') {
      source.kill();
      throw new Error(
        `${system.name}, ${nameOf(load)}: ${sink.count - before.count} of ${messages} arrived. ${complaints}`,
      );
    }
    await pause(4);
  }
  const seconds = (performance.now() - started) / 1_000;
  if (complaints !== '') throw new Error(`smtp-source to ${system.name}: ${complaints}`);
  const resident = residentMemory(system.pid);
  // What is still being settled belongs to these messages.
  await pause(150);
  return {
    system: system.name,
    messages,
    accepted: messages / (acceptedAfter / 1_000),
    through: messages / seconds,
    processor: ((processorTime(system.pid) - before.processor) * 1_000) / messages,
    resident,
  };
}

/** How many messages take about so long: two short runs, whose results are thrown away, find the rate. */
export async function enoughFor(milliseconds: number, system: System, sink: Sink, load: Load): Promise<number> {
  const first = await runLoad(system, sink, load, Math.max(60, 2 * load.sessions));
  const second = await runLoad(system, sink, load, Math.min(inside(first.through), 400 + 8 * load.sessions));
  return inside(second.through);

  function inside(rate: number): number {
    return Math.max(40, Math.min(20_000, Math.round((milliseconds / 1_000) * rate)));
  }
}
