// Answers by instant message: who says what about which message, and what they are told back. Authorised by the JID
// that the stream vouches for; a stranger changes nothing, costs nothing and hears one line a day. One person's commands
// are taken in order; different people do not wait for one another. A command that was stored while its writer or we
// were offline is answered, not executed: the mail may have moved on since.
import { day, type Instant, minute } from '../clock.ts';
import { describeError } from '../mail/error.ts';
import { type Command, parseCommand } from '../notify/command.ts';
import type { Asked, AskedAnswer, IncomingMessage, NotifyTarget } from '../notify/notifier.ts';
import { type Phrases, phrasesIn } from '../notify/phrases.ts';
import { commandOf } from '../notify/reactions.ts';
import { oneLine } from '../notify/text.ts';
import type { BareJid } from '../presence/jid.ts';
import type { Language, Person, PersonName, Rules } from '../routing/rules.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { askByForm } from './commands/asking.ts';
import { listLines } from './commands/finding.ts';
import { perform } from './commands/perform.ts';
import { proposalsFor } from './commands/picking.ts';
import { type Answer, type Channel, groupsOf, type Request, refOf, type Seen } from './commands/request.ts';
import type { Desk } from './faults/desk.ts';
import { languageOfAll } from './languages.ts';
import { deliveryOfStanza } from './nudging.ts';
import type { Stage } from './parts.ts';
import { isProposal } from './proposing.ts';

export interface Answering {
  /** Handles one message; those of one person one after the other, in order. */
  hear(message: IncomingMessage): Promise<void>;
  /** An ad-hoc command. */
  ask(asked: Asked): Promise<AskedAnswer>;
}

/** Strangers are told at most once a day each, and at most this many a minute in all. */
const strangersPerMinute = 5;
const mostStrangers = 10_000;
/** Somebody's client that repeats itself must not keep us busy. */
const commandsPerMinute = 60;
/** How long a list may be answered by number. */
const listLasts = 10 * minute;
const mostExecuted = 200;

/** What is remembered of one person between two commands. */
interface Talk {
  last: Promise<void>;
  list: {
    readonly at: Instant;
    readonly command: Command & { kind: 'command' };
    readonly seen: readonly Seen[];
  } | null;
  /** Stanza ids that were acted on: a correction of one comes too late. */
  readonly executed: Set<string>;
  /** Reactions as they last were, by the id of ours. */
  readonly reactions: Map<string, readonly string[]>;
  readonly times: Instant[];
  warned: boolean;
}

export function createAnswering(stage: Stage, desk: Desk | null = null): Answering {
  const strangers = createStrangers(stage, desk);
  const talks = new Map<PersonName, Talk>();

  function talkWith(person: PersonName): Talk {
    const known = talks.get(person);
    if (known) return known;
    const talk: Talk = {
      last: Promise.resolve(),
      list: null,
      executed: new Set(),
      reactions: new Map(),
      times: [],
      warned: false,
    };
    talks.set(person, talk);
    return talk;
  }

  async function handle(message: IncomingMessage, person: Person, talk: Talk): Promise<void> {
    const meant = await understand(stage, message, talk);
    if (!meant) return;
    if (isTooMuch(stage, talk)) {
      if (!talk.warned) stage.log.warn({ person: person.name }, 'too many commands a minute; not answered');
      talk.warned = true;
      return;
    }
    talk.warned = false;
    const { command, channel } = meant;
    const language = languageFor(stage, person, command);
    const p = phrasesIn(language);
    const say = (text: Answer) => reply(stage, message, text);
    if (message.replaces !== undefined && talk.executed.has(message.replaces)) return say(p.corrected);
    if (command.kind === 'unclear') return say(unclear(command, p));
    const chosen =
      command.kind === 'number'
        ? await byNumber(stage, message, person, talk, { number: command.number, seen: meant.seen, p })
        : { command, seen: meant.seen };
    if (typeof chosen === 'string') return say(chosen);
    if (message.id !== undefined) remember(talk.executed, message.id);
    const request: Request = {
      stage,
      person,
      command: chosen.command,
      channel: command.kind === 'number' ? 'number' : channel,
      room: message.room ?? null,
      reference: message.id ?? null,
      seen: chosen.seen,
      language,
      p,
    };
    const aboutFault = desk && (await desk.answer(request, message.delayed));
    if (aboutFault !== null && aboutFault !== undefined) return say(aboutFault.text);
    const performed = await perform(request, message.delayed);
    switch (performed.kind) {
      case 'said':
        return say(performed.text);
      case 'listed': {
        talk.list = asList(stage, { kind: 'command', verb: 'show' }, performed.listed);
        const faults = desk ? await desk.list(request) : [];
        return say([performed.text, ...faults].join('\n'));
      }
      case 'which': {
        talk.list = asList(stage, chosen.command, performed.list);
        return say([p.which, ...listLines(stage, performed.list, stage.clock.now(), p, { standing: true })].join('\n'));
      }
      default:
        return performed satisfies never;
    }
  }

  return {
    hear(message) {
      const person = message.from === null ? undefined : personOf(stage.rules.current(), message.from);
      if (!person) return strangers.hear(message);
      const talk = talkWith(person.name);
      talk.last = talk.last
        .then(() => handle(message, person, talk))
        .catch((error: unknown) =>
          stage.log.error({ err: error, from: message.from }, 'an answer could not be handled'),
        );
      return talk.last;
    },
    async ask(asked) {
      const person = personOf(stage.rules.current(), asked.from);
      if (!person) {
        strangers.count(asked.from);
        return { kind: 'refused', text: phrasesIn('en').stranger };
      }
      const talk = talkWith(person.name);
      const language = languageFor(stage, person, null);
      if (isTooMuch(stage, talk)) return { kind: 'refused', text: phrasesIn(language).tooMany };
      const done = talk.last.then(() => askByForm({ stage, person, language, p: phrasesIn(language), asked }, desk));
      talk.last = done.then(
        () => undefined,
        () => undefined,
      );
      return done;
    },
  };
}

interface Meant {
  readonly command: Command;
  readonly channel: Channel;
  readonly seen: Seen | null;
}

/** Undefined when it is not for us. */
async function understand(stage: Stage, message: IncomingMessage, talk: Talk): Promise<Meant | undefined> {
  const about = message.about === undefined ? null : await seenOf(stage, message.about);
  if (message.reactions) {
    if (!about || message.about === undefined) return undefined;
    const before = talk.reactions.get(message.about) ?? [];
    if (talk.reactions.size >= mostExecuted && !talk.reactions.has(message.about)) talk.reactions.clear();
    talk.reactions.set(message.about, message.reactions);
    const command = commandOf(message.reactions, before);
    if (command === undefined) return undefined;
    if (command === 'ambiguous') {
      const said = message.reactions.slice(0, 5).join(' ');
      return { command: { kind: 'unclear', said }, channel: 'reaction', seen: about };
    }
    return { command, channel: 'reaction', seen: about };
  }
  const called = /^\s*!\s*/.exec(message.body)?.[0].length ?? 0;
  const command = parseCommand(message.body.slice(called));
  if (!command) return undefined;
  const addressed = message.addressed === true || called > 0 || about !== null;
  // In a room people talk to each other: only what is plainly meant for us is answered.
  if (message.room && !addressed && !isPlain(command)) return undefined;
  const channel: Channel = message.room ? 'room' : about ? 'reply' : 'text';
  // Who names another message than the one they answer means the one they name.
  const seen = command.kind === 'command' && command.id !== undefined ? null : about;
  return { command, channel, seen };
}

/** Nobody says `claim k7mf` to a colleague. */
const isPlain = (command: Command): boolean =>
  command.kind === 'command' &&
  command.id !== undefined &&
  ['ack', 'claim', 'pass', 'release', 'snooze', 'yes', 'no', 'promise', 'show', 'why'].includes(command.verb);

async function seenOf(stage: Stage, stanza: string): Promise<Seen | null> {
  const ref = deliveryOfStanza(stanza);
  if (!ref) return null;
  const nudge = (await stage.store.nudges(ref.queueId)).find(({ id }) => id === stanza);
  return nudge ? { ref, at: nudge.dueAt } : null;
}

function unclear(command: Command & { kind: 'unclear' }, p: Phrases): string {
  const said = oneLine(command.said, 40);
  if (command.after !== undefined) return p.unclearAfter(said, command.after);
  return `${p.unclear(said)} ${command.suggestion ? p.didYouMean(command.suggestion) : p.seeHelp}`;
}

/** The newest question counts: a list that was shown, or somebody to be picked. */
async function byNumber(
  stage: Stage,
  { about }: IncomingMessage,
  person: Person,
  talk: Talk,
  { number, seen, p }: { readonly number: number; readonly seen: Seen | null; readonly p: Phrases },
): Promise<{ command: Command & { kind: 'command' }; seen: Seen | null } | string> {
  const picking = { command: { kind: 'command', verb: 'pick', number }, seen } as const;
  if (about !== undefined && isProposal(about)) return picking;
  const listedAt = talk.list?.at ?? Number.NEGATIVE_INFINITY;
  const asked = about === undefined ? await proposalsFor(stage, person) : [];
  if (asked.some(({ proposed }) => proposed.at >= listedAt)) return picking;
  return fromList(stage, talk, number, p);
}

function fromList(
  stage: Stage,
  talk: Talk,
  number: number,
  p: Phrases,
): { command: Command & { kind: 'command' }; seen: Seen } | string {
  const { list } = talk;
  if (!list || stage.clock.now() - list.at > listLasts) return p.noList;
  const seen = list.seen[number - 1];
  if (!seen) return p.noNumber(list.seen.length);
  return { command: list.command, seen };
}

function asList(stage: Stage, command: Command & { kind: 'command' }, listed: readonly Tracked[]): Talk['list'] {
  const at = stage.clock.now();
  return listed.length === 0 ? null : { at, command, seen: listed.map((each) => ({ ref: refOf(each), at })) };
}

function isTooMuch({ clock }: Stage, talk: Talk): boolean {
  const now = clock.now();
  while (talk.times[0] !== undefined && now - talk.times[0] >= minute) talk.times.shift();
  if (talk.times.length >= commandsPerMinute) return true;
  talk.times.push(now);
  return false;
}

function remember(executed: Set<string>, id: string): void {
  executed.add(id);
  const [oldest] = executed;
  if (executed.size > mostExecuted && oldest !== undefined) executed.delete(oldest);
}

/** The one they spoke; else their own; else that of their groups, or of all when they are in none, when it is one. */
function languageFor(stage: Stage, person: Person, command: Command | null): Language {
  if (command?.kind === 'command' && command.language) return command.language;
  if (person.language) return person.language;
  const { groups } = stage.rules.current();
  const spoken = new Set(groupsOf(stage, person).map((name) => groups.get(name)?.language ?? 'en'));
  if (spoken.size === 0) return languageOfAll(stage);
  return spoken.size === 1 ? ([...spoken][0] ?? 'en') : 'en';
}

const people = new WeakMap<Rules, ReadonlyMap<BareJid, Person>>();

function personOf(rules: Rules, from: BareJid): Person | undefined {
  let known = people.get(rules);
  if (!known) {
    known = new Map([...rules.people.values()].flatMap((each) => (each.jid === null ? [] : [[each.jid, each]])));
    people.set(rules, known);
  }
  return known.get(from);
}

interface Strangers {
  hear(message: IncomingMessage): Promise<void>;
  count(from: BareJid): void;
}

/** Those who are in no rule. They are never queued behind, or before, anybody we know. */
function createStrangers(stage: Stage, desk: Desk | null): Strangers {
  const told = new Map<string, Instant>();
  let lately: Instant[] = [];
  /** Since the last line in the log. */
  let unlogged = 0;
  let loggedAt = Number.NEGATIVE_INFINITY;

  function count(from: BareJid | null, room?: BareJid): void {
    const now = stage.clock.now();
    desk?.stranger(from);
    unlogged += 1;
    // Whoever floods us must not fill the disk with our log.
    if (now - loggedAt < minute) return;
    stage.log.warn({ from, room, count: unlogged }, 'command from a stranger refused');
    loggedAt = now;
    unlogged = 0;
  }

  return {
    count: (from) => count(from),
    async hear(message) {
      const command = message.reactions ? undefined : parseCommand(message.body.replace(/^\s*!\s*/, ''));
      if (!command || (message.room && command.kind !== 'command')) return;
      if (message.room && message.addressed !== true && !isPlain(command)) return;
      count(message.from, message.room);
      const now = stage.clock.now();
      for (const [jid, at] of told) {
        if (now - at < day && told.size <= mostStrangers) break;
        told.delete(jid);
      }
      lately = lately.filter((at) => now - at < minute);
      const who = message.room ? `room ${message.room}` : String(message.from);
      // In a room that shows who they are, everybody sees that they are not answered.
      if ((message.room && message.from !== null) || told.has(who) || lately.length >= strangersPerMinute) return;
      told.set(who, now);
      lately.push(now);
      const p = phrasesIn('en');
      await reply(stage, message, message.room ? p.hiddenRoom : p.stranger);
    },
  };
}

async function reply(stage: Stage, message: IncomingMessage, text: Answer): Promise<void> {
  const to: NotifyTarget | null = message.room
    ? { kind: 'room', room: message.room }
    : message.from === null
      ? null
      : { kind: 'person', jid: message.from };
  if (!to || text === null || !stage.notifier) return;
  const id = `answer.${stage.clock.now()}.${Math.floor(stage.random() * 1e9)}`;
  try {
    await stage.notifier.send(to, text, id);
  } catch (error) {
    // What was asked for has been done and is in the story; only the confirmation is lost.
    stage.log.warn({ to: message.from, cause: describeError(error) }, 'an answer could not be sent');
  }
}
