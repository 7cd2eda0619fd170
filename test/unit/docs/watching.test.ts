// The dashboard and the alerts that are shipped: every metric and label in them exists, and the page tells of each alert.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { createMetrics } from '../../../src/console/metrics.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

interface Dashboard {
  readonly uid: string;
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
  }[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
}
interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}
const dashboard = JSON.parse(read('deploy/grafana/pointsman.json')) as Dashboard;
const rules = (parse(read('deploy/prometheus/pointsman.rules.yaml')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);

const specs = new Map(createMetrics().specs.map((spec) => [spec.name, spec]));
/** What Prometheus puts on everything it scrapes. */
const given = new Set(['job', 'instance', 'le']);

/** What is wrong with one expression: names and labels that are nowhere. */
function unknownIn(expr: string): string[] {
  const wrong: string[] = [];
  const labels = new Set<string>(given);
  for (const [, name = '', , selector = ''] of expr.matchAll(/\b(pointsman_\w+)(\{([^}]*)\})?/g)) {
    const spec = specs.get(name) ?? specs.get(name.replace(/_(?:bucket|sum|count)$/, ''));
    if (!spec) wrong.push(name);
    const own = Object.keys(spec?.labels ?? {});
    for (const label of own) labels.add(label);
    for (const [, label = ''] of selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g))
      if (!given.has(label) && !own.includes(label)) wrong.push(`${name}{${label}}`);
    if (name.endsWith('_bucket') && spec?.type !== 'histogram') wrong.push(`${name} is no histogram`);
  }
  for (const [, list = ''] of expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g))
    for (const label of list.split(',').map((one) => one.trim())) if (!labels.has(label)) wrong.push(`by ${label}`);
  if (/\b(?:rate|increase)\((\w+)/.test(expr))
    for (const [, name = ''] of expr.matchAll(/\b(?:rate|increase)\((\w+)/g))
      if ((specs.get(name.replace(/_bucket$/, ''))?.type ?? 'gauge') === 'gauge') wrong.push(`the rate of ${name}`);
  const depth = [...expr].reduce((open, one) => open + Number(one === '(') - Number(one === ')'), 0);
  if (depth !== 0) wrong.push('brackets');
  return wrong;
}

test('the check finds what is wrong', () => {
  expect(unknownIn('pointsman_ready{job=~"x"} == 0')).toEqual([]);
  for (const wrong of [
    'pointsman_nothing',
    'pointsman_ready{state="x"}',
    'sum by (hop) (pointsman_ready)',
    'rate(pointsman_ready[5m])',
    'rate(pointsman_ready_bucket[5m])',
    'sum(pointsman_ready',
  ])
    expect(unknownIn(wrong)).not.toEqual([]);
});

test('the dashboard shows metrics that exist, each panel in a place of its own', () => {
  const expressions = [
    ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ...dashboard.annotations.list.map(({ expr }) => expr),
  ];
  expect(expressions.length).toBeGreaterThan(20);
  expect(expressions.flatMap(unknownIn)).toEqual([]);
  const legends = dashboard.panels.flatMap(({ targets }) =>
    targets.flatMap(({ expr, legendFormat }) =>
      [...legendFormat.matchAll(/{{(\w+)}}/g)].filter(
        (match) => !new RegExp(`by \\([^)]*\\b${match[1]}\\b`).test(expr),
      ),
    ),
  );
  expect(legends).toEqual([]);
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, index) => `${x + (index % w)} ${y + Math.floor(index / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(Math.max(...dashboard.panels.map(({ gridPos: { x, w } }) => x + w))).toBeLessThanOrEqual(24);
});

test.each(
  rules.map((rule) => [rule.alert, rule] as const),
)('%s is about what exists, and says what to do', (name, rule) => {
  expect(unknownIn(rule.expr)).toEqual([]);
  expect(rule.for).toMatch(/^\d+[mh]$/);
  expect(['critical', 'warning', 'info']).toContain(rule.labels.severity);
  expect(rule.annotations.summary).toMatch(/\S/);
  expect(rule.annotations.description).toMatch(/\.$/);
  expect(read('docs/operate/watching.md')).toContain(`| ${name} | ${rule.labels.severity} |`);
});
