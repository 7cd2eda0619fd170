// `pointsman queue …`: deliveries, on their way and done: looked at, hastened, kept, ended, sent on and counted.
import type { Duration } from '../clock.ts';
import type { Story } from '../operations.ts';
import type { Delivery, Intervened, QueueRow } from '../store/store.ts';
import { NotRunningError, type QueueConditions } from './client.ts';
import { type Context, clientFor, type Target, writeJson } from './context.ts';
import { CommandError, exitCodes } from './exit.ts';
import { type Column, dateAndTime, fields, relative, span, table } from './terminal.ts';
import { timeline } from './timeline.ts';

/** What is listed when no states are named: what has not ended well. */
export const waitingStates = 'queued,held,dead';

export interface QueueListOptions extends Target {
  readonly json?: boolean;
  readonly state?: string;
  /** Only dead letters. */
  readonly dead?: boolean;
  readonly to?: string;
  readonly from?: string;
  readonly hop?: string;
  readonly group?: string;
  readonly older?: Duration;
  readonly onHold?: boolean;
  readonly limit: number;
}

export async function queueList(context: Context, options: QueueListOptions): Promise<number> {
  const client = await clientFor(context, options);
  const rows = await client.listQueue({
    ...(options.dead ? { state: 'dead' } : options.state === undefined ? {} : { state: options.state }),
    ...conditions(options, context.clock.now()),
    limit: options.limit,
  });
  if (options.json) {
    writeJson(context, rows);
    return exitCodes.fine;
  }
  const { terminal, clock } = context;
  if (rows.length === 0)
    terminal.write(isNarrowed(options) ? 'Nothing in the queue is like that.\n' : 'The queue is empty.\n');
  else terminal.write(table(listColumns(clock.now()), rows, terminal.columns));
  if (rows.length === options.limit) terminal.write(`(the first ${options.limit}; more with --limit)\n`);
  return exitCodes.fine;
}

/** Then that nothing is found does not say that nothing waits. */
const isNarrowed = ({ state, dead, to, from, hop, group, older, onHold }: QueueListOptions): boolean =>
  dead === true ||
  onHold === true ||
  state !== waitingStates ||
  [to, from, hop, group, older].some((each) => each !== undefined);

function conditions(options: QueueListOptions, now: number): QueueConditions {
  const { to, from, hop, group, older, onHold } = options;
  return {
    ...(to === undefined ? {} : { to }),
    ...(from === undefined ? {} : { from }),
    ...(hop === undefined ? {} : { hop }),
    ...(group === undefined ? {} : { group }),
    ...(older === undefined ? {} : { before: now - older }),
    ...(onHold ? { hold: true } : {}),
  };
}

const stateOf = (row: Pick<Delivery, 'state' | 'onHoldBy'>): string => (row.onHoldBy === null ? row.state : 'on hold');
const nextOf = (row: Pick<Delivery, 'nextAttemptAt' | 'onHoldBy'>, now: number): string =>
  row.nextAttemptAt === null || row.onHoldBy !== null ? '-' : relative(row.nextAttemptAt, now);

function listColumns(now: number): readonly Column<QueueRow>[] {
  return [
    { title: 'QUEUE ID', cell: (row) => row.queueId },
    { title: 'STATE', cell: stateOf },
    { title: 'AGE', cell: (row) => span(now - row.acceptedAt) },
    { title: 'TRIES', cell: (row) => String(row.attempts), align: 'right' },
    { title: 'NEXT', cell: (row) => nextOf(row, now) },
    { title: 'TO', cell: (row) => row.path.mailbox, flexible: true },
    { title: 'LAST REPLY', cell: (row) => row.lastReply ?? '-', flexible: true },
  ];
}

export async function queueShow(
  context: Context,
  id: string,
  options: Target & { readonly json?: boolean },
): Promise<number> {
  const story = await (await clientFor(context, options)).queued(id);
  if (options.json) writeJson(context, story);
  else {
    const { terminal, clock } = context;
    terminal.write(messageFields(story, clock.now()));
    terminal.write('\n');
    terminal.write(table(deliveryColumns(clock.now()), story.deliveries, terminal.columns));
    terminal.write('\n');
    terminal.write(timeline(story.events, terminal.columns));
  }
  return exitCodes.fine;
}

export function messageFields(story: Story, now: number): string {
  const { message, contentKept } = story;
  const { facts } = message;
  return fields([
    ['queue id', message.queueId],
    ['accepted', `${dateAndTime(message.acceptedAt)} (${relative(message.acceptedAt, now)}) from peer ${facts.peer}`],
    ['from', `${message.envelope.reversePath}${facts.from ? ` (${facts.from})` : ''}`],
    ['subject', facts.subject ?? '-'],
    ['message-id', facts.messageId ?? '-'],
    ['size', `${message.size} octets${contentKept ? '' : ', content retired'}`],
  ]);
}

function deliveryColumns(now: number): readonly Column<Delivery>[] {
  return [
    { title: '#', cell: (row) => String(row.seq), align: 'right' },
    { title: 'STATE', cell: stateOf },
    { title: 'TO', cell: (row) => row.path.mailbox, flexible: true },
    { title: 'CHOSEN', cell: (row) => row.chosen?.person ?? row.chosen?.mailbox ?? '-', flexible: true },
    { title: 'TRIES', cell: (row) => String(row.attempts), align: 'right' },
    { title: 'NEXT', cell: (row) => nextOf(row, now) },
    { title: 'LAST REPLY', cell: (row) => row.lastReply ?? '-', flexible: true },
  ];
}

export async function queueRetry(
  context: Context,
  id: string,
  options: Target & { readonly json?: boolean },
): Promise<number> {
  const client = await clientFor(context, options);
  const { due } = await client.retry(id, context.by);
  if (options.json) writeJson(context, { due });
  else if (due === 0) {
    const { deliveries } = await client.queued(id);
    const why = deliveries.some(({ onHoldBy }) => onHoldBy !== null)
      ? `what waits of ${id} is on hold; "pointsman queue release ${id}" lets it go on`
      : `every delivery of ${id} has ended`;
    context.terminal.complain(`nothing to retry: ${why}\n`);
  } else context.terminal.write(`${due} ${due === 1 ? 'delivery is' : 'deliveries are'} due now\n`);
  return due === 0 ? exitCodes.problem : exitCodes.fine;
}

type Verb = 'hold' | 'release' | 'drop';
const done = { hold: 'put on hold', release: 'released', drop: 'dropped', requeue: 'sent on' } as const;

/** Several ids are done one after the other; one that cannot be done stops nothing. */
export async function queueIntervene(
  context: Context,
  verb: Verb,
  ids: readonly string[],
  options: Target & { readonly json?: boolean },
): Promise<number> {
  const client = await clientFor(context, options);
  return forEachId(context, ids, options, verb, (id) => client.intervene(id, verb, context.by));
}

export async function queueRequeue(
  context: Context,
  to: string,
  ids: readonly string[],
  options: Target & { readonly json?: boolean },
): Promise<number> {
  const client = await clientFor(context, options);
  return forEachId(context, ids, options, 'requeue', (id) => client.requeue(id, to, context.by));
}

async function forEachId(
  context: Context,
  ids: readonly string[],
  options: { readonly json?: boolean },
  verb: keyof typeof done,
  act: (id: string) => Promise<Intervened>,
): Promise<number> {
  const results: Record<string, Intervened | { readonly error: string }> = {};
  let exitCode: number = exitCodes.fine;
  for (const id of ids) {
    try {
      const result = await act(id);
      results[id] = result;
      if (result.busy.length > 0) exitCode = exitCodes.problem;
      if (options.json) continue;
      const count = result.done.length;
      const busy = result.busy.length > 0 ? `; ${result.busy.length} being attempted just now, left alone` : '';
      context.terminal.write(`${id}: ${count} ${count === 1 ? 'delivery' : 'deliveries'} ${done[verb]}${busy}\n`);
    } catch (error) {
      if (!(error instanceof CommandError) || error instanceof NotRunningError) throw error;
      exitCode = error.exitCode;
      results[id] = { error: error.message };
      if (!options.json) context.terminal.complain(`${id}: ${error.message}\n`);
    }
  }
  if (options.json) writeJson(context, results);
  return exitCode;
}

/** As qshape does: a next hop that is in trouble shows as mail that gets older. */
export async function queueCounts(context: Context, options: Target & { readonly json?: boolean }): Promise<number> {
  const counts = await (await clientFor(context, options)).countQueue();
  if (options.json) writeJson(context, counts);
  else if (counts.rows.length === 0) context.terminal.write('The queue is empty.\n');
  else {
    type Row = (typeof counts.rows)[number];
    const ages = [...counts.bounds.map((bound) => `<${age(bound)}`), `${age(counts.bounds.at(-1) ?? 0)}+`];
    const columns: Column<Row>[] = [
      { title: 'NEXT HOP', cell: (row) => row.nextHop, flexible: true },
      { title: 'TOTAL', cell: (row) => String(row.total), align: 'right' },
      { title: 'HOLD', cell: (row) => String(row.onHold), align: 'right' },
      ...ages.map((title, index): Column<Row> => ({ title, cell: (row) => String(row.ages[index]), align: 'right' })),
    ];
    context.terminal.write(table(columns, counts.rows, context.terminal.columns));
  }
  return exitCodes.fine;
}

const age = (minutes: number): string => (minutes < 60 ? `${minutes}m` : `${Math.round(minutes / 60)}h`);
