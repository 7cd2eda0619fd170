// Speaks /api/v1 to a running Pointsman over its control socket.
import { type IncomingMessage, request } from 'node:http';
import type {
  AckOutcome,
  DirectoryView,
  Operations,
  PersonView,
  PresenceFilter,
  PresenceWish,
  QueueCounts,
  Status,
  Story,
  TokenView,
} from '../operations.ts';
import type { Problem } from '../routing/rules.ts';
import type { Intervened, QueueRow, Recorded } from '../store/store.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { CommandError, exitCodes } from './exit.ts';

export type Explained = NonNullable<Awaited<ReturnType<Operations['explain']>>>;

export interface Reloaded {
  readonly version: string | null;
  readonly problems: readonly Problem[];
  /** Why not; null when the rules are in force. */
  readonly rejected: string | null;
}

export interface Client {
  readonly socket: string;
  status(): Promise<Status>;
  listQueue(filter: ListFilter & QueueConditions): Promise<readonly QueueRow[]>;
  queued(id: string): Promise<Story>;
  retry(id: string, by: string): Promise<{ readonly due: number }>;
  intervene(id: string, action: 'hold' | 'release' | 'drop', by: string): Promise<Intervened>;
  requeue(id: string, to: string, by: string): Promise<Intervened>;
  countQueue(): Promise<QueueCounts>;
  listTracked(filter: ListFilter & { readonly group?: string }): Promise<readonly Tracked[]>;
  tracked(id: string): Promise<Story>;
  give(id: string, to: string, by: string): Promise<Tracked>;
  snooze(id: string, lasts: string, by: string): Promise<Tracked>;
  takeStep(id: string, step: string | null, by: string): Promise<Tracked>;
  handled(filter: Span & { readonly after?: string }): ReturnType<Operations['handled']>;
  report(question: Span & { readonly group?: string; readonly zone: string }): ReturnType<Operations['report']>;
  ack(id: string, by: string): Promise<Exclude<AckOutcome, { kind: 'unknown' }>>;
  evidence(): Promise<{ readonly copies: string | null }>;
  presence(filter?: PresenceFilter): Promise<readonly PersonView[]>;
  setPresence(name: string, wish: PresenceWish | null, by: string): Promise<PersonView>;
  /** First all of them, then whoever changes. Resolves when Pointsman ends it. */
  followPresence(filter: PresenceFilter, tell: TellPresence): Promise<void>;
  rotateMarkKey(by: string): Promise<{ readonly key: string }>;
  addToken(wish: TokenWish, by: string): Promise<{ readonly token: string }>;
  listTokens(): Promise<readonly TokenView[]>;
  revokeToken(name: string, by: string): Promise<{ readonly revoked: string }>;
  explain(id: string): Promise<Explained>;
  recorded(filter: Span & { readonly after?: string }): Promise<readonly Recorded[]>;
  presenceHistory(filter: Span): ReturnType<Operations['presenceHistory']>;
  directory(): Promise<DirectoryView | null>;
  acceptDirectory(by: string): Promise<DirectoryView>;
  reload(by: string): Promise<Reloaded>;
}

export interface Span {
  readonly since: number;
  readonly until: number;
  readonly limit: number;
}
export type TellPresence = (views: readonly PersonView[], first: boolean) => Promise<void> | void;

export interface TokenWish {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly until: number | null;
}

export interface ListFilter {
  readonly state?: string;
  readonly limit: number;
}

export interface QueueConditions {
  readonly to?: string;
  readonly from?: string;
  readonly hop?: string;
  readonly group?: string;
  /** Accepted before this instant. */
  readonly before?: number;
  /** Only what an operator keeps on hold. */
  readonly hold?: boolean;
}

/** Nobody answers on the socket: no Pointsman runs there. */
export class NotRunningError extends CommandError {}

export function createClient(socket: string): Client {
  const get = <Answer>(path: string) => call<Answer>(socket, 'GET', path);
  const post = <Answer>(path: string, body: unknown) => call<Answer>(socket, 'POST', path, body);
  const id = encodeURIComponent;
  return {
    socket,
    status: () => get('/status'),
    listQueue: (filter) => get(`/queue?${query(filter)}`),
    queued: (one) => get(`/queue/${id(one)}`),
    retry: (one, by) => post(`/queue/${id(one)}/retry`, { by }),
    intervene: (one, action, by) => post(`/queue/${id(one)}/${action}`, { by }),
    requeue: (one, to, by) => post(`/queue/${id(one)}/requeue`, { by, to }),
    countQueue: () => get('/queue-counts'),
    listTracked: (filter) => get(`/tracked?${query(filter)}`),
    tracked: (one) => get(`/tracked/${id(one)}`),
    give: (one, to, by) => post(`/tracked/${id(one)}/give`, { by, to }),
    snooze: (one, lasts, by) => post(`/tracked/${id(one)}/snooze`, { by, for: lasts }),
    takeStep: (one, step, by) => post(`/tracked/${id(one)}/step`, { by, step }),
    handled: (filter) => get(`/look-back/handled?${query(filter)}`),
    report: (question) => get(`/look-back/report?${query(question)}`),
    ack: (one, by) => post(`/tracked/${id(one)}/ack`, { by }),
    evidence: () => get('/evidence'),
    presence: (filter = {}) => get(`/presence?${query(filter)}`),
    setPresence: (name, wish, by) => post(`/presence/${id(name)}`, { by, wish }),
    followPresence: (filter, tell) => follow(socket, `/presence/events?${query(filter)}`, tell),
    rotateMarkKey: (by) => post('/rotate-mark-key', { by }),
    addToken: (wish, by) => post('/tokens', { ...wish, by }),
    listTokens: () => get('/tokens'),
    revokeToken: (name, by) => post(`/tokens/${id(name)}/revoke`, { by }),
    explain: (one) => get(`/explain/${id(one)}`),
    recorded: (filter) => get(`/recorded?${query(filter)}`),
    presenceHistory: (filter) => get(`/presence-history?${query(filter)}`),
    directory: async () => (await get<{ directory: DirectoryView | null }>('/directory')).directory,
    acceptDirectory: async (by) => (await post<{ directory: DirectoryView }>('/directory/accept', { by })).directory,
    async reload(by) {
      const { status, body } = await send(socket, 'POST', '/reload', { by });
      const answer = parse(body, socket);
      if (status === 200) return { ...(answer as { version: string; problems: Problem[] }), rejected: null };
      const { message, problems } = errorOf(answer);
      if (status === 422 && problems) return { version: null, problems, rejected: message };
      throw new CommandError(exitCodes.problem, message);
    },
  };
}

function query(filter: object): string {
  const set = Object.entries(filter).filter(([, value]) => value !== undefined);
  return new URLSearchParams(set.map(([key, value]): [string, string] => [key, String(value)])).toString();
}

async function call<Answer>(socket: string, method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await send(socket, method, path, body);
  const value = parse(answer.body, socket);
  if (answer.status === 200) return value as Answer;
  // 400: what was typed is not an id, a state or a number we know.
  throw new CommandError(answer.status === 400 ? exitCodes.usage : exitCodes.problem, errorOf(value).message);
}

function parse(body: string, socket: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new CommandError(exitCodes.problem, `what answers on ${socket} is not Pointsman`, { cause: error });
  }
}

function errorOf(value: unknown): { readonly message: string; readonly problems?: readonly Problem[] } {
  const error = value !== null && typeof value === 'object' && 'error' in value ? value.error : undefined;
  if (error !== null && typeof error === 'object' && 'message' in error && typeof error.message === 'string') {
    return error as { message: string; problems?: readonly Problem[] };
  }
  return { message: 'Pointsman gave no reason' };
}

const patience = 30_000; // ms; the slowest verb is a reload, which reads files

function send(
  socket: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const content = body === undefined ? undefined : JSON.stringify(body);
    const headers = content === undefined ? {} : { 'content-type': 'application/json' };
    const asked = request(
      { socketPath: socket, path: `/api/v1${path}`, method, headers, timeout: patience, agent: false },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('error', (error) => reject(unreachable(socket, error)));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString() }));
      },
    );
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${patience / 1000} s`)));
    asked.on('error', (error) => reject(unreachable(socket, error)));
    asked.end(content);
  });
}

/** Server-sent events: `data:` lines, a blank line ends one. */
async function follow(socket: string, path: string, tell: TellPresence): Promise<void> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { accept: 'text/event-stream' };
    const asked = request({ socketPath: socket, path: `/api/v1${path}`, headers, agent: false }, resolve);
    asked.on('error', (error) => reject(unreachable(socket, error)));
    asked.end();
  });
  answer.setEncoding('utf8');
  let text = '';
  try {
    for await (const part of answer) {
      text += part;
      if (answer.statusCode !== 200) continue;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const lines = text.slice(0, end).split('\n');
        text = text.slice(end + 2);
        const data = lines.filter((line) => line.startsWith('data: ')).map((line) => line.slice(6));
        if (data.length === 0) continue;
        await tell(parse(data.join('\n'), socket) as PersonView[], lines.includes('event: all'));
      }
    }
  } catch (error) {
    // Cut off: Pointsman was ended in the midst of it.
    if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
  }
  if (answer.statusCode !== 200) {
    throw new CommandError(
      answer.statusCode === 400 ? exitCodes.usage : exitCodes.problem,
      errorOf(parse(text, socket)).message,
    );
  }
}

function unreachable(socket: string, error: NodeJS.ErrnoException): CommandError {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
    return new NotRunningError(
      exitCodes.problem,
      `no Pointsman answers on ${socket}; start one with "pointsman serve", or name its socket with --socket`,
    );
  }
  if (error.code === 'EACCES' || error.code === 'EPERM') {
    return new CommandError(exitCodes.problem, `not allowed to use ${socket}: run this as the user Pointsman runs as`);
  }
  return new CommandError(exitCodes.problem, `talking to ${socket} failed: ${error.message}`, { cause: error });
}
