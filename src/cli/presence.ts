// `pointsman presence`: who is there, since when, by which source, and how sure that is. `--watch` follows it; `set` and
// `clear` say by hand what holds, whatever clients say.
import type { Instant } from '../clock.ts';
import { formatDuration, minute } from '../clock.ts';
import type { PersonView, PresenceWish, Status } from '../operations.ts';
import { overrideStates } from '../presence/override.ts';
import { printable } from '../printable.ts';
import type { Client } from './client.ts';
import { type Context, clientFor, type Target, writeJson } from './context.ts';
import { CommandError, exitCodes } from './exit.ts';
import { momentExamples, parseMoment, zoneHere } from './moment.ts';
import { type Column, fields, relative, table } from './terminal.ts';

export interface PresenceOptions extends Target {
  readonly json?: boolean;
  readonly watch?: boolean;
  readonly group?: string;
}

export async function presence(context: Context, name: string | undefined, options: PresenceOptions): Promise<number> {
  const client = await clientFor(context, options);
  const filter = {
    ...(name === undefined ? {} : { person: name }),
    ...(options.group === undefined ? {} : { group: options.group }),
  };
  if (options.watch) return watch(context, client, filter, options.json === true);
  const [people, status] = await Promise.all([client.presence(filter), client.status()]);
  if (options.json) writeJson(context, { link: status.link, faults: status.faults ?? [], people });
  else {
    context.terminal.write(page(people, status, context));
    const [only] = people;
    if (name !== undefined && only?.directory)
      context.terminal.write(fields([['directory', originOf(only.directory)]]));
  }
  return exitCodes.fine;
}

/** Until the terminal or Pointsman ends it. On a terminal the table is drawn anew; elsewhere each change is a line. */
async function watch(
  context: Context,
  client: Client,
  filter: { readonly person?: string; readonly group?: string },
  json: boolean,
): Promise<number> {
  const { terminal, clock } = context;
  const people = new Map<string, PersonView>();
  const drawn = terminal.columns !== null && !json;
  await client.followPresence(filter, async (views, first) => {
    for (const view of views) people.set(view.name, view);
    if (json) {
      for (const view of views) terminal.write(`${JSON.stringify({ at: clock.now(), ...view })}\n`);
    } else if (drawn) {
      // Home and clear: what was there before is older.
      const text = page([...people.values()], await client.status(), context);
      terminal.write(`\u001b[H\u001b[2J${text}`);
    } else if (first) terminal.write(table(columns(clock.now()), views, null));
    else
      for (const view of views) terminal.write(`${new Date(clock.now()).toISOString()}  ${line(view, clock.now())}\n`);
  });
  throw new CommandError(exitCodes.problem, 'Pointsman has stopped');
}

export interface SetOptions extends Target {
  readonly json?: boolean;
  readonly until?: string;
  readonly from?: string;
  readonly note?: string;
  readonly substitute?: string;
}

export async function presenceSet(context: Context, name: string, state: string, options: SetOptions): Promise<number> {
  const known = overrideStates.find((one) => one === state);
  if (known === undefined)
    throw new CommandError(
      exitCodes.usage,
      `no such state: ${JSON.stringify(state)}; known are ${overrideStates.join(', ')}`,
    );
  const moment = (text: string | undefined): Instant | null => {
    if (text === undefined) return null;
    const at = parseMoment(text, context.clock.now(), zoneHere());
    if (at === undefined)
      throw new CommandError(
        exitCodes.usage,
        `not a time to come: ${JSON.stringify(text)}; one looks like ${momentExamples}`,
      );
    return at;
  };
  const from = moment(options.from);
  const wish: PresenceWish = {
    state: known,
    until: moment(options.until),
    ...(from === null ? {} : { from }),
    ...(options.note === undefined ? {} : { note: options.note }),
    ...(options.substitute === undefined ? {} : { substitute: options.substitute }),
  };
  const client = await clientFor(context, options);
  return tell(context, await client.setPresence(name, wish, context.by), options.json === true);
}

export async function presenceClear(
  context: Context,
  name: string,
  options: Target & { readonly json?: boolean },
): Promise<number> {
  const client = await clientFor(context, options);
  return tell(context, await client.setPresence(name, null, context.by), options.json === true);
}

function tell(context: Context, view: PersonView, json: boolean): number {
  if (json) writeJson(context, view);
  else context.terminal.write(`${line(view, context.clock.now())}\n`);
  return exitCodes.fine;
}

function page(people: readonly PersonView[], status: Status, { terminal, clock }: Context): string {
  const now = clock.now();
  const { state, since, reason } = status.link;
  const link = `${state}, since ${relative(since, now)}${reason ? `: ${reason}` : ''}`;
  const faults = (status.faults ?? []).map(({ text, action }): [string, string] => ['fault', `${text}; ${action}`]);
  const list = people.length === 0 ? 'The rules name nobody.\n' : table(columns(now), people, terminal.columns);
  return `${list}\n${fields([['XMPP link', link], ...faults])}`;
}

function originOf({ id, fields: said }: NonNullable<PersonView['directory']>): string {
  return said.length === 0 ? `${id}, but the rule files say all of it` : `${said.join(', ')} by the directory (${id})`;
}

function columns(now: number): readonly Column<PersonView>[] {
  return [
    { title: 'PERSON', cell: (one) => one.name, flexible: true },
    { title: 'STATE', cell: (one) => stateOf(one), flexible: true },
    { title: 'SINCE', cell: ({ presence: { since } }) => (since === null ? '-' : relative(since, now)) },
    { title: 'SOURCE', cell: (one) => sourceOf(one) },
    // How sure it is: the age of what we know, and until when it holds.
    { title: 'HEARD', cell: ({ presence: { asOf } }) => (asOf === null ? 'never' : relative(asOf, now)) },
    { title: 'UNTIL', cell: ({ presence: { until } }) => (until === undefined ? '-' : relative(until, now)) },
    { title: 'OPEN', cell: (one) => String(one.open), align: 'right' },
    { title: 'STATUS', cell: (one) => statusOf(one), flexible: true },
  ];
}

function stateOf({ presence: { state, reason, lastKnown, awayBy, idleSince, live } }: PersonView): string {
  if (state === 'unknown')
    return `unknown${reason ? ` (${reason}${lastKnown ? `, was ${lastKnown.state}` : ''})` : ''}`;
  const notes = [
    ...(awayBy === 'idle' || (idleSince !== undefined && state !== 'offline') ? ['idle'] : []),
    ...(live !== undefined && live.state !== state ? [`now ${live.state}`] : []),
  ];
  return notes.length === 0 ? state : `${state} (${notes.join(', ')})`;
}

function statusOf({ presence: { status, substitute } }: PersonView): string {
  const parts = [
    ...(status === undefined ? [] : [status]),
    ...(substitute === undefined ? [] : [`${substitute} stands in`]),
  ];
  return parts.length === 0 ? '-' : parts.join('; ');
}

/** A source that is the stream's, while another state of it is being waited out, is marked: the line flaps. */
function sourceOf({ source, presence: { live } }: PersonView): string {
  return source === 'xmpp' && live !== undefined ? 'xmpp…' : source;
}

function line(view: PersonView, now: number): string {
  const { asOf, until, status, substitute } = view.presence;
  const parts = [
    `${view.name}: ${stateOf(view)} by ${view.source}`,
    ...(asOf !== null && now - asOf >= minute ? [`heard ${formatDuration(now - asOf)} ago`] : []),
    ...(until === undefined ? [] : [`until ${new Date(until).toISOString()}`]),
    ...(substitute === undefined ? [] : [`${substitute} stands in`]),
    ...(status === undefined ? [] : [status]),
  ];
  return printable(parts.join('; '));
}
