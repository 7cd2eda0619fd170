// Twenty lines of the state machine, broken one at a time in a copy: each time a named story must fail. A story that
// passes with its line broken proves nothing.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

interface Broken {
  readonly file: string;
  readonly line: string;
  readonly into: string;
  readonly story: string;
  readonly name: string;
}

const broken: readonly Broken[] = [
  {
    file: 'src/tracking/pledge.ts',
    line: `if (tracked.state !== 'tracked') return null;`,
    into: '',
    story: 'test/story/pledge.test.ts',
    name: 'comes too late for what is closed',
  },
  {
    file: 'src/tracking/acknowledge.ts',
    line: 'if (isPassive(evidence.grade) && evidence.person !== tracked.owner)',
    into: 'if (false)',
    story: 'test/story/evidence.test.ts',
    name: 'of one from whom the mail has moved on',
  },
  {
    file: 'src/tracking/acknowledge.ts',
    line: 'nextStepAt: null,',
    into: 'nextStepAt: now + 1,',
    story: 'test/story/escalate.test.ts',
    name: 'that comes late says so',
  },
  {
    file: 'src/tracking/acknowledge.ts',
    line: `if (tracked.state !== 'tracked' && tracked.state !== 'expired')`,
    into: 'if (false)',
    story: 'test/story/escalate.test.ts',
    name: 'that comes late says so',
  },
  {
    file: 'src/tracking/evidence.ts',
    line: 'evidence.grade >= needed[until]',
    into: 'evidence.grade >= 4',
    story: 'test/story/evidence.test.ts',
    name: 'is not enough where the policy wants it taken',
  },
  {
    file: 'src/mail/mdn.ts',
    line: `action === 'manual' && type === 'displayed'`,
    into: `type === 'displayed'`,
    story: 'test/story/evidence.test.ts',
    name: 'is recorded and stops nothing',
  },
  {
    file: 'src/mail/mdn.ts',
    line: `action === 'manual' && type === 'displayed'`,
    into: `action === 'manual'`,
    story: 'test/story/evidence.test.ts',
    name: 'is recorded and stops nothing',
  },
  {
    file: 'src/relay/mail-evidence.ts',
    line: 'trusted: trusted && known && !facts.autoSubmitted,',
    into: 'trusted: known,',
    story: 'test/story/escalate.test.ts',
    name: 'is recorded and changes nothing',
  },
  {
    file: 'src/relay/mail-evidence.ts',
    line: 'trusted: trusted && known,',
    into: 'trusted: known,',
    story: 'test/story/evidence.test.ts',
    name: 'forged from outside',
  },
  {
    file: 'src/relay/returning.ts',
    line: `if (!(await wasTold(stage, about, 'failed'))) await report`,
    into: 'await report',
    story: 'test/story/evidence.test.ts',
    name: 'of failure by every mailbox reaches the sender, once',
  },
  {
    file: 'src/relay/returning.ts',
    line: `if (await isTheirs(stage, heard, known)) await escalate(stage, about, { trigger: 'undeliverable', owner: person });`,
    into: '',
    story: 'test/story/evidence.test.ts',
    name: 'of failure moves the mail on at once',
  },
  {
    file: 'src/relay/returning.ts',
    line: 'if (somewhere || !returned(original)) return;',
    into: '',
    story: 'test/story/evidence.test.ts',
    name: 'of failure moves the mail on at once, and the sender is not bothered',
  },
  {
    file: 'src/relay/asking.ts',
    line: 'envelope.reversePath === nullReversePath',
    into: 'false',
    story: 'test/story/evidence.test.ts',
    name: 'nothing of mail without a sender',
  },
  {
    file: 'src/tracking/advance.ts',
    line: `if (trigger !== 'time') {`,
    into: 'if (false) {',
    story: 'test/story/pledge.test.ts',
    name: 'that is broken by leaving',
  },
  {
    file: 'src/tracking/advance.ts',
    line: 'pledge: { ...pledge, reminded: true },',
    into: 'pledge,',
    story: 'test/story/pledge.test.ts',
    name: 'lets the steps wait',
  },
  {
    file: 'src/tracking/advance.ts',
    line: 'if (forwardsLeft <= 0) return null;',
    into: '',
    story: 'test/story/pledge.test.ts',
    name: 'is not forwarded more often',
  },
  {
    file: 'src/tracking/steps.ts',
    line: 'steps.length + repeat * (steps.length - repeatFrom)',
    into: 'steps.length',
    story: 'test/story/pledge.test.ts',
    name: 'steps that repeat',
  },
  {
    file: 'src/relay/leaving.ts',
    line: `if (pledge?.kind === 'ack') return false;`,
    into: '',
    story: 'test/story/pledge.test.ts',
    name: 'does not move on because its owner goes home',
  },
  {
    file: 'src/relay/leaving.ts',
    line: `return now.state === 'offline' && now.since === change.presence.since;`,
    into: 'return true;',
    story: 'test/story/escalate.test.ts',
    name: 'reconnects within two seconds',
  },
  {
    file: 'src/relay/escalating.ts',
    line: 'if (cause.owner !== undefined && before.owner !== cause.owner) return null;',
    into: '',
    story: 'test/story/evidence.test.ts',
    name: 'of one forward that is not the last one',
  },
  {
    file: 'src/tracking/advance.ts',
    line: `if (step.hours && trigger !== 'operator' && !isOpenAt(step.hours, now))`,
    into: 'if (false)',
    story: 'test/story/policy.test.ts',
    name: 'the step waits for the morning',
  },
  {
    file: 'src/tracking/acknowledge.ts',
    line: 'return takenBy.includes(person) ? takenBy : [...takenBy, person];',
    into: 'return [...takenBy, person];',
    story: 'test/story/policy.test.ts',
    name: 'until so many different people have taken it',
  },
  {
    file: 'src/relay/forwarding.ts',
    line: ' || wasAskedTogether(tracked, person)',
    into: '',
    story: 'test/story/policy.test.ts',
    name: 'gives it to all who are there',
  },
];

const root = join(import.meta.dirname, '../..');
let copy: string;
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'pointsman-broken-'));
  for (const each of ['src', 'test', 'package.json', 'vitest.config.ts', 'tsconfig.json', 'docs', 'rules'])
    cpSync(join(root, each), join(copy, each), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** The story's outcome, and what it printed. */
function tell(story: string, name: string): { passed: boolean; ran: boolean; output: string } {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const pattern = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [vitest, 'run', '--project', 'unit', story, '-t', pattern],
    { cwd: copy, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } },
  );
  return { passed: status === 0, ran: /Tests {2}.*\d+ (?:passed|failed)/.test(stdout), output: stdout + stderr };
}

describe('a broken line is noticed', () => {
  test.each(broken)('$file: $line', { timeout: 120_000 }, ({ file, line, into, story, name }) => {
    const path = join(copy, file);
    const whole = readFileSync(path, 'utf8');
    expect(whole.split(line), 'the line stands there once').toHaveLength(2);
    writeFileSync(path, whole.replace(line, into));
    try {
      const { passed, ran, output } = tell(story, name);
      expect(ran, output).toBe(true);
      expect(passed, `${story} › ${name} does not notice`).toBe(false);
    } finally {
      writeFileSync(path, whole);
    }
  });
});

test('unbroken, all these stories pass', { timeout: 300_000 }, () => {
  for (const story of new Set(broken.map((each) => each.story))) expect(tell(story, '').passed, story).toBe(true);
});
