// Long at half of what it can: finds the peak, runs at half of it, samples every ten seconds, and in the end accounts for
// every message. Memory must be flat, no descriptor may be left open, the queue must be empty.
//
//   npm run soak -- [--minutes 60] [--rate half|N] [--sessions 10] [--out docs/measurements]
//
// Exit 1 when something did not hold; the page is written all the same. With Prosody and slixmpp (Debian: prosody,
// python3-slixmpp) presence, nudges and answers by instant message are part of it; without them the operator's API
// answers. The scratch folder (TMPDIR) needs about 8 GB for an hour.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { freePorts } from '../../test/support/free-port.ts';
import { missingPeers } from '../../test/support/peers.ts';
import { Prosody } from '../../test/support/prosody-server.ts';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { Generator, NextHop } from './helpers.ts';
import { kindOf, type Mix } from './mix.ts';
import { Members } from './person.ts';
import { judgeMemory, page, picture, type Verdict } from './report.ts';
import { descriptorsOf, type Sample, takeSample } from './sampling.ts';
import { Site } from './site.ts';

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    rate: { type: 'string', default: 'half' },
    sessions: { type: 'string', default: '10' },
    out: { type: 'string', default: 'docs/measurements' },
  },
});
const minutes = positive('minutes', options.minutes);
const sessions = positive('sessions', options.sessions);
const sampleEvery = 10_000;
/** Two members can read and answer so many nudges a second, and an XMPP server takes no more from one client. */
const groupMailsPerSecond = 4;
const say = (text: string) => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);

function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new Error(`--${name} is a number above 0, not ${JSON.stringify(text)}`);
}

async function main(): Promise<boolean> {
  await using undo = new AsyncDisposableStack();
  const scratch = undo.use(await tempFolder('soak', { open: true }));
  const [port, httpPort] = (await freePorts(2)) as [number, number];
  const hop = new NextHop();
  undo.defer(() => hop.stop());
  const withPeople = missingPeers(['prosody', 'slixmpp']).length === 0;
  const prosody = withPeople ? undo.use(await startProsody()) : undefined;
  const folder = join(scratch.path, 'site');
  const site = await Site.start({ folder, port, httpPort, sinkPort: await hop.port, prosody });
  undo.defer(async () => {
    await site.stop();
  });
  const generator = new Generator();
  let next = 1;
  const flow = async (messages: number, rate: number | null, mix: Mix, signal?: AbortSignal): Promise<number> => {
    const first = next;
    next += messages;
    return generator.run({ port, sessions, first, messages, rate, mix }, signal);
  };
  const sample = (at: number) => takeSample(site.pid, { httpPort, state: site.state, at });

  // The peak: no group mail, which nobody answers yet.
  const noGroup: Mix = { groupEvery: Number.MAX_SAFE_INTEGER };
  // The first thousands pay for what is compiled once.
  await throughput(4_000, noGroup);
  const warm = await throughput(4_000, noGroup);
  say(`warm: ${warm.toFixed(0)}/s`);
  const peak: number[] = [];
  for (let turn = 0; turn < 3; turn += 1) peak.push(await throughput(Math.round(warm * 8), noGroup));
  const middle = peak.toSorted((one, other) => one - other)[1] ?? warm;
  const rate = options.rate === 'half' ? Math.round(middle / 2) : positive('rate', options.rate);
  say(`peak: ${peak.map((each) => each.toFixed(0)).join(', ')}/s; running ${minutes} minutes at ${rate}/s`);
  await untilQuiet();
  const early = await hop.judge({ first: 1, last: next - 1, mix: noGroup });

  const mix: Mix = { groupEvery: Math.max(10, Math.round(rate / groupMailsPerSecond)) };
  const people = prosody ? await Members.login(prosody, mix) : undefined;
  undo.defer(() => people?.stop());
  const handMade = prosody ? undefined : ackByHand(mix);
  undo.defer(() => handMade?.stop());
  const descriptorsBefore = await atRest();
  const first = next;
  const messages = Math.round(minutes * 60 * rate);
  const samples: Sample[] = [];
  const began = performance.now();
  const failed = new AbortController();
  const flowing = flow(messages, rate, mix, failed.signal);
  let flows = true;
  const ended = flowing.finally(() => {
    flows = false;
  });
  ended.catch(() => undefined);
  let behind = 0;
  while (flows) {
    await Promise.race([pause(Math.max(0, (samples.length + 1) * sampleEvery - (performance.now() - began))), ended]);
    if (!flows) break;
    if (!site.running) failed.abort(new Error(`Pointsman has ended:\n${site.complaints.join('\n')}`));
    const one = await sample((performance.now() - began) / 1_000);
    samples.push(one);
    const late = generator.takeBehind();
    behind = Math.max(behind, late);
    if (samples.length % 6 === 0 || minutes < 5)
      say(
        `${one.at.toFixed(0)} s: ${generator.sent} sent, RSS ${one.resident.toFixed(0)} MB, heap ${one.heap.toFixed(0)} MB, ` +
          `${one.descriptors} descriptors, ${one.queued} queued, ${one.open} watched, store ${one.store.toFixed(0)} MB, ` +
          `event loop ${one.lag.toFixed(1)} ms, ${late.toFixed(0)} ms behind`,
      );
  }
  const took = await flowing;
  say('the last one is accepted; waiting for the end of all');
  await untilQuiet(people ? 180_000 : 60_000);
  const descriptorsAfter = await atRest(descriptorsBefore);
  const { counts } = await site.client.status();
  const verdict = await hop.judge({ first, last: next - 1, mix });
  const exit = await site.stop();

  const waiting = (counts?.deliveries.queued ?? 0) + (counts?.deliveries.held ?? 0);
  const open = (counts?.tracked.waiting ?? 0) + (counts?.tracked.held ?? 0) + (counts?.tracked.tracked ?? 0);
  const lost = (counts?.deliveries.dead ?? 0) + (counts?.deliveries.dropped ?? 0);
  const errors = (site.lines.error ?? 0) + (site.lines.fatal ?? 0);
  const verdicts: Verdict[] = [
    {
      what: 'every message ended as it should, none twice',
      kept: verdict.wrong === 0 && early.wrong === 0,
      measured: `${next - 1} messages, ${verdict.wrong + early.wrong} wrong`,
    },
    {
      what: 'the queue is empty at the end',
      kept: counts !== null && waiting === 0,
      measured: `${waiting} queued or held`,
    },
    {
      what: 'nothing is watched any more, nothing dropped or dead',
      kept: open === 0 && lost === 0,
      measured: `${open} watched, ${lost} dropped or dead`,
    },
    ...judgeMemory(samples),
    {
      what: 'as many descriptors at rest after as before',
      kept: descriptorsAfter === descriptorsBefore,
      measured: `${descriptorsBefore}, then ${descriptorsAfter}`,
    },
    {
      what: 'the pace was kept, within 1 %',
      kept: took <= minutes * 60_000 * 1.01 + 1_000,
      measured: `${(took / 1_000).toFixed(1)} s for ${minutes} minutes; at worst ${behind.toFixed(0)} ms behind at once`,
    },
    {
      what: 'nothing worse than a warning in the log, exit 0',
      kept: errors === 0 && exit === 0,
      measured: `${Object.entries(site.lines)
        .map(([level, count]) => `${count} ${level}`)
        .join(', ')}; exit ${exit}`,
    },
  ];
  const { totals } = verdict;
  const facts = [
    `Then ${messages} messages of 10 kB on ${sessions} sessions at ${options.rate === 'half' ? 'half of that' : `${rate} a second`}: of 1,000 one has 400 kB, two are refused by the next hop (and`,
    `reported), two are asked to come later, 20 have two recipients; one in ${mix.groupEvery} is for a group of two, and two of three of`,
    `those are ${people ? `taken by whoever got the instant message (${people.nudges} nudges, ${people.acks} answers)` : 'taken through the API (no XMPP server here)'}; the others move on to the chief after 30 s. The next hop`,
    `had ${totals.recipient} deliveries for recipients, ${totals.report} reports, ${totals.member} for members, ${totals.chief} for the chief.`,
  ];
  await mkdir(options.out, { recursive: true });
  const run = { minutes, peak, rate, messages, facts, samples, verdicts };
  await writeFile(join(options.out, 'soak.md'), page(run));
  await writeFile(join(options.out, 'soak.svg'), picture(samples));
  for (const { what, kept, measured } of verdicts) say(`${kept ? 'yes' : 'NO '}  ${what}: ${measured}`);
  for (const complaint of [...early.complaints, ...verdict.complaints]) say(`     ${complaint}`);
  for (const [sentence, count] of site.worse) say(`     log, ${count} ×: ${sentence}`);
  if (verdicts.some(({ kept }) => !kept)) for (const line of site.complaints.slice(-15)) say(`     log: ${line}`);
  return verdicts.every(({ kept }) => kept);

  /** Messages a second, from the first connection until the next hop has the last of those that go straight there. */
  async function throughput(count: number, mix: Mix): Promise<number> {
    const last = next + count - 1;
    const started = performance.now();
    await flow(count, null, mix);
    // Reports and what is asked to come later come when they come.
    const before = lastStraight(last, mix);
    while (hop.highest < before) await pause(10);
    return count / ((performance.now() - started) / 1_000);
  }

  async function untilQuiet(within = 60_000): Promise<void> {
    const deadline = performance.now() + within;
    for (;;) {
      const { counts } = await site.client.status();
      const left = counts
        ? counts.deliveries.queued + counts.deliveries.held + counts.tracked.tracked + counts.tracked.waiting
        : Number.NaN;
      if (left === 0) return;
      if (performance.now() > deadline) {
        say(`after ${within / 1_000} s ${left} are not at their end`);
        return;
      }
      await pause(250);
    }
  }

  /** Kept connections to the next hop close when nobody needs them. */
  async function atRest(wanted?: number): Promise<number> {
    const deadline = performance.now() + 60_000;
    let count = descriptorsOf(site.pid);
    for (let same = 0; same < 12 || (wanted !== undefined && count > wanted); ) {
      if (performance.now() > deadline) break;
      await pause(1_000);
      const now = descriptorsOf(site.pid);
      same = now === count ? same + 1 : 0;
      count = now;
    }
    return count;
  }

  /** Without people: the API takes what a person would have taken. */
  function ackByHand(mix: Mix): { stop(): void } {
    const timer = setInterval(async () => {
      for (const { queueId, seq, subject } of await site.client.listTracked({ state: 'tracked', limit: 200 })) {
        const number = Number(/^soak (\d+)$/.exec(subject ?? '')?.[1]);
        if (kindOf(number, mix) === 'acked') await site.client.ack(`${queueId}.${seq}`, 'soak');
      }
    }, 2_000);
    return {
      stop() {
        clearInterval(timer);
      },
    };
  }
}

function lastStraight(last: number, mix: Mix): number {
  for (let number = last; ; number -= 1) {
    const kind = kindOf(number, mix);
    if (kind === 'plain' || kind === 'two' || kind === 'large') return number;
  }
}

async function startProsody(): Promise<Prosody> {
  const accounts = { pointsman: 'p', anna: 'anna', bert: 'bert' };
  return Prosody.start({ domain: 'soak.test', accounts, sharedRoster: true, unlimited: true });
}

process.exitCode = (await main()) ? 0 : 1;
