// Queue: what waits for which next hop and why, and what operators do to several at once. Every row leads to the whole
// story; the form below acts on those that are ticked.
import type { Operations, QueueCounts } from '../../../operations.ts';
import type { DeliveryState, QueueFilter, QueueRow } from '../../../store/store.ts';
import { mailLink, table } from '../bits.ts';
import { type Section, section } from '../layout.ts';
import { type Html, html, length, mayAct, raw, safe, since, token, until, type View } from '../view.ts';

export const queueStates = ['waiting', 'queued', 'held', 'hold', 'dead', 'failed', 'dropped', 'delivered'] as const;
const waiting: readonly QueueState[] = ['waiting', 'queued', 'held', 'hold'];
export type QueueState = (typeof queueStates)[number];

/** As the address line says it. */
export interface QueueWish {
  readonly state: QueueState;
  readonly to: string;
  readonly from: string;
  readonly hop: string;
  readonly group: string;
}

export interface QueueData {
  readonly wish: QueueWish;
  readonly counts: QueueCounts;
  readonly rows: readonly QueueRow[];
  readonly hops: readonly string[];
  readonly groups: readonly string[];
}

export const mostRows = 200;

export async function queueData(operations: Operations, wish: QueueWish): Promise<QueueData> {
  const [counts, rows, status] = await Promise.all([
    operations.countQueue(),
    operations.listQueue(filterOf(wish)),
    operations.status(),
  ]);
  const named = [...(status.relay?.hops ?? []).map(({ name }) => name), ...counts.rows.map(({ nextHop }) => nextHop)];
  const groups = operations.groups().map(({ name }) => name);
  return { wish, counts, rows, hops: [...new Set(named)].sort(), groups };
}

function filterOf({ state, to, from, hop, group }: QueueWish): QueueFilter {
  const states: readonly DeliveryState[] =
    state === 'waiting' || state === 'hold' ? ['queued', 'held'] : [state satisfies DeliveryState];
  return {
    states,
    limit: mostRows,
    ...(state === 'hold' ? { onHold: true } : {}),
    ...(to === '' ? {} : { to }),
    ...(from === '' ? {} : { from }),
    ...(hop === '' ? {} : { hop }),
    ...(group === '' ? {} : { group }),
  };
}

export function queueSections(view: View, data: QueueData): readonly Section[] {
  return [counts(view, data), rows(view, data)];
}

export function queuePage(view: View, data: QueueData, sections: readonly Section[]): Html {
  const by = new Map(sections.map(({ id, html: content }) => [id, content]));
  const { t } = view;
  return html`<h1>${t.queue.title}</h1>${by.get('counts')}${conditions(view, data)}
    <form method="post" action="/queue?${queryOf(data.wish)}" class="queue-form">${token()}${by.get('rows')}
    ${!waiting.includes(data.wish.state) ? '' : mayAct(view.role) ? hands(view) : html`<p class="empty">${t.message.viewerOnly}</p>`}</form>
    <span id="clock" data-now="${view.now}" data-pace="${view.pace}" hidden></span>`;
}

export const queryOf = (wish: QueueWish): string =>
  new URLSearchParams(Object.entries(wish).filter(([, value]) => value !== '')).toString();

/** In minutes: the columns that a look needs. The API and the command line have them all. */
const shown = [10, 80, 640] as const;

function counts({ t }: View, { counts: { bounds, rows: hops } }: QueueData): Section {
  if (hops.length === 0) return section('counts', html``);
  const columns = [
    ...shown.map((minutes) => t.queue.upTo(length(minutes * 60_000))),
    t.queue.olderThan(length(640 * 60_000)),
  ];
  return section(
    'counts',
    html`<h2>${t.queue.counts}</h2>${table(
      t.queue.counts,
      [t.queue.nextHop, t.queue.total, t.queue.onHold, ...columns],
      hops.map(({ nextHop, total, onHold, ages }) => {
        const sums = [0, 0, 0, 0];
        for (const [index, count] of ages.entries()) {
          const upTo = bounds[index] ?? Number.POSITIVE_INFINITY;
          const column = shown.findIndex((most) => upTo <= most);
          const at = column < 0 ? shown.length : column;
          sums[at] = (sums[at] ?? 0) + count;
        }
        return html`<tr><th scope="row"><a href="/queue?hop=${encodeURIComponent(nextHop)}">${safe(nextHop)}</a></th>
          <td class="number">${total}</td><td class="number">${onHold}</td>
          ${sums.map((count) => html`<td class="number">${count}</td>`)}</tr>`;
      }),
      'counts',
    )}`,
  );
}

function conditions({ t }: View, { wish, hops, groups }: QueueData): Html {
  const choice = (name: keyof QueueWish, label: string, options: readonly (readonly [string, string])[]) =>
    html`<label>${label} <select name="${name}">${options.map(
      ([value, text]) => html`<option value="${value}" ${value === wish[name] ? raw('selected') : ''}>${text}</option>`,
    )}</select></label>`;
  const any: readonly [string, string] = ['', t.queue.any];
  return html`<form method="get" action="/queue" class="conditions" role="search" aria-label="${t.queue.conditions}">
    ${choice(
      'state',
      t.queue.state,
      queueStates.map((state) => [state, t.queue.states[state] ?? state] as const),
    )}
    ${choice('hop', t.queue.nextHop, [any, ...hops.map((hop) => [hop, safe(hop)] as const)])}
    ${choice('group', t.queue.group, [any, ...groups.map((group) => [group, safe(group)] as const)])}
    <label>${t.queue.to} <input name="to" value="${safe(wish.to)}" maxlength="320" autocomplete="off"></label>
    <label>${t.queue.from} <input name="from" value="${safe(wish.from)}" maxlength="320" autocomplete="off"></label>
    <button>${t.queue.show}</button></form>`;
}

function rows(view: View, { wish, rows: all }: QueueData): Section {
  const { t } = view;
  if (all.length === 0) {
    const bare = wish.state === 'waiting' && queryOf({ ...wish, state: 'waiting' }) === 'state=waiting';
    return section('rows', html`<p class="empty">${bare ? t.queue.empty : t.queue.none}</p>`);
  }
  const acts = mayAct(view.role);
  return section(
    'rows',
    html`<ol class="queue">${all.map((row) => line(view, row, acts))}</ol>
    ${all.length < mostRows ? '' : html`<p class="note">${t.queue.first(mostRows)}</p>`}`,
    t.queue.title,
  );
}

function senderOf(view: View, { plan, reversePath }: QueueRow): string {
  if (plan?.kind === 'group' && view.hides(plan.group).sender) return view.t.message.hidden;
  return reversePath === '' ? '<>' : safe(reversePath);
}

function line(view: View, row: QueueRow, acts: boolean): Html {
  const { t } = view;
  const to = row.chosen?.mailbox ?? row.path.mailbox;
  const waits = row.state === 'queued' || row.state === 'held';
  return html`<li id="d-${row.queueId}-${row.seq}" class="queued">
    ${acts && waits ? html`<input type="checkbox" name="id" value="${row.queueId}" aria-label="${t.queue.choose(row.queueId)}">` : html`<span></span>`}
    <div class="what"><a class="subject" href="/message/${row.queueId}">${safe(to)}</a>
      <span class="sender">${t.queue.from} ${senderOf(view, row)} · ${mailLink(row.queueId)}</span></div>
    <div class="why"><span class="delivery-${row.state}">${
      row.onHoldBy === null ? (t.deliveries[row.state] ?? row.state) : t.message.onHold(safe(row.onHoldBy))
    }</span>${row.lastHop === null ? '' : html` · ${safe(row.lastHop)}`}
      <span class="note">${reasonOf(view, row)}</span></div>
    <div class="when"><span>${t.queue.age} ${since(view, row.acceptedAt)}</span>
      <span>${t.queue.tries} ${row.attempts}${
        row.nextAttemptAt === null || row.onHoldBy !== null
          ? ''
          : html` · ${t.queue.next} ${until(view, row.nextAttemptAt)}`
      }</span></div></li>`;
}

function reasonOf({ t }: View, row: QueueRow): string {
  if (row.state === 'held' && row.plan.kind === 'group') return t.queue.waitsForSomebody(safe(row.plan.group));
  return row.lastReply === null ? t.queue.noReply : safe(row.lastReply);
}

function hands({ t }: View): Html {
  return html`<fieldset class="hands"><legend>${t.queue.chosen}</legend><div class="fields">
    <button name="action" value="retry">${t.message.retry}</button>
    <button name="action" value="hold">${t.message.hold}</button>
    <button name="action" value="release">${t.message.release}</button>
    <label>${t.queue.why} <input name="why" maxlength="200" autocomplete="off"></label>
    <button name="action" value="drop" class="bad">${t.message.drop}</button></div></fieldset>`;
}
