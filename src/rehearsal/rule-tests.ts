// Tests for rules: what is in rules/tests/*.yaml, and running it. A test is a scene and the lines that must come of it.
import { day, type Instant } from '../clock.ts';
import { quote, Report } from '../routing/problem.ts';
import type { Place, Problem, Rules } from '../routing/rules.ts';
import { fields, list, located, oneOrMore, optional, required, text } from '../routing/schema.ts';
import { readYaml } from '../routing/yaml.ts';
import type { Outcome } from './happening.ts';
import { mailsField, type Scene, sceneFields, sceneOf } from './scene.ts';
import { storyLine } from './words.ts';
import { World } from './world.ts';

const testSchema = fields('a test', {
  name: required(located(text('a name', 200))),
  mail: required(mailsField),
  ...sceneFields,
  expect: required(located(oneOrMore(text('a line such as "10m step next: to bob"', 2000)))),
  because: optional(oneOrMore(text('part of a reason', 500))),
});
const fileSchema = fields('a file of tests', { tests: required(list(testSchema, 'a list of tests')) });

export interface RuleTest {
  readonly name: string;
  readonly place: Place;
  readonly scene: Scene;
  /** One line: only the first thing that happens. Several: all that happens. */
  readonly expect: readonly string[];
  readonly whole: boolean;
  readonly because: readonly string[];
}

/** How long a rehearsal goes on when nobody ends it: longer than the longest policy makes sense. */
const longest = 400 * day;

export function parseRuleTests(
  file: string,
  source: string,
): { tests: readonly RuleTest[]; problems: readonly Problem[] } {
  const report = new Report();
  const { root, problems } = readYaml(source, file);
  report.add(problems);
  const entries = root === undefined ? [] : (fileSchema.read(root, report)?.tests ?? []);
  const tests = entries.flatMap((entry): RuleTest[] => {
    const { name, mail, expect } = entry;
    if (!name || !mail || !expect) return [];
    return [
      {
        name: name.value,
        place: expect.place,
        scene: sceneOf(entry, mail),
        expect: expect.value,
        whole: expect.value.length > 1,
        because: entry.because ?? [],
      },
    ];
  });
  return { tests: report.failed ? [] : tests, problems: report.problems };
}

export interface Rehearsed {
  readonly lines: readonly string[];
  readonly outcomes: readonly Outcome[];
}

export function rehearse(rules: Rules, scene: Scene, until: Instant = scene.start + longest): Rehearsed {
  const outcomes: Outcome[] = [];
  const { start, happenings, ...state } = scene;
  const world = new World({ rules, tell: (outcome) => outcomes.push(outcome), ...state });
  for (const happening of happenings) world.add(happening);
  world.run(until);
  const several = happenings.filter(({ kind }) => kind === 'mail').length > 1;
  return { outcomes, lines: outcomes.map((outcome) => storyLine(outcome, start, several)) };
}

/** Undefined when it passes; otherwise what came instead, at the place of what was expected. */
export function runRuleTest(rules: Rules, test: RuleTest): Problem | undefined {
  const { lines, outcomes } = rehearse(rules, test.scene);
  const got = test.whole ? lines : lines.slice(0, 1);
  const fail = (message: string): Problem => ({ severity: 'error', place: test.place, message });
  for (let index = 0; index < Math.max(got.length, test.expect.length); index += 1) {
    const [wanted, came] = [test.expect[index], got[index]];
    if (wanted === came) continue;
    const where = test.whole ? `line ${index + 1}: ` : '';
    const what = came === undefined ? 'nothing more happens' : `came ${quote(came)}`;
    const expected = wanted === undefined ? 'nothing more is expected' : `expected ${quote(wanted)}`;
    return fail(`the test ${quote(test.name)} fails: ${where}${expected}, but ${what}`);
  }
  const reasons = outcomes.flatMap(({ plan, told }) => [
    ...plan.because,
    ...('choice' in told
      ? [...told.choice.because, ...told.choice.considered.map((one) => `${one.person} ${one.reason}`)]
      : []),
  ]);
  const missing = test.because.find((part) => !reasons.some((reason) => reason.includes(part)));
  return missing === undefined
    ? undefined
    : fail(
        `the test ${quote(test.name)} fails: no reason says ${quote(missing)}; there are ${reasons.map(quote).join(', ')}`,
      );
}
