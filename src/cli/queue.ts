// `pointsman queue list | show | retry`: deliveries, on their way and done.
import type { Story } from '../operations.ts';
import type { Delivery, QueueRow } from '../store/store.ts';
import { type Context, clientFor, type Target, writeJson } from './context.ts';
import { exitCodes } from './exit.ts';
import { type Column, dateAndTime, fields, relative, span, table } from './terminal.ts';
import { timeline } from './timeline.ts';

export interface QueueListOptions extends Target {
  readonly json?: boolean;
  readonly state?: string;
  readonly limit: number;
}

export async function queueList(context: Context, options: QueueListOptions): Promise<number> {
  const client = await clientFor(context, options);
  const rows = await client.listQueue({
    ...(options.state === undefined ? {} : { state: options.state }),
    limit: options.limit,
  });
  if (options.json) {
    writeJson(context, rows);
    return exitCodes.fine;
  }
  const { terminal, clock } = context;
  if (rows.length === 0) terminal.write('The queue is empty.\n');
  else terminal.write(table(listColumns(clock.now()), rows, terminal.columns));
  if (rows.length === options.limit) terminal.write(`(the first ${options.limit}; more with --limit)\n`);
  return exitCodes.fine;
}

function listColumns(now: number): readonly Column<QueueRow>[] {
  return [
    { title: 'QUEUE ID', cell: (row) => row.queueId },
    { title: 'STATE', cell: (row) => row.state },
    { title: 'AGE', cell: (row) => span(now - row.acceptedAt) },
    { title: 'TRIES', cell: (row) => String(row.attempts), align: 'right' },
    { title: 'NEXT', cell: (row) => (row.nextAttemptAt === null ? '-' : relative(row.nextAttemptAt, now)) },
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
    { title: 'STATE', cell: (row) => row.state },
    { title: 'TO', cell: (row) => row.path.mailbox, flexible: true },
    { title: 'CHOSEN', cell: (row) => row.chosen?.person ?? row.chosen?.mailbox ?? '-', flexible: true },
    { title: 'TRIES', cell: (row) => String(row.attempts), align: 'right' },
    { title: 'NEXT', cell: (row) => (row.nextAttemptAt === null ? '-' : relative(row.nextAttemptAt, now)) },
    { title: 'LAST REPLY', cell: (row) => row.lastReply ?? '-', flexible: true },
  ];
}

export async function queueRetry(
  context: Context,
  id: string,
  options: Target & { readonly json?: boolean },
): Promise<number> {
  const { due } = await (await clientFor(context, options)).retry(id, context.by);
  if (options.json) writeJson(context, { due });
  else if (due === 0) context.terminal.complain(`nothing to retry: every delivery of ${id} has ended\n`);
  else context.terminal.write(`${due} ${due === 1 ? 'delivery is' : 'deliveries are'} due now\n`);
  return due === 0 ? exitCodes.problem : exitCodes.fine;
}
