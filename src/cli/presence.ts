// `pointsman presence`: who is there, as Pointsman sees it now.
import type { PersonView } from '../operations.ts';
import { type Context, clientFor, type Target, writeJson } from './context.ts';
import { exitCodes } from './exit.ts';
import { type Column, fields, relative, table } from './terminal.ts';

export async function presence(context: Context, options: Target & { readonly json?: boolean }): Promise<number> {
  const client = await clientFor(context, options);
  const [people, status] = await Promise.all([client.presence(), client.status()]);
  if (options.json) {
    writeJson(context, { link: status.link, people });
    return exitCodes.fine;
  }
  const { terminal, clock } = context;
  const now = clock.now();
  if (people.length === 0) terminal.write('The rules name nobody.\n');
  else terminal.write(table(columns(now), people, terminal.columns));
  const { state, since, reason } = status.link;
  terminal.write(
    `\n${fields([['XMPP link', `${state}, since ${relative(since, now)}${reason ? `: ${reason}` : ''}`]])}`,
  );
  return exitCodes.fine;
}

function columns(now: number): readonly Column<PersonView>[] {
  return [
    { title: 'PERSON', cell: (one) => one.name, flexible: true },
    { title: 'STATE', cell: (one) => stateOf(one), flexible: true },
    // How old our knowledge is: presence is a hint.
    { title: 'HEARD', cell: ({ presence: { asOf } }) => (asOf === null ? 'never' : relative(asOf, now)) },
    { title: 'OPEN', cell: (one) => String(one.open), align: 'right' },
    { title: 'LAST GIVEN', cell: ({ lastAssignedAt: at }) => (at === null ? 'never' : relative(at, now)) },
    { title: 'GROUPS', cell: (one) => one.groups.join(', ') || '-', flexible: true },
    { title: 'STATUS', cell: (one) => one.presence.status ?? '-', flexible: true },
  ];
}

function stateOf({ presence: { state, reason, lastKnown } }: PersonView): string {
  if (state !== 'unknown') return state;
  return `unknown${reason ? ` (${reason}${lastKnown ? `, was ${lastKnown.state}` : ''})` : ''}`;
}
