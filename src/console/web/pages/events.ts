// Events and faults: what is wrong and who has it, what has happened lately, and what is over.
import type { Operations } from '../../../operations.ts';
import { type FaultView, faultActions } from '../../../oversight.ts';
import type { LookBack } from '../../../store/look-back.ts';
import type { EventKind } from '../../../tracking/event.ts';
import { type Section, section } from '../layout.ts';
import { tell } from '../timeline.ts';
import { ago, type Html, html, length, mayAct, raw, safe, since, token, type View } from '../view.ts';

/** Those that somebody may want to know of; the others are every mail's own story. */
export const notable: readonly EventKind[] = ['held', 'escalated', 'failed', 'deferred', 'operated', 'fault', 'closed'];
export const everyKind: readonly EventKind[] = [...notable, 'chosen', 'nudged', 'evidence', 'forwarded', 'accepted'];

export interface EventsWish {
  /** Empty: the notable ones. */
  readonly kind: string;
  readonly before: number | null;
}

export interface EventsData {
  readonly wish: EventsWish;
  readonly open: readonly FaultView[];
  readonly over: readonly FaultView[];
  readonly lately: Awaited<ReturnType<LookBack['lately']>>;
}

const mostEvents = 50;
const mostOver = 10;

export async function eventsData(operations: Operations, wish: EventsWish): Promise<EventsData> {
  const one = everyKind.find((kind) => kind === wish.kind);
  const [all, lately] = await Promise.all([
    operations.faults('all'),
    operations.lately({
      kinds: one ? [one] : wish.kind === 'all' ? everyKind : notable,
      limit: mostEvents,
      ...(wish.before === null ? {} : { before: wish.before }),
    }),
  ]);
  const open = all.filter(({ clearedAt }) => clearedAt === null);
  const over = all.filter(({ clearedAt }) => clearedAt !== null).slice(0, mostOver);
  return { wish, open, over, lately };
}

/** Alike for all who see alike. */
export function pastSections(view: View, data: EventsData): readonly Section[] {
  return [lately(view, data), over(view, data)];
}

export function eventsPage(view: View, wish: EventsWish, sections: readonly Section[]): Html {
  const by = new Map(sections.map(({ id, html: content }) => [id, content]));
  const { t } = view;
  return html`<div class="heading"><h1>${t.faults.title}</h1><a href="/audit">${t.faults.audit}</a></div>
    ${by.get('open-faults')}
    <div class="columns"><div class="main"><h2>${t.faults.lately}</h2>${kinds(view, wish)}${by.get('lately')}</div>
    <div class="side">${by.get('over')}</div></div>
    <span id="clock" data-now="${view.now}" data-pace="${view.pace}" hidden></span>`;
}

const severityOrder: readonly string[] = ['critical', 'fatal', 'error', 'warning'];

/** @param me who looks, as a claim names them */
export function openFaults(view: View, { open }: EventsData, me: string): Section {
  const { t } = view;
  if (open.length === 0)
    return section('open-faults', html`<h2>${t.faults.open}</h2><p class="empty">${t.faults.none}</p>`);
  const sorted = open.toSorted((a, b) => severityOrder.indexOf(a.severity) - severityOrder.indexOf(b.severity));
  return section(
    'open-faults',
    html`<h2>${t.faults.open}</h2><ul class="faults">${sorted.map((fault) => openFault(view, fault, me))}</ul>`,
  );
}

function openFault(view: View, fault: FaultView, me: string): Html {
  const { t } = view;
  const { number, severity, owner, count } = fault;
  const mine = owner === me;
  const actions = faultActions.filter((action) =>
    action === 'claim' ? owner === null : action === 'release' ? mine : fault.byHand && (owner === null || mine),
  );
  return html`<li id="f${number}" class="fault fault-${severity}">
    <p><span class="id">f${number}</span> <strong>${safe(fault.text)}</strong></p>
    <p class="note">${t.faults.severities[severity] ?? severity} · ${t.faults.since} ${since(view, fault.openedAt)}${
      count > 1 ? html` · ${t.faults.times(count)}, ${ago(view, fault.lastAt)}` : ''
    } · <strong>${owner === null ? t.faults.nobody : t.faults.with(safe(owner))}</strong>${
      fault.ownedSince === null ? '' : html` ${since(view, fault.ownedSince)}`
    }</p>
    ${fault.meaning === null ? '' : html`<p>${safe(fault.meaning)}</p>`}
    ${fault.todo === null ? '' : html`<p class="note">${t.faults.todo}: ${safe(fault.todo)}${fault.clears === null ? '' : html` ${t.faults.clears} ${safe(fault.clears)}.`}</p>`}
    ${
      mayAct(view.role) && actions.length > 0
        ? html`<form method="post" action="/faults/${number}" class="fields">${token()}${actions.map(
            (action) =>
              html`<button name="action" value="${action}" class="${action === 'claim' ? 'primary' : ''}" aria-label="${t.faults[action]}: f${number}">${t.faults[action]}</button>`,
          )}</form>`
        : ''
    }</li>`;
}

function kinds({ t }: View, { kind: wanted }: EventsWish): Html {
  const link = (kind: string, text: string) =>
    html`<li><a href="/events${kind === '' ? '' : `?kind=${kind}`}" ${kind === wanted ? raw('aria-current="true"') : ''}>${text}</a></li>`;
  return html`<nav class="kinds" aria-label="${t.faults.kinds}"><ul>${link('', t.faults.newest)}${link('all', t.faults.all)}${everyKind.map(
    (kind) => link(kind, t.faults.kind[kind] ?? kind),
  )}</ul></nav>`;
}

function lately(view: View, { wish, lately: { events, next } }: EventsData): Section {
  const { t } = view;
  return section(
    'lately',
    html`${events.length === 0 ? html`<p class="empty">${t.faults.noEvents}</p>` : ''}
    <ol class="happened">${events.map(
      (event) => html`<li id="e${event.number}"><span class="when">${ago(view, event.at)}</span>
        <div>${tell(view, event)}<a class="id" href="/message/${event.queueId}">${event.queueId}</a></div></li>`,
    )}</ol>
    ${
      next === null
        ? ''
        : html`<p><a href="/events?${new URLSearchParams({ ...(wish.kind === '' ? {} : { kind: wish.kind }), before: String(next) }).toString()}">${t.faults.older}</a></p>`
    }`,
    t.faults.lately,
  );
}

function over(view: View, { over: all }: EventsData): Section {
  const { t } = view;
  if (all.length === 0) return section('over', html``);
  return section(
    'over',
    html`<h2>${t.faults.closed}</h2><ul class="overs">${all.map(
      (fault) => html`<li><p><span class="id">f${fault.number}</span> ${safe(fault.text)}</p>
        <p class="note">${
          fault.clearedAt === null
            ? ''
            : html`${t.faults.over(length(fault.clearedAt - fault.openedAt))} ${
                fault.clearedBy === null ? t.faults.itself : t.faults.by(safe(fault.clearedBy))
              }, ${ago(view, fault.clearedAt)}`
        }</p></li>`,
    )}</ul>`,
  );
}
