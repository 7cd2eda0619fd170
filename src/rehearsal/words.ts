// What happened in a rehearsal, a line each: the words of `simulate`, of rule tests and of the cookbook.
import { type Duration, formatDuration, type Instant } from '../clock.ts';
import type { Choice } from '../routing/choose.ts';
import type { Advance } from '../tracking/advance.ts';
import type { Outcome } from './happening.ts';

/** `10m step next: to bob`, from the first mail on. @param several the mail is named, too */
export function storyLine(outcome: Outcome, start: Instant, several: boolean): string {
  const name = several ? `${outcome.mail}: ` : '';
  return `${offset(outcome.at - start)} ${name}${words(outcome)}`;
}

function offset(after: Duration): string {
  return after < 1000 ? '0s' : formatDuration(after).replaceAll(' ', '');
}

export function words({ told, recipient }: Outcome): string {
  switch (told.kind) {
    case 'passed':
      return `passed through to ${recipient}`;
    case 'copied':
      return `a copy to ${told.to.join(', ')}`;
    case 'rejected':
      return `refused: ${told.code} ${told.text}`;
    case 'held':
      return 'held';
    case 'observed':
      return observed(recipient, told.choice);
    case 'chosen':
      return whither(told.choice);
    case 'step':
      return step(told.trigger, told.from, told.next);
    case 'closed':
      return `${told.state} by ${told.by}`;
    default:
      return told satisfies never;
  }
}

export const observed = (recipient: string, choice: Whither): string =>
  `on to ${recipient}, unchanged; would be ${whither(choice)}`;

/** Where somebody or something gets it, as a choice says it. */
interface Whither {
  readonly kind: Choice['kind'];
  readonly person?: string | undefined;
  readonly mailbox?: string;
  readonly unchanged?: boolean;
  readonly group?: string | undefined;
  readonly also?: readonly { readonly person: string }[] | undefined;
  readonly refusal?: { readonly code: number; readonly text: string } | undefined;
}

export function whither(choice: Whither): string {
  if (choice.kind === 'hold') return 'held';
  if (choice.also) return `to ${[choice.person, ...choice.also.map(({ person }) => person)].join(', ')}`;
  if (choice.kind === 'member') return `to ${choice.person}${choice.group ? ` of ${choice.group}` : ''}`;
  if (choice.refusal) return `refused: ${choice.refusal.code} ${choice.refusal.text}`;
  if (choice.unchanged) return `on to ${choice.mailbox}, unchanged`;
  return `to ${choice.person ?? choice.mailbox} (fallback)`;
}

function step(trigger: string, from: string | null, { move, skipped }: Advance): string {
  const why =
    trigger === 'time' ? '' : `${from ?? 'nobody'} ${trigger === 'owner offline' ? 'went offline' : trigger}: `;
  const without = skipped.map((each) => `(skipped ${each}) `).join('');
  const named = 'step' in move && trigger === 'time' ? `step ${move.step}: ` : '';
  const start = `${without}${why}${named}`;
  switch (move.kind) {
    case 'reassign':
      return `${start}to ${move.person}`;
    case 'remind':
      return `${start}${move.person} is reminded`;
    case 'room':
      return `${start}to the room ${move.room}`;
    case 'everyone':
      return `${start}to everyone: ${move.people.map(({ person }) => person).join(', ')}`;
    case 'later':
      return `${start}waits for the hours of the step ${move.step}`;
    case 'forward':
      return `${start}to ${move.person ?? move.mailbox}`;
    case 'expire':
      return `${start}every step was taken, nobody has answered`;
    default:
      return move satisfies never;
  }
}
