// Now: who is there, what waits, what is about to move on, what is wrong. One sentence says it all; the rest is for
// those who want to know more. Every part is a section that is sent anew when it changes.
import type { GroupView, Operations, PersonView, Status } from '../../../operations.ts';
import type { QueueRow } from '../../../store/store.ts';
import type { Tracked } from '../../../tracking/tracked.ts';
import { doneLine, isHere, mailLine, mailLink, mark, presenceNote } from '../bits.ts';
import { type Section, section } from '../layout.ts';
import type { Play } from '../play.ts';
import { fuse, type Html, html, safe, since, until, type View } from '../view.ts';
import { stageSection } from './stage.ts';

const mostRows = 40;
const mostDone = 8;

export interface NowData {
  readonly status: Status;
  readonly groups: readonly GroupView[];
  readonly people: readonly PersonView[];
  readonly held: readonly Tracked[];
  /** Held mail of groups without a policy: nothing but the delivery is known. */
  readonly heldUntracked: readonly QueueRow[];
  readonly heldUntil: ReadonlyMap<string, number>;
  readonly watched: readonly Tracked[];
  readonly done: readonly Tracked[];
}

export async function nowData(operations: Operations): Promise<NowData> {
  const [status, people, held, heldRows, watched, done] = await Promise.all([
    operations.status(),
    operations.presence(),
    operations.listTracked({ states: ['held'], limit: mostRows }),
    operations.listQueue({ states: ['held'], limit: mostRows }),
    operations.soonest(mostRows),
    operations.listTracked({ states: ['acknowledged', 'answered', 'expired', 'withdrawn'], limit: mostDone }),
  ]);
  const keyOf = ({ queueId, seq }: { queueId: string; seq: number }) => `${queueId} ${seq}`;
  const tracked = new Set(held.map(keyOf));
  const heldUntil = new Map(heldRows.map((row) => [keyOf(row), row.nextAttemptAt ?? row.acceptedAt]));
  const heldUntracked = heldRows.filter((row) => !tracked.has(keyOf(row)));
  return { status, groups: operations.groups(), people, held, heldUntracked, heldUntil, watched, done };
}

export function nowSections(view: View, data: NowData, play: Play | null): readonly Section[] {
  return [
    ...(play ? [stageSection(view, play, data)] : []),
    summary(view, data),
    faults(view, data.status),
    held(view, data),
    watched(view, data),
    done(view, data.done),
    groups(view, data),
  ];
}

/** Sections in the order of nowSections, set on the page. */
export function nowPage(view: View, sections: readonly Section[]): Html {
  const by = new Map(sections.map(({ id, html: content }) => [id, content]));
  const { t } = view;
  return html`<h1 class="unseen">${t.now.title}</h1>
    ${by.get('stage')}
    ${by.get('summary')}${by.get('faults')}
    <div class="columns"><div class="main">${by.get('held')}${by.get('watched')}${by.get('done')}</div>
    <div class="side">${by.get('groups')}</div></div>`;
}

function summary(view: View, { status, people, watched }: NowData): Section {
  const { t } = view;
  const wrong = (status.faults?.length ?? 0) + status.problems.filter((one) => !isLinkWord(one)).length;
  const counts = status.counts;
  const waits = counts?.tracked.held ?? 0;
  const open = counts?.tracked.tracked ?? 0;
  const next = watched.find(({ nextStepAt }) => nextStepAt !== null)?.nextStepAt;
  const here = people.filter(({ presence }) => isHere(presence)).length;
  return section(
    'summary',
    html`<p class="sum ${wrong > 0 ? 'wrong' : ''}"><strong>${wrong === 0 ? t.now.calm : t.now.trouble(wrong)}</strong>
      ${t.now.there(here, people.length)}
      ${waits + open === 0 ? t.now.idle : ''}
      ${waits > 0 ? t.now.held(waits) : ''}
      ${open > 0 ? t.now.watched(open) : ''}
      ${open > 0 && next !== undefined && next !== null ? html`${t.now.nextIn} <span class="soon">${until(view, next)}</span>.` : ''}</p>
    <span id="clock" data-now="${view.now}" data-pace="${view.pace}" hidden></span>`,
    t.now.title,
  );
}

/** The state of the link is a fault of its own, with what to do about it. */
const isLinkWord = (problem: string): boolean => problem.startsWith('XMPP is ');

function faults(view: View, status: Status): Section {
  const { t } = view;
  const known = status.faults ?? [];
  const problems = status.problems.filter((one) => known.length === 0 || !isLinkWord(one));
  if (known.length + problems.length === 0) return section('faults', html``);
  return section(
    'faults',
    html`<h2>${t.now.faultsTitle}</h2><ul class="faults">
      ${known.map(
        (fault) => html`<li class="fault fault-${fault.severity}"><p><strong>${safe(fault.text)}</strong>
          <span class="note">${t.now.faultSince} ${since(view, fault.since)}</span></p>
          <p class="note">${t.now.faultAction}: ${safe(fault.action)}</p></li>`,
      )}
      ${problems.map((problem) => html`<li class="fault fault-error"><p><strong>${safe(problem)}</strong></p></li>`)}
    </ul>`,
  );
}

function held(view: View, data: NowData): Section {
  const { t } = view;
  const all = data.held.length + data.heldUntracked.length;
  if (all === 0) return section('held', html``);
  const endOf = ({ queueId, seq, acceptedAt }: Tracked) => data.heldUntil.get(`${queueId} ${seq}`) ?? acceptedAt;
  return section(
    'held',
    html`<h2>${t.now.heldTitle}</h2><ol class="mails">
    ${data.held.map(
      (
        one,
      ) => html`<li class="mail"><div class="when">${until(view, endOf(one))}${fuse(view, one.acceptedAt, endOf(one))}</div>
      <div class="what">${mailLine(view, one)}</div>
      <div class="where"><span class="group">${one.plan.group}</span>
        <span class="note">${since(view, one.acceptedAt)} · ${t.now.heldUntil} ${until(view, endOf(one))}</span></div></li>`,
    )}
    ${data.heldUntracked.map(
      (row) => html`<li class="mail"><div class="when">${until(view, row.nextAttemptAt ?? row.acceptedAt)}</div>
      <div class="what"><a class="subject" href="/message/${row.queueId}">${safe(row.path.mailbox)}</a></div>
      <div class="where">${mailLink(row.queueId)}</div></li>`,
    )}</ol>`,
  );
}

function watched(view: View, { watched: all, held: waiting, people, status }: NowData): Section {
  const { t } = view;
  const open = all.filter(({ state }) => state === 'tracked');
  const total = status.counts?.tracked.tracked ?? open.length;
  if (open.length === 0)
    return section('watched', waiting.length > 0 ? html`` : html`<p class="empty">${t.now.nothingOpen}</p>`);
  const states = new Map(people.map(({ name, presence }) => [name, presence.state]));
  return section(
    'watched',
    html`<h2>${t.now.watchedTitle}</h2><ol class="mails">
    ${open.map((one) => watchedLine(view, one, states))}</ol>
    ${total > open.length ? html`<p class="note">${t.now.more(total - open.length)}</p>` : ''}`,
  );
}

function watchedLine(view: View, one: Tracked, states: ReadonlyMap<string, PersonView['presence']['state']>): Html {
  const { t } = view;
  const { nextStepAt, ownedSince, owner } = one;
  return html`<li class="mail">
    <div class="when">${nextStepAt === null ? '' : html`${until(view, nextStepAt)}${fuse(view, ownedSince ?? one.acceptedAt, nextStepAt)}`}</div>
    <div class="what">${mailLine(view, one)}</div>
    <div class="where"><span class="owner">${owner === null ? '' : mark(states.get(owner) ?? 'unknown', t.states[states.get(owner) ?? 'unknown'])}${owner === null ? t.nobody : safe(owner)}</span>
      <span class="note">${ownedSince === null ? '' : since(view, ownedSince)} · ${nextWords(view, one)}</span></div></li>`;
}

/** `next: to the room duty`, `promised`, or that it ends. */
function nextWords({ t }: View, { plan, step, pledge }: Tracked): Html {
  if (pledge) return html`${t.message.pledge[pledge.kind] ?? pledge.kind}`;
  const upcoming = plan.policy.steps[step];
  if (!upcoming) return html`${t.now.lastStep}`;
  const { to } = upcoming;
  const target =
    to.kind === 'room'
      ? to.room
      : to.kind === 'person'
        ? to.person
        : to.kind === 'mailbox'
          ? to.mailbox
          : to.kind === 'owner'
            ? t.now.toOwner
            : t.now.toNext;
  return html`${t.now.nextStep}: ${safe(target)}`;
}

function done(view: View, all: readonly Tracked[]): Section {
  if (all.length === 0) return section('done', html``);
  return section(
    'done',
    html`<h2>${view.t.now.closedTitle}</h2><ol class="dones">${all.map((one) => doneLine(view, one))}</ol>`,
  );
}

function groups(view: View, { groups: all, people }: NowData): Section {
  const { t } = view;
  const by = new Map(people.map((person) => [person.name, person]));
  return section(
    'groups',
    html`<h2>${t.now.groupsTitle}</h2>${all.length === 0 ? html`<p class="empty">${t.now.noGroups}</p>` : ''}
    ${all.map((group) => {
      const chosen = group.next.decision === 'member' ? group.next.person : undefined;
      return html`<article class="group-card" aria-label="${group.name}">
      <h3>${group.name}<span class="note">${group.addresses.map((address) => safe(address)).join(', ')}</span></h3>
      <ul class="track">${group.members.map((name) => {
        const person = by.get(name);
        return person
          ? html`<li class="${name === chosen ? 'set' : ''} ${isEligible(group, name) ? 'eligible' : 'closed'}">
            ${personLine(view, person, group)}
            </li>`
          : '';
      })}</ul>
      <p class="next">${nextGoes(view, group)}</p></article>`;
    })}`,
  );
}

const isEligible = (group: GroupView, name: string): boolean =>
  group.next.considered.some(({ person, verdict }) => person === name && verdict !== 'excluded');

function personLine(view: View, person: PersonView, group: GroupView): Html {
  const { t } = view;
  const { state } = person.presence;
  const why = group.next.considered.find((one) => one.person === person.name);
  return html`<div class="person">${mark(state)}<a class="name" href="/people/${encodeURIComponent(person.name)}">${safe(person.name)}</a>
    <span class="state">${t.states[state]}</span>${presenceNote(view, person)}
    <span class="load" title="${why ? safe(why.reason) : ''}">${person.open > 0 ? t.now.open(person.open) : ''}</span></div>`;
}

function nextGoes(view: View, { name, next }: GroupView): Html {
  const { t } = view;
  const why = safe((next.because.at(-1) ?? '').replace(`${next.person}: `, ''));
  const reason = why === '' ? '' : html`<span class="note">${why}</span>`;
  if (next.group !== undefined && next.group !== name)
    return html`${t.now.nextGoes} <strong>${safe(next.person ?? next.mailbox ?? '')}</strong> <span class="note">${t.now.nextOther}</span>`;
  switch (next.decision) {
    case 'member':
      return html`${t.now.nextGoes} <strong>${safe(next.person ?? next.mailbox ?? '')}</strong> ${reason}`;
    case 'hold':
      return html`${t.now.nextHeld} ${reason}`;
    case 'fallback':
      return html`${t.now.nextFallback} <strong>${safe(next.person ?? next.mailbox ?? '')}</strong> ${reason}`;
    case 'reject':
      return html`${t.now.nextRefused} ${reason}`;
    case 'pass':
      return html`${t.now.nextPass} ${reason}`;
    default:
      return next.decision satisfies never;
  }
}
