// Who did what by hand, the newest first.
import type { Audited, Standing } from '../../../store/look-back.ts';
import { table } from '../bits.ts';
import { dateAndTime, type Html, html, safe, type View } from '../view.ts';

export const auditPageSize = 100;

export function auditPage(view: View, rows: readonly Audited[], text: string): Html {
  const { t } = view;
  const last = rows.at(-1);
  const older = new URLSearchParams({ ...(text === '' ? {} : { text }), before: String(last?.number ?? 0) });
  return html`<h1>${t.audit.title}</h1><p class="note">${t.audit.intro}</p>
    <form method="get" action="/audit" class="conditions" role="search">
      <label>${t.audit.search} <input name="text" value="${safe(text)}" maxlength="100"></label><button>${t.select.show}</button></form>
    ${
      rows.length === 0
        ? html`<p class="empty">${t.audit.none}</p>`
        : table(
            t.audit.title,
            [
              t.audit.when,
              t.audit.who,
              t.audit.what,
              t.audit.on,
              t.audit.wish,
              t.audit.before,
              t.audit.after,
              t.audit.outcome,
            ],
            rows.map(
              (row) => html`<tr class="audited-${row.outcome}"><td class="when">${dateAndTime(view, row.at)}</td>
              <th scope="row">${safe(row.by)}</th><td>${safe(row.action)}</td><td>${subject(row.subject)}</td>
              <td>${standing(row.wish)}</td><td>${standing(row.before)}</td><td>${standing(row.after)}</td>
              <td>${t.audit.outcomes[row.outcome] ?? row.outcome}</td></tr>`,
            ),
            'audit',
          )
    }
    ${rows.length < auditPageSize ? '' : html`<p><a href="/audit?${older.toString()}">${t.faults.older}</a></p>`}`;
}

function subject(text: string): Html {
  return /^[0-9A-Za-z]{4,13}$/.test(text) && !/^f\d/.test(text)
    ? html`<a class="id" href="/message/${text}">${text}</a>`
    : html`${safe(text)}`;
}

function standing(facts: Standing): string {
  return safe(
    Object.entries(facts)
      .filter(([, value]) => value !== null && value !== '')
      .map(([name, value]) => `${name}: ${value}`)
      .join(', '),
  );
}
