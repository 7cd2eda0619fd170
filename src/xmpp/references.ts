// What a message says about another one: a reply (XEP-0461), a reaction (XEP-0444), a correction (XEP-0308); and the
// room's ids of our own messages (XEP-0359), by which those in a room refer to them.
import type { BareJid } from '../presence/jid.ts';
import type { Element } from './stanza.ts';
import { ns } from './stanza.ts';

export interface References {
  readonly about?: string;
  readonly reactions?: readonly string[];
  readonly replaces?: string;
}

/** Of what a person sends; more is no person. */
const mostReactions = 20;
const longestId = 1_000;

export function readReferences(stanza: Element): References {
  const reactions = stanza.getChild('reactions', ns.reactions);
  const replaces = idOf(stanza.getChild('replace', ns.correct)?.attrs.id);
  if (reactions) {
    const about = idOf(reactions.attrs.id);
    const list = reactions
      .getChildren('reaction')
      .slice(0, mostReactions)
      .map((each) => each.text().trim());
    return about === undefined ? {} : { about, reactions: list.filter((each) => each !== '' && each.length <= 32) };
  }
  const about = idOf(stanza.getChild('reply', ns.reply)?.attrs.id);
  return { ...(about === undefined ? {} : { about }), ...(replaces === undefined ? {} : { replaces }) };
}

const idOf = (id: string | undefined): string | undefined =>
  id === undefined || id === '' || id.length > longestId ? undefined : id;

/**
 * XEP-0428: the parts of the body that are there for clients that do not know what they stand for, left out. Positions
 * count Unicode code points (XEP-0428 §3.1 refers to XEP-0426).
 */
export function bodyWithoutFallback(stanza: Element, body: string): string {
  const marks = stanza
    .getChildren('fallback', ns.fallback)
    .filter(({ attrs }) => attrs.for === ns.reply)
    .slice(0, 5)
    .flatMap((mark) => mark.getChildren('body').slice(0, 5));
  if (marks.length === 0) return body;
  const points = Array.from(body);
  const keep = points.map(() => true);
  for (const { attrs } of marks) {
    const start = attrs.start === undefined ? 0 : Number(attrs.start);
    const end = attrs.end === undefined ? points.length : Number(attrs.end);
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end > points.length) continue;
    keep.fill(false, start, end);
  }
  return points.filter((_, index) => keep[index]).join('');
}

/** What a room calls our messages: kept from its reflections of them, for the last few hundred. */
export class RoomIds {
  readonly #ours = new Map<string, string>();
  readonly #most = 500;

  /** XEP-0359 §3: only the room itself may say so. */
  reflected(room: BareJid, stanza: Element): void {
    const { id } = stanza.attrs;
    const given = stanza.getChildren('stanza-id', ns.stanzaId).find(({ attrs }) => attrs.by === room)?.attrs.id;
    if (id === undefined || given === undefined) return;
    this.#ours.set(`${room} ${given}`, id);
    const [oldest] = this.#ours.keys();
    if (this.#ours.size > this.#most && oldest !== undefined) this.#ours.delete(oldest);
  }

  /** The id we gave it; some clients use that one also in rooms. */
  ours(room: BareJid, id: string): string {
    return this.#ours.get(`${room} ${id}`) ?? id;
  }
}

/** `pointsman: list` → `list`; undefined when it is not said to us by nick. */
export function saidTo(nick: string, body: string): string | undefined {
  const start = body.trimStart();
  const called = start.slice(0, nick.length);
  if (called.toLowerCase() !== nick.toLowerCase()) return undefined;
  const rest = /^\s*[:,]\s*(.*)$/s.exec(start.slice(nick.length));
  return rest?.[1];
}
