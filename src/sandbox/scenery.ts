// The stand-ins and what else stands around before the play begins: next hop, XMPP server, log; and waiting until
// Pointsman knows who is there.
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { type Clock, type Duration, second } from '../clock.ts';
import { createLog, type Log } from '../log.ts';
import type { Watcher } from '../presence/watcher.ts';
import type { Cast } from './cast.ts';
import { loopback, usualOrAny, usualPorts } from './config.ts';
import { createMailSink, type MailSink } from './mail-sink.ts';
import { createXmppServer, type XmppServer } from './xmpp-server/xmpp-server.ts';

interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Scenery {
  readonly log: Log;
  readonly logFile: string;
  readonly sink: MailSink;
  readonly sinkAt: Address;
  readonly xmpp: XmppServer;
  readonly xmppAt: Address;
  /** Of Pointsman's own account. */
  readonly botPassword: string;
}

/** How to take down again what was set up, in the opposite order. */
export type Undo = (() => Promise<unknown>)[];

// For everybody but Pointsman's own account: loopback only, and gone with the scratch folder.
export const peoplesPassword = 'sandbox';
/** How long everybody's presence may take to be known before the first mail. */
const settleTime: Duration = 8 * second;

export async function setUp(cast: Cast, scratch: string, clock: Clock, undo: Undo): Promise<Scenery> {
  const logFile = join(scratch, 'log');
  const log = openLog(logFile, undo);
  const sink = createMailSink(join(scratch, 'maildir'));
  const sinkAt = await sink.start();
  undo.push(() => sink.stop());
  const botPassword = randomBytes(18).toString('base64url');
  const locals = cast.players.map(({ local }) => local);
  const xmpp = createXmppServer({
    domain: cast.domain,
    host: loopback,
    port: await usualOrAny(usualPorts.xmpp),
    accounts: Object.fromEntries([[cast.bot, botPassword], ...locals.map((local) => [local, peoplesPassword])]),
    // Everybody sees everybody, as colleagues do; with very many people that would be too much for a client.
    sharedRoster: locals.length <= 100 ? true : { hub: cast.bot },
    rooms: cast.rooms,
    clock,
  });
  const xmppAt = await xmpp.start();
  undo.push(() => xmpp.stop('abruptly'));
  return { log, logFile, sink, sinkAt, xmpp, xmppAt, botPassword };
}

/** The program's own log is for those who look for it; the terminal belongs to the story. */
function openLog(path: string, undo: Undo): Log {
  const file = createWriteStream(path, { mode: 0o600 });
  // A full disk must not end the play; there is nobody to tell but the file itself.
  file.on('error', () => undefined);
  undo.push(() => new Promise((done) => file.end(() => done(undefined))));
  return createLog({ level: 'info', pretty: false, destination: { write: (line) => void file.write(line) } });
}

/** Until Pointsman knows of everybody who has an account, so that the first mail is not judged by ignorance. */
export async function everybodyKnown(
  watcher: Watcher,
  { players }: Cast,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const known = new AbortController();
  const look = () => {
    if (players.every(({ jid }) => watcher.presenceOf(jid).state !== 'unknown')) known.abort();
  };
  watcher.onChange(look);
  look();
  await clock.sleepUntil(clock.now() + settleTime, AbortSignal.any([signal, known.signal]));
}
