// Answers by instant message: who says what about which message, and what they are told back. Authorised by the JID
// that the stream vouches for; a stranger changes nothing. A command that was stored while its writer or we were
// offline is answered, not executed: the mail may have moved on since.
import { day, type Instant, minute } from '../clock.ts';
import { describeError } from '../mail/error.ts';
import { type Command, parseCommand } from '../notify/command.ts';
import type { IncomingMessage, NotifyTarget } from '../notify/notifier.ts';
import { confirmText, headline, helpText } from '../notify/nudge.ts';
import { oneLine } from '../notify/text.ts';
import type { Person } from '../routing/rules.ts';
import { standing } from '../tracking/acknowledge.ts';
import { grades } from '../tracking/evidence.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { escalate, weigh } from './escalating.ts';
import { factsOf } from './nudging.ts';
import { casTries, type Stage } from './parts.ts';

export interface Answering {
  /** Handles one message; messages are handled one after the other, in order. */
  hear(message: IncomingMessage): Promise<void>;
}

/** Strangers are told at most once a day each, and at most this many a minute in all. */
const strangersPerMinute = 5;

export function createAnswering(stage: Stage): Answering {
  const told = new Map<string, Instant>();
  let last: Promise<void> = Promise.resolve();

  async function handle(message: IncomingMessage): Promise<void> {
    const command = parseCommand(message.body);
    // In a room people talk to each other: only what is plainly meant for us is answered.
    if (!command || (message.room && command.kind !== 'command')) return;
    const person = message.from === null ? undefined : personOf(stage, message.from);
    if (!person) return refuseStranger(message);
    await reply(stage, message, await answer(stage, person, command, message));
  }

  async function refuseStranger(message: IncomingMessage): Promise<void> {
    const now = stage.clock.now();
    stage.log.warn({ from: message.from, room: message.room }, 'command from a stranger refused');
    if (message.room) {
      if (message.from === null)
        await reply(
          stage,
          message,
          'This room hides who you are, so I cannot take commands here. Answer me directly, please.',
        );
      return;
    }
    const who = String(message.from);
    for (const [jid, at] of told) if (now - at >= day) told.delete(jid);
    const lately = [...told.values()].filter((at) => now - at < minute).length;
    if (told.has(who) || lately >= strangersPerMinute) return;
    told.set(who, now);
    await reply(
      stage,
      message,
      'I do not know you, so I cannot do anything for you. Please ask whoever runs the mail here.',
    );
  }

  return {
    hear(message) {
      last = last
        .then(() => handle(message))
        .catch((error: unknown) =>
          stage.log.error({ err: error, from: message.from }, 'an answer could not be handled'),
        );
      return last;
    },
  };
}

function personOf(stage: Stage, from: NonNullable<IncomingMessage['from']>): Person | undefined {
  return [...stage.rules.current().people.values()].find(({ jid }) => jid === from);
}

/** The one line (or list) that is said back. */
async function answer(stage: Stage, person: Person, command: Command, message: IncomingMessage): Promise<string> {
  if (command.kind === 'unclear') {
    const hint = command.suggestion ? ` Did you mean ${command.suggestion}?` : ' Answer help to see what I do.';
    return `I do not understand “${oneLine(command.said, 40)}”.${hint}`;
  }
  if (command.verb === 'help') return helpText();
  if (command.verb === 'list') return listOf(stage, person, await mine(stage, person));
  const found = await find(stage, person, command.id);
  if (typeof found === 'string') return found;
  if (!mayAct(person, found)) return `#${found.shortId} is not yours: it is for the members of ${found.plan.group}.`;
  if (message.delayed) {
    const now = stage.clock.now();
    return `Your “${command.verb} ${found.shortId}” reached me late, so I did not act on it. #${found.shortId} is ${standing(found, now)}. Say it again if you still mean it.`;
  }
  return command.verb === 'ack' ? ack(stage, person, found, message) : pass(stage, person, found);
}

/** The message meant, or what to say instead. */
async function find(stage: Stage, person: Person, id: string | undefined): Promise<Tracked | string> {
  if (id !== undefined) {
    const tracked = await stage.store.trackedByShortId(id);
    return tracked ?? `I know of no mail #${oneLine(id, 20)}. Answer list to see what is with you.`;
  }
  const open = await mine(stage, person);
  const [only] = open;
  if (!only) return 'Nothing is waiting with you.';
  return open.length === 1 ? only : `Which one? Please say the id.\n${listOf(stage, person, open)}`;
}

const mine = (stage: Stage, person: Person): Promise<readonly Tracked[]> =>
  stage.store.openTracked({ owner: person.name });

function listOf(stage: Stage, _person: Person, open: readonly Tracked[]): string {
  if (open.length === 0) return 'Nothing is waiting with you.';
  const now = stage.clock.now();
  const lines = open.slice(0, 10).map((tracked) => oneLine(headline(factsOf(tracked, now)), 200));
  if (open.length > lines.length) lines.push(`… and ${open.length - lines.length} more.`);
  return lines.join('\n');
}

/** Only a candidate of the message, somebody a step names, or an operator. */
function mayAct(person: Person, tracked: Tracked): boolean {
  return (
    person.operator ||
    tracked.owner === person.name ||
    tracked.plan.candidates.some((candidate) => candidate.person === person.name) ||
    tracked.plan.policy.steps.some(({ to }) => to.kind === 'person' && to.person === person.name)
  );
}

async function ack(stage: Stage, person: Person, tracked: Tracked, message: IncomingMessage): Promise<string> {
  const source = message.room ? 'im ack in room' : 'im ack';
  const evidence = {
    queueId: tracked.queueId,
    seq: tracked.seq,
    person: person.name,
    grade: grades.taken,
    source,
    reference: message.id ?? null,
    trusted: true,
  };
  const { result } = await weigh(stage, tracked, evidence, person.name, message.room ?? null);
  switch (result.kind) {
    case 'closed':
      return message.room
        ? `#${tracked.shortId} is taken by ${person.name}.`
        : confirmText(factsOf(tracked, stage.clock.now()));
    case 'owned':
      return `#${tracked.shortId} is yours. It is done when it is answered.`;
    case 'late':
      return `#${tracked.shortId}: ${result.text}.`;
    case 'recorded':
      return `#${tracked.shortId}: noted.`;
    default:
      return result satisfies never;
  }
}

async function pass(stage: Stage, person: Person, found: Tracked): Promise<string> {
  for (let attempt = 1; attempt <= casTries; attempt += 1) {
    const tracked = await stage.store.tracked(found);
    if (tracked?.state !== 'tracked') return `#${found.shortId}: ${standing(tracked ?? found, stage.clock.now())}.`;
    if (tracked.owner === person.name) {
      const moved = await escalate(stage, tracked, { trigger: 'passed', owner: person.name });
      if (!moved) continue;
      return `#${found.shortId} is off your hands${moved.owner === null ? '' : `; ${moved.owner} is asked now`}.`;
    }
    if (tracked.tried[person.name] === 'has passed')
      return `#${found.shortId} is not with you; it is ${standing(tracked, stage.clock.now())}.`;
    const after: Tracked = {
      ...tracked,
      revision: tracked.revision + 1,
      tried: { ...tracked.tried, [person.name]: 'has passed' },
    };
    if ((await stage.store.advance(after, {})) === 'stale') continue;
    return `#${found.shortId} is not with you (it is ${standing(tracked, stage.clock.now())}); I shall not offer it to you.`;
  }
  return `#${found.shortId} keeps moving; please try again.`;
}

async function reply(stage: Stage, message: IncomingMessage, text: string): Promise<void> {
  const to: NotifyTarget | null = message.room
    ? { kind: 'room', room: message.room }
    : message.from === null
      ? null
      : { kind: 'person', jid: message.from };
  if (!to || !stage.notifier) return;
  const id = `answer.${stage.clock.now()}.${Math.floor(stage.random() * 1e9)}`;
  try {
    await stage.notifier.send(to, text, id);
  } catch (error) {
    // What was asked for has been done and is in the story; only the confirmation is lost.
    stage.log.warn({ to: message.from, cause: describeError(error) }, 'an answer could not be sent');
  }
}
