// Trying rules out: one message through them, with every later step; or recorded days, and what would go elsewhere.
import type { PersonView } from '../../../operations.ts';
import type { Replayed, Tried } from '../../../oversight.ts';
import { overrideStates } from '../../../presence/override.ts';
import type { State } from '../../../presence/presence.ts';
import { subjectOf, table } from '../bits.ts';
import { dateAndTime, dayOf, type Html, html, length, raw, safe, timeOfDay, token, type View } from '../view.ts';
import { problemList, rulesHeading } from './rules.ts';

export interface TryWish {
  readonly message: string;
  readonly to: string;
  readonly from: string;
  /** As the browser's field has it; empty: now. */
  readonly moment: string;
  readonly people: Readonly<Record<string, State>>;
}

/** More would make the form longer than anybody fills in. */
const mostPeople = 60;

export const sampleMessage = `From: Ann Archer <ann@example.net>
To: support@example.org
Subject: The printer is on fire

It started a minute ago.
`;

const states: readonly State[] = [...overrideStates, 'unknown'];

export function tryPage(
  view: View,
  {
    wish,
    people,
    result,
    refused,
  }: {
    readonly wish: TryWish;
    readonly people: readonly PersonView[];
    readonly result: Tried | null;
    readonly refused: string | null;
  },
): Html {
  const { t } = view;
  return html`${rulesHeading(view, 'try')}<p class="note">${t.rules.tryIntro}</p>
    ${refused === null ? '' : html`<p class="said bad" role="alert">${safe(refused)}</p>`}
    <div class="columns"><div class="main"><form method="post" action="/rules/try" enctype="multipart/form-data" class="trial">${token()}
      <label>${t.rules.message}<textarea name="message" rows="9" maxlength="1000000" spellcheck="false">${safe2(wish.message)}</textarea></label>
      <label>${t.rules.messageFile} <input type="file" name="mail" accept=".eml,message/rfc822,text/plain"></label>
      <div class="fields"><label>${t.rules.to} <input name="to" value="${safe(wish.to)}" maxlength="320"></label>
      <label>${t.rules.from} <input name="from" value="${safe(wish.from)}" maxlength="320"></label>
      <label>${t.rules.moment} <input type="datetime-local" name="moment" value="${wish.moment}"></label></div>
      ${ruleSet(view)}
      <details><summary>${t.rules.people}</summary><div class="fields moods">${people
        .slice(0, mostPeople)
        .map(
          ({ name, presence }) =>
            html`<label>${safe(name)} <select name="is ${safe(name)}"><option value="">${t.rules.asNow}: ${t.states[presence.state]}</option>${states.map(
              (state) =>
                html`<option value="${state}" ${wish.people[name] === state ? raw('selected') : ''}>${t.states[state]}</option>`,
            )}</select></label>`,
        )}</div></details>
      <button class="primary">${t.rules.tryIt}</button></form></div>
    <div class="side" aria-live="polite">${result === null ? '' : tried(view, result)}</div></div>`;
}

/** In a field lines stay lines. */
const safe2 = (text: string): string => text.split(/\r?\n/).map(safe).join('\n');

function ruleSet({ t }: View): Html {
  return html`<label>${t.rules.files} <input type="file" name="files" multiple accept=".yaml"></label><p class="note">${t.rules.filesHelp}</p>`;
}

function tried(view: View, { version, problems, story }: Tried): Html {
  const { t } = view;
  if (version === null) return html`<h2>${t.rules.wrong}</h2>${problemList(view, problems)}`;
  const first = story[0]?.at ?? view.now;
  return html`<h2>${t.rules.comes}</h2><p class="note">${t.rules.by(version)} · ${dayOf(view, first)}</p>
    ${problems.length === 0 ? '' : problemList(view, problems)}
    <ol class="timeline tried">${story.map(
      ({ at, recipient, text, reasons }, index) => html`<li class="event ${index === 0 ? 'event-switch' : ''}">
      <div class="when"><span>${timeOfDay(view, at)}</span><span class="offset">${at - first >= 1000 ? `+${length(at - first)}` : ''}</span></div>
      <div class="what"><p>${safe(text.replace(/^\S+ /, ''))}</p><p class="note">${safe(recipient)}</p>
      ${reasons.length === 0 ? '' : html`<details class="why" ${index === 0 ? raw('open') : ''}><summary>${t.message.why}</summary><ul class="because">${reasons.map((reason) => html`<li>${safe(reason)}</li>`)}</ul></details>`}</div></li>`,
    )}</ol>${story.length === 0 ? html`<p class="empty">${t.rules.nothing}</p>` : ''}`;
}

export const replaySpans = ['1', '7', '30'] as const;

export function replayPage(
  view: View,
  {
    span,
    result,
    refused,
  }: {
    readonly span: (typeof replaySpans)[number];
    readonly result: Replayed | null;
    readonly refused: string | null;
  },
): Html {
  const { t } = view;
  return html`${rulesHeading(view, 'replay')}<p class="note">${t.rules.replayIntro}</p>
    ${refused === null ? '' : html`<p class="said bad" role="alert">${safe(refused)}</p>`}
    <form method="post" action="/rules/replay" enctype="multipart/form-data" class="trial">${token()}
      <div class="fields"><label>${t.reports.span} <select name="span">${replaySpans.map(
        (one) => html`<option value="${one}" ${one === span ? raw('selected') : ''}>${t.reports.spans[one]}</option>`,
      )}</select></label></div>${ruleSet(view)}<button class="primary">${t.rules.replayIt}</button></form>
    ${result === null ? '' : replayed(view, result)}`;
}

function replayed(view: View, result: Replayed): Html {
  const { t } = view;
  if (result.version === null)
    return html`<section><h2>${t.rules.wrong}</h2>${problemList(view, result.problems)}</section>`;
  return html`<section><h2>${t.rules.comes}</h2><p class="sum">${t.rules.moved(result.moved, result.recipients, result.mails)}</p>
    <p class="note">${t.rules.by(result.version)} · ${dateAndTime(view, result.since)} – ${dateAndTime(view, result.until)} · ${length(result.took)}</p>
    ${result.withoutAttachments > 0 ? html`<p class="note">${t.rules.withoutAttachments(result.withoutAttachments)}</p>` : ''}
    ${
      result.differences.length === 0
        ? ''
        : table(
            t.rules.elsewhere,
            [t.audit.when, t.message.to, t.rules.message, t.rules.was, t.rules.would],
            result.differences.map(
              (
                one,
              ) => html`<tr><td class="when">${dateAndTime(view, one.receivedAt)}</td><td>${safe(one.recipient)}</td>
              <td><a href="/message/${one.queueId}">${subjectOf(view, one.subject)}</a></td>
              <td>${safe(one.before.where)}</td><td><strong>${safe(one.after.where)}</strong> <span class="note">${safe(one.after.why)}</span></td></tr>`,
            ),
            'replayed',
          )
    }
    ${result.differences.length < result.moved ? html`<p class="note">${t.rules.firstOf(result.differences.length)}</p>` : ''}</section>
    <section><h2>${t.rules.loads}</h2>${table(
      t.rules.loads,
      [t.message.person, t.rules.was, t.rules.would, t.rules.peak],
      result.loads.map(
        ({
          person,
          before,
          after,
        }) => html`<tr><th scope="row">${safe(person)}</th><td class="number">${before?.given ?? 0}</td>
        <td class="number">${after?.given ?? 0}</td><td class="number">${after?.peak ?? 0}</td></tr>`,
      ),
      'loads',
    )}</section>`;
}
