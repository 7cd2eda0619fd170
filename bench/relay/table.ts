// From runs to a table: medians and quartiles of ratios that were measured side by side.
import { type Load, nameOf, type Run } from './load.ts';

export interface Round {
  readonly load: Load;
  /** One run of each system, made one after the other. */
  readonly runs: readonly Run[];
}

export function quantile(values: readonly number[], at: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  const place = (sorted.length - 1) * at;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

/** `median (lower quartile–upper quartile)` */
export function spread(values: readonly number[], digits: number): string {
  if (values.length === 0) return '–';
  const [low, middle, high] = [0.25, 0.5, 0.75].map((at) => quantile(values, at).toFixed(digits));
  return `${middle} (${low}–${high})`;
}

export function table(rounds: readonly Round[], ours: string): string {
  const peers = [...new Set(rounds.flatMap(({ runs }) => runs.map(({ system }) => system)))].filter(
    (name) => name !== ours,
  );
  const lines = [
    `| load | system | messages | accepted /s | end to end /s | CPU ms/msg | RSS MB | ${ours} ÷ it |`,
    '|---|---|---|---|---|---|---|---|',
  ];
  for (const [load, same] of Map.groupBy(rounds, ({ load }) => nameOf(load))) {
    for (const system of [ours, ...peers]) {
      const runs = same.flatMap((round) => round.runs.filter((run) => run.system === system));
      const ratios = same.flatMap((round) => ratioOf(round, ours, system));
      const cells = [
        load,
        system,
        String(runs[0]?.messages ?? 0),
        spread(
          runs.map((run) => run.accepted),
          0,
        ),
        spread(
          runs.map((run) => run.through),
          0,
        ),
        spread(
          runs.map((run) => run.processor),
          2,
        ),
        quantile(
          runs.map((run) => run.resident),
          0.5,
        ).toFixed(0),
        system === ours ? '' : spread(ratios, 2),
      ];
      lines.push(`| ${cells.join(' | ')} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** For the README: a line a load. */
export function shortTable(rounds: readonly Round[], ours: string): string {
  const systems = [ours, ...new Set(rounds.flatMap(({ runs }) => runs.map(({ system }) => system)))];
  const names = [...new Set(systems)];
  const peers = names.slice(1);
  const each = names.join(' / ');
  const lines = [
    `| load | ${names.map((name) => `${name} /s`).join(' | ')} | ${peers.map((name) => `÷ ${name}`).join(' | ')} | CPU ms a message, ${each} | memory MB, ${each} |`,
    `|---|${'---|'.repeat(names.length + peers.length + 2)}`,
  ];
  for (const [load, same] of Map.groupBy(rounds, ({ load }) => nameOf(load))) {
    const middle = (name: string, of: (run: Run) => number, digits: number): string => {
      const runs = same.flatMap((round) => round.runs.filter((run) => run.system === name));
      return quantile(runs.map(of), 0.5).toFixed(digits);
    };
    const cells = [
      load,
      ...names.map((name) => middle(name, ({ through }) => through, 0)),
      ...peers.map((name) => {
        const ratios = same.flatMap((round) => ratioOf(round, ours, name));
        return spread(ratios, 2);
      }),
      names.map((name) => middle(name, ({ processor }) => processor, 2)).join(' / '),
      names.map((name) => middle(name, ({ resident }) => resident, 0)).join(' / '),
    ];
    lines.push(`| ${cells.join(' | ')} |`);
  }
  return `${lines.join('\n')}\n`;
}

export function ratioOf({ runs }: Round, ours: string, peer: string): number[] {
  const one = runs.find(({ system }) => system === ours);
  const other = runs.find(({ system }) => system === peer);
  return one && other ? [one.through / other.through] : [];
}
