// Message: one mail's life with every decision, and what an operator can do with it.
import type { Candidates, Story } from '../../../operations.ts';
import { isOpen, type Tracked } from '../../../tracking/tracked.ts';
import { mark, nameOf, subjectOf, table } from '../bits.ts';
import { type Hidden, hiddenOfAll } from '../hidden.ts';
import { type Section, section } from '../layout.ts';
import { answers } from '../play.ts';
import { timeline } from '../timeline.ts';
import {
  ago,
  clockTime,
  fuse,
  type Html,
  html,
  mayAct,
  octets,
  raw,
  safe,
  since,
  token,
  until,
  type View,
} from '../view.ts';

export interface MessageData {
  /** In the sandbox: its owner can be made to answer. */
  readonly play: boolean;
  readonly story: Story;
  readonly replayed: ReadonlyMap<string, boolean>;
  /** For the open tracked ones, by number of the delivery. */
  readonly candidates: ReadonlyMap<number, Candidates>;
  readonly people: readonly string[];
}

export function messageSections(view: View, data: MessageData): readonly Section[] {
  return [heading(view, data), actions(view, data), life(view, data), deliveries(view, data), nudges(view, data)];
}

export function messagePage(sections: readonly Section[]): Html {
  const by = new Map(sections.map(({ id, html: content }) => [id, content]));
  return html`${by.get('heading')}<div class="columns"><div class="main">${by.get('life')}</div>
    <div class="side">${by.get('actions')}${by.get('deliveries')}${by.get('nudges')}</div></div>`;
}

const hiddenIn = (view: View, { deliveries }: Story): Hidden =>
  hiddenOfAll(
    view.hides,
    deliveries.flatMap(({ plan }) => (plan?.kind === 'group' ? [plan.group] : [])),
  );

export const titleOf = (view: View, story: Story): string =>
  hiddenIn(view, story).subject ? view.t.message.hidden : subjectOf(view, story.message.facts.subject);

function heading(view: View, { story }: MessageData): Section {
  const { t } = view;
  const { message, tracked, deliveries: all } = story;
  const from = message.facts.from ?? message.envelope.reversePath;
  const hidden = hiddenIn(view, story);
  const { excerpt } = message.facts;
  const to = [...new Set(all.filter(({ forwardOf }) => forwardOf === null).map(({ path }) => path.mailbox))];
  return section(
    'heading',
    html`<h1>${titleOf(view, story)}</h1>
    <dl class="facts">
      ${hidden.sender ? '' : html`<div><dt>${t.message.from}</dt><dd title="${safe(from)}">${nameOf(from)}</dd></div>`}
      <div><dt>${t.message.to}</dt><dd>${safe(to.join(', '))}</dd></div>
      <div><dt>${t.message.accepted}</dt><dd>${ago(view, message.acceptedAt)}</dd></div>
      <div><dt>${t.message.size}</dt><dd>${octets(message.size)}</dd></div>
      <div><dt>${t.message.queueId}</dt><dd><code>${message.queueId}</code></dd></div>
      <div><dt></dt><dd class="note">${story.contentKept ? t.message.contentKept : t.message.contentGone}</dd></div>
    </dl>
    ${excerpt === undefined || hidden.subject ? '' : html`<p class="excerpt"><span class="note">${t.message.begins}:</span> <q>${safe(excerpt)}</q></p>`}
    ${tracked.map((one) => standing(view, one))}`,
  );
}

function standing(view: View, one: Tracked): Html {
  const { t } = view;
  const open = isOpen(one.state);
  return html`<p class="standing outcome-${one.state}"><span class="id">#${one.shortId}</span>
    <strong>${t.tracks[one.state] ?? one.state}</strong>
    ${one.owner === null ? '' : html`<span>${t.message.owner} <strong>${safe(one.owner)}</strong> ${one.ownedSince === null ? '' : html`<span class="note">${since(view, one.ownedSince)}</span>`}</span>`}
    ${one.pledge ? html`<span class="note">${t.message.pledge[one.pledge.kind] ?? one.pledge.kind}</span>` : ''}
    ${one.closedAt === null ? '' : html`<span>${one.closedBy === null ? '' : t.now.by(safe(one.closedBy))} ${ago(view, one.closedAt)}</span>`}
    ${open && one.nextStepAt !== null ? html`<span>${t.now.nextStep} ${until(view, one.nextStepAt)}</span>${fuse(view, one.ownedSince ?? one.acceptedAt, one.nextStepAt)}` : ''}
    <span class="note">${one.plan.group} · ${one.plan.policy.name}</span></p>`;
}

function life(view: View, { story, replayed }: MessageData): Section {
  return section('life', html`<h2>${view.t.message.timeline}</h2>${timeline(view, story, replayed)}`);
}

function actions(view: View, { story, candidates, people, play }: MessageData): Section {
  const { t } = view;
  const { queueId } = story.message;
  const open = story.tracked.filter(({ state }) => isOpen(state));
  const waiting = story.deliveries.filter(({ state }) => state === 'queued' || state === 'held');
  const onHold = waiting.some(({ onHoldBy }) => onHoldBy !== null);
  if (open.length + waiting.length === 0)
    return section('actions', html`<p class="empty">${t.message.nothingToDo}</p>`);
  if (!mayAct(view.role)) return section('actions', html`<p class="empty">${t.message.viewerOnly}</p>`);
  return section(
    'actions',
    html`<h2>${t.message.actions}</h2><div class="actions">
    ${open.filter(({ state }) => state === 'tracked').map((one) => html`${play ? answerAs(view, one) : ''}${trackedActions(view, one, candidates.get(one.seq))}`)}
    ${
      waiting.length === 0
        ? ''
        : html`${button(queueId, 'retry', t.message.retry, t.message.retryHelp)}
          ${onHold ? button(queueId, 'release', t.message.release, t.message.releaseHelp) : button(queueId, 'hold', t.message.hold, t.message.holdHelp)}
          ${form(
            queueId,
            'requeue',
            html`<label>${t.message.sendOn} <input name="to" type="email" required maxlength="320" list="people-mail" autocomplete="off"></label>
              <datalist id="people-mail">${people.map((mail) => html`<option value="${mail}"></option>`)}</datalist>
              <button>${t.message.sendOn}</button>`,
            t.message.sendOnHelp,
          )}
          <details class="danger"><summary>${t.message.drop}</summary>${form(
            queueId,
            'drop',
            html`<label>${t.message.dropWhy} <input name="why" required minlength="3" maxlength="200" autocomplete="off"></label>
              <button class="bad">${t.message.drop}</button>`,
            t.message.dropHelp,
          )}</details>`
    }</div>`,
    t.message.actions,
  );
}

function answerAs({ t }: View, { owner, shortId }: Tracked): Html {
  if (owner === null) return html``;
  return html`<form method="post" action="/play/answer" class="act answer-as">${token()}
    <input type="hidden" name="name" value="${safe(owner)}"><input type="hidden" name="id" value="${shortId}">
    <div class="fields"><span>${t.stage.answerAs(safe(owner))}:</span>${answers.map(
      (one) => html`<button name="answer" value="${one}">${t.stage.answerVerbs[one] ?? one}</button>`,
    )}</div><p class="note">${t.message.answer}</p></form>`;
}

function trackedActions(view: View, one: Tracked, found: Candidates | undefined): Html {
  const { t } = view;
  return html`${button(one.shortId, 'ack', t.message.ack, t.message.ackHelp, 'primary')}
    ${
      one.owner === null
        ? ''
        : form(
            one.shortId,
            'snooze',
            html`<label><span class="unseen">${t.message.snoozeFor}</span><select name="for">
              ${['10m', '30m', '1h', '4h'].map((time) => html`<option>${time}</option>`)}</select></label>
              <button>${t.message.snooze}</button>`,
            t.message.snoozeHelp,
          )
    }
    ${one.plan.policy.steps[one.step] ? button(one.shortId, 'step', t.message.step, t.message.stepHelp) : ''}
    ${
      found === undefined
        ? ''
        : html`<form method="post" action="/message/${one.shortId}/reassign" class="reassign">${token()}
          <fieldset><legend>${t.message.reassignTitle}</legend>${found.considered
            .filter(({ person }) => person !== one.owner)
            .map(
              (candidate, index) => html`<label class="candidate verdict-${candidate.verdict}">
              <input type="radio" name="person" value="${candidate.person}" required ${index === 0 && candidate.verdict !== 'excluded' ? raw('checked') : ''}>
              <span>${mark(candidate.presence.state, t.states[candidate.presence.state])}${safe(candidate.person)}
              <span class="note">${safe(candidate.reason)}</span></span></label>`,
            )}</fieldset><button>${t.message.reassign} …</button></form>`
    }`;
}

function form(id: string, action: string, content: Html, help: string): Html {
  return html`<form method="post" action="/message/${id}/${action}" class="act act-${action}">${token()}
    <div class="fields">${content}</div><p class="note">${help}</p></form>`;
}

function button(id: string, action: string, label: string, help: string, kind = ''): Html {
  return form(id, action, html`<button class="${kind}">${label}</button>`, help);
}

function deliveries(view: View, { story }: MessageData): Section {
  const { t } = view;
  return section(
    'deliveries',
    html`<h2>${t.message.deliveries}</h2><ul class="deliveries">${story.deliveries.map(
      (one) => html`<li><p><strong class="delivery-${one.state}">${t.deliveries[one.state] ?? one.state}</strong>
        ${safe(one.chosen?.mailbox ?? one.path.mailbox)}</p>
        <p class="note">${one.onHoldBy === null ? '' : html`${t.message.onHold(safe(one.onHoldBy))} · `}${t.message.attempts}: ${one.attempts}${
          one.lastHop === null ? '' : ` · ${safe(one.lastHop)}`
        }${one.lastReply === null ? '' : ` · ${safe(one.lastReply)}`}${
          one.nextAttemptAt === null ? '' : html` · ${t.message.nextAttempt} ${until(view, one.nextAttemptAt)}`
        }</p></li>`,
    )}</ul>`,
  );
}

function nudges(view: View, { story }: MessageData): Section {
  const { t } = view;
  if (story.nudges.length === 0) return section('nudges', html``);
  return section(
    'nudges',
    html`<h2>${t.message.nudges}</h2>${table(
      t.message.nudges,
      [t.message.to, t.message.state, t.audit.when],
      story.nudges.map(
        (
          one,
        ) => html`<tr><th scope="row">${safe(one.to.kind === 'room' ? one.to.room : (one.to.person ?? one.to.jid))}</th>
        <td>${t.message.nudgeStates[one.state] ?? one.state}</td>
        <td>${one.sentAt === null ? '' : clockTime(view, one.sentAt)}</td></tr>`,
      ),
    )}`,
  );
}
