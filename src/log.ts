// Logging: JSON lines, or something a person reads when a terminal is watching. Adapters take a `Log` as a parameter
// and know nothing of pino. Every line about a message carries its queue id (use `child({ queueId })`).
// What must not be in a log is listed once, here, and taken out at any depth.
import { type DestinationStream, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { systemClock } from './clock.ts';
import { leisure } from './leisure.ts';
import { printable, printableLines } from './printable.ts';
import type { StoryEvent } from './tracking/event.ts';

export const levels = ['debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof levels)[number];

export type Fields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(fields: Fields, message: string): void;
  info(fields: Fields, message: string): void;
  warn(fields: Fields, message: string): void;
  error(fields: Fields, message: string): void;
  /** A log whose every line also carries these fields. */
  child(fields: Fields): Log;
}

/** Never logged, whoever puts it into the fields: secrets always, what people wrote unless asked for. */
export const secretFields: ReadonlySet<string> = new Set(['password', 'secret', 'token', 'authorization']);
export const contentFields: ReadonlySet<string> = new Set(['subject', 'body', 'text', 'content']);
export const redacted = '[redacted]';

export interface LogOptions {
  readonly level: Level;
  readonly pretty: boolean;
  /** Colour codes in pretty output. */
  readonly colour?: boolean;
  /** Log what `contentFields` names (not: secrets). For hunting a fault, on request. */
  readonly withContent?: boolean;
  /** Standard output unless said. */
  readonly destination?: DestinationStream;
}

export function createLog(options: LogOptions): Log {
  const destination = options.destination ?? fewWrites();
  const stream = options.pretty ? prettyTo(destination, options.colour ?? false) : destination;
  return logTo(stream, { least: levels.indexOf(options.level), withContent: options.withContent ?? false }, '');
}

let time = { at: 0, text: '' };

/** Of a busy millisecond it is written once. */
function timeOf(): string {
  const at = systemClock.now();
  if (at !== time.at) time = { at, text: `,"time":"${new Date(at).toISOString()}"` };
  return time.text;
}

/**
 * Lines go out together when there is time: a busy relay says several things of each message. Warnings and errors go at
 * once, with all before them, and so does what was said before the process ends by itself.
 */
function fewWrites(): DestinationStream {
  const out = pino.destination({ dest: 1, sync: true });
  let gathered = '';
  const flush = (): void => {
    const lines = gathered;
    gathered = '';
    if (lines !== '') out.write(lines);
  };
  process.on('exit', flush);
  return {
    write(line) {
      if (gathered === '') leisure.later(flush);
      gathered += line;
      if (!isQuiet.test(line) || gathered.length > 65_536) flush();
    },
  };
}

const isQuiet = /^\{"level":"(?:debug|info)"/;

/** For tests and tools that log nowhere. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};

/** The story goes to the log too: one line an event, with its queue id. */
export function logStory(log: Log, event: StoryEvent): void {
  if (event.event === 'fault') {
    // The text of a fault is ours, for operators, so it is the message and not a redacted field.
    const { text, ...fields } = event;
    log[event.severity === 'warning' ? 'warn' : 'error'](fields, `fault ${event.fault}: ${text}`);
  } else if (event.event === 'failed') log.warn(event, event.event);
  else log.info(event, event.event);
}

/** Tells events when there is time, in their order: whoever waits for a reply does not wait for its line in the log. */
export function storyTeller(log: Log): (event: StoryEvent) => void {
  const heard: StoryEvent[] = [];
  const tell = (): void => {
    for (const event of heard.splice(0)) logStory(log, event);
  };
  // Before the lines of the last turn are written.
  process.prependListener('exit', tell);
  return (event) => {
    if (heard.length === 0) leisure.later(tell);
    heard.push(event);
    if (event.event === 'fault') tell();
  };
}

// In this process and at once, not on a worker thread: what was said just before a crash must be there.
function prettyTo(destination: DestinationStream, colour: boolean): DestinationStream {
  const format = prettyFactory({ colorize: colour, translateTime: 'SYS:HH:MM:ss.l', singleLine: true });
  return { write: (line) => destination.write(format(line)) };
}

interface Shown {
  /** Index in `levels`. */
  readonly least: number;
  readonly withContent: boolean;
}

/**
 * Lines as pino writes them. They are put together here, because each field has to be looked at anyway before it may be
 * shown: pino would go through all of them a second time, and a busy relay says three things of each message.
 */
function logTo(stream: DestinationStream, shown: Shown, bound: string): Log {
  const at = (level: Level): Log['info'] => {
    if (levels.indexOf(level) < shown.least) return () => undefined;
    const start = `{"level":"${level}"`;
    return (fields, message) => {
      const said = fieldsOf(fields, shown.withContent);
      stream.write(`${start}${timeOf()}${bound}${said},"msg":${quoted(printable(message))}}\n`);
    };
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => logTo(stream, shown, bound + fieldsOf(fields, shown.withContent)),
  };
}

/** `,"name":value` of each that has a value. */
function fieldsOf(fields: Fields, withContent: boolean): string {
  const all = (fields instanceof Error ? describe(fields, 0) : fields) as Fields;
  let text = '';
  for (const key of Object.keys(all)) {
    const { start, hidden } = keyOf(key);
    const value = all[key];
    if (hidden === 'always' || (hidden === 'unless asked for' && !withContent)) text += `${start}"${redacted}"`;
    else if (typeof value === 'string') text += start + quoted(printableLines(value));
    else if (typeof value === 'number') text += start + (Number.isFinite(value) ? String(value) : 'null');
    else {
      const other = JSON.stringify(redact(value, withContent, 1));
      if (other !== undefined) text += start + other;
    }
  }
  return text;
}

/** As JSON; nearly all needs nothing but its quotes. */
const quoted = (text: string): string => (needsNothing.test(text) ? `"${text}"` : JSON.stringify(text));
const needsNothing = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

const deepest = 6;

function redact(value: unknown, withContent: boolean, depth: number): unknown {
  if (value instanceof Error) return describe(value, depth);
  if (typeof value === 'string') return printableLines(value);
  // Asked for only when the line is written.
  if (typeof value === 'function') return redact(value(), withContent, depth);
  if (value === null || typeof value !== 'object') return typeof value === 'bigint' ? value.toString() : value;
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} octets]`;
  if (depth >= deepest) return '[deeper]';
  if (Array.isArray(value)) return value.map((item) => redact(item, withContent, depth + 1));
  if (value instanceof Map || value instanceof Set) return redact([...value], withContent, depth + 1);
  const safe: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const { name, hidden } = keyOf(key);
    const shown = hidden === 'never' || (hidden === 'unless asked for' && withContent);
    const item = (value as Readonly<Record<string, unknown>>)[key];
    safe[name] = shown ? redact(item, withContent, depth + 1) : redacted;
  }
  return safe;
}

interface Key {
  /** As it may be shown. */
  readonly name: string;
  /** As it begins a field of a line. */
  readonly start: string;
  readonly hidden: 'always' | 'unless asked for' | 'never';
}

const keys = new Map<string, Key>();

/** Nearly all that come have come before; those that mail brings along must not fill our memory. */
function keyOf(key: string): Key {
  const before = keys.get(key);
  if (before) return before;
  const lower = key.toLowerCase();
  const hidden = secretFields.has(lower) ? 'always' : contentFields.has(lower) ? 'unless asked for' : 'never';
  const name = printable(key);
  const made: Key = { name, start: `,${JSON.stringify(name)}:`, hidden };
  if (keys.size < 1_000 && key.length < 100) keys.set(key, made);
  return made;
}

// An error may carry anything as own properties (nodemailer puts the whole dialogue there): only its name, text, code
// and stack are logged, and its cause.
function describe(error: Error, depth: number): unknown {
  const { code } = error as Error & { code?: unknown };
  return {
    type: error.name,
    message: printable(error.message),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    stack: printableLines(error.stack ?? ''),
    ...(error.cause instanceof Error && depth < deepest ? { cause: describe(error.cause, depth + 1) } : {}),
  };
}
