// A message's story as a person reads it: one line an event, with the time and how long after the first.
import { formatDuration, second } from '../clock.ts';
import { printable } from '../printable.ts';
import type { StoryEvent } from '../tracking/event.ts';
import { dateAndTime, timeOfDay, widthOf } from './terminal.ts';

export function timeline(events: readonly StoryEvent[], width: number | null): string {
  const first = events[0];
  if (!first) return 'No events.\n';
  let day = '';
  return events
    .map((event) => {
      const today = dateAndTime(event.at).slice(0, 10);
      const heading = today === day ? '' : `${today}\n`;
      day = today;
      const after = event.at - first.at < second ? '' : `+${formatDuration(event.at - first.at)}`;
      const lead = `  ${timeOfDay(event.at)}  ${after.padEnd(8)}  `;
      return heading + wrap(lead, printable(tell(event)), width);
    })
    .join('');
}

/** What happened, in the words of the glossary. */
export function tell(event: StoryEvent): string {
  switch (event.event) {
    case 'accepted':
      return `accepted ${event.size} octets from ${event.from} for ${event.to.join(', ')} (peer ${event.peer})`;
    case 'chosen':
      return `chosen ${event.person ?? 'nobody'} <${event.mailbox}> of ${event.group} (${event.why}): ${event.because.join('; ')}`;
    case 'held':
      return `held for ${event.group} until ${timeOfDay(event.until)}: ${event.because.join('; ')}`;
    case 'proposed':
      return `proposed to ${event.to.join(', ')} until ${timeOfDay(event.until)}: ${event.candidates.map((name, index) => `${index + 1} ${name}`).join(', ')}`;
    case 'picked':
      return `picked ${event.person} by ${event.by}`;
    case 'forwarded':
      return `forwarded to ${named(event.person, event.to)} by ${event.nextHop}: ${event.reply}`;
    case 'deferred':
      return `deferred by ${event.nextHop} for ${event.to}: ${event.reply}; again at ${timeOfDay(event.nextAttemptAt)}`;
    case 'failed':
      return `failed at ${event.nextHop} for ${event.to}: ${event.reply}`;
    case 'reported':
      return `reported to ${event.to}${event.action ? ` as ${event.action}` : ''} in ${event.report}`;
    case 'nudged':
      return `nudged ${event.room ?? named(event.person, event.to)}${event.step > 0 ? ` (step ${event.step})` : ''}`;
    case 'evidence':
      return `evidence: ${event.grade === 0 && event.source !== 'next hop' ? 'stops nothing' : grade(event.grade)}${event.person ? ` by ${event.person}` : ''} (${event.source}${
        event.trusted ? '' : ', unverified: recorded only'
      })`;
    case 'escalated':
      return `escalated by step ${event.step} (${event.trigger})${event.from ? ` from ${event.from}` : ''} to ${event.to}${
        event.until === undefined ? '' : ` before ${timeOfDay(event.until)}`
      }${event.skipped ? `; skipped ${event.skipped.join('; ')}` : ''}`;
    case 'closed':
      return `closed: ${event.state}${event.by ? ` by ${event.by}` : ''}`;
    case 'fault':
      return `fault ${event.fault} (${event.severity}): ${event.text}`;
    case 'operated':
      return `${event.action} by ${event.by}`;
    default:
      // A newer server may tell of events this command does not know.
      event satisfies never;
      return String((event as StoryEvent).event);
  }
}

// DESIGN: the evidence ladder.
const gradeNames = [
  'next hop accepted',
  'delivered',
  'nudge received',
  'nudge displayed',
  'seen',
  'displayed',
  'promised',
  'taken',
  'answered',
];
const grade = (value: number): string => gradeNames[value] ?? `grade ${value}`;
const named = (person: string | undefined, address: string): string => (person ? `${person} <${address}>` : address);

function wrap(lead: string, text: string, width: number | null): string {
  if (width === null) return `${lead}${text}\n`;
  const room = Math.max(20, width - lead.length);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > room) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.map((one, index) => `${index === 0 ? lead : ' '.repeat(lead.length)}${one}\n`).join('');
}
