// `pointsman sandbox --speed 2000`: a whole working day in a minute, on the real program. What happened can be kept as
// a recording, which `pointsman replay --from` puts through other rules.
import { fetchRecording, type RecordingSource, saveRecording } from '../cli/recording.ts';
import type { Terminal } from '../cli/terminal.ts';
import { type Duration, day, formatDuration, type Instant, type Random } from '../clock.ts';
import { describeError } from '../mail/error.ts';
import type { StoryEvent } from '../tracking/event.ts';
import { type DayEvent, dayBegins } from './day.ts';
import type { Mailer } from './director.ts';
import { createFastClock, type FastClock } from './fast-clock.ts';
import type { Narration } from './narration.ts';
import type { People } from './people.ts';
import type { Reaction } from './reaction.ts';

export interface PlayedDay {
  readonly clock: FastClock;
  readonly speed: number;
  readonly from: Instant;
  readonly until: Instant;
  readonly lasts: Duration;
  /** Counted as it is played. */
  readonly counts: { mails: number; refused: number; kept: string | null };
}

/** It begins at seven in the morning (UTC), so long ago that it is over by now. */
export function beginDay(
  now: Instant,
  { speed, for: lasts }: { readonly speed: number | null; readonly for: Duration | null },
): PlayedDay {
  const span = lasts ?? day;
  let from = Math.floor((now - span - dayBegins) / day) * day + dayBegins;
  // Who works on a Sunday? Rules with office hours would have nothing to show.
  while ([0, 6].includes(new Date(from).getUTCDay())) from -= day;
  return {
    clock: createFastClock(from),
    speed: speed ?? 1,
    from,
    until: from + span,
    lasts: span,
    counts: { mails: 0, refused: 0, kept: null },
  };
}

interface Stagehands {
  readonly people: People;
  readonly send: Mailer['send'];
  readonly scripts: Map<string, readonly Reaction[]>;
  readonly takes: Map<string, Duration>;
  readonly narration: Pick<Narration, 'trouble'>;
  readonly signal: AbortSignal;
}

/** Until the day is over, or the signal aborts. */
export async function playDay(played: PlayedDay, events: readonly DayEvent[], hands: Stagehands): Promise<void> {
  const { clock, speed, until, counts } = played;
  const { people, send, scripts, takes, narration, signal } = hands;
  clock.hurry(speed);
  for (const event of events) {
    await clock.sleepUntil(event.at, signal);
    if (signal.aborted) return;
    if (event.kind === 'mood') {
      await clock.still(people.become({ [event.person]: event.mood }, 'as they are'));
      continue;
    }
    const { mail } = event;
    scripts.set(mail.messageId, event.script);
    takes.set(mail.messageId, event.takes);
    try {
      await clock.still(send(mail));
      counts.mails += 1;
    } catch (error) {
      counts.refused += 1;
      // Rules may refuse mail: that is a part of the day.
      if (!signal.aborted) narration.trouble(`“${mail.subject}” for ${mail.to} was not taken: ${describeError(error)}`);
    }
  }
  await clock.sleepUntil(until, signal);
}

export async function recordDay(played: PlayedDay, file: string, source: RecordingSource): Promise<void> {
  const { clock, from, counts } = played;
  clock.hurry(1);
  await saveRecording(file, await fetchRecording(source, from, clock.now()));
  counts.kept = file;
}

/** Whatever is in hand of a message is done before the day goes on; what Pointsman tells of it says when. */
export function followWork(clock: FastClock, event: StoryEvent): void {
  const { queueId } = event;
  clock.hush();
  if (['accepted', 'chosen', 'escalated'].includes(event.event)) clock.busy(queueId);
  // Whoever has it now is told of it, if anybody watches over it; evidence may close it.
  else if ((event.event === 'forwarded' && event.person !== undefined) || event.event === 'evidence')
    clock.busy(queueId, tellingTime);
  else clock.free(queueId);
}
/** In real milliseconds: from one event to the one that may come after it. */
const tellingTime = 100;

/** How far it is, on a terminal; what came of it, at the end. */
export function narrateDay({ clock, speed, from, until, lasts, counts }: PlayedDay, terminal: Terminal): Narration {
  let shown = -1;
  const show = () => {
    const percent = Math.floor((100 * (clock.now() - from)) / lasts);
    if (!terminal.watched || percent === shown) return;
    shown = percent;
    const time = new Date(clock.now()).toISOString().slice(11, 16);
    terminal.complain(`\r${'█'.repeat(Math.floor(percent / 5)).padEnd(20, '░')} ${time}, ${counts.mails} mails `);
  };
  return {
    ready({ ready }) {
      const times = `${dateOf(from)} to ${dateOf(until)} UTC`;
      terminal.write(`Playing ${formatDuration(lasts)}, ${times}, ${speed} times as fast.\n`);
      for (const { address, members } of ready.groups) terminal.write(`  ${address} is ${members.join(', ')}\n`);
    },
    event: show,
    stanza: show,
    heading: () => undefined,
    note: () => undefined,
    trouble: (text) => terminal.complain(`${terminal.watched ? '\r\u001b[K' : ''}${text}\n`),
    async end() {
      if (terminal.watched) terminal.complain('\r\u001b[K');
      const refused = counts.refused === 0 ? '' : `, ${counts.refused} refused`;
      terminal.write(`${counts.mails} mails${refused}.\n`);
      if (counts.kept === null) return;
      terminal.write(`Recorded in ${counts.kept}. What other rules would have made of this day:\n`);
      terminal.write(`  npx pointsman replay --from ${counts.kept} --rules <folder>\n`);
    },
  };
}

const dateOf = (at: Instant): string => new Date(at).toISOString().slice(0, 16).replace('T', ' ');

/** Chance that can be repeated (Mulberry32). */
export function seeded(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
