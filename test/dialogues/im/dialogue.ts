// Runs a plain-text dialogue between people and Pointsman by instant message. A line says what somebody does, or what
// somebody is told next; in the end nobody may have been told anything that no line names.
//
//   # a comment; the first ones say what the dialogue shows
//   = channel command outcome         which cells of the table (docs/reference/commands.md) it proves
//   ! rules NAME                      another rule set of this folder's rules.ts
//   ! de                              the groups speak German
//   mail support The subject          a mail arrives; the first one's short id is {1}, the next one's {2}
//   alice: ack {1}                    she writes to the bot
//   alice late: ack {1}               the same, stored for an hour on the way
//   alice room: claim {1}             she writes in the duty room
//   alice reply {1}: ack              she replies to what she was last told about it (XEP-0461, with fallback text)
//   alice react {1}: 👍               she reacts to it (XEP-0444); with nothing she takes it back
//   alice ad-hoc: snooze lasting=30m  an ad-hoc command (XEP-0050); with values the form is filled in; {1} is a choice
//   alice wrapped: ack {1}            a carbon copy, a forwarded one and one from an archive
//   alice corrects: pass {1}          she corrects her last message (XEP-0308)
//   alice< Thank you. #{1} is yours…  the next thing she is told; … stands for anything, / for a line's end
//   room< …                           the next line the bot says in the room
//   dnd alice · away alice · offline alice · back alice       presence; after the first two perhaps a status text
//   outsider mallory as bob           somebody without a rule comes into the room under that nick
//   wait 10m                          time passes
//   quiet                             all that was set off has run its course: what was to be said has been said
//   is {1} acknowledged alice         how the message stands: state and owner (or -)
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { parseDuration } from '../../../src/clock.ts';
import { expectBareJid } from '../../../src/presence/jid.ts';
import { ruleSets } from './rules.ts';
import { type Client, domain, escaped, ImSite, room } from './site.ts';

export interface Dialogue {
  readonly file: string;
  readonly title: string;
  readonly cells: readonly string[];
  readonly lines: readonly string[];
}

export function readDialogue(file: string): Dialogue {
  const lines = readFileSync(file, 'utf8').split('\n');
  return {
    file,
    title: lines[0]?.replace(/^#\s*/, '') ?? '',
    cells: lines.filter((line) => line.startsWith('= ')).map((line) => line.slice(2).trim()),
    lines,
  };
}

export async function runDialogue({ file, lines }: Dialogue): Promise<void> {
  const settings = lines.filter((line) => line.startsWith('! ')).map((line) => line.slice(2).trim());
  const named = settings.find((each) => each.startsWith('rules '))?.slice(6) ?? 'standard';
  const rules = ruleSets[named];
  if (rules === undefined) throw new SyntaxError(`${file}: no rule set ${named}`);
  await using site = await ImSite.open({
    rules: settings.includes('de') ? rules.replaceAll('policy:', 'language: de\n    policy:') : rules,
    people: ['alice', 'bob', 'dave', 'carol'],
    others: ['mallory'],
    operators: { room: expectBareJid(room) },
    strangersToBot: settings.includes('first meeting'),
  });
  const run = new Run(site);
  for (const [index, line] of lines.entries()) {
    if (/^(?:#|!|=|\s*$)/.test(line)) continue;
    try {
      await run.line(line);
    } catch (error) {
      (error as Error).message = `${file}:${index + 1}: ${line}\n${(error as Error).message}`;
      throw error;
    }
  }
  await site.quiet();
  const left = [...site.clients.values()].flatMap((client) =>
    run.unread(client).map((text) => `${client.name}< ${text}`),
  );
  expect(left, `${file}: things nobody expected`).toEqual([]);
}

class Run {
  readonly #site: ImSite;
  readonly #ids: string[] = [];
  readonly #queueIds: string[] = [];

  constructor(site: ImSite) {
    this.#site = site;
  }

  /** Room lines are looked at by eve alone, who is there for that. */
  unread(client: Client): string[] {
    const groupchat = client.name === 'eve';
    return client.got
      .slice(client.seen)
      .filter(({ stanza }) => (stanza.attrs.type === 'groupchat') === groupchat)
      .map(({ text }) => text.replaceAll('\n', ' / '));
  }

  async line(line: string): Promise<void> {
    const site = this.#site;
    const told = /^(\w+)<\s?(.*)$/.exec(line);
    if (told) return this.#expects(told[1] === 'room' ? 'eve' : (told[1] ?? ''), told[2] ?? '');
    const spoken = /^(\w+)(?: (late|room|reply|react|ad-hoc|wrapped|corrects))?(?: (\{\d+\}))?:\s?(.*)$/.exec(line);
    if (spoken) {
      const [, name = '', how = '', about = '', text = ''] = spoken;
      return this.#speaks(site.client(name), how, this.#fill(about), this.#fill(text));
    }
    const [verb = '', first = '', ...rest] = this.#fill(line).split(' ');
    switch (verb) {
      case 'mail': {
        const { id, queueId } = await site.mail(`${first}@${domain}`, rest.join(' '));
        this.#ids.push(id);
        this.#queueIds.push(queueId);
        return;
      }
      case 'quiet':
        return site.quiet();
      case 'wait':
        await site.clock.advance(parseDuration(first) ?? Number.NaN);
        return;
      case 'dnd':
      case 'away':
        site.client(first).say(`<presence><show>${verb}</show><status>${escaped(rest.join(' '))}</status></presence>`);
        return site.until(
          `${first} ${verb}`,
          () => site.xmpp.presenceOf(expectBareJid(`${first}@${domain}`)).state === verb,
        );
      case 'back':
        site.client(first).say('<presence/>');
        return site.until(
          `${first} back`,
          () => site.xmpp.presenceOf(expectBareJid(`${first}@${domain}`)).state === 'available',
        );
      case 'offline':
        site.client(first).say("<presence type='unavailable'/>");
        await site.until(
          `${first} gone`,
          () => site.xmpp.presenceOf(expectBareJid(`${first}@${domain}`)).state === 'offline',
        );
        return;
      case 'outsider':
        await (await site.login(first)).join(rest[1] ?? first);
        return;
      case 'is': {
        const queueId = this.#queueIds[this.#ids.indexOf(first)] as never;
        const [state, owner] = rest;
        const look = async () => (await site.store.message(queueId))?.tracked[0];
        await site
          .until(`#${first} ${rest.join(' ')}`, async () => (await look())?.state === state)
          .catch(() => undefined);
        const tracked = await look();
        expect(`${tracked?.state} ${tracked?.owner ?? '-'}`).toBe(`${state} ${owner}`);
        return;
      }
      default:
        throw new SyntaxError('not a line of a dialogue');
    }
  }

  #fill(text: string): string {
    return text.replace(/\{(\d+)\}/g, (_, number: string) => {
      const id = this.#ids[Number(number) - 1];
      if (id === undefined) throw new SyntaxError(`there is no mail {${number}} yet`);
      return id;
    });
  }

  async #expects(name: string, wanted: string): Promise<void> {
    const client = this.#site.client(name);
    const groupchat = name === 'eve';
    const next = () =>
      client.got.findIndex(
        ({ stanza }, index) => index >= client.seen && (stanza.attrs.type === 'groupchat') === groupchat,
      );
    await this.#site.until(`${name} is told something`, () => next() >= 0);
    const got = client.got[next()];
    client.seen = next() + 1;
    const text = (got?.text ?? '').replaceAll('\n', ' / ');
    const pattern = this.#fill(wanted)
      .split('…')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*');
    expect(new RegExp(`^${pattern}$`, 'su').test(text), `wanted ${this.#fill(wanted)}\n   got ${text}`).toBe(true);
  }

  async #speaks(client: Client, how: string, about: string, text: string): Promise<void> {
    switch (how) {
      case '':
        client.message(text);
        break;
      case 'late':
        client.message(text, "<delay xmlns='urn:xmpp:delay' stamp='2026-01-05T08:00:00Z'/>");
        break;
      case 'room':
        client.message(text, '', room, 'groupchat');
        break;
      case 'reply': {
        const { stanza, text: quoted } = client.about(about);
        const fallback = quoted.replace(/^/gm, '> ');
        const end = Array.from(`${fallback}\n`).length;
        const groupchat = stanza.attrs.type === 'groupchat';
        const marks = `<reply xmlns='urn:xmpp:reply:0' id='${escaped(stanza.attrs.id ?? '')}'/><fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='${end}'/></fallback>`;
        client.message(`${fallback}\n${text}`, marks, groupchat ? room : undefined, groupchat ? 'groupchat' : 'chat');
        break;
      }
      case 'react': {
        const { stanza } = client.about(about);
        const groupchat = stanza.attrs.type === 'groupchat';
        const set = text
          .split(' ')
          .filter((each) => each !== '')
          .map((each) => `<reaction>${each}</reaction>`);
        client.say(
          `<message to='${groupchat ? room : 'pointsman@example.org'}' type='${groupchat ? 'groupchat' : 'chat'}' id='r-${client.name}-${Math.random()}'><reactions xmlns='urn:xmpp:reactions:0' id='${escaped(stanza.attrs.id ?? '')}'>${set.join('')}</reactions></message>`,
        );
        break;
      }
      case 'ad-hoc':
        await this.#adHoc(client, text);
        break;
      case 'wrapped': {
        const inner = `<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='${client.jid}' to='pointsman@example.org' type='chat'><body>${escaped(text)}</body></message></forwarded>`;
        client.message(text, `<received xmlns='urn:xmpp:carbons:2'>${inner}</received>`);
        client.message(text, inner);
        client.message(text, `<result xmlns='urn:xmpp:mam:2' id='1'>${inner}</result>`);
        break;
      }
      case 'corrects':
        client.message(text, `<replace xmlns='urn:xmpp:message-correct:0' id='${client.lastId}'/>`);
        break;
      default:
        throw new SyntaxError(`nobody speaks by ${how}`);
    }
    await client.pong();
  }

  async #adHoc(client: Client, text: string): Promise<void> {
    const [command = '', ...values] = text.split(' ');
    const fields = values.map((each) => {
      const [name = '', ...rest] = each.split('=');
      const value = rest.join('=');
      const index = this.#ids.indexOf(value);
      const chosen = index < 0 ? value : `${this.#queueIds[index]}.0.${this.#site.clock.now()}.`;
      return `<field var='${name}'><value>${escaped(chosen.replaceAll('_', ' '))}</value></field>`;
    });
    const form = fields.length === 0 ? '' : `<x xmlns='jabber:x:data' type='submit'>${fields.join('')}</x>`;
    client.say(
      `<iq type='set' to='pointsman@example.org/pm' id='adhoc-${Math.random()}'><command xmlns='http://jabber.org/protocol/commands' node='pointsman#${command}'${form === '' ? " action='execute'" : " action='complete'"}>${form}</command></iq>`,
    );
  }
}
