// The sandbox's own controls: what a newcomer can do, and whose hands the people are in.
import type { GroupView, PersonView } from '../../../operations.ts';
import type { Tracked } from '../../../tracking/tracked.ts';
import { mark, subjectOf } from '../bits.ts';
import { type Section, section } from '../layout.ts';
import type { Mood, Play, PlayPerson } from '../play.ts';
import { type Html, html, safe, token, until, type View } from '../view.ts';

interface StageData {
  readonly groups: readonly GroupView[];
  readonly people: readonly PersonView[];
  readonly held: readonly Tracked[];
  readonly watched: readonly Tracked[];
  readonly done: readonly Tracked[];
}

export function stageSection(view: View, play: Play, { groups, people, ...mails }: StageData): Section {
  const { t } = view;
  const scene = play.scene();
  const states = new Map(people.map(({ name, presence }) => [name, presence.state]));
  return section(
    'stage',
    html`<div class="stage"><div class="stage-words"><h2>${t.stage.title}</h2>
      <p>${t.stage.intro}</p>
      <p class="scene">${
        scene === null ? t.stage.yours : html`<span class="note">${t.stage.playing}</span> ${safe(scene)}`
      }</p>
      ${scene === null ? html`${act('resume', html`<button class="quiet">${t.stage.resume}</button>`)}` : ''}
      ${act(
        'speed',
        html`<span>${t.stage.speed}</span> ${play.speeds.map(
          (factor) =>
            html`<button name="factor" value="${factor}" aria-pressed="${String(factor === play.speed())}">${t.stage.times(factor)}</button>`,
        )}`,
      )}</div>
    <div class="stage-hands"><h3><span class="nth">1</span> ${t.stage.one}</h3>
    ${act(
      'send',
      html`<label>${t.stage.to} <select name="to">${groups.map(({ addresses }) => html`<option>${safe(addresses[0] ?? '')}</option>`)}</select></label>
      <label>${t.stage.subject} <select name="subject">${t.stage.subjects.map((one) => html`<option>${one}</option>`)}</select></label>
      <label>${t.stage.answers} <select name="reaction">${play.reactions.map(
        (one) => html`<option value="${one}">${t.stage.reactions[one] ?? one}</option>`,
      )}</select></label>
      <button class="primary">${t.stage.send}</button>`,
    )}
    ${newest(view, mails, states)}
    <h3><span class="nth">2</span> ${t.stage.two}</h3>
    <ul class="cast">${play.people().map(
      (person) => html`<li><span class="who-is">${mark(states.get(person.name) ?? 'unknown')}${safe(person.name)}</span>
        ${moodButtons(view, person)}</li>`,
    )}</ul>
    <h3><span class="nth">3</span> ${t.stage.three}</h3>
    ${act(
      'send',
      html`<input type="hidden" name="to" value="${safe(groups[0]?.addresses[0] ?? '')}">
      <input type="hidden" name="subject" value="${t.stage.subjects[2] ?? ''}"><input type="hidden" name="reaction" value="ignore">
      <button>${t.stage.ignored}</button>`,
    )}</div></div>`,
    t.stage.title,
  );
}

/** Where it went, beside the button that sent it: nobody has to look for it. */
function newest(
  view: View,
  { held, watched, done }: Pick<StageData, 'held' | 'watched' | 'done'>,
  states: ReadonlyMap<string, PersonView['presence']['state']>,
): Html {
  const { t } = view;
  const all = [...held, ...watched, ...done];
  const one = all.reduce<Tracked | undefined>(
    (newest, each) => (newest === undefined || each.acceptedAt > newest.acceptedAt ? each : newest),
    undefined,
  );
  if (!one) return html``;
  const { owner, nextStepAt, state } = one;
  const where =
    state === 'tracked' && owner !== null
      ? html`${t.stage.isWith} ${mark(states.get(owner) ?? 'unknown')}<strong>${safe(owner)}</strong>${
          nextStepAt === null ? '' : html`; ${t.stage.movesOn} ${until(view, nextStepAt)}`
        }`
      : state === 'held'
        ? html`${t.stage.waits}`
        : html`<strong>${t.tracks[state] ?? state}</strong> ${one.closedBy === null ? '' : t.now.by(safe(one.closedBy))}`;
  return html`<p class="newest"><span class="note">${t.stage.newest}</span>
    <a href="/message/${one.queueId}">${subjectOf(view, one.subject)}</a> ${where}</p>`;
}

function act(name: string, content: Html): Html {
  const path = `/play/${name}`;
  return html`<form method="post" action="${path}" class="${name}" hx-post="${path}" hx-swap="none">${token()}${content}</form>`;
}

const moods: readonly Mood[] = ['available', 'away', 'dnd', 'offline'];

/** The points: one press, and the person is so. */
function moodButtons({ t }: View, { name, mood: now, human }: PlayPerson): Html {
  if (human) return html`<span class="note">${t.stage.human}</span>`;
  return act(
    'become',
    html`<input type="hidden" name="name" value="${safe(name)}">${moods.map(
      (mood) =>
        html`<button name="mood" value="${mood}" aria-pressed="${String(mood === now)}" aria-label="${safe(name)}: ${t.states[mood]}">${t.states[mood]}</button>`,
    )}`,
  );
}
