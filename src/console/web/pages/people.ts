// People: who is there and was there over a day, how much they have, how fast they take it; and one person's own page,
// where an operator says for them that they are away, or back.
import { type Duration, day, type Instant } from '../../../clock.ts';
import type { Operations, PersonView } from '../../../operations.ts';
import type { PresenceDay } from '../../../oversight.ts';
import { overrideStates } from '../../../presence/override.ts';
import type { Tracked } from '../../../tracking/tracked.ts';
import { formatDate, wallInstant, wallTimeAt } from '../../../zone.ts';
import { mailLine, mark, presenceNote, table } from '../bits.ts';
import { dayBar, dayInWords, spanWords } from '../charts.ts';
import { type Section, section } from '../layout.ts';
import { dayOf, type Html, html, length, mayAct, raw, safe, since, token, until, type View } from '../view.ts';

export const mostPeople = 50;
const reportDays = 7;

export interface PeopleWish {
  readonly group: string;
  readonly name: string;
  /** Null: today, where the viewer is. */
  readonly dayNumber: number | null;
}

export interface PersonLine {
  readonly person: PersonView;
  readonly day: PresenceDay;
  readonly medianToTaken: Duration | null;
}

export interface PeopleData {
  readonly wish: PeopleWish;
  readonly from: Instant;
  readonly to: Instant;
  readonly lines: readonly PersonLine[];
  /** All that the conditions name. */
  readonly total: number;
  readonly groups: readonly string[];
}

/** The day that is looked at, where the viewer is: 23 or 25 hours when clocks change. */
export function dayWanted(view: View, dayNumber: number | null): { readonly from: Instant; readonly to: Instant } {
  const number = dayNumber ?? wallTimeAt(view.now, view.zone).dayNumber;
  return {
    from: wallInstant({ dayNumber: number, time: 0 }, view.zone),
    to: wallInstant({ dayNumber: number + 1, time: 0 }, view.zone),
  };
}

export async function peopleData(operations: Operations, view: View, wish: PeopleWish): Promise<PeopleData> {
  const { from, to } = dayWanted(view, wish.dayNumber);
  const groups = operations.groups().map(({ name }) => name);
  const all = await operations.presence(groups.includes(wish.group) ? { group: wish.group } : {});
  const part = wish.name.toLowerCase();
  const found = all.filter(({ name, mail }) => name.toLowerCase().includes(part) || mail.toLowerCase().includes(part));
  const shown = found.slice(0, mostPeople);
  const [days, report] = await Promise.all([
    operations.presenceDays(
      shown.map(({ name }) => name),
      from,
      to,
    ),
    operations.report({ since: view.now - reportDays * day, until: view.now, zone: view.zone }),
  ]);
  const medians = new Map(report.people.map(({ person, medianToTaken }) => [person, medianToTaken]));
  const lines = shown.flatMap((person, index): PersonLine[] => {
    const one = days[index];
    return one ? [{ person, day: one, medianToTaken: medians.get(person.name) ?? null }] : [];
  });
  return { wish, from, to, lines, total: found.length, groups };
}

export function peopleSections(view: View, data: PeopleData): readonly Section[] {
  const { t } = view;
  if (data.lines.length === 0) return [section('people', html`<p class="empty">${t.people.none}</p>`)];
  return [
    section(
      'people',
      html`<div class="hours" aria-hidden="true">${[0, 6, 12, 18, 24].map((hour) => html`<span>${hour}</span>`)}</div>
      <ul class="people">${data.lines.map((line) => personLine(view, data, line))}</ul>
      ${data.total > data.lines.length ? html`<p class="note">${t.people.first(data.lines.length, data.total)}</p>` : ''}`,
      t.people.title,
    ),
  ];
}

export function peoplePage(view: View, data: PeopleData, sections: readonly Section[]): Html {
  const { t } = view;
  const { wish } = data;
  return html`<h1>${t.people.title}</h1>
    <form method="get" action="/people" class="conditions" role="search">
      <label>${t.queue.group} <select name="group"><option value="">${t.queue.any}</option>${data.groups.map(
        (name) => html`<option value="${name}" ${name === wish.group ? raw('selected') : ''}>${safe(name)}</option>`,
      )}</select></label>
      <label>${t.people.name} <input name="name" value="${safe(wish.name)}" maxlength="100" autocomplete="off"></label>
      <label>${t.people.day} <input type="date" name="day" value="${formatDate(wallTimeAt(data.from, view.zone).dayNumber)}"></label>
      <button>${t.select.show}</button></form>
    <p class="key">${(['available', 'away', 'dnd', 'offline', 'unknown'] as const).map(
      (state) =>
        html`<span><svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect class="span-${state}" width="10" height="10"></rect></svg>${t.states[state]}</span>`,
    )}</p>
    ${sections.map((one) => one.html)}<span id="clock" data-now="${view.now}" data-pace="${view.pace}" hidden></span>`;
}

function personLine(view: View, { from, to }: PeopleData, { person, day: one, medianToTaken }: PersonLine): Html {
  const { t } = view;
  const { state } = person.presence;
  return html`<li id="p-${safe(person.name)}"><div class="person">${mark(state)}<a class="name" href="/people/${encodeURIComponent(person.name)}">${safe(person.name)}</a>
    <span class="state">${t.states[state]}</span>${presenceNote(view, person)}
    <span class="load">${t.now.open(person.open)}${medianToTaken === null ? '' : ` · ${t.people.takes(length(medianToTaken))}`}</span></div>
    ${dayBar(one, { from, to, label: `${safe(person.name)}: ${dayInWords(view, one)}` })}
    <p class="note">${person.groups.map((group) => safe(group)).join(', ')}</p></li>`;
}

export interface PersonData {
  readonly person: PersonView;
  readonly day: PresenceDay;
  readonly from: Instant;
  readonly to: Instant;
  readonly open: readonly Tracked[];
  /** Who else there is, to stand in. */
  readonly others: readonly string[];
  readonly given: number;
  readonly medianToTaken: Duration | null;
}

export async function personData(operations: Operations, view: View, name: string): Promise<PersonData | null> {
  const all = await operations.presence();
  const person = all.find((one) => one.name === name);
  if (!person) return null;
  const { from, to } = dayWanted(view, null);
  const [[one], open, report] = await Promise.all([
    operations.presenceDays([name], from, to),
    operations.listTracked({ states: ['tracked'], limit: 1_000 }),
    operations.report({ since: view.now - reportDays * day, until: view.now, zone: view.zone }),
  ]);
  const own = report.people.find((each) => each.person === name);
  return {
    person,
    day: one ?? { name, spans: [] },
    from,
    to,
    open: open.filter(({ owner }) => owner === name).slice(0, 40),
    others: all.flatMap((each) => (each.name === name ? [] : [each.name])),
    given: own?.given ?? 0,
    medianToTaken: own?.medianToTaken ?? null,
  };
}

export function personSections(view: View, data: PersonData): readonly Section[] {
  const { t } = view;
  const { person, day: one, from, to } = data;
  return [
    section(
      'standing',
      html`<h1>${safe(person.name)}</h1><p class="person big">${mark(person.presence.state)}<span class="state">${t.states[person.presence.state]}</span>${presenceNote(view, person)}</p>
      <dl class="facts"><div><dt>${t.people.mail}</dt><dd>${safe(person.mail)}</dd></div>
      <div><dt>JID</dt><dd>${person.jid === null ? t.people.noJid : safe(person.jid)}</dd></div>
      ${
        person.directory
          ? html`<div><dt>${t.people.directory}</dt><dd>${safe(person.directory.fields.join(', '))} (${safe(person.directory.id)})</dd></div>`
          : ''
      }
      <div><dt>${t.people.groups}</dt><dd>${person.groups.map((group) => safe(group)).join(', ')}</dd></div>
      <div><dt>${t.people.week}</dt><dd>${t.people.given(data.given)}${data.medianToTaken === null ? '' : `, ${t.people.takes(length(data.medianToTaken))}`}</dd></div></dl>`,
    ),
    section(
      'today',
      html`<h2>${t.people.today(dayOf(view, from))}</h2><div class="hours whole" aria-hidden="true">${[0, 6, 12, 18, 24].map((hour) => html`<span>${hour}</span>`)}</div>
      ${dayBar(one, { from, to, label: `${safe(person.name)}: ${dayInWords(view, one)}` })}
      <p class="note">${dayInWords(view, one)}</p>
      <details><summary>${t.people.asTable}</summary>${table(
        t.people.today(dayOf(view, from)),
        [t.people.span, t.message.presence, t.people.howLong],
        one.spans.map(
          (each) => html`<tr><th scope="row">${spanWords(view, each.from, each.to)}</th>
          <td>${each.state === null ? t.people.nothingKnown : html`${mark(each.state)}${t.states[each.state]}`}</td>
          <td class="number">${length(each.to - each.from)}</td></tr>`,
        ),
      )}</details><p class="note">${t.people.streamOnly}</p>`,
    ),
    section(
      'open',
      html`<h2>${t.people.open}</h2>${data.open.length === 0 ? html`<p class="empty">${t.people.nothingOpen}</p>` : ''}
      <ol class="${data.open.length === 0 ? '' : 'mails'}">${data.open.map(
        (
          mail,
        ) => html`<li class="mail"><div class="when">${mail.nextStepAt === null ? '' : until(view, mail.nextStepAt)}</div>
        <div class="what">${mailLine(view, mail)}</div><div class="where note">${mail.ownedSince === null ? '' : since(view, mail.ownedSince)}</div></li>`,
      )}</ol>`,
    ),
  ];
}

export function personPage(view: View, data: PersonData, sections: readonly Section[]): Html {
  const by = new Map(sections.map(({ id, html: content }) => [id, content]));
  return html`<p class="note"><a href="/people">${view.t.people.title}</a></p>${by.get('standing')}
    <div class="columns"><div class="main">${by.get('today')}${by.get('open')}</div><div class="side">${hand(view, data)}</div></div>
    <span id="clock" data-now="${view.now}" data-pace="${view.pace}" hidden></span>`;
}

export const ends = ['30m', '1h', '2h', '4h', 'day', 'at', 'never'] as const;

function hand(view: View, { person, others }: PersonData): Html {
  const { t } = view;
  if (!mayAct(view.role)) return html`<p class="empty">${t.message.viewerOnly}</p>`;
  const path = `/people/${encodeURIComponent(person.name)}/presence`;
  return html`<section id="hand"><h2>${t.people.say}</h2><div class="actions">
    <form method="post" action="${path}" class="act set-presence">${token()}<div class="fields">
      <label>${t.people.state} <select name="state">${overrideStates.map(
        (state) =>
          html`<option value="${state}" ${state === 'away' ? raw('selected') : ''}>${t.states[state]}</option>`,
      )}</select></label>
      <label>${t.people.until} <select name="until">${ends.map(
        (end) => html`<option value="${end}">${t.people.ends[end] ?? end}</option>`,
      )}</select></label>
      <label>${t.people.moment} <input type="datetime-local" name="moment"></label>
      <label>${t.people.substitute} <select name="substitute"><option value="">${t.nobody}</option>${others
        .slice(0, 500)
        .map((name) => html`<option value="${name}">${safe(name)}</option>`)}</select></label>
      <label>${t.people.note} <input name="note" maxlength="200" autocomplete="off"></label>
      <button class="primary">${t.people.set}</button></div><p class="note">${t.people.sayHelp}</p></form>
    ${
      person.source === 'manual'
        ? html`<form method="post" action="${path}" class="act">${token()}<button name="back" value="1">${t.people.back}</button><p class="note">${t.people.backHelp}</p></form>`
        : ''
    }</div></section>`;
}
