// Reactions (XEP-0444) as commands. The set that comes is the whole set: what was in it before has been acted on, and
// what is taken back undoes nothing.
import { minute } from '../clock.ts';
import type { Command } from './command.ts';

const meanings: Readonly<Record<string, Command & { readonly kind: 'command' }>> = {
  '👍': { kind: 'command', verb: 'ack' },
  '✅': { kind: 'command', verb: 'ack' },
  '✔': { kind: 'command', verb: 'ack' },
  '👎': { kind: 'command', verb: 'pass' },
  '❌': { kind: 'command', verb: 'pass' },
  '👀': { kind: 'command', verb: 'claim' },
  '💤': { kind: 'command', verb: 'snooze', lasting: 30 * minute },
  '😴': { kind: 'command', verb: 'snooze', lasting: 30 * minute },
  '❓': { kind: 'command', verb: 'why' },
};

/** Skin tones (U+1F3FB–1F3FF) and the variation selector change how it looks, not what it says. */
const plain = (emoji: string): string => emoji.replace(/[\u{1f3fb}-\u{1f3ff}\ufe0f\ufe0e]/gu, '');

/**
 * Undefined when nothing new says anything, `ambiguous` when what is new says two different things.
 * @param before the set this person had put to the same message
 */
export function commandOf(
  reactions: readonly string[],
  before: readonly string[],
): (Command & { readonly kind: 'command' }) | 'ambiguous' | undefined {
  const old = new Set(before.map(plain));
  const found = new Map(
    reactions
      .map(plain)
      .filter((each) => !old.has(each) && Object.hasOwn(meanings, each))
      .flatMap((each) => {
        const command = meanings[each];
        return command ? [[command.verb, command] as const] : [];
      }),
  );
  return found.size > 1 ? 'ambiguous' : [...found.values()][0];
}
