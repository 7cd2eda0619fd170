import { readFileSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { createMilter, type Handlers, type Milter, type MilterOptions } from '../../../src/milter/milter.ts';
import { commands, packet } from '../../../src/milter/wire.ts';
import { settle, TestClock } from '../../support/clock.ts';
import { freePorts } from '../../support/free-port.ts';
import { Mta } from '../../support/mta.ts';

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function start({
  handlers = accepting,
  ...options
}: MilterOptions & { handlers?: Handlers } = {}): Promise<{ milter: Milter; port: number }> {
  const milter = createMilter(handlers, options);
  undo.push(() => milter.close());
  const at = await milter.listen({ host: '127.0.0.1', port: 0 });
  return { milter, port: 'port' in at ? at.port : 0 };
}
const accepting: Handlers = { message: () => ({ verdict: { kind: 'accept' } }) };
const mail = { from: '<a@example.net>', to: ['<b@example.org>'] };

describe('milter server', () => {
  test('the example of the reference page runs', async () => {
    const page = readFileSync(new URL('../../../docs/reference/milter.md', import.meta.url), 'utf8');
    const [, example] = /<!-- run: milter example -->\n```js\n([\s\S]*?)```/.exec(page) ?? [];
    const folder = await mkdtemp(join(tmpdir(), 'pointsman-example-'));
    undo.push(() => rm(folder, { recursive: true }));
    const library = pathToFileURL(join(import.meta.dirname, '../../../src/milter/milter.ts')).href;
    const file = join(folder, 'duty.mjs');
    const [port] = (await freePorts(1)) as [number];
    const code = (example ?? '').replace("'pointsman/milter'", JSON.stringify(library));
    await writeFile(file, `${code.replace('process.argv[2]', String(port))}\nexport { milter };\n`);
    const { milter } = (await import(pathToFileURL(file).href)) as { milter: Milter };
    undo.push(() => milter.close());
    expect(code.trim().split('\n').length).toBeLessThanOrEqual(24);
    using mta = await Mta.dial({ host: '127.0.0.1', port });
    expect(await mta.message({ from: '<a@b.example>', to: ['<Team@Example.org>'] })).toEqual([
      expect.stringMatching(/^2 <(ann|ben)@example\.org> ORCPT=rfc822;team@example\.org$/),
      '- <Team@Example.org>',
      'a',
    ]);
  });

  test('over TCP every step is answered, on a unix socket only what matters', async () => {
    const { port, milter } = await start();
    using tcp = await Mta.dial({ host: '127.0.0.1', port });
    expect(tcp.protocol & 0xff000).toBe(0);
    const folder = await mkdtemp(join(tmpdir(), 'pointsman-milter-'));
    undo.push(() => rm(folder, { recursive: true }));
    const path = join(folder, 'milter');
    await milter.listen({ path, mode: 0o660 });
    expect((await stat(path)).mode & 0o777).toBe(0o660);
    using unix = await Mta.dial({ path });
    expect(unix.protocol & 0xff000).toBe(0xff000);
    expect(await unix.message(mail)).toEqual(['a']);
    expect(await tcp.message(mail)).toEqual(['a']);
  });

  test('a socket that a dead process left is taken; one that answers is not', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pointsman-milter-'));
    undo.push(() => rm(folder, { recursive: true }));
    const path = join(folder, 'milter');
    const other = createServer().listen(path);
    await new Promise((resolve) => other.once('listening', resolve));
    const { milter } = await start();
    await expect(milter.listen({ path })).rejects.toThrow('somebody answers');
    await new Promise((resolve) => other.close(resolve));
    await milter.listen({ path });
    await expect((await start()).milter.listen({ path })).rejects.toThrow('somebody answers');
    const file = join(folder, 'file');
    await writeFile(file, '');
    await expect(milter.listen({ path: file })).rejects.toThrow('not a socket');
  });

  test('the MTA is kept patient while a message is decided', async () => {
    const clock = new TestClock();
    const decision = Promise.withResolvers<{ verdict: { kind: 'accept' } }>();
    const asked = Promise.withResolvers<void>();
    const { port } = await start({
      clock,
      handlers: {
        message() {
          asked.resolve();
          return decision.promise;
        },
      },
    });
    using mta = await Mta.dial({ host: '127.0.0.1', port });
    const answer = mta.message(mail);
    await asked.promise;
    await clock.advance(7_000);
    decision.resolve({ verdict: { kind: 'accept' } });
    expect(await answer).toEqual(['p', 'p', 'a']);
  });

  test('closing lets a message that has begun end, and sends idle connections away', async () => {
    const { port, milter } = await start();
    using idle = await Mta.dial({ host: '127.0.0.1', port });
    using busy = await Mta.dial({ host: '127.0.0.1', port });
    await busy.step(commands.mail, '<a@example.net>\0', 0);
    const closed = milter.close();
    await expect(idle.answer()).rejects.toThrow('closed');
    await busy.step(commands.recipient, '<b@example.org>\0', 0);
    busy.send(packet(commands.endOfBody));
    expect((await busy.answer()).code).toBe(0x61);
    await expect(busy.answer()).rejects.toThrow('closed');
    await closed;
    expect(milter.connections).toBe(0);
  });

  test('a decision that comes when the MTA is gone is told so', async () => {
    const decision = Promise.withResolvers<void>();
    const told = Promise.withResolvers<boolean>();
    const asked = Promise.withResolvers<void>();
    const { port, milter } = await start({
      handlers: {
        async message() {
          asked.resolve();
          await decision.promise;
          return { verdict: { kind: 'accept' }, onAnswered: told.resolve };
        },
      },
    });
    const mta = await Mta.dial({ host: '127.0.0.1', port });
    const lost = mta.message(mail).catch(() => 'lost');
    await asked.promise;
    mta.close();
    expect(await lost).toBe('lost');
    while (milter.connections > 0) await settle();
    decision.resolve();
    expect(await told.promise).toBe(false);
  });

  test('limits: connections, octets held, silence', async () => {
    const clock = new TestClock();
    const problems: string[] = [];
    const { port, milter } = await start({
      clock,
      limits: { connections: 2, memory: 100 },
      onProblem: (what) => void problems.push(what),
    });
    const mta = await Mta.dial({ host: '127.0.0.1', port });
    using second = await Mta.dial({ host: '127.0.0.1', port });
    await expect(Mta.dial({ host: '127.0.0.1', port })).rejects.toThrow('closed');
    expect(await mta.message({ ...mail, headers: [['X-Long', 'x'.repeat(200)]] })).toEqual(['t']);
    expect(await second.message(mail)).toEqual(['a']);
    expect(problems).toEqual(['overload', 'overload', 'handler']);
    await clock.advance(3 * 3_600_000);
    await expect(mta.answer()).rejects.toThrow('closed');
    expect(milter.connections).toBeLessThanOrEqual(1);
  });
});
