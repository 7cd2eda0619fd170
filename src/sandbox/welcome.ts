// What the sandbox says first: what runs where, and what a newcomer can do. Pure.
import { controlSocketIn } from '../console/server.ts';
import type { Cast } from './cast.ts';
import type { Ready } from './json-lines.ts';

export interface WelcomeFacts {
  readonly ready: Ready;
  readonly cast: Cast;
  readonly password: string;
  /** The state folder. */
  readonly state: string;
  readonly log: string;
  /** From the start of the process, in milliseconds. */
  readonly took: number;
  /** How this program is called on a command line. */
  readonly command: string;
}

export function welcome({ ready, cast, password, state, log, took, command }: WelcomeFacts): string {
  const { smtp, xmpp, http, console: pages, sink } = ready;
  const group = ready.groups[0];
  const somebody = cast.players[1] ?? cast.players[0];
  const port = String(smtp.port);
  const parts = [
    [
      `Pointsman is ready after ${(took / 1000).toFixed(1)} s. Mail for a group goes to the one member who is there, is watched until`,
      'somebody takes care of it, and moves on when nobody does. Everything is on this machine only and is',
      'gone when this ends (Ctrl-C).',
    ],
    ['See it, and play with it, in a browser', `  ${pages.url}/`],
    [
      'What runs',
      `  mail in    ${smtp.host}:${port}   send here with any SMTP client`,
      `  mail out   ${sink.maildir}/`,
      '             all mail ends here: a Maildir for each mailbox',
      `  XMPP       ${xmpp.host}:${xmpp.port}   a small server for ${xmpp.domain}, where simulated people live`,
      `  status     ${http.url}/healthz  /readyz  /metrics`,
      `  log        ${log}`,
    ],
    [
      'Who plays',
      ...(group === undefined ? ['  The rules name no group.'] : []),
      ...ready.groups.slice(0, 8).map(({ address, members }) => `  ${address} is ${members.join(', ')}`),
      ...(ready.groups.length > 8 ? [`  and ${ready.groups.length - 8} more`] : []),
      ...notes(cast),
    ],
    group === undefined
      ? []
      : [
          'Send one more (whoever gets it answers "ack")',
          `  printf 'Subject: Hello\\r\\n\\r\\nIs somebody there?\\r\\n' | curl -sS smtp://${smtp.host}:${port} \\`,
          `    --mail-from you@example.net --mail-rcpt ${group.address} -T -`,
          'End the subject with [ignore], [pass], [leave] or [reply], and see what happens then.',
        ],
    somebody === undefined
      ? []
      : [
          `Be ${somebody.name} yourself: log in with any XMPP client; the simulated ${somebody.name} makes room`,
          `  JID ${somebody.jid}   password ${password}   server ${xmpp.host} port ${xmpp.port}   without TLS`,
          `Likewise ${names(cast, somebody.name)}, with the same password.`,
        ],
    [
      'Look inside, from another terminal',
      `  ${command} track list --all --socket ${controlSocketIn(state)}`,
      '  also: presence, queue list, track show ID, explain ID',
    ],
  ];
  return `${parts
    .filter((part) => part.length > 0)
    .map((part) => part.join('\n'))
    .join('\n\n')}\n`;
}

function names(cast: Cast, but: string): string {
  const others = cast.players.filter(({ name }) => name !== but).map(({ name }) => name);
  return others.length > 8 ? `${others.slice(0, 8).join(', ')} and ${others.length - 8} more` : others.join(', ');
}

/** What of other people's rules the sandbox cannot play. */
function notes({ domain, elsewhere, roomsElsewhere }: Cast): readonly string[] {
  const people = elsewhere.slice(0, 8).join(', ') + (elsewhere.length > 8 ? ', …' : '');
  return [
    ...(elsewhere.length === 0 ? [] : [`  No JID at ${domain}, so nobody knows whether they are there: ${people}`]),
    ...(roomsElsewhere.length === 0
      ? []
      : [`  Rooms that are not at rooms.${domain} are not here: ${roomsElsewhere.slice(0, 4).join(', ')}`]),
  ];
}
