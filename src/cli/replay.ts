// `pointsman replay`: recorded mail facts and presence of a running Pointsman go through other rules; the difference as
// a table. Nothing is sent, nothing stored is changed; mail contents are not needed and not read.
import { resolve } from 'node:path';
import type { Duration } from '../clock.ts';
import { asItWas, compare, Replay, type Run } from '../rehearsal/replay.ts';
import type { Rules } from '../routing/rules.ts';
import { type Context, clientFor, type Target, writeJson } from './context.ts';
import { exitCodes } from './exit.ts';
import { fetchRecording, type Recording, readRecording, saveRecording } from './recording.ts';
import { type Compared, describeReplay } from './replay-report.ts';
import { rulesFor } from './simulate.ts';
import type { Terminal } from './terminal.ts';

export interface ReplayOptions extends Target {
  /** How far back. */
  readonly since: Duration;
  readonly rules: string;
  /** Another rules folder to compare with, instead of what happened. */
  readonly against?: string;
  /** A recorded day in a file, JSON lines, instead of a running Pointsman. */
  readonly from?: string;
  /** Keep what was fetched in this file. */
  readonly save?: string;
  /** For tests: rules in a checkout that others may write. */
  readonly anyRuleMode?: boolean;
  readonly limit: number;
  readonly json?: boolean;
}

export async function replay(context: Context, options: ReplayOptions): Promise<number> {
  const { against, anyRuleMode = false } = options;
  const rules = await rulesFor(context, { rules: options.rules, anyRuleMode });
  const other = against === undefined ? null : await rulesFor(context, { rules: against, anyRuleMode });
  const recording = await recordingFor(context, options);
  if (options.save !== undefined) await saveRecording(resolve(context.folder, options.save), recording);
  const progress = progressOf(context.terminal, recording.mails.length * (other ? 2 : 1));
  const after = runThrough(rules, recording, progress);
  const before = other ? runThrough(other, recording, progress) : asItWas(recording.mails);
  progress.end();
  const report = compare(recording.mails, before, after, rules);
  const { since, until } = recording;
  if (options.json) {
    writeJson(context, { rules: rules.version, against: other?.version ?? null, since, until, ...report });
    return exitCodes.fine;
  }
  const compared: Compared = {
    report,
    since,
    until,
    before: other === null ? 'as it was' : `rules ${other.version}`,
    after: `rules ${rules.version}`,
  };
  context.terminal.write(describeReplay(compared, options.limit, context.terminal.columns));
  return exitCodes.fine;
}

async function recordingFor(context: Context, options: ReplayOptions): Promise<Recording> {
  if (options.from !== undefined) return readRecording(context.folder, options.from);
  const until = context.clock.now();
  return fetchRecording(await clientFor(context, options), until - options.since, until);
}

export function runThrough(
  rules: Rules,
  { mails, presence, until }: Omit<Recording, 'since'>,
  progress: Progress = quiet,
): Run {
  const one = new Replay(rules);
  for (const change of presence) one.presence(change);
  for (const mail of mails) {
    one.run(mail.facts.receivedAt - 1);
    one.mail(mail);
    progress.step();
  }
  // What was held when the recording ended is held at the end of this one, too.
  one.run(until);
  return one.result;
}

interface Progress {
  step(): void;
  end(): void;
}
const quiet: Progress = {
  step() {
    // Nobody watches.
  },
  end() {
    // Nor was anything shown.
  },
};

/** Fewer mails than this are through before anybody has read the bar. */
const worthABar = 2000;

/** On standard error, and only for somebody who looks. */
export function progressOf(terminal: Terminal, total: number): Progress {
  if (!terminal.watched || total < worthABar) return quiet;
  let done = 0;
  let shown = -1;
  return {
    step() {
      done += 1;
      const percent = Math.floor((100 * done) / total);
      if (percent === shown) return;
      shown = percent;
      const bar = '█'.repeat(Math.floor(percent / 5)).padEnd(20, '░');
      terminal.complain(`\r${bar} ${String(percent).padStart(3)} % of ${total} mails`);
    },
    end: () => terminal.complain('\r\u001b[K'),
  };
}
