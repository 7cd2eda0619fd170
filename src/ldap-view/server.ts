// A read-only LDAP server on loopback: presence for address books and `ldapsearch`. It binds, searches and unbinds, and
// refuses everything else; nothing it is sent can change anything. Why our own: docs/adr/0013-ldap-view.md.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock, Duration, Instant } from '../clock.ts';
import { minute, second } from '../clock.ts';
import type { ViewConfig } from '../config/directory.ts';
import { fold, parseDn } from '../directory/dn.ts';
import type { Log } from '../log.ts';
import { describeError } from '../mail/error.ts';
import type { Operations } from '../operations.ts';
import { BerError, ber, messageLength } from './ber.ts';
import { answerOf, inScope, matches, personShown, rootShown, type Shown } from './entries.ts';
import {
  answers,
  entry,
  type Message,
  noticeOfDisconnection,
  readMessage,
  result,
  results,
  type SearchRequest,
} from './message.ts';

export interface ViewOptions {
  readonly config: ViewConfig;
  readonly operations: Pick<Operations, 'presence'>;
  /** Whose token this is, when it may see presence; null: nobody's. */
  readonly tokens: { holder(token: string, scope: 'presence', now: Instant): string | null };
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface LdapView {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

const mostConnections = 100;
/** A search with a filter of 200 parts fits well. */
const mostOctets = 65_536;
const mostEntries = 1_000;
/** What a client has not taken of our answers; then nothing more of it is read. */
const mostUnsent = 4_000_000;
const idleFor: Duration = 5 * minute;
/** Several searches in a row, as address books do while one types, look at one picture. */
const pictureLasts: Duration = second / 5;
const mostFailures = 3;
const whoAmI = '1.3.6.1.4.1.4203.1.11.3';

export async function openLdapView(options: ViewOptions): Promise<LdapView> {
  const { config, log } = options;
  const sockets = new Set<Socket>();
  const picture = createPicture(options);
  const server: Server = createServer((socket) => {
    if (sockets.size >= mostConnections) {
      socket.end(noticeOfDisconnection(results.busy, 'too many connections'));
      return;
    }
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // Its client has gone: that is its affair.
    socket.on('error', () => socket.destroy());
    socket.setTimeout(idleFor, () => socket.destroy());
    socket.setNoDelay(true);
    serve(socket, options, picture).catch((error: unknown) => {
      log.debug({ cause: describeError(error) }, 'a directory client was disconnected');
      socket.destroy();
    });
  });
  server.listen(config.port, config.host);
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : config.port;
  return {
    host: config.host,
    port,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

type Picture = () => Promise<readonly Shown[]>;

function createPicture({ operations, clock, config }: ViewOptions): Picture {
  let taken: { readonly at: Instant; readonly people: Promise<readonly Shown[]> } | null = null;
  return () => {
    const now = clock.now();
    if (taken === null || now < taken.at || now - taken.at >= pictureLasts) {
      const shown = operations.presence().then((views) => views.map((view) => personShown(view, config.base)));
      taken = { at: now, people: shown };
    }
    return taken.people;
  };
}

interface Session {
  /** Null: anonymous. */
  name: string | null;
  failures: number;
}

async function serve(socket: Socket, options: ViewOptions, picture: Picture): Promise<void> {
  const session: Session = { name: null, failures: 0 };
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      let read: Message;
      try {
        const length = messageLength(rest, mostOctets);
        if (length === null || rest.length < length) break;
        read = readMessage(rest.subarray(0, length));
        rest = rest.subarray(length);
      } catch (error) {
        if (!(error instanceof BerError)) throw error;
        // RFC 4511 §4.1.1: what cannot be read ends the session.
        socket.end(noticeOfDisconnection(results.protocolError, error.message));
        return;
      }
      if (read.request.kind === 'unbind') return void socket.end();
      for (const answer of await answersTo(read, session, options, picture)) await write(socket, answer);
      if (session.failures >= mostFailures) return void socket.end();
    }
  }
}

async function write(socket: Socket, octets: Buffer): Promise<void> {
  if (socket.destroyed) return;
  socket.write(octets);
  if (socket.writableLength > mostUnsent) await once(socket, 'drain');
}

async function answersTo(
  { id, request, critical }: Message,
  session: Session,
  options: ViewOptions,
  picture: Picture,
): Promise<readonly Buffer[]> {
  switch (request.kind) {
    case 'bind':
      return [bind(id, request, session, options)];
    case 'search': {
      if (critical !== undefined)
        return [result(id, answers.done, results.unavailableCriticalExtension, `the control ${critical} is not known`)];
      return search(id, request, session, options, picture);
    }
    case 'extended': {
      if (request.oid !== whoAmI)
        return [result(id, answers.extended, results.protocolError, 'this extension is not known')];
      const dn = session.name === null ? '' : `dn:cn=${session.name},${options.config.base}`;
      return [result(id, answers.extended, results.success, '', ber(0x8b, dn))];
    }
    case 'other':
      return [result(id, request.answer, results.unwillingToPerform, 'this directory can only be searched')];
    default:
      return [];
  }
}

function bind(
  id: number,
  { version, dn, password }: Extract<Message['request'], { kind: 'bind' }>,
  session: Session,
  { tokens, clock }: ViewOptions,
): Buffer {
  const say = (code: number, text = ''): Buffer => result(id, answers.bind, code, text);
  // RFC 4513 §4: whoever they were, they are nobody until this succeeds.
  session.name = null;
  if (version !== 3) return say(results.protocolError, 'only version 3 is spoken');
  if (password === null) return say(results.authMethodNotSupported, 'only simple authentication is known');
  if (dn === '' && password === '') return say(results.success);
  // RFC 4513 §5.1.2: a DN without a password would be nobody, and look like somebody.
  if (password === '') return say(results.unwillingToPerform, 'a DN needs a password');
  const name = tokens.holder(password, 'presence', clock.now());
  const called = parseDn(dn)?.[0]?.[0]?.[1];
  if (name === null || called === undefined || fold(called) !== fold(name)) {
    session.failures += 1;
    return say(results.invalidCredentials);
  }
  session.name = name;
  return say(results.success);
}

async function search(
  id: number,
  request: SearchRequest,
  session: Session,
  { config, version }: ViewOptions,
  picture: Picture,
): Promise<readonly Buffer[]> {
  const done = (code: number, text = ''): Buffer => result(id, answers.done, code, text);
  const isRoot = request.base.trim() === '' && request.scope === 'base';
  if (!isRoot && session.name === null && !config.anonymous)
    return [done(results.insufficientAccessRights, 'bind with a token that may see presence')];
  const found = isRoot ? [rootShown(config.base, version)] : inScope(request, config.base, await picture());
  if (found === null) return [done(results.noSuchObject, `there is nothing but what is below ${config.base}`)];
  const most = request.sizeLimit === 0 ? mostEntries : Math.min(request.sizeLimit, mostEntries);
  const out: Buffer[] = [];
  for (const each of found) {
    if (matches(each, request.filter) !== true) continue;
    if (out.length >= most) return [...out, done(results.sizeLimitExceeded, `more than ${most} entries match`)];
    out.push(entry(id, answerOf(each, request.attributes), request.typesOnly));
  }
  return [...out, done(results.success)];
}
