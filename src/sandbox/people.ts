// The simulated people together: how they are, what they do when Pointsman asks them about a mail, and that each makes
// room for a human who logs in as them.
import type { Clock, Duration } from '../clock.ts';
import { second } from '../clock.ts';
import type { Log } from '../log.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Cast, Player } from './cast.ts';
import type { SunkMail } from './mail-sink.ts';
import type { KnownMessage, Messages } from './messages.ts';
import { type Reaction, reactionTo } from './reaction.ts';
import { type HeardMessage, type Mood, SimulatedPerson, simulatedResource } from './simulated-person.ts';
import type { ServerEvent, XmppServer } from './xmpp-server/xmpp-server.ts';

/** More are not simulated; they have accounts and stay offline until a human comes. */
const mostSimulated = 40;
/** How long a person takes to read and answer. */
const readingTime: Duration = 3 * second;
/** How long somebody who left stays away. */
const awayTime: Duration = 20 * second;

export interface PeopleOptions {
  readonly cast: Cast;
  readonly server: XmppServer;
  readonly address: { readonly host: string; readonly port: number };
  readonly password: string;
  readonly messages: Messages;
  /** The script of a mail of the director's. */
  readonly scriptOf: (messageId: string | null) => readonly Reaction[] | undefined;
  /** Answers a mail by mail. */
  readonly reply: (player: Player, mail: SunkMail) => Promise<void>;
  readonly clock: Clock;
  /** For their connections, which live in real time however fast the day goes. */
  readonly linkClock: Clock;
  /** Somebody is about to do something about it. */
  readonly acts: (queueId: QueueId) => void;
  /** How long a person takes to read and answer this mail, when the play says so. */
  readonly takes: (messageId: string | null) => Duration | undefined;
  readonly log: Log;
  /** For the story. */
  readonly note: (shortId: string | null, text: string) => void;
  readonly signal: AbortSignal;
}

interface Role {
  readonly person: SimulatedPerson;
  /** As the play wants it; while a human plays the role, the simulation is offline all the same. */
  mood: Mood;
  human: boolean;
}

export class People {
  readonly #options: PeopleOptions;
  readonly #roles = new Map<string, Role>();
  readonly #asked = new Map<string, number>();
  readonly #inboxes = new Map<string, SunkMail>();
  readonly #roomAnswered = new Set<string>();

  constructor(options: PeopleOptions) {
    this.#options = options;
    const { cast, server } = options;
    const rooms = cast.rooms.map((room) => `${room}@${server.roomDomain}`);
    for (const player of cast.players.slice(0, mostSimulated)) {
      const person = new SimulatedPerson({
        player,
        server: options.address,
        password: options.password,
        rooms,
        clock: options.linkClock,
        log: options.log,
        hear: (message) => this.#background(this.#hear(player.name, message)),
      });
      this.#roles.set(player.name, { person, mood: 'offline', human: false });
    }
  }

  /** Everybody logs in, and is as said: who is not named is available. */
  async start(moods: Readonly<Record<string, Mood>>): Promise<void> {
    const { server, signal } = this.#options;
    await Promise.all([...this.#roles.values()].map(({ person }) => person.start(signal)));
    await this.become(moods);
    server.on((event) => this.#background(this.#watchForHumans(event)));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#roles.values()].map(({ person }) => person.stop()));
  }

  async become(moods: Readonly<Record<string, Mood>>, others: Mood | 'as they are' = 'available'): Promise<void> {
    for (const [name, role] of this.#roles) {
      const mood = moods[name] ?? (others === 'as they are' ? role.mood : others);
      role.mood = mood;
      if (!role.human) await role.person.become(mood);
    }
  }

  /** How everybody is, as the play or its viewers want it. */
  cast(): readonly { readonly name: string; readonly mood: Mood; readonly human: boolean }[] {
    return [...this.#roles.values()].map(({ person, mood, human }) => ({ name: person.player.name, mood, human }));
  }

  /** Somebody answers by their own word, whatever their script says. False when nobody of that name can. */
  async answer(name: string, to: string, shortId: string, answer: 'ack' | 'pass' | 'reply'): Promise<boolean> {
    const role = this.#roles.get(name);
    if (!role || role.human || role.person.mood === 'offline') return false;
    const message = answer === 'reply' ? await this.#options.messages.byShortId(shortId) : undefined;
    const mail = message && this.#inboxes.get(`${role.person.player.mailbox} ${message.messageId}`);
    if (mail) await this.#options.reply(role.person.player, mail);
    else await role.person.say(to, `${answer === 'reply' ? 'ack' : answer} ${shortId}`);
    return true;
  }

  /** A mail has come to its mailbox. */
  receive(mail: SunkMail): void {
    if (mail.messageId === undefined) return;
    this.#inboxes.set(`${mail.mailbox} ${mail.messageId}`, mail);
    const [oldest] = this.#inboxes.keys();
    if (this.#inboxes.size > 1_000 && oldest !== undefined) this.#inboxes.delete(oldest);
  }

  async #hear(name: string, heard: HeardMessage): Promise<void> {
    const { messages, scriptOf, takes, clock, signal } = this.#options;
    const shortId = askedAbout(heard.body);
    const role = this.#roles.get(name);
    if (shortId === undefined || !role) return;
    const message = await messages.byShortId(shortId);
    if (!message) return;
    if (heard.inRoom && !this.#isMineInRoom(name, shortId, message)) return;
    const asked = (this.#asked.get(shortId) ?? 0) + 1;
    this.#asked.set(shortId, asked);
    const reaction = reactionTo(message.subject, scriptOf(message.messageId), asked);
    await clock.sleepUntil(clock.now() + (takes(message.messageId) ?? readingTime), signal);
    if (signal.aborted || role.human || role.person.mood === 'offline') return;
    if (reaction !== 'ignore') this.#options.acts(message.queueId);
    await this.#react(role, reaction, { heard, shortId, message });
  }

  async #react(
    role: Role,
    reaction: Reaction,
    { heard, shortId, message }: { heard: HeardMessage; shortId: string; message: KnownMessage },
  ): Promise<void> {
    const { clock, signal, note, reply } = this.#options;
    const { person } = role;
    const { name, mailbox } = person.player;
    // In a room there is nothing to pass on, and nobody leaves because of it.
    const does: Reaction = heard.inRoom && reaction !== 'ignore' ? 'ack' : reaction;
    switch (does) {
      case 'ack':
        if (heard.inRoom) await person.sayInRoom(heard.from.split('/')[0] ?? '', `ack ${shortId}`);
        else await person.say(heard.from, `ack ${shortId}`);
        return;
      case 'pass':
        await person.say(heard.from, `pass ${shortId}`);
        return;
      case 'reply': {
        const mail = this.#inboxes.get(`${mailbox} ${message.messageId}`);
        if (mail) await reply(person.player, mail);
        else await person.say(heard.from, `ack ${shortId}`);
        return;
      }
      case 'leave':
        role.mood = 'offline';
        await person.become('offline');
        await clock.sleepUntil(clock.now() + awayTime, signal);
        // The play may have wanted something else meanwhile.
        if (signal.aborted || role.human || role.mood !== 'offline') return;
        role.mood = 'available';
        await person.become('available');
        return;
      case 'ignore':
        note(shortId, heard.inRoom ? 'Nobody in the room looks.' : `${name} does not look.`);
        return;
      default:
        return does satisfies never;
    }
  }

  /** One of those in the room answers: the last member of the group who is there and has not had it. */
  #isMineInRoom(name: string, shortId: string, message: KnownMessage): boolean {
    const group = this.#options.cast.groups.find(({ address }) => message.to.includes(address));
    const present = (group?.members ?? []).filter((member) => {
      const role = this.#roles.get(member);
      return role && !role.human && role.person.mood !== 'offline';
    });
    if (present.at(-1) !== name || this.#roomAnswered.has(shortId)) return false;
    this.#roomAnswered.add(shortId);
    return true;
  }

  /** A human is there as long as a session other than the simulated one shows presence. */
  async #watchForHumans(event: ServerEvent): Promise<void> {
    if (event.kind !== 'ended' && !(event.kind === 'stanza' && isOwnPresence(event))) return;
    const [bare, resource] = splitJid(event.jid);
    const role = [...this.#roles.values()].find(({ person }) => person.player.jid === bare);
    if (!role || resource === simulatedResource) return;
    // Told before the server has acted on the stanza: look after it has.
    await new Promise((resolve) => setImmediate(resolve));
    const human = this.#options.server.sessions().some(({ jid, show }) => {
      const [whose, where] = splitJid(jid);
      return whose === bare && where !== simulatedResource && show !== undefined;
    });
    if (human === role.human) return;
    role.human = human;
    const { name } = role.person.player;
    this.#options.note(
      null,
      human
        ? `Somebody has logged in as ${name}: the simulated ${name} makes room.`
        : `Whoever played ${name} has left: the simulated ${name} is back.`,
    );
    await role.person.become(human ? 'offline' : role.mood);
  }

  #background(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!this.#options.signal.aborted) this.#options.log.warn({ err: error }, 'a simulated person failed');
    });
  }
}

function isOwnPresence({ direction, stanza }: Extract<ServerEvent, { kind: 'stanza' }>): boolean {
  return direction === 'in' && stanza.getName() === 'presence' && stanza.attrs.to === undefined;
}

/** What Pointsman asks has a line "answer …: ack ID"; all else that it says needs no answer. */
function askedAbout(body: string): string | undefined {
  return /^(?:answer|whoever takes it, answer)\b[^\n]*: ack ([0-9a-z]+)/im.exec(body)?.[1];
}

export const asksForAnswer = (body: string): boolean => askedAbout(body) !== undefined;

export function splitJid(jid: string): [bare: string, resource: string] {
  const slash = jid.indexOf('/');
  return slash < 0 ? [jid, ''] : [jid.slice(0, slash), jid.slice(slash + 1)];
}
