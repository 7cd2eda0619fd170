// What many pages show: how somebody is, a person, a mail, a mark. A state has a shape besides its colour: not everybody
// sees colours.
import type { PersonView } from '../../operations.ts';
import type { Presence, State } from '../../presence/presence.ts';
import type { Tracked } from '../../tracking/tracked.ts';
import { ago, type Html, html, length, raw, safe, since, timeOfDay, type View } from './view.ts';

const shapes: Readonly<Record<State, string>> = {
  chat: '<circle cx="6" cy="6" r="5"/><path class="cut" d="M3.6 6.2l1.7 1.8 3.2-3.8"/>',
  available: '<circle cx="6" cy="6" r="5"/>',
  away: '<circle class="ring" cx="6" cy="6" r="4.3"/><path d="M6 1a5 5 0 0 1 0 10z"/>',
  xa: '<circle class="ring" cx="6" cy="6" r="4.3"/><path d="M6 1a5 5 0 0 1 5 5H6z"/>',
  dnd: '<circle cx="6" cy="6" r="5"/><path class="cut" d="M3.2 6h5.6"/>',
  offline: '<circle class="ring" cx="6" cy="6" r="4.3"/>',
  unknown: '<circle class="ring dotted" cx="6" cy="6" r="4.3"/>',
};

/** A sign for the eye; what it means stands beside it or is said to those who do not see it. */
export function mark(state: State, words?: string): Html {
  const label = words === undefined ? raw('') : html`<span class="unseen">${words}</span>`;
  return html`<svg class="mark mark-${state}" viewBox="0 0 12 12" aria-hidden="true" focusable="false">${raw(shapes[state])}</svg>${label}`;
}

/** Since when, by what, how sure: in one line of words. */
export function presenceNote(
  view: View,
  { presence, source, age }: Pick<PersonView, 'presence' | 'source' | 'age'>,
): Html {
  const { t } = view;
  const parts: Html[] = [];
  if (presence.since !== null) parts.push(since(view, presence.since));
  if (presence.state === 'unknown')
    parts.push(html`${t.now.reasons[presence.reason ?? 'never-seen'] ?? presence.reason}`);
  if (presence.idleSince !== undefined) parts.push(html`${t.now.idleFor(length(view.now - presence.idleSince))}`);
  if (presence.awayBy) parts.push(html`${t.now.awayBy[presence.awayBy]}`);
  if (source !== 'xmpp') parts.push(html`${t.sources[source] ?? source}`);
  if (presence.until !== undefined) parts.push(html`${t.now.until(timeOfDay(view, presence.until))}`);
  else if (source === 'xmpp' && age !== null && age > 3_600_000) parts.push(html`${t.now.heard(length(age))}`);
  if (presence.status) parts.push(html`<q>${safe(presence.status.slice(0, 120))}</q>`);
  return html`<span class="note">${joined(parts, ' · ')}</span>`;
}

export function joined(parts: readonly Html[], between: string): Html {
  return html`${parts.map((part, index) => (index === 0 ? part : html`${between}${part}`))}`;
}

export const isHere = ({ state }: Pick<Presence, 'state'>): boolean =>
  state === 'available' || state === 'chat' || state === 'away' || state === 'dnd' || state === 'xa';

/** `#k7mf`, leading to its page. */
export const mailLink = (shortId: string): Html =>
  html`<a class="id" href="/message/${encodeURIComponent(shortId)}">#${shortId}</a>`;

/** Its subject, leading to its page, and who wrote. */
export function mailLine(view: View, tracked: Tracked): Html {
  const hidden = view.hides(tracked.plan.group);
  return html`<a class="subject" href="/message/${tracked.queueId}">${hidden.subject ? view.t.message.hidden : subjectOf(view, tracked.subject)}</a>
    ${hidden.sender ? '' : html`<span class="sender">${view.t.message.from} ${nameOf(tracked.from)}</span>`}`;
}

export function subjectOf(view: View, subject: string | null | undefined): string {
  const text = safe((subject ?? '').trim());
  return text === '' ? view.t.message.noSubject : text.length > 160 ? `${text.slice(0, 159)}…` : text;
}

/** The name in a From header, else the address: `Ann Archer`. */
export function nameOf(from: string): string {
  const name = /^\s*"?([^"<]+?)"?\s*<[^<>]*>\s*$/.exec(from)?.[1];
  const text = safe(name ?? from);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

/** Where the table is wider than the window it scrolls by itself, also by keyboard. */
export function table(caption: string, head: readonly (string | Html)[], rows: readonly Html[], more = ''): Html {
  return html`<div class="wide" role="region" aria-label="${caption}" tabindex="0"><table class="${more}">
    <thead><tr>${head.map((cell) => html`<th scope="col">${cell}</th>`)}</tr></thead>
    <tbody>${rows}</tbody></table></div>`;
}

export function doneLine(view: View, tracked: Tracked): Html {
  const { t } = view;
  const took = tracked.closedAt === null ? null : tracked.closedAt - tracked.acceptedAt;
  return html`<li class="done">
    <span class="when">${tracked.closedAt === null ? ago(view, tracked.acceptedAt) : ago(view, tracked.closedAt)}</span>
    <div>${mailLine(view, tracked)}
      <span class="outcome outcome-${tracked.state}">${t.tracks[tracked.state] ?? tracked.state}
      ${tracked.closedBy ? t.now.by(safe(tracked.closedBy)) : ''} ${took === null ? '' : t.now.after(length(took))}</span></div></li>`;
}
