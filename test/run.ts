// What `npm test` runs: format and lint, types, the unit project, the live project and beside it what mostly waits; with
// --long the long one too.
// Installs Debian's packages of the live peers where it may, otherwise says which suites do not run. The last line is
// a plain total over all of it, and the exit code tells whether anything failed.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { debianPackages, everyPeerName, missingPeers, peerNames } from './support/peers.ts';

const root = join(import.meta.dirname, '..');
const tools = join(root, 'node_modules', '.bin');
const reports = mkdtempSync(join(tmpdir(), 'pointsman-test-'));
const total = { passed: 0, failed: 0, skipped: 0 };
const summary: string[] = [];

const long = process.argv.includes('--long');
const wanted = long ? everyPeerName : peerNames;

async function main(): Promise<void> {
  installPeers();
  checkWith('biome', ['check', '.']);
  checkWith('tsc', ['-p', 'tsconfig.json']);
  await runProject('unit');
  await Promise.all([runProject('live'), runProject('slow', { aside: true })]);
  if (long) await runProject('long');
  rmSync(reports, { recursive: true, force: true });

  heading('Summary');
  for (const line of summary) say(line);
  const missing = missingPeers(wanted);
  if (missing.length > 0) say(`Live suites that need ${missing.join(', ')} did NOT run: not installed here.`);
  if (total.skipped > 0) say(`${total.skipped} skipped`);
  say(`${total.passed} passed, ${total.failed} failed`);
  process.exitCode = total.failed === 0 ? 0 : 1;
}

function checkWith(tool: string, args: readonly string[]): void {
  heading(`${tool} ${args.join(' ')}`);
  const { status } = spawnSync(join(tools, tool), args, { cwd: root, stdio: 'inherit' });
  if (status === 0) total.passed += 1;
  else total.failed += 1;
  summary.push(`${tool}: ${status === 0 ? 'passed' : 'FAILED'}`);
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

/** @param aside beside another: what it says is shown when it has ended */
async function runProject(project: string, { aside = false } = {}): Promise<void> {
  const title = `vitest, project ${project}`;
  if (!aside) heading(title);
  const file = join(reports, `${project}.json`);
  const said = join(reports, `${project}.txt`);
  const output = aside ? openSync(said, 'w') : null;
  const args = ['run', '--project', project, '--passWithNoTests'];
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const stdio = output ?? 'inherit';
  const child = spawn(join(tools, 'vitest'), [...args, ...reporters], { cwd: root, stdio: ['inherit', stdio, stdio] });
  const [status] = (await once(child, 'close')) as [number | null];
  if (output !== null) {
    closeSync(output);
    heading(title);
    process.stdout.write(readFileSync(said));
  }
  const report = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Report) : undefined;
  const passed = report?.numPassedTests ?? 0;
  const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0);
  // A file that could not even be loaded holds no failed test, yet has failed.
  const unloaded = report?.testResults.filter((one) => one.status === 'failed' && one.assertionResults.length === 0);
  const counted = (report?.numFailedTests ?? 0) + (unloaded?.length ?? 0);
  // Likewise a run that ended badly with every test passed: an error outside all tests, a crash of the runner.
  const failed = status === 0 ? counted : Math.max(1, counted);
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
  summary.push(`vitest ${project}: ${passed} passed, ${failed} failed, ${skipped} skipped`);
}

/** Debian's packages, where we may; never starting a service. */
function installPeers(): void {
  const missing = missingPeers(wanted);
  if (missing.length === 0) return;
  heading(`Live peers not installed: ${missing.join(', ')}`);
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    say(`To have them: apt-get install ${debianPackages(missing).join(' ')}`);
    return;
  }
  // invoke-rc.d asks this script; 101 is "not allowed". Somebody else's stays as it is.
  const policy = '/usr/sbin/policy-rc.d';
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const run = (command: string, args: readonly string[], input = '') =>
      spawnSync(command, args, { env, input, stdio: ['pipe', 'ignore', 'inherit'] }).status === 0;
    run('debconf-set-selections', [], 'postfix postfix/main_mailer_type select No configuration\n');
    const install = ['install', '-y', '--no-install-recommends', ...debianPackages(missing)];
    if (!run('apt-get', ['update'])) say('apt-get update failed; trying with the lists there are');
    say(run('apt-get', install) ? 'installed' : 'apt-get could not install all of them');
  } finally {
    if (ours) rmSync(policy);
  }
}

function heading(text: string): void {
  say(`\n── ${text}`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

await main();
