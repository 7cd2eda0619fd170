// Who is told what happens: people, in sentences, or programs, in JSON lines. Both hear first that everything is ready,
// also when somebody was quick with a mail; what happened before that is told right after.
import type { Terminal } from '../cli/terminal.ts';
import type { StoryEvent } from '../tracking/event.ts';
import { eventLine, readyLine } from './json-lines.ts';
import type { Messages } from './messages.ts';
import type { Storyteller } from './storyteller.ts';
import { type WelcomeFacts, welcome } from './welcome.ts';
import type { Element } from './xmpp-server/xmpp-server.ts';

export interface Narration {
  ready(facts: WelcomeFacts): void;
  event(event: StoryEvent): void;
  /** A client has sent it over XMPP. */
  stanza(stanza: Element, from: string): void;
  /** A new episode begins. */
  heading(text: string): void;
  /** What the simulation does, or does not; about the mail with this short id. */
  note(shortId: string | null, text: string): void;
  /** Something does not go as the simulation wants. */
  trouble(text: string): void;
  /** Resolves when everything is told. */
  end(): Promise<void>;
}

export function narrateForPeople(storyteller: Storyteller, terminal: Terminal): Narration {
  const early = heldUntilReady<StoryEvent>((event) => storyteller.event(event));
  return {
    ready(facts) {
      terminal.write(welcome(facts));
      early.release();
    },
    event: early.pass,
    stanza: (stanza, from) => early.released() && storyteller.stanza(stanza, from),
    heading: (text) => storyteller.heading(text),
    note: (shortId, text) => storyteller.note(shortId, text),
    trouble: (text) => storyteller.note(null, text),
    async end() {
      await storyteller.settled();
      terminal.write('\nThe sandbox ends.\n');
    },
  };
}

export function narrateForPrograms(messages: Messages, terminal: Terminal): Narration {
  const early = heldUntilReady<string>((line) => terminal.write(`${line}\n`));
  // Standard output holds the lines that are documented and nothing else; XMPP and the simulation are not among them.
  const untold = () => undefined;
  return {
    ready({ ready }) {
      terminal.write(`${readyLine(ready)}\n`);
      early.release();
    },
    event(event) {
      const line = eventLine(event, messages.about(event.queueId));
      if (line !== undefined) early.pass(line);
    },
    stanza: untold,
    heading: untold,
    note: untold,
    trouble: (text) => terminal.complain(`pointsman: ${text}\n`),
    end: async () => undefined,
  };
}

function heldUntilReady<Item>(tell: (item: Item) => void) {
  let held: Item[] | null = [];
  return {
    pass(item: Item): void {
      if (held) held.push(item);
      else tell(item);
    },
    released: () => held === null,
    release(): void {
      const items = held ?? [];
      held = null;
      for (const item of items) tell(item);
    },
  };
}
