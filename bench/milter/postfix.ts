// Postfix alone, and the same Postfix with Pointsman as its milter, on a unix socket or over TCP, and with libmilter in the
// modes of null.c: `same` has the same edits made. Mail for a group, which Postfix hands on to smtp-sink: a rate counts from
// the first word until the last message has arrived there. Prints markdown.
//
//   node bench/milter/postfix.ts [--pairs 7] [--messages 600] [--sessions 10] [--over unix|tcp] [--profile FOLDER]
//                                [--beside same,silent,rewrites] [--warm 20000] [--discard]
//
// `--discard`: Postfix throws away what it has taken, so that its own work is as little as can be.
// `--warm`: so many messages are first handed to the milters by load.c, as after some minutes in service: a program that
// is compiled while it runs is slow at first.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { run } from '../../test/support/child.ts';
import { freePorts } from '../../test/support/free-port.ts';
import { People } from '../../test/support/person.ts';
import { Postfix } from '../../test/support/postfix.ts';
import { Prosody } from '../../test/support/prosody-server.ts';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { processorTime } from '../relay/processes.ts';
import { Sink } from '../relay/sink.ts';
import { spread } from '../relay/table.ts';
import { accounts, compile, group, settled, startC, startRouter } from './systems.ts';

const { values: options } = parseArgs({
  options: {
    pairs: { type: 'string', default: '7' },
    messages: { type: 'string', default: '600' },
    sessions: { type: 'string', default: '10' },
    over: { type: 'string', default: 'unix' },
    profile: { type: 'string' },
    beside: { type: 'string', default: 'same' },
    warm: { type: 'string', default: '0' },
    discard: { type: 'boolean', default: false },
  },
});

type Mode = Parameters<typeof startC>[1];

/** Messages a second. @throws when one was not taken, or has not arrived within a minute */
async function passed(port: number): Promise<number> {
  const { count } = sink;
  const from = performance.now();
  const words = ['-s', options.sessions, '-m', options.messages, '-l', '10240', '-f', 'a@source.test', '-t', group];
  const source = spawn('smtp-source', [...words, `inet:127.0.0.1:${port}`], { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaints = '';
  source.stderr.on('data', (text) => {
    complaints += text;
  });
  const [status] = await once(source, 'exit');
  if (status !== 0) throw new Error(`smtp-source: ${complaints.slice(-500)}`);
  while (!options.discard && sink.count - count < Number(options.messages)) {
    if (performance.now() - from > 60_000) throw new Error(`${sink.count - count} of ${options.messages} arrived`);
    await pause(2);
  }
  return Number(options.messages) / ((performance.now() - from) / 1_000);
}

await using undo = new AsyncDisposableStack();
const scratch = undo.use(await tempFolder('milters-postfix', { open: true }));
const sharedRoster = Object.keys(accounts).map((name) => `${name}@pointsman.test`);
const prosody = undo.use(await Prosody.start({ domain: 'pointsman.test', accounts, sharedRoster }));
const people = undo.use(new People(prosody));
const present = ['ann', 'ben', 'cyd'];
for (const name of present) {
  const person = people.person(name, 'p');
  await person.login();
  person.show('available');
}
const [smtp = 0, http = 0, next = 0, lookup = 0, plain = 0, routed = 0, tcp = 0, sunk = 0] = await freePorts(8);
const sink = new Sink(scratch.path, sunk);
undo.defer(() => sink.stop());
const byTcp = options.over === 'tcp';
const folder = join(scratch.path, 'pointsman');
const ports = { smtp, http, next, lookup };
const router = await startRouter({
  folder,
  prosody,
  present,
  content: 'no body',
  ports,
  ...(byTcp ? { tcp } : {}),
  ...(options.profile ? { profile: options.profile } : {}),
});
undo.defer(() => router.stop());
// Postfix's own user must come to the socket; state and rules stay closed.
await chmod(folder, 0o755);
const service = 'inet n - n - 60 smtpd';
const others: { name: string; port: number; address: string }[] = [];
for (const mode of options.beside.split(',').filter((each) => each !== '')) {
  const [own = 0, tcpPort = 0] = await freePorts(2);
  const other = await startC(scratch.path, mode as Mode, byTcp ? tcpPort : undefined);
  undo.defer(() => other.stop());
  if (!byTcp) await chmod(other.address.replace('unix:', ''), 0o666);
  others.push({ name: `with ${other.name}`, port: own, address: other.address });
}
const inPostfix = (address: string): string => (byTcp ? `inet:${address}` : address);
undo.use(
  await Postfix.start({
    name: 'bench',
    port: plain,
    main: `myhostname = bench.test
relay_domains = sink.test
relay_transport = ${options.discard ? 'discard:' : `smtp:[127.0.0.1]:${sunk}`}
default_process_limit = 100
milter_default_action = tempfail
`,
    master: `127.0.0.1:${plain} ${service}
127.0.0.1:${routed} ${service} -o smtpd_milters=${inPostfix(router.address)}
${others.map(({ port, address }) => `127.0.0.1:${port} ${service} -o smtpd_milters=${inPostfix(address)}\n`).join('')}discard unix - - n - - discard
`,
    mailboxes: [],
  }),
);
const at = loadavg()[0]?.toFixed(1);
const ways = [
  { name: 'Postfix alone', port: plain },
  { name: `with Pointsman, ${byTcp ? 'TCP' : 'unix socket'}`, port: routed },
  ...others,
];
if (options.warm !== '0') {
  const load = await compile('load', scratch.path);
  // A connection for each message, as Postfix has it.
  const words = [options.sessions, options.warm, 'reconnect', '10240', group];
  for (const { address } of [router, ...others]) await run([load, 'postfix', address, ...words]);
  await settled(router.pid);
}
for (const { port } of ways) await passed(port);
const rates: number[][] = [];
/** Milliseconds a message of Pointsman's processor time, with what it does after the answer. */
const processor: number[] = [];
for (let turn = 0; turn < Number(options.pairs); turn += 1) {
  const row: number[] = [];
  // Each time another one first.
  for (let each = 0; each < ways.length; each += 1) {
    const way = (each + turn) % ways.length;
    const before = processorTime(router.pid);
    row[way] = await passed(ways[way]?.port ?? 0);
    if (way !== 1) continue;
    processor.push(((processorTime(router.pid) - before) * 1e3) / Number(options.messages));
    // What is left to be written down and told is not to slow the next one.
    await settled(router.pid);
  }
  rates.push(row);
}
const lines = ways.map(({ name }, way) => {
  const own = rates.map((row) => row[way] ?? 0);
  const ratios = rates.map((row) => (row[way] ?? 0) / (row[0] ?? 1));
  return `| ${name} | ${spread(own, 0)} | ${way === 0 ? '' : spread(ratios, 2)} |`;
});
process.stdout.write(`Load average at the start: ${at}. ${options.pairs} turns, ${options.messages} messages of 10 kB each, ${options.sessions} sessions.

| | ${options.discard ? 'taken' : 'arrived'} /s | ÷ alone |
|---|---|---|
${lines.join('\n')}

Processor time of Pointsman a message, in its turns: ${spread(processor, 2)} ms.
`);
