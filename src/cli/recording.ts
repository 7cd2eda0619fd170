// A recording: what Pointsman noted of each mail (never its content) and of who was there. It comes from a running
// Pointsman or from a file of JSON lines, {"mail": …} and {"presence": …} in any order, and {"span": …} for when it was;
// a name that ends in .gz is compressed.
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { type Duration, day, type Instant } from '../clock.ts';
import { describeError } from '../mail/error.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { RecordedMail, RecordedPresence } from '../rehearsal/replay.ts';
import { CommandError, exitCodes } from './exit.ts';

export interface Recording {
  /** What is in it is from this span; presence may be older. */
  readonly since: Instant;
  readonly until: Instant;
  readonly mails: readonly RecordedMail[];
  readonly presence: readonly RecordedPresence[];
}

interface Page {
  readonly since: Instant;
  readonly until: Instant;
  readonly limit: number;
}

/** A running Pointsman, over its socket or in this process. */
export interface RecordingSource {
  recorded(page: Page & { readonly after?: QueueId }): Promise<readonly RecordedMail[]>;
  presenceHistory(page: Page): Promise<readonly RecordedPresence[]>;
}

/** Presence of before the span counts: what people were when it began. */
const lead: Duration = 7 * day;

export async function fetchRecording(source: RecordingSource, since: Instant, until: Instant): Promise<Recording> {
  const mails: RecordedMail[] = [];
  for (;;) {
    const last = mails.at(-1)?.facts.queueId;
    const page = await source.recorded({ since, until, limit: 1000, ...(last === undefined ? {} : { after: last }) });
    for (const mail of page) mails.push(mail);
    if (page.length < 1000) break;
  }
  return { since, until, mails, presence: await presenceSince(source, since - lead, until) };
}

async function presenceSince(
  source: RecordingSource,
  since: Instant,
  until: Instant,
): Promise<readonly RecordedPresence[]> {
  const all: RecordedPresence[] = [];
  const limit = 5000;
  for (let from = since; ; ) {
    const page = await source.presenceHistory({ since: from, until, limit });
    for (const one of page) all.push(one);
    const last = page.at(-1);
    if (page.length < limit || last === undefined) return all;
    // Of the last moment some may be missing: it is read again, whole.
    const first = all.findIndex(({ at }) => at === last.at);
    if (all[0]?.at !== last.at) all.splice(first);
    from = last.at === from ? last.at + 1 : last.at;
  }
}

/** Only for its owner: who wrote to whom about what is in it. @throws CommandError */
export async function saveRecording(file: string, { since, until, mails, presence }: Recording): Promise<void> {
  const target = createWriteStream(file, { mode: 0o600 });
  const out = file.endsWith('.gz') ? createGzip() : target;
  if (out !== target) out.pipe(target);
  const written = finished(target);
  try {
    out.write(`${JSON.stringify({ span: { since, until } })}\n`);
    for (const one of presence) if (!out.write(`${JSON.stringify({ presence: one })}\n`)) await once(out, 'drain');
    for (const one of mails) if (!out.write(`${JSON.stringify({ mail: one })}\n`)) await once(out, 'drain');
    out.end();
    await written;
  } catch (error) {
    written.catch(() => undefined);
    throw new CommandError(exitCodes.problem, `${file} cannot be written: ${describeError(error)}`);
  }
}

/** @throws CommandError, with the line that is wrong */
export async function readRecording(folder: string, file: string): Promise<Recording> {
  const path = resolve(folder, file);
  const mails: RecordedMail[] = [];
  const presence: RecordedPresence[] = [];
  const spans: Span[] = [];
  let number = 0;
  const raw = createReadStream(path);
  const input = path.endsWith('.gz') ? raw.pipe(createGunzip()) : raw;
  const failed = Promise.withResolvers<never>();
  for (const stream of new Set([raw, input])) stream.on('error', failed.reject);
  const read = async () => {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      number += 1;
      if (line.trim() === '') continue;
      const value = parseLine(line, file, number);
      if (value.mail) mails.push(value.mail);
      else if (value.presence) presence.push(value.presence);
      else if (value.span) spans.push(value.span);
    }
  };
  try {
    await Promise.race([read(), failed.promise]);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(exitCodes.usage, `${file} cannot be read: ${describeError(error)}`);
  } finally {
    raw.destroy();
  }
  // By hand or from several files: the order is ours to make.
  mails.sort((a, b) => a.facts.receivedAt - b.facts.receivedAt || (a.facts.queueId < b.facts.queueId ? -1 : 1));
  presence.sort((a, b) => a.at - b.at);
  const [first, last] = [mails[0], mails.at(-1)];
  // Without a word about it: from the first mail on, and long enough for what was held to come out.
  const since = Math.min(...spans.map((span) => span.since), first?.facts.receivedAt ?? Infinity);
  const until =
    spans.length > 0
      ? Math.max(...spans.map((span) => span.until))
      : Math.max(last?.facts.receivedAt ?? 0, presence.at(-1)?.at ?? 0) + day;
  return { since, until, mails, presence };
}

interface Span {
  readonly since: Instant;
  readonly until: Instant;
}

interface Line {
  readonly span?: Span;
  readonly mail?: RecordedMail;
  readonly presence?: RecordedPresence;
}

function parseLine(line: string, file: string, number: number): Line {
  const wrong = (why: string) => new CommandError(exitCodes.usage, `${file}:${number}: ${why}`);
  let value: Line;
  try {
    value = JSON.parse(line) as Line;
  } catch (error) {
    throw wrong(`is not a line of JSON: ${describeError(error)}`);
  }
  const { mail, presence, span } = (value ?? {}) as Line;
  if (mail ? isMail(mail) : presence ? isPresence(presence) : span && isSpan(span)) return value;
  throw wrong('is neither {"mail": …} nor {"presence": …} as "pointsman replay --save" writes it');
}

/** Enough to go through the rules; a file may come from anywhere. */
function isMail({ facts, deliveries }: RecordedMail): boolean {
  return (
    typeof facts?.queueId === 'string' &&
    typeof facts.receivedAt === 'number' &&
    Number.isFinite(facts.receivedAt) &&
    typeof facts.reversePath === 'string' &&
    [facts.recipients, facts.headers, facts.references, facts.deliveredTo, deliveries].every(Array.isArray) &&
    facts.recipients.every((one) => typeof one === 'string') &&
    facts.headers.every((one) => Array.isArray(one) && one.every((part) => typeof part === 'string')) &&
    (facts.subject === undefined || typeof facts.subject === 'string') &&
    deliveries.every(
      (one) => typeof one?.seq === 'number' && typeof one.address === 'string' && Array.isArray(one.because),
    )
  );
}

const isSpan = ({ since, until }: Span): boolean => Number.isFinite(since) && Number.isFinite(until);

const isPresence = ({ jid, at, presence }: RecordedPresence): boolean =>
  typeof jid === 'string' && typeof at === 'number' && Number.isFinite(at) && typeof presence?.state === 'string';
