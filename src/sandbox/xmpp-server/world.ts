// What all parts of the server share: the accounts, the clock, the events, and the one way a stanza leaves to a session.
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { systemClock } from '../../clock.ts';
import { expectBareJid } from '../../presence/jid.ts';
import { parseAddress } from './address.ts';
import { Events } from './events.ts';
import { Interceptors } from './intercept.ts';
import { limits, type SharedRoster, type XmppServerOptions } from './options.ts';
import { newItem } from './roster.ts';
import type { Account, Session } from './session.ts';
import type { Element } from './xml.ts';

export class World {
  readonly options: XmppServerOptions;
  readonly domain: string;
  readonly roomDomain: string;
  readonly clock: Clock;
  readonly events = new Events();
  readonly interceptors: Interceptors;
  readonly accounts = new Map<string, Account>();

  constructor(options: XmppServerOptions) {
    this.options = options;
    const domain = parseAddress(options.domain);
    if (!domain || domain.full !== domain.domain) {
      throw new RangeError(`not a domain: ${JSON.stringify(options.domain)}`);
    }
    this.domain = domain.domain;
    this.roomDomain = `rooms.${this.domain}`;
    this.clock = options.clock ?? systemClock;
    this.interceptors = new Interceptors(this.clock);
    for (const [local, password] of Object.entries(options.accounts)) this.addAccount(local, password);
    if (options.sharedRoster) this.#share(options.sharedRoster);
  }

  addAccount(localPart: string, password: string): Account {
    const bare = expectBareJid(`${localPart}@${this.domain}`);
    const local = bare.slice(0, bare.indexOf('@'));
    if (this.accounts.has(local)) throw new RangeError(`the account ${bare} exists already`);
    const account: Account = {
      local,
      bare,
      password,
      roster: new Map(),
      sessions: new Map(),
      offline: [],
      privateXml: new Map(),
      vcard: undefined,
    };
    this.accounts.set(local, account);
    return account;
  }

  /** The account behind any address of it; undefined for rooms, other domains and unknown users. */
  accountOf(address: string | undefined): Account | undefined {
    const parsed = address === undefined ? undefined : parseAddress(address);
    return parsed?.local !== undefined && parsed.domain === this.domain ? this.accounts.get(parsed.local) : undefined;
  }

  sessionOf(fullJid: string | undefined): Session | undefined {
    const resource = fullJid === undefined ? undefined : parseAddress(fullJid)?.resource;
    return resource === undefined ? undefined : this.accountOf(fullJid)?.sessions.get(resource);
  }

  sessions(): Session[] {
    return [...this.accounts.values()].flatMap((account) => [...account.sessions.values()]);
  }

  newId(): string {
    return randomUUID();
  }

  log(line: string): void {
    this.options.log?.(line);
  }

  /** Hands a stanza to a session: counted, kept until acknowledged, and sent if it is connected. */
  send(session: Session, stanza: Element): void {
    this.interceptors.pass('out', session.jid, stanza, () => {
      if (session.sm && !session.sm.keep(stanza)) {
        this.log(`${session.jid} left more than ${limits.unackedStanzas} stanzas unacknowledged`);
        session.link?.fail('policy-violation', 'too many unacknowledged stanzas');
        session.waiting?.abort('given-up');
        return;
      }
      this.events.emit({ kind: 'stanza', direction: 'out', jid: session.jid, stanza });
      session.link?.send(stanza);
    });
  }

  #share(shared: SharedRoster): void {
    const everybody = [...this.accounts.keys()];
    const groups: [string, readonly string[]][] =
      shared === true
        ? [['Everybody', everybody]]
        : 'hub' in shared
          ? everybody.map((local) => ['Everybody', [local, shared.hub]])
          : Object.entries(shared.groups);
    for (const [name, members] of groups) {
      for (const one of members) {
        for (const other of members) if (one !== other) this.#befriend(one, other, name);
      }
    }
  }

  #befriend(one: string, other: string, group: string): void {
    const [account, contact] = [one, other].map((local) => this.accounts.get(local.toLowerCase()));
    if (!account || !contact) throw new RangeError(`the shared roster names ${one} and ${other}; one has no account`);
    const known = account.roster.get(contact.bare) ?? newItem(contact.bare);
    const groups = [...new Set([...known.groups, group])];
    account.roster.set(contact.bare, { ...known, name: other, groups, listed: true, to: true, from: true });
  }
}
