// One message's life, a line an event: what happened, when, and behind each choice everybody who was looked at with the
// reason. Made of what was stored, so it tells what was known then.
import type { Story } from '../../operations.ts';
import { ageOf } from '../../presence/presence.ts';
import type { Decision } from '../../store/store.ts';
import type { StoryEvent } from '../../tracking/event.ts';
import { mark, table } from './bits.ts';
import { hiddenOfAll } from './hidden.ts';
import { clockTime, dayOf, type Html, html, length, octets, safe, timeOfDay, type View } from './view.ts';

/** What a line is about, for the eye: the track, a switch, a halt, a signal. */
const kinds: Readonly<Record<StoryEvent['event'], string>> = {
  accepted: 'in',
  chosen: 'switch',
  held: 'halt',
  proposed: 'switch',
  picked: 'hand',
  forwarded: 'out',
  deferred: 'halt',
  failed: 'bad',
  reported: 'out',
  nudged: 'say',
  evidence: 'see',
  escalated: 'switch',
  closed: 'end',
  fault: 'bad',
  operated: 'hand',
};

export function timeline(view: View, story: Story, replayed: ReadonlyMap<string, boolean>): Html {
  const decisions = new Map(story.decisions.map((decision) => [decision.id, decision]));
  const first = story.events[0]?.at ?? view.now;
  let day = '';
  return html`<ol class="timeline">${story.events.map((event) => {
    const today = dayOf(view, event.at);
    const heading = today === day ? '' : html`<span class="day">${today}</span>`;
    day = today;
    const offset = event.at - first;
    const decision = 'decision' in event ? decisions.get(event.decision) : undefined;
    return html`<li class="event event-${kinds[event.event] ?? 'in'}">
      <div class="when">${heading}${clockTime(view, event.at)}<span class="offset">${offset >= 1000 ? `+${length(offset)}` : ''}</span></div>
      <div class="what">${tell(view, event)}
      ${decision ? decisionDetails(view, decision, replayed.get(decision.id)) : ''}</div></li>`;
  })}</ol>`;
}

const line = (text: string, notes: readonly (string | undefined)[] = []): Html => {
  const said = notes.filter((note) => note !== undefined && note !== '');
  return html`<p>${safe(text)}</p>${said.length === 0 ? '' : html`<p class="note">${safe(said.join(' · '))}</p>`}`;
};

const named = (person: string | undefined, address: string): string => person ?? address;

/** What happened, in the viewer's language; reasons and replies in the words in which they were recorded. */
export function tell(view: View, event: StoryEvent): Html {
  const { t } = view;
  const e = t.events;
  switch (event.event) {
    case 'accepted':
      return line(e.accepted(event.peer), [
        `${hiddenOfAll(view.hides, event.to).sender ? '…' : event.from} → ${event.to.join(', ')}`,
        octets(event.size),
      ]);
    case 'chosen':
      return line(e.chosen(named(event.person, event.mailbox), event.group), [
        e.chosenWhy[event.why],
        ...event.because,
      ]);
    case 'held':
      return line(e.held(event.group), [e.heldUntil(timeOfDay(view, event.until)), ...event.because]);
    case 'proposed':
      return line(e.proposed(event.group), [
        event.candidates.map((name, index) => `${index + 1} ${name}`).join(', '),
        e.heldUntil(timeOfDay(view, event.until)),
      ]);
    case 'picked':
      return line(e.picked(event.person, event.by));
    case 'forwarded':
      return line(e.forwarded(named(event.person, event.to), event.nextHop), [event.reply]);
    case 'deferred':
      return line(e.deferred(event.to, event.nextHop), [event.reply, e.again(timeOfDay(view, event.nextAttemptAt))]);
    case 'failed':
      return line(e.failed(event.to, event.nextHop), [event.reply]);
    case 'reported':
      return line(e.reported(event.to), [event.action, event.report]);
    case 'nudged':
      return line(e.nudged(event.room ?? named(event.person, event.to)), [
        event.step > 0 ? e.step(String(event.step)) : '',
      ]);
    case 'evidence':
      return line(`${t.grades[event.grade] ?? event.grade}${event.person ? ` · ${event.person}` : ''}`, [
        event.source,
        event.trusted ? '' : t.message.unverified,
      ]);
    case 'escalated':
      return line(e.escalated(event.to), [
        event.from === undefined ? '' : e.from(event.from),
        e.step(event.step),
        e.triggers[event.trigger] ?? event.trigger,
      ]);
    case 'closed':
      return line(e.closed(t.tracks[event.state] ?? event.state), [event.by === undefined ? '' : t.now.by(event.by)]);
    case 'fault':
      return line(`${e.fault} ${event.fault} (${event.severity})`, [event.text]);
    case 'operated':
      return line(e.operated(event.action, event.by));
    default:
      // A newer store may hold events this program does not know.
      event satisfies never;
      return line(String((event as StoryEvent).event));
  }
}

function decisionDetails(view: View, decision: Decision, replayed: boolean | undefined): Html {
  const { t } = view;
  const { plan, choice } = decision;
  const rule = plan.rule === null ? '' : `${plan.rule.file}:${plan.rule.line}`;
  return html`<details class="why"><summary>${t.message.why}</summary>
    <ul class="because">${[...plan.because, ...choice.because].map((reason) => html`<li>${safe(reason)}</li>`)}</ul>
    ${consideredTable(view, decision)}
    <p class="note">${t.message.rule} ${plan.rulesVersion}${rule === '' ? '' : ` · ${safe(rule)}`}${
      replayed === undefined ? '' : ` · ${replayed ? t.message.replayed : t.message.differs}`
    }</p></details>`;
}

function consideredTable(view: View, { id, choice: { considered }, snapshot: { now } }: Decision): Html {
  const { t } = view;
  if (considered.length === 0) return html``;
  return table(
    // Of several decisions each has a name of its own.
    `${t.message.candidates}, ${timeOfDay(view, now)} (${id})`,
    [t.message.person, t.message.verdict, t.message.reason, t.message.presence, t.message.load, t.message.lastAssigned],
    considered.map((one) => {
      const age = ageOf(one.presence, now);
      return html`<tr class="verdict-${one.verdict}"><th scope="row">${safe(one.person)}</th>
        <td>${t.message.verdicts[one.verdict] ?? one.verdict}</td><td>${safe(one.reason)}</td>
        <td>${mark(one.presence.state)}${t.states[one.presence.state]}${age === null ? '' : html` <span class="note">${t.now.heard(length(age))}</span>`}</td>
        <td class="number">${one.open}</td>
        <td class="number">${one.lastAssignedAt === null ? t.never : t.ago(length(now - one.lastAssignedAt))}</td></tr>`;
    }),
    'considered',
  );
}
