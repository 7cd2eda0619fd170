// `pointsman replay`: recorded mail facts and presence of a running Pointsman go through other rules; the difference as
// a table. Nothing is sent, nothing stored is changed; mail contents are not needed and not read.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Duration, day, type Instant } from '../clock.ts';
import { describeError } from '../mail/error.ts';
import { printable } from '../printable.ts';
import {
  asItWas,
  compare,
  type RecordedMail,
  type RecordedPresence,
  Replay,
  type ReplayReport,
  type Run,
} from '../rehearsal/replay.ts';
import type { Rules } from '../routing/rules.ts';
import { type Context, clientFor, type Target, writeJson } from './context.ts';
import { CommandError, exitCodes } from './exit.ts';
import { rulesFor } from './simulate.ts';
import { table } from './terminal.ts';

export interface ReplayOptions extends Target {
  /** How far back. */
  readonly since: Duration;
  readonly rules: string;
  /** Another rules folder to compare with, instead of what happened. */
  readonly against?: string;
  /** A recorded day in a file, JSON lines, instead of a running Pointsman. */
  readonly from?: string;
  /** Keep what was fetched. */
  readonly limit: number;
  readonly json?: boolean;
}

export interface Recording {
  readonly mails: readonly RecordedMail[];
  readonly presence: readonly RecordedPresence[];
}

/** Presence of before the span counts: what people were when it began. */
const lead: Duration = 7 * day;

export async function replay(context: Context, options: ReplayOptions): Promise<number> {
  const rules = await rulesFor(context, { rules: options.rules });
  const other = options.against === undefined ? null : await rulesFor(context, { rules: options.against });
  const recording = options.from === undefined ? await fetched(context, options) : await saved(context, options.from);
  const progress = progressOf(context, recording.mails.length * (other ? 2 : 1));
  const after = runThrough(rules, recording, progress);
  const before = other ? runThrough(other, recording, progress) : asItWas(recording.mails);
  progress.end();
  const report = compare(recording.mails, before, after, rules);
  if (options.json) writeJson(context, { rules: rules.version, against: other?.version ?? null, ...report });
  else
    show(
      context,
      report,
      other === null ? 'as it was' : `rules ${other.version}`,
      `rules ${rules.version}`,
      options.limit,
    );
  return exitCodes.fine;
}

export function runThrough(rules: Rules, { mails, presence }: Recording, progress: Progress = quiet): Run {
  const one = new Replay(rules);
  for (const change of presence) one.presence(change);
  for (const mail of mails) {
    one.run(mail.facts.receivedAt - 1);
    one.mail(mail);
    progress.step();
  }
  const end = Math.max(
    0,
    ...mails.slice(-1).map(({ facts }) => facts.receivedAt),
    ...presence.slice(-1).map(({ at }) => at),
  );
  one.run(end + day);
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

/** On standard error, and only for somebody who looks. */
function progressOf({ terminal }: Context, total: number): Progress {
  if (terminal.columns === null || total < 1000) return quiet;
  let done = 0;
  let shown = -1;
  return {
    step() {
      done += 1;
      const percent = Math.floor((100 * done) / total);
      if (percent === shown) return;
      shown = percent;
      terminal.complain(`\r${'█'.repeat(percent / 5).padEnd(20, '░')} ${String(percent).padStart(3)} %`);
    },
    end: () => terminal.complain('\r\u001b[K'),
  };
}

async function fetched(context: Context, options: ReplayOptions): Promise<Recording> {
  const client = await clientFor(context, options);
  const until = context.clock.now();
  const since = until - options.since;
  const mails: RecordedMail[] = [];
  for (;;) {
    const last = mails.at(-1)?.facts.queueId;
    const page = await client.recorded({ since, until, limit: 1000, ...(last === undefined ? {} : { after: last }) });
    mails.push(...page);
    if (page.length < 1000) break;
  }
  return { mails, presence: await presenceSince(client, since - lead, until) };
}

async function presenceSince(
  client: Awaited<ReturnType<typeof clientFor>>,
  since: Instant,
  until: Instant,
): Promise<readonly RecordedPresence[]> {
  const all: RecordedPresence[] = [];
  const limit = 5000;
  for (let from = since; ; ) {
    const page = await client.presenceHistory({ since: from, until, limit });
    all.push(...page);
    const last = page.at(-1);
    if (page.length < limit || last === undefined) return all;
    // Of the last moment some may be missing: it is read again, whole.
    const first = all.findIndex(({ at }) => at === last.at);
    if (all[0]?.at !== last.at) all.splice(first);
    from = last.at === from ? last.at + 1 : last.at;
  }
}

/** Lines of JSON: {"mail": …} and {"presence": …}. */
async function saved(context: Context, file: string): Promise<Recording> {
  let text: string;
  try {
    text = await readFile(resolve(context.folder, file), 'utf8');
  } catch (error) {
    throw new CommandError(exitCodes.usage, `${file} cannot be read: ${describeError(error)}`);
  }
  const mails: RecordedMail[] = [];
  const presence: RecordedPresence[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    try {
      const value = JSON.parse(line) as { mail?: RecordedMail; presence?: RecordedPresence };
      if (value.mail) mails.push(value.mail);
      else if (value.presence) presence.push(value.presence);
      else throw new SyntaxError('neither "mail" nor "presence"');
    } catch (error) {
      throw new CommandError(exitCodes.usage, `${file}:${index + 1}: ${describeError(error)}`);
    }
  }
  return { mails, presence };
}

function show({ terminal }: Context, report: ReplayReport, before: string, after: string, limit: number): void {
  const { differences, loads } = report;
  const width = terminal.columns;
  terminal.write(
    `${report.mails} mails, ${report.recipients} recipients; ${differences.length} would have gone elsewhere\n`,
  );
  if (report.withoutAttachments > 0)
    terminal.write(
      `${report.withoutAttachments} mails were recorded without their attachments: tests on those are false\n`,
    );
  terminal.write('\n');
  if (differences.length > 0) {
    terminal.write(
      table(
        [
          { title: 'from', cell: ([from]) => from },
          { title: 'to', cell: ([, to]) => to },
          { title: 'mails', cell: ([, , number]) => String(number), align: 'right' },
        ],
        moves(report),
        width,
      ),
    );
    terminal.write('\n');
    terminal.write(
      table(
        [
          { title: 'when', cell: (one) => new Date(one.receivedAt).toISOString().slice(0, 16).replace('T', ' ') },
          { title: 'for', cell: (one) => one.recipient, flexible: true },
          { title: 'subject', cell: (one) => one.subject ?? '', flexible: true },
          { title: before, cell: (one) => one.before.where, flexible: true },
          { title: after, cell: (one) => one.after.where, flexible: true },
          { title: 'why', cell: (one) => one.after.why, flexible: true },
        ],
        differences.slice(0, limit),
        width,
      ),
    );
    if (differences.length > limit) terminal.write(`… and ${differences.length - limit} more (--limit, --json)\n`);
    terminal.write('\n');
  }
  const number = (value: number | undefined) => (value === undefined ? '-' : String(value));
  terminal.write(
    table(
      [
        { title: 'person', cell: (one) => one.person },
        { title: 'mails before', cell: (one) => number(one.before?.given ?? 0), align: 'right' },
        { title: 'after', cell: (one) => number(one.after?.given ?? 0), align: 'right' },
        { title: 'change', cell: (one) => signed((one.after?.given ?? 0) - (one.before?.given ?? 0)), align: 'right' },
        { title: 'most open at once', cell: (one) => number(one.after?.peak ?? 0), align: 'right' },
      ],
      loads,
      width,
    ),
  );
  terminal.write(printable('Assumed: whoever gets a mail takes as long for it as it really took.\n').trimEnd());
  terminal.write('\n');
}

const signed = (value: number): string => (value > 0 ? `+${value}` : String(value));

function moves({ differences }: ReplayReport): (readonly [string, string, number])[] {
  const counts = new Map<string, readonly [string, string, number]>();
  for (const { before, after } of differences) {
    const key = `${before.where}\n${after.where}`;
    counts.set(key, [before.where, after.where, (counts.get(key)?.[2] ?? 0) + 1]);
  }
  return [...counts.values()].sort((a, b) => b[2] - a[2]).slice(0, 20);
}
