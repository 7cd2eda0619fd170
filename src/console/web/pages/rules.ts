// Rules: the files as they are in force or were refused, with what is wrong or doubtful beside each line.
import type { RuleFiles } from '../../../oversight.ts';
import type { Problem } from '../../../routing/rules.ts';
import { type Html, html, mayAct, raw, safe, type View } from '../view.ts';
import { lineId, painted } from '../yaml-paint.ts';

export type RulesTab = 'files' | 'try' | 'replay';

const paths: Readonly<Record<RulesTab, string>> = { files: '/rules', try: '/rules/try', replay: '/rules/replay' };

export function rulesHeading(view: View, tab: RulesTab): Html {
  const { t } = view;
  const tabs = (Object.keys(paths) as RulesTab[]).filter((one) => one === 'files' || mayAct(view.role));
  return html`<h1>${t.rules.title}</h1><nav class="kinds" aria-label="${t.rules.title}"><ul>${tabs.map(
    (one) =>
      html`<li><a href="${paths[one]}" ${one === tab ? raw('aria-current="page"') : ''}>${t.rules.tabs[one]}</a></li>`,
  )}</ul></nav>`;
}

export function rulesPage(view: View, { version, rejected, problems, files }: RuleFiles): Html {
  const { t } = view;
  return html`${rulesHeading(view, 'files')}
    <p class="${rejected ? 'said bad' : 'note'}">${rejected ? t.rules.rejected(safe(version)) : t.rules.inForce(safe(version))}</p>
    ${problemList(view, problems)}
    ${files.map(
      ({ name, text }) => html`<details class="rule-file" open><summary><code>${safe(name)}</code></summary>
      <div class="wide" role="region" aria-label="${safe(name)}" tabindex="0">${painted(name, text, problems)}</div></details>`,
    )}`;
}

export function problemList({ t }: View, problems: readonly Problem[]): Html {
  if (problems.length === 0) return html`<p class="note">${t.rules.noProblems}</p>`;
  return html`<ul class="faults">${problems.slice(0, 100).map(
    ({
      severity,
      place,
      message,
    }) => html`<li class="fault fault-${severity}"><p><a class="id" href="#${lineId(place.file, place.line)}">${safe(place.file)}:${place.line}</a>
      ${safe(message)}</p></li>`,
  )}</ul>`;
}
