// Postfix, Haraka and Pointsman relay the same mail, one after the other, over and over; prints the medians of the
// ratios as a markdown table.
//
//   node bench/relay/main.ts [--quick] [--pairs 7] [--seconds 2] [--loads 10k×10,100k×10,10k×50k] [--only pointsman] [--latency]
//                            [--out docs/measurements/relay.md] [--readme README.md] [--profile FOLDER] [--to support@pointsman.test]
//
// A load is SIZE×SESSIONS, an s at the end keeps the connections. Needs root (Postfix), Postfix with its smtp-source
// and smtp-sink, npm for Haraka (installed once into a cache folder); what is missing is left out and said so. In the
// file of --readme, what stands between the comments `speed` and `/speed` becomes the new table.
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus, homedir, loadavg, release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { freePorts } from '../../test/support/free-port.ts';
import { missingPeers } from '../../test/support/peers.ts';
import { Prosody } from '../../test/support/prosody-server.ts';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { type Latency, measureLatency } from './latency.ts';
import { enoughFor, type Load, nameOf, runLoad } from './load.ts';
import { Sink } from './sink.ts';
import { type System, startHaraka, startPointsman, startPostfix } from './systems.ts';
import { quantile, type Round, shortTable, spread, table } from './table.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    pairs: { type: 'string' },
    seconds: { type: 'string' },
    loads: { type: 'string' },
    only: { type: 'string', default: 'postfix,haraka,pointsman' },
    out: { type: 'string' },
    readme: { type: 'string' },
    profile: { type: 'string' },
    latency: { type: 'boolean', default: false },
    to: { type: 'string' },
  },
});
const pairs = Number(options.pairs ?? (options.quick ? 3 : 7));
const seconds = Number(options.seconds ?? (options.quick ? 1 : 2));
const loads = (options.loads ?? (options.quick ? '10k×10' : '10k×1,10k×10,10k×50,100k×10')).split(',').map(parseLoad);
const wanted = new Set(options.only.split(','));
/** Messages through each system before anything counts. */
const warmth = options.quick ? 1_000 : 4_000;
const startedWith = loadavg()[0] ?? Number.NaN;
const say = (text: string) => process.stderr.write(`${text}\n`);

function parseLoad(text: string): Load {
  const parts = /^(\d+)(k?)[×x](\d+)(s?)$/.exec(text);
  if (!parts) throw new Error(`not a load: ${JSON.stringify(text)}; for example 10k×10`);
  const size = Number(parts[1]) * (parts[2] === 'k' ? 1_024 : 1);
  return { size, sessions: Number(parts[3]), keep: parts[4] === 's' };
}

async function main(): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const scratch = undo.use(await tempFolder('bench', { open: true }));
  const [sinkPort, ...ports] = (await freePorts(5)) as [number, number, number, number, number];
  const sink = new Sink(scratch.path, sinkPort);
  undo.defer(() => sink.stop());
  const at = (name: string, port: number | undefined) => ({
    folder: join(scratch.path, name),
    port: port ?? 0,
    sinkPort,
  });
  const systems: System[] = [];
  const add = (system: System) => {
    undo.defer(() => system.stop());
    systems.push(system);
  };
  if (wanted.has('pointsman')) {
    const prosody = missingPeers(['prosody']).length > 0 ? undefined : undo.use(await startProsody());
    if (options.profile) {
      const from = join(scratch.path, 'pointsman', 'profiles');
      const to = options.profile;
      undo.defer(() => cp(from, to, { recursive: true }));
    }
    const setting = { httpPort: ports[3] ?? 0, profile: options.profile !== undefined };
    const more = { ...(prosody ? { prosody } : {}), ...(options.to ? { to: options.to } : {}) };
    add(await startPointsman(at('pointsman', ports[0]), { ...setting, ...more }));
  }
  if (wanted.has('postfix')) {
    if (process.getuid?.() === 0) add(await startPostfix(at('postfix', ports[1])));
    else say('Postfix is left out: only root may start it.');
  }
  if (wanted.has('haraka')) {
    const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'pointsman-bench', 'haraka');
    add(await startHaraka(at('haraka', ports[2]), cache));
  }
  for (const system of systems) say(`${system.configuration}\n`);

  const rounds: Round[] = [];
  for (const load of loads) {
    const messages = new Map<System, number>();
    for (const system of systems) {
      // Warm, all of them: what runs for months is not judged by its first second.
      if (load === loads[0]) await runLoad(system, sink, { size: 10_240, sessions: 10, keep: false }, warmth);
      messages.set(system, await enoughFor(seconds * 1_000, system, sink, load));
    }
    for (let pair = 1; pair <= pairs; pair += 1) {
      const runs = [];
      // In turn, and each time another one first: what drifts hits all alike.
      for (let turn = 0; turn < systems.length; turn += 1) {
        const system = systems[(turn + pair) % systems.length] as System;
        const run = await runLoad(system, sink, load, messages.get(system) ?? 0);
        say(
          `${nameOf(load)} ${system.name.padEnd(10)} accepted ${run.accepted.toFixed(0)}/s, through ${run.through.toFixed(0)}/s, ` +
            `${run.processor.toFixed(2)} ms, ${run.resident.toFixed(0)} MB`,
        );
        runs.push(run);
      }
      rounds.push({ load, runs });
    }
  }
  const latencies = options.latency ? await pacedLatencies(systems, rounds) : [];
  const text = report(systems, rounds, latencies, await headline());
  process.stdout.write(text);
  if (options.out) {
    await mkdir(join(options.out, '..'), { recursive: true });
    await writeFile(options.out, text);
  }
  if (options.readme) await writeReadme(options.readme, rounds);
}

async function writeReadme(file: string, rounds: readonly Round[]): Promise<void> {
  const [begin, end] = ['<!-- speed -->', '<!-- /speed -->'];
  const before = await readFile(file, 'utf8');
  const from = before.indexOf(begin);
  const to = before.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${file} has no place for the table: ${begin} … ${end}`);
  const text = `${begin}\n${await headline()}\n\n${shortTable(rounds, 'Pointsman')}${end}`;
  await writeFile(file, before.slice(0, from) + text + before.slice(to + end.length));
}

/** When, what, on which machine. */
async function headline(): Promise<string> {
  const [processor] = cpus();
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const commit = await promisify(execFile)('git', ['-C', root, 'rev-parse', '--short', 'HEAD'])
    .then(({ stdout }) => `commit ${stdout.trim()}`)
    .catch(() => 'no commit known');
  return `${new Date().toISOString().slice(0, 10)} · ${commit} · ${cpus().length} × ${processor?.model ?? 'unknown processor'}, Linux ${release()}, Node ${process.version}.`;
}

/** All at half of what Postfix did in this run (or the slowest, without it), in turn. */
async function pacedLatencies(systems: readonly System[], rounds: readonly Round[]): Promise<Latency[]> {
  const rates = (name: string) => rounds.flatMap(({ runs }) => runs.filter((run) => run.system === name));
  const rate =
    quantile(
      rates(systems.some(({ name }) => name === 'Postfix') ? 'Postfix' : 'Pointsman').map((run) => run.through),
      0.5,
    ) / 2;
  const all: Latency[] = [];
  for (let turn = 0; turn < pairs; turn += 1)
    for (const system of systems) all.push(await measureLatency(system, rate, 2 * seconds, 10_240));
  return all;
}

function latencyTable(latencies: readonly Latency[]): string {
  if (latencies.length === 0) return '';
  const lines = [...Map.groupBy(latencies, ({ system }) => system)].map(([system, runs]) => {
    const cells = [
      runs[0]?.rate.toFixed(0),
      spread(
        runs.map(({ p50 }) => p50),
        1,
      ),
      spread(
        runs.map(({ p99 }) => p99),
        1,
      ),
    ];
    return `| ${system} | ${cells.join(' | ')} |`;
  });
  return `## Final dot to 250

A paced generator, 10 kB, a connection a message, at half of Postfix's rate in this run.

| system | messages /s | p50 ms | p99 ms |
|---|---|---|---|
${lines.join('\n')}

`;
}

async function startProsody(): Promise<Prosody> {
  return Prosody.start({ domain: 'pointsman.test', accounts: { pointsman: 'p', alice: 'a' }, sharedRoster: true });
}

function report(
  systems: readonly System[],
  rounds: readonly Round[],
  latencies: readonly Latency[],
  headline: string,
): string {
  return `# Relay, side by side

${headline}
Load average at the start: ${startedWith.toFixed(1)} (it should be near 0).
smtp-source → system → smtp-sink on loopback; the generator and the next hop share the processors with the system.
After ${warmth} messages through each, ${pairs} interleaved rounds of about ${seconds} s each; median (lower quartile–upper quartile). "÷ it": the ratio of the end-to-end
rates of two runs made one after the other. Every system syncs to disk before its 250.
Made by \`node bench/relay/main.ts\`.

${table(rounds, 'Pointsman')}
${latencyTable(latencies)}## Configurations

${systems.map(({ configuration }) => `\`\`\`\n${configuration.trimEnd()}\n\`\`\``).join('\n\n')}
`;
}

await main();
