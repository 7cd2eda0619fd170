// People at their IM clients, for tests: what they do, and what they see as things to await. Behind it is
// test/live/peers/person.py, where the events are described.
import { fileURLToPath } from 'node:url';
import { Child } from './child.ts';
import { Journal } from './journal.ts';

/** A server to log in to. */
export interface Peer {
  readonly domain: string;
  readonly port: number;
  readonly caFile: string;
}

export type Show = 'chat' | 'available' | 'away' | 'xa' | 'dnd';

interface Told {
  readonly as: string;
  readonly event:
    | 'online'
    | 'offline'
    | 'refused'
    | 'joined'
    | 'message'
    | 'room'
    | 'presence'
    | 'room-presence'
    | 'command';
  /** Of a room's presence (XEP-0045 §15.6). */
  readonly codes?: readonly string[];
  readonly from?: string;
  readonly room?: string;
  readonly body?: string;
  readonly id?: string;
  readonly type?: string;
  readonly why?: string;
  /** XEP-0308 */
  readonly replaces?: string | null;
  readonly status?: string;
  readonly fields?: readonly string[];
  readonly values?: readonly string[];
}

export interface Heard {
  /** Bare JID; in a room the nick. */
  readonly from: string;
  readonly body: string;
}

export interface PersonOptions {
  readonly resource?: string;
  /** Stream management, by which a cut line stays "available" for a while. */
  readonly acks?: boolean;
  readonly as?: string;
  /** What they say when asked for their presence; yes unless said. */
  readonly consent?: 'yes' | 'no' | 'nothing';
}

/** One Python process for all of them: two cores are not many. */
export class People implements AsyncDisposable {
  readonly #server: Peer;
  readonly #child: Child;
  readonly #people = new Map<string, Person>();

  constructor(server: Peer) {
    this.#server = server;
    const script = fileURLToPath(new URL('../live/peers/person.py', import.meta.url));
    this.#child = new Child('people', ['/usr/bin/python3', '-u', script]);
    this.#listen().catch((error: unknown) => {
      for (const person of this.#people.values()) person.told.end(String(error));
    });
  }

  async #listen(): Promise<void> {
    for (;;) {
      const line = await this.#child.out.next(() => true, { within: 2 ** 31 - 1, what: 'line' });
      const told = JSON.parse(line) as Told;
      this.#people.get(told.as)?.told.add(told);
    }
  }

  person(name: string, password: string, more: PersonOptions = {}): Person {
    const login = {
      jid: `${name}@${this.#server.domain}`,
      password,
      host: '127.0.0.1',
      port: this.#server.port,
      ca: this.#server.caFile,
      ...more,
    };
    const as = more.as ?? name;
    const person = new Person(as, login, (command) => this.#child.write(JSON.stringify({ as, ...command })));
    this.#people.set(as, person);
    return person;
  }

  /** What slixmpp complained about. */
  complaints(): string {
    return this.#child.errors.tail(50);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stop();
  }
}

export class Person {
  readonly name: string;
  readonly jid: string;
  readonly told: Journal<Told>;
  readonly #login: Readonly<Record<string, unknown>>;
  readonly #do: (command: Readonly<Record<string, unknown>>) => void;
  #online = false;

  constructor(
    name: string,
    login: Readonly<Record<string, unknown>> & { jid: string },
    act: (command: Readonly<Record<string, unknown>>) => void,
  ) {
    this.name = name;
    this.jid = login.jid;
    this.told = new Journal(name);
    this.#login = login;
    this.#do = act;
  }

  async login(): Promise<void> {
    if (this.#online) return;
    this.#do({ do: 'login', ...this.#login });
    const told = await this.#next('login', ({ event }) => event === 'online' || event === 'refused');
    if (told.event === 'refused') throw new Error(`${this.name} could not log in: ${told.why}`);
    this.#online = true;
  }

  /** `idle`: since when (XEP-0319, ISO 8601); `to`: for one address only (RFC 6121 §4.6). */
  show(show: Show, more: { status?: string; priority?: number; idle?: string; to?: string } = {}): void {
    this.#do({ do: 'show', show, ...more });
  }

  /** As it stands, whatever it is. */
  raw(xml: string): void {
    this.#do({ do: 'raw', xml });
  }

  /** So many changes of presence, as fast as they go; the last one is `last`. */
  flood(count: number, last: Show): void {
    this.#do({ do: 'flood', count, last });
  }

  unsubscribe(from: string): void {
    this.#do({ do: 'refuse', jid: from });
  }

  say(to: string, body: string): void {
    this.#do({ do: 'say', to, body });
  }

  /** So many messages, as fast as they go; `%` in the body is the number of each. */
  pour(to: string, body: string, count: number): void {
    this.#do({ do: 'pour', to, body, count });
  }

  shout(room: string, body: string): void {
    this.#do({ do: 'shout', room, body });
  }

  /** XEP-0050. */
  async command(to: string, node: string, values?: Readonly<Record<string, string>>): Promise<Told> {
    this.#do({ do: 'command', to, node, ...(values ? { values } : {}) });
    return this.#next(`the end of ${node}`, ({ event }) => event === 'command');
  }

  /** The next message that takes the place of an earlier one (XEP-0308). */
  correction(pattern: RegExp): Promise<Told> {
    return this.#next(
      `correction like ${pattern}`,
      ({ event, replaces, body }) => event === 'message' && !!replaces && pattern.test(body ?? ''),
    );
  }

  /** `history`: of what was said there before, so many messages at most, as far as the room remembers them. */
  async join(room: string, nick = this.name, { history = 0 } = {}): Promise<void> {
    this.#do({ do: 'join', room, nick, history });
    await this.#next(`entrance to ${room}`, ({ event }) => event === 'joined');
  }

  /** With a goodbye. */
  logout(): Promise<void> {
    return this.#leave('logout');
  }

  /** The line is cut. */
  vanish(): Promise<void> {
    return this.#leave('vanish');
  }

  /** The server went away. */
  async lost(): Promise<void> {
    this.#online = false;
    await this.#next('loss of the line', ({ event }) => event === 'offline');
  }

  async #leave(how: 'logout' | 'vanish'): Promise<void> {
    if (!this.#online) return;
    this.#online = false;
    this.#do({ do: how });
    await this.#next('goodbye', ({ event }) => event === 'offline');
  }

  /** The next chat message that fits and was not awaited yet. */
  message(pattern: RegExp, within?: number): Promise<Heard> {
    return this.#hear('message', pattern, within);
  }

  roomMessage(pattern: RegExp, within?: number): Promise<Heard> {
    return this.#hear('room', pattern, within);
  }

  /** Every chat message so far. */
  get messages(): string[] {
    return this.told.seen(({ event }) => event === 'message').map(({ body = '' }) => body);
  }

  async #hear(kind: 'message' | 'room', pattern: RegExp, within?: number): Promise<Heard> {
    const { from = '', body = '' } = await this.#next(
      `${kind} like ${pattern}`,
      (told) => told.event === kind && pattern.test(told.body ?? ''),
      within,
    );
    return { from, body };
  }

  #next(what: string, fits: (told: Told) => boolean, within?: number): Promise<Told> {
    return this.told.next(fits, { what, ...(within ? { within } : {}) });
  }
}
