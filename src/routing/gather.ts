// Rule texts that come from nowhere (uploaded, pasted) as a folder would have them: ordered by name, each after what it
// includes. Pure, like parse.ts, which judges them.
import { includesOf, type Loaded, parseRules, type RuleText } from './parse.ts';
import { quote, Report } from './problem.ts';

/** @param files names are paths as places show them, `rules/20-groups.yaml`; includes go from the first folder on */
export function gather(files: readonly RuleText[]): Loaded {
  const report = new Report();
  const byName = new Map(files.map((file) => [inside(file.name), file]));
  const ordered: RuleText[] = [];
  const done = new Set<string>();
  const open: string[] = [];

  const read = (name: string, file: RuleText): void => {
    if (done.has(name)) return;
    done.add(name);
    open.push(name);
    for (const { value, place } of includesOf(file)) {
      const wanted = byName.get(value);
      if (open.includes(value)) report.error(place, `includes go in a circle: ${[...open, value].join(' → ')}`);
      else if (wanted) read(value, wanted);
      else report.error(place, `${quote(value)} is not among the files`);
    }
    open.pop();
    ordered.push(file);
  };
  // Those in folders below are read only when they are included.
  const top = [...byName].filter(([name]) => !name.includes('/')).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  for (const [name, file] of top) read(name, file);
  if (top.length === 0) report.error({ file: 'rules', line: 1, column: 1 }, 'there is no rule file');
  const complete = !report.failed;
  const loaded = parseRules(ordered, { complete, ordered: true });
  report.add(loaded.problems);
  const { problems } = report;
  return loaded.rules && complete ? { rules: loaded.rules, problems, files: ordered } : { problems, files: ordered };
}

/** The path from the rules folder on. */
const inside = (name: string): string => name.slice(name.indexOf('/') + 1);
