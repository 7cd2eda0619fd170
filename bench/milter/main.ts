// Milters side by side: Pointsman with rules, a group and live presence against what libmilter and python-milter cost
// that only say "go on". A generator of our own (load.c) plays the MTA. Prints markdown.
//
//   node bench/milter/main.ts [--rounds 7] [--seconds 0.6] [--connections 10,50] [--only direct,lookup,idle,flood]
//                             [--warm 20000] [--peers silent,rewrites,same,python] [--how keep,reconnect] [--as postfix|commands]
//                             [--content body] [--profile FOLDER] [--out docs/measurements/milter.md]
//
// Needs a C compiler, libmilter-dev and Prosody with slixmpp (who is there); python3-milter is fetched and unpacked.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg, release } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { freePorts } from '../../test/support/free-port.ts';
import { People } from '../../test/support/person.ts';
import { Prosody } from '../../test/support/prosody-server.ts';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { processorTime, residentMemory } from '../relay/processes.ts';
import { spread } from '../relay/table.ts';
import {
  accounts,
  compile,
  group,
  type RouterOptions,
  type System,
  settled,
  startC,
  startPython,
  startRouter,
} from './systems.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '0.6' },
    connections: { type: 'string', default: '10,50' },
    warm: { type: 'string', default: '20000' },
    only: { type: 'string', default: 'direct,lookup,idle,flood' },
    content: { type: 'string', default: 'no body' },
    peers: { type: 'string', default: 'silent,rewrites,same,python' },
    how: { type: 'string', default: 'keep,reconnect' },
    as: { type: 'string', default: 'postfix' },
    profile: { type: 'string' },
    out: { type: 'string' },
  },
});
const rounds = Number(options.rounds);
const wanted = new Set(options.only.split(','));
const octets = 10_240;
const say = (text: string) => process.stderr.write(`${text}\n`);

interface Answered {
  readonly transactions: number;
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly edits: number;
  readonly bad: number;
}
interface Run extends Answered {
  readonly system: string;
  /** Microseconds of processor time. */
  readonly processor: number;
}

async function generate(
  load: string,
  system: System,
  words: readonly (string | number)[],
  cores?: string,
): Promise<Run> {
  const before = processorTime(system.pid);
  const [program = '', ...args] = [...(cores ? ['taskset', '-c', cores] : []), load, ...words.map(String)];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (piece) => {
    text += piece;
  });
  await once(child, 'close');
  const answered = JSON.parse(text) as Answered;
  if (answered.bad > 0) throw new Error(`${system.name}: ${answered.bad} of ${answered.transactions} went wrong`);
  const processor = ((processorTime(system.pid) - before) * 1e6) / answered.transactions;
  return { ...answered, system: system.name, processor };
}

async function direct(load: string, systems: readonly System[]): Promise<string> {
  const lines: string[] = [];
  for (const how of options.how.split(',')) {
    for (const connections of options.connections.split(',')) {
      const words = (count: number, { address }: System) =>
        [options.as, address, connections, count, how, octets, group] as const;
      const counts = new Map<System, number>();
      for (const system of systems) {
        // As after a minute in service: what is compiled while it runs is slow for its first thousands.
        await generate(load, system, words(Number(options.warm), system));
        await settled(system.pid);
        const { rate } = await generate(load, system, words(2_000, system));
        counts.set(system, Math.round(rate * Number(options.seconds)));
      }
      const runs: Run[][] = [];
      for (let round = 0; round < rounds; round += 1) {
        const turn: Run[] = [];
        // Each time another one first: what drifts hits all alike.
        for (let at = 0; at < systems.length; at += 1) {
          const system = systems[(at + round) % systems.length] as System;
          // While the others had their turn, what it needs was lost from the processor's caches.
          await generate(load, system, words(2_000, system));
          turn.push(await generate(load, system, words(counts.get(system) ?? 0, system)));
          // What is left to be written down is not to slow the next one.
          await settled(system.pid);
        }
        runs.push(turn);
      }
      for (const { name } of systems) {
        const own = runs.flatMap((turn) => turn.filter(({ system }) => system === name));
        const ratios = runs.map((turn) => rateOf(turn, 'Pointsman') / rateOf(turn, name));
        const [one] = own;
        const cells = [
          `${connections}, ${how === 'keep' ? 'kept' : 'reconnecting'}`,
          name,
          spread(
            own.map(({ rate }) => rate),
            0,
          ),
          spread(
            own.map(({ p50 }) => p50),
            0,
          ),
          spread(
            own.map(({ p99 }) => p99),
            0,
          ),
          spread(
            own.map(({ processor }) => processor),
            0,
          ),
          ((one?.edits ?? 0) / (one?.transactions ?? 1)).toFixed(0),
          name === 'Pointsman' ? '' : spread(ratios, 2),
        ];
        lines.push(`| ${cells.join(' | ')} |`);
        say(lines.at(-1) ?? '');
      }
    }
  }
  return `| connections | milter | messages /s | p50 µs | p99 µs | CPU µs | edits | Pointsman ÷ it |
|---|---|---|---|---|---|---|---|
${lines.join('\n')}
`;
}

const rateOf = (turn: readonly Run[], name: string): number => turn.find(({ system }) => system === name)?.rate ?? 0;

/** The server on one processor, the generator on the other. */
async function lookups(load: string, router: System, address: string): Promise<string> {
  const lines: string[] = [];
  spawnSync('taskset', ['-a', '-p', '-c', '0', String(router.pid)]);
  for (const connections of [1, 10, 50]) {
    const runs: Run[] = [];
    for (let round = 0; round < rounds; round += 1)
      runs.push(await generate(load, router, ['socketmap', address, connections, 20_000, '-', 0, group], '1'));
    lines.push(
      `| ${connections} | ${spread(
        runs.map(({ rate }) => rate),
        0,
      )} | ${spread(
        runs.map(({ p50 }) => p50),
        0,
      )} | ${spread(
        runs.map(({ p99 }) => p99),
        0,
      )} | ${spread(
        runs.map(({ processor }) => processor),
        0,
      )} |`,
    );
    say(lines.at(-1) ?? '');
  }
  spawnSync('taskset', ['-a', '-p', '-c', '0,1', String(router.pid)]);
  return `| connections | answers /s | p50 µs | p99 µs | CPU µs |
|---|---|---|---|---|
${lines.join('\n')}
`;
}

async function idle(load: string, router: System): Promise<string> {
  const before = residentMemory(router.pid);
  const child = spawn(load, ['idle', router.address, '500', '0', '-', '0', group], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  await pause(1_000);
  const with500 = residentMemory(router.pid);
  child.stdin.end();
  await once(child, 'close');
  const text = `500 idle connections: ${before.toFixed(0)} MB → ${with500.toFixed(0)} MB (+${(with500 - before).toFixed(1)} MB).`;
  say(text);
  return text;
}

async function flood(load: string, router: System): Promise<string> {
  const seen: string[] = [];
  const tell = (what: string) => {
    seen.push(`${what} ${residentMemory(router.pid).toFixed(0)} MB`);
    say(seen.at(-1) ?? '');
  };
  tell('before');
  for (let count = 0; count < 3; count += 1) {
    await generate(load, router, ['postfix', router.address, 50, 60_000, 'keep', octets, group]);
    tell(`after ${(count + 1) * 60_000}`);
  }
  await pause(5_000);
  tell('5 s later');
  return `Resident: ${seen.join(', ')}.`;
}

async function main(): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const scratch = undo.use(await tempFolder('milters', { open: true }));
  const load = await compile('load', scratch.path);
  const prosody = undo.use(
    await Prosody.start({
      domain: 'pointsman.test',
      accounts,
      sharedRoster: Object.keys(accounts).map((name) => `${name}@pointsman.test`),
    }),
  );
  const people = undo.use(new People(prosody));
  const present = ['ann', 'ben', 'cyd'];
  for (const name of present) {
    const person = people.person(name, 'p');
    await person.login();
    person.show('available');
  }
  const [smtp = 0, http = 0, next = 0, lookup = 0] = await freePorts(4);
  const router = await startRouter({
    folder: join(scratch.path, 'pointsman'),
    prosody,
    present,
    content: options.content as RouterOptions['content'],
    ports: { smtp, http, next, lookup },
    ...(options.profile ? { profile: options.profile } : {}),
  });
  undo.defer(() => router.stop());
  const peers: System[] = [];
  if (wanted.has('direct')) {
    for (const peer of options.peers.split(',').filter((each) => each !== '')) {
      const system =
        peer === 'python'
          ? await startPython(scratch.path, 'silent')
          : await startC(scratch.path, peer as 'silent' | 'rewrites' | 'same');
      if (!system) continue;
      undo.defer(() => system.stop());
      peers.push(system);
    }
  }
  const parts = [
    heading(),
    wanted.has('idle') ? `## Memory\n\n${await idle(load, router)}\n` : '',
    wanted.has('direct') ? `## Direct load\n\n${await direct(load, [router, ...peers])}` : '',
    wanted.has('flood') ? `${await flood(load, router)}\n` : '',
    wanted.has('lookup') ? `## Lookups\n\n${await lookups(load, router, `127.0.0.1:${lookup}`)}` : '',
    `## Configuration\n\n\`\`\`yaml\n${router.configuration}\`\`\`\n`,
  ];
  const text = parts.filter((part) => part !== '').join('\n');
  process.stdout.write(text);
  if (options.out) {
    await mkdir(join(options.out, '..'), { recursive: true });
    await writeFile(options.out, text);
  }
}

function heading(): string {
  const [processor] = cpus();
  return `# Milter and lookup, side by side

${new Date().toISOString().slice(0, 10)} · ${cpus().length} × ${processor?.model ?? 'unknown processor'}, Linux ${release()}, Node ${process.version}.
Load average at the start: ${loadavg()[0]?.toFixed(1)} (it should be near 0).
${rounds} interleaved rounds of about ${options.seconds} s; median (lower quartile–upper quartile); the generator shares the two
processors with the milter. 10 kB of body, 12 header fields, one recipient, unix sockets. "÷ it": of two runs made one
after the other. Made by \`node bench/milter/main.ts\`.
`;
}

await main();
