// What a simulated person does with a mail they are asked about. Pure. A mail may say it: the word in brackets at the
// end of its subject ("Lunch [pass]") is the script for everybody who is asked about it; the director's own mails bring
// a script, one word for each time somebody is asked, the last word staying.

export const reactions = ['ack', 'reply', 'pass', 'leave', 'ignore'] as const;
/** `ack`: takes it by IM. `reply`: answers the sender by mail. `leave`: goes offline. `ignore`: does nothing. */
export type Reaction = (typeof reactions)[number];

/** Without a script: helpful people. */
const usual: readonly Reaction[] = ['ack'];

/** @param asked how often anybody has been asked about this mail, this time included */
export function reactionTo(subject: string | null, script: readonly Reaction[] | undefined, asked: number): Reaction {
  const words = scriptIn(subject) ?? script ?? usual;
  return words[Math.min(asked, words.length) - 1] ?? 'ack';
}

function scriptIn(subject: string | null): readonly Reaction[] | undefined {
  const word = /\[([a-z]+)\]\s*$/i.exec(subject ?? '')?.[1]?.toLowerCase();
  const reaction = reactions.find((known) => known === word);
  return reaction && [reaction];
}
