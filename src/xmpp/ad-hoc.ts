// Ad-hoc commands (XEP-0050) with data forms (XEP-0004). Stateless: what a form was about is in the form, so a session
// id is only handed back, and nothing is kept for those who never come back.
import { randomUUID } from 'node:crypto';
import type { Log } from '../log.ts';
import type { Asked, AskedAnswer, AskedField } from '../notify/notifier.ts';
import { type Phrases, phrasesIn } from '../notify/phrases.ts';
import type { Language } from '../notify/words.ts';
import { type BareJid, parseJid } from '../presence/jid.ts';
import type { Element } from './stanza.ts';
import { legalText, ns, xml } from './stanza.ts';

/** By the words of the text commands; their names are in notify/phrases.ts. */
export const offered = Object.keys(phrasesIn('en').commandNames) as readonly (keyof Phrases['commandNames'])[];

/** The nodes are ours alone: `pointsman#ack`. */
export const nodeOf = (command: string): string => `pointsman#${command}`;

const longestValue = 400;

type Answerer = (asked: Asked) => Promise<AskedAnswer>;
type LanguageOf = (from: BareJid) => Language;

export class AdHoc {
  readonly #send: (stanza: Element) => Promise<void>;
  readonly #log: Log;
  #answerer: Answerer | null = null;
  #languageOf: LanguageOf = () => 'en';
  #busy = 0;

  constructor(options: { send: (stanza: Element) => Promise<void>; log: Log }) {
    this.#send = options.send;
    this.#log = options.log;
  }

  answerWith(answerer: Answerer, languageOf?: LanguageOf): void {
    this.#answerer = answerer;
    if (languageOf) this.#languageOf = languageOf;
  }

  /** As whoever asks reads them: node → name. @param from null: our own server */
  names(from: string | null): ReadonlyMap<string, string> {
    const jid = from === null ? null : parseJid(from);
    const { commandNames } = phrasesIn(jid ? this.#languageOf(jid.bare) : 'en');
    return new Map(offered.map((command) => [nodeOf(command), commandNames[command]]));
  }

  /** XEP-0050 §2.2. */
  items(own: string, from: string | null): Element[] {
    return [...this.names(from)].map(([node, name]) => xml('item', { jid: own, node, name }));
  }

  /** False when it is no command: somebody else answers it. */
  handle(stanza: Element): boolean {
    const command = stanza.attrs.type === 'set' ? stanza.getChild('command', ns.commands) : undefined;
    const from = parseJid(stanza.attrs.from ?? '');
    const { id } = stanza.attrs;
    if (!command || id === undefined || !from || !this.#answerer) return false;
    const known = offered.find((each) => nodeOf(each) === command.attrs.node);
    const reply = (...children: Element[]) => this.#reply(stanza, command, children);
    if (known === undefined) return this.#refuse(stanza, 'item-not-found', 'cancel');
    const action = command.attrs.action ?? 'execute';
    if (action === 'cancel') {
      reply();
      return true;
    }
    // XEP-0050 §3.4: one step, so there is nothing before it; `next` is what some clients say for the only step.
    if (!['execute', 'next', 'complete'].includes(action)) return this.#refuse(stanza, 'bad-request', 'modify');
    // One who floods us with commands is told to wait (RFC 6120 §8.3.3.18).
    if (this.#busy >= 100) return this.#refuse(stanza, 'resource-constraint', 'wait');
    this.#busy += 1;
    this.#answerer({ from: from.bare, command: known, values: valuesOf(command) })
      .then((answer) => {
        if (answer.kind === 'refused') this.#refuse(stanza, 'forbidden', 'auth', answer.text);
        else reply(...(answer.kind === 'done' ? done(answer.text) : form(answer.title, answer.fields)));
      })
      .catch((error: unknown) => {
        this.#log.error({ err: error, from: from.bare }, 'an ad-hoc command failed');
        this.#refuse(stanza, 'internal-server-error', 'cancel');
      })
      .finally(() => {
        this.#busy -= 1;
      });
    return true;
  }

  #reply(stanza: Element, command: Element, children: readonly Element[]): void {
    const cancelled = command.attrs.action === 'cancel';
    const asks = children.some((child) => child.name === 'actions');
    const status = cancelled ? 'canceled' : asks ? 'executing' : 'completed';
    const { node = '', sessionid = randomUUID() } = command.attrs;
    const answer = xml('command', { xmlns: ns.commands, node, sessionid, status }, ...children);
    this.#post(stanza, 'result', answer);
  }

  #refuse(stanza: Element, condition: string, type: string, text?: string): true {
    const words = text === undefined ? [] : [xml('text', { xmlns: ns.stanzaErrors }, text)];
    this.#post(stanza, 'error', xml('error', { type }, xml(condition, { xmlns: ns.stanzaErrors }), ...words));
    return true;
  }

  #post({ attrs: { id, from } }: Element, type: 'result' | 'error', child: Element): void {
    this.#send(
      xml('iq', { type, ...(id === undefined ? {} : { id }), ...(from === undefined ? {} : { to: from }) }, child),
    ).catch((error: Error) => this.#log.debug({ err: error }, 'an answer to a command was not sent'));
  }
}

/** Null when no form was filled in. */
function valuesOf(command: Element): Record<string, string> | null {
  const submitted = command.getChild('x', ns.data);
  if (submitted?.attrs.type !== 'submit') return null;
  const values: Record<string, string> = {};
  for (const field of submitted.getChildren('field').slice(0, 20)) {
    const { var: name } = field.attrs;
    const value = field.getChildText('value');
    if (name === undefined || value === null || name.length > 64) continue;
    values[name] = legalText(value).slice(0, longestValue);
  }
  return values;
}

/** As a note, which every client shows, and as a form for those that look for one when there is more than a line. */
function done(text: string): Element[] {
  const note = xml('note', { type: 'info' }, text);
  if (!text.includes('\n')) return [note];
  const lines = text.split('\n').map((line) => xml('value', {}, line));
  const field = xml('field', { type: 'fixed', var: 'text' }, ...lines);
  return [xml('x', { xmlns: ns.data, type: 'result' }, xml('title', {}, 'Pointsman'), field), note];
}

function form(title: string, fields: readonly AskedField[]): Element[] {
  const inputs = fields.map(({ name, label, options }) => {
    const choices = (options ?? []).map((each) => xml('option', { label: each.label }, xml('value', {}, each.value)));
    const first = options?.[0] ? [xml('value', {}, options[0].value)] : [];
    return xml('field', { type: options ? 'list-single' : 'text-single', var: name, label }, ...first, ...choices);
  });
  return [
    xml('actions', { execute: 'complete' }, xml('complete')),
    xml('x', { xmlns: ns.data, type: 'form' }, xml('title', {}, title), ...inputs),
  ];
}
