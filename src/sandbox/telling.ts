// What happens, in sentences a newcomer understands. Pure: events of the story, and what goes over XMPP, into text.
import { formatDuration } from '../clock.ts';
import type { State } from '../presence/presence.ts';
import type { Considered } from '../routing/choose.ts';
import type { StoryEvent } from '../tracking/event.ts';
import { grades } from '../tracking/evidence.ts';
import type { KnownMessage } from './messages.ts';

export interface Context {
  readonly message: KnownMessage | undefined;
  /** Whom a decision looked at; empty when the event is no choice. */
  readonly considered: readonly Considered[];
  /** Names of people by mailbox. */
  readonly owners: ReadonlyMap<string, string>;
}

/** The sentences; none for what a newcomer need not know, or is told when it goes over XMPP. */
export function tellEvent(event: StoryEvent, context: Context): readonly string[] {
  switch (event.event) {
    case 'accepted': {
      const who = event.from === '<>' ? 'A mail server' : (context.owners.get(event.from) ?? event.from);
      return [`${who} writes to ${event.to.join(', ')}: ${quoteSubject(event.subject ?? null)}`];
    }
    case 'chosen':
      return tellChoice(event, context);
    case 'held':
      return [
        ...standings(context.considered),
        `Nobody can take it now. It waits until somebody can, up to ${formatDuration(event.until - event.at)}.`,
      ];
    case 'proposed':
      return [`${event.to.join(' or ')} may pick who gets it: ${event.candidates.join(', ')}.`];
    case 'picked':
      return [`${event.by} has picked ${event.person}.`];
    case 'forwarded': {
      const name = event.person ?? context.owners.get(event.to);
      return [name === undefined ? `It has gone to ${event.to}.` : `It is in ${name}’s mailbox.`];
    }
    case 'deferred':
      return [`The next hop does not take it now (${event.reply}). It is tried again.`];
    case 'failed':
      return [`${event.to} refuses it for good: ${event.reply}`];
    case 'reported':
      return [`The sender gets a report about ${event.to}.`];
    case 'nudged':
      return [];
    case 'evidence':
      return tellEvidence(event);
    case 'escalated':
      return [tellEscalation(event)];
    case 'closed':
      return [tellClosing(event)];
    case 'fault':
      return [`Fault (${event.severity}): ${event.text}.`];
    case 'operated':
      return [`Operator: ${event.action} (${event.by}).`];
    default:
      return event satisfies never;
  }
}

function tellChoice(
  event: Extract<StoryEvent, { event: 'chosen' }>,
  { considered, owners }: Context,
): readonly string[] {
  // First how many are eligible, then the reasons; one that begins with the name of the person chosen.
  const own = `${event.person}: `;
  const reasons = event.because.slice(1).map((reason) => (reason.startsWith(own) ? reason.slice(own.length) : reason));
  const why = reasons.filter((reason) => !reason.startsWith('fallback: ')).join(', ');
  const fellBack = reasons.some((reason) => reason.startsWith('fallback: '));
  const to = event.person ?? owners.get(event.mailbox) ?? event.mailbox;
  const chosen = fellBack
    ? `→ ${to}, the fallback: nobody can take it${why === '' ? '' : `, ${why}`}`
    : `→ ${to} (${why})`;
  return [...standings(considered), chosen];
}

/** `alice dnd for 3s; bob available for 2s` */
function standings(considered: readonly Considered[]): readonly string[] {
  if (considered.length === 0) return [];
  const each = considered.map(
    ({ person, reason }) => `${person} ${(reason.split(';')[0] ?? '').replace(/ for 0s$/, '')}`,
  );
  return [`${each.join('; ')}.`];
}

function tellEvidence(event: Extract<StoryEvent, { event: 'evidence' }>): readonly string[] {
  // An ack is heard over XMPP, and what it does is told by the closing.
  if (event.grade < grades.seen || (event.trusted && event.grade === grades.taken)) return [];
  const who = event.person ?? 'Somebody';
  if (!event.trusted) return [`${who}: ${event.source}, by a path that proves nothing. Noted, no more.`];
  // Who acts on a mail from the command line says so as an answer, too.
  if (event.grade < grades.answered) return [`${who}: ${event.source}.`];
  return event.source === 'reply' ? [`${who} has answered by mail.`] : [`Said to be done (${event.source}).`];
}

function tellEscalation({ trigger, from, to, step, until }: Extract<StoryEvent, { event: 'escalated' }>): string {
  const had = from ?? 'Nobody';
  const again = from === to;
  if (until !== undefined) return `${had} is asked no more; on with step “${step}” when its hours begin.`;
  switch (trigger) {
    case 'time':
      return again
        ? `${had} has not answered: one more reminder (step “${step}”).`
        : `${from === undefined ? 'Nobody has' : `${from} has not`} answered in time: on to ${to} (step “${step}”).`;
    case 'operator':
      return `An operator moves it on: to ${to} (step “${step}”).`;
    case 'passed':
      return `${had} has passed it: on to ${to}.`;
    case 'owner offline':
      return `${had} went offline while having it: on to ${to} at once.`;
    case 'undeliverable':
      return `${had}’s mailbox refuses it: on to ${to}.`;
    case 'ack expired':
      return `${had} took it and has not answered: on to ${to}.`;
    case 'promise expired':
      return `${had} has not kept a promise: on to ${to}.`;
    default:
      return trigger satisfies never;
  }
}

function tellClosing({ state, by }: Extract<StoryEvent, { event: 'closed' }>): string {
  switch (state) {
    case 'acknowledged':
      return `Closed: ${by ?? 'somebody'} takes care of it.`;
    case 'answered':
      return `Closed: answered by ${by ?? 'somebody'}.`;
    case 'expired':
      return 'Closed: every step was taken, and nobody has answered.';
    default:
      return `Closed: ${state}.`;
  }
}

const moodWords: Readonly<Record<State, string>> = {
  chat: 'is there and free to talk (chat)',
  available: 'is there (available)',
  away: 'is away',
  xa: 'is away for long (xa)',
  dnd: 'does not want to be disturbed (dnd)',
  offline: 'is offline',
  unknown: 'is somewhere (unknown)',
};

export const tellPresence = (name: string, state: State): string => `${name} ${moodWords[state]}.`;

export function quoteSubject(subject: string | null): string {
  return subject === null || subject.trim() === '' ? '(no subject)' : quoted(subject, 120);
}

/** What somebody says by IM, on one line. */
export const quoteWords = (body: string): string => quoted(body.replaceAll(/\s+/g, ' ').trim(), 300);

const quoted = (text: string, most: number): string => `“${shorten(text, most)}”`;

export function shorten(text: string, most: number): string {
  const characters = [...text];
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join('')}…`;
}
