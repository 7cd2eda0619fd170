// `pointsman track list | show | ack`: messages somebody has to take care of.
import { printable } from '../printable.ts';
import { stepAt } from '../tracking/steps.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { type Context, clientFor, type Target, writeJson } from './context.ts';
import { exitCodes } from './exit.ts';
import { messageFields } from './queue.ts';
import { type Column, dateAndTime, fields, relative, span, table } from './terminal.ts';
import { timeline } from './timeline.ts';

export interface TrackListOptions extends Target {
  readonly json?: boolean;
  readonly all?: boolean;
  readonly state?: string;
  readonly group?: string;
  readonly limit: number;
}

const open = 'waiting,held,tracked';

export async function trackList(context: Context, options: TrackListOptions): Promise<number> {
  const client = await clientFor(context, options);
  const state = options.state ?? (options.all ? undefined : open);
  const rows = await client.listTracked({
    ...(state === undefined ? {} : { state }),
    ...(options.group === undefined ? {} : { group: options.group }),
    limit: options.limit,
  });
  if (options.json) {
    writeJson(context, rows);
    return exitCodes.fine;
  }
  const { terminal, clock } = context;
  if (rows.length === 0) terminal.write(state === open ? 'Nothing is open.\n' : 'No tracked message.\n');
  else terminal.write(table(columns(clock.now()), rows, terminal.columns));
  if (rows.length === options.limit) terminal.write(`(the first ${options.limit}; more with --limit)\n`);
  return exitCodes.fine;
}

function columns(now: number): readonly Column<Tracked>[] {
  return [
    { title: 'ID', cell: (row) => row.shortId },
    { title: 'STATE', cell: (row) => row.state },
    { title: 'GROUP', cell: (row) => row.plan.group, flexible: true },
    { title: 'OWNER', cell: (row) => row.owner ?? '-', flexible: true },
    { title: 'AGE', cell: (row) => span(now - row.acceptedAt) },
    { title: 'NEXT STEP', cell: (row) => (row.nextStepAt === null ? '-' : relative(row.nextStepAt, now)) },
    { title: 'FROM', cell: (row) => row.from, flexible: true },
    { title: 'SUBJECT', cell: (row) => row.subject ?? '-', flexible: true },
  ];
}

export async function trackShow(
  context: Context,
  id: string,
  options: Target & { readonly json?: boolean },
): Promise<number> {
  const story = await (await clientFor(context, options)).tracked(id);
  if (options.json) {
    writeJson(context, story);
    return exitCodes.fine;
  }
  const { terminal, clock } = context;
  const now = clock.now();
  terminal.write(messageFields(story, now));
  for (const tracked of story.tracked) terminal.write(`\n${trackedFields(tracked, now)}`);
  terminal.write('\n');
  terminal.write(timeline(story.events, terminal.columns));
  return exitCodes.fine;
}

function trackedFields(tracked: Tracked, now: number): string {
  const { policy, group } = tracked.plan;
  const since = tracked.ownedSince === null ? '' : `, since ${relative(tracked.ownedSince, now)}`;
  const next = stepAt(policy, tracked.step);
  return fields([
    ['short id', tracked.shortId],
    ['group', `${group} <${tracked.address}>, policy ${policy.name}, until ${policy.until}`],
    ['state', tracked.state],
    ['owner', tracked.owner === null ? 'nobody' : `${tracked.owner}${since}`],
    ...(tracked.nextStepAt === null || !next
      ? []
      : [['next step', `${next.name}, ${relative(tracked.nextStepAt, now)}`] as const]),
    ...Object.entries(tracked.tried).map(([person, words]) => ['tried', `${person}: ${words}`] as const),
    ...(tracked.closedAt === null
      ? []
      : [['closed', `${dateAndTime(tracked.closedAt)} by ${tracked.closedBy ?? 'nobody'}`] as const]),
  ]);
}

export async function trackAck(
  context: Context,
  id: string,
  options: Target & { readonly json?: boolean },
): Promise<number> {
  const outcome = await (await clientFor(context, options)).ack(id, context.by);
  if (options.json) writeJson(context, outcome);
  else if (outcome.kind === 'late') context.terminal.complain(`nothing changed: ${printable(outcome.text)}\n`);
  else context.terminal.write(`${outcome.tracked.shortId} is ${outcome.tracked.state}\n`);
  return outcome.kind === 'late' ? exitCodes.problem : exitCodes.fine;
}

type Deed =
  | { readonly kind: 'give'; readonly to: string }
  | { readonly kind: 'snooze'; readonly lasts: string }
  | { readonly kind: 'step'; readonly step: string | null };

/** What an operator does with the clock: gives it to somebody, waits, or takes a step before its time. */
export async function trackSteer(
  context: Context,
  id: string,
  deed: Deed,
  options: Target & { readonly json?: boolean },
): Promise<number> {
  const client = await clientFor(context, options);
  const { by, clock, terminal } = context;
  const tracked =
    deed.kind === 'give'
      ? await client.give(id, deed.to, by)
      : deed.kind === 'snooze'
        ? await client.snooze(id, deed.lasts, by)
        : await client.takeStep(id, deed.step, by);
  if (options.json) {
    writeJson(context, tracked);
    return exitCodes.fine;
  }
  const { shortId, state, owner, nextStepAt } = tracked;
  const next = nextStepAt === null ? '' : `; next step ${relative(nextStepAt, clock.now())}`;
  terminal.write(`${shortId} is ${state}, with ${owner ?? 'nobody'}${next}\n`);
  return exitCodes.fine;
}

/** For sender_bcc_maps and its like: whoever knows this address can close messages, so it is shown to the admin alone. */
export async function trackAddress(context: Context, options: Target): Promise<number> {
  const { copies } = await (await clientFor(context, options)).evidence();
  if (copies === null) {
    context.terminal.complain('No address: pointsman.yaml names no "evidence" domain.\n');
    return exitCodes.problem;
  }
  context.terminal.write(`${copies}\n`);
  return exitCodes.fine;
}
