// Port: what the sandbox lets its viewers do besides looking: play with its people. Nothing of it exists in `serve`.

/** How a simulated person is: the words of presence that one can choose oneself. */
export type Mood = 'chat' | 'available' | 'away' | 'xa' | 'dnd' | 'offline';

export const answers = ['ack', 'pass', 'reply'] as const;
export type PlayAnswer = (typeof answers)[number];

export interface PlayPerson {
  readonly name: string;
  readonly mood: Mood;
  /** Somebody has logged in as them with a client of their own. */
  readonly human: boolean;
}

export interface Play {
  people(): readonly PlayPerson[];
  /** What the running play shows just now; null when it has been stopped. */
  scene(): string | null;
  /** @throws RefusedError when nobody of that name plays */
  become(name: string, mood: Mood): Promise<void>;
  send(mail: { readonly to: string; readonly subject: string }): Promise<void>;
  answer(name: string, shortId: string, answer: PlayAnswer): Promise<void>;
  /** What those who are asked do with a mail: words for the end of its subject. */
  readonly reactions: readonly string[];
  speed(): number;
  readonly speeds: readonly number[];
  setSpeed(factor: number): void;
  /** Lets the play go on after somebody has taken part. */
  resume(): void;
  onChange(listener: () => void): void;
}
