// The sandbox as a newcomer and a program start it: ready quickly, the three stories within the first minute, one more
// mail from outside, and an end that leaves nothing behind.
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createTransport } from 'nodemailer';
import { expect, test } from 'vitest';
import { schema } from '../../src/sandbox/json-lines.ts';
import { Child, run } from '../support/child.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { mismatches } from '../unit/sandbox/schema-checker.ts';

const program = join(import.meta.dirname, '..', '..', 'bin', 'pointsman.js');
const sandbox = (...options: string[]) => new Child('sandbox', [process.execPath, program, 'sandbox', ...options]);

interface Line {
  readonly event: string;
  readonly at: string;
  readonly subject: string;
  readonly queueId: string;
  readonly [key: string]: unknown;
}

/** The first line that fits, whenever it comes. */
async function line(child: Child, fits: (line: Line) => boolean, what: string): Promise<Line> {
  return JSON.parse(await child.out.next((text) => fits(JSON.parse(text)), { within: 60_000, what }));
}

interface ReadyLine {
  readonly smtp: { readonly host: string; readonly port: number };
  readonly http: { readonly url: string };
  readonly sink: { readonly maildir: string };
}

test('three stories within the first minute, every line as documented, and a clean end', async () => {
  const startedAt = performance.now();
  await using child = sandbox('--json', '--for', '58s');
  const first = await child.out.next(() => true, { within: 30_000, what: 'first line' });
  const took = performance.now() - startedAt;
  expect(JSON.parse(first).event).toBe('ready');
  expect(took).toBeLessThan(10_000);
  const ready: ReadyLine = JSON.parse(first);
  expect((await fetch(`${ready.http.url}/readyz`)).status).toBe(200);
  const scratch = dirname(ready.sink.maildir);
  const about =
    (mail: Line) =>
    (event: string, more: Partial<Line> = {}) =>
      line(
        child,
        (one) =>
          one.queueId === mail.queueId &&
          Object.entries({ event, ...more }).every(([key, value]) => one[key] === value),
        `${event} ${JSON.stringify(more)} of “${mail.subject}”`,
      );

  // Alice does not want to be disturbed: bob gets it, and closes it by IM.
  const fire = about(
    await line(child, ({ event, subject }) => event === 'accepted' && /fire/.test(subject), 'first mail'),
  );
  expect((await fire('chosen')).person).toBe('bob');
  await fire('forwarded', { person: 'bob' });
  await fire('nudged', { person: 'bob' });
  await fire('evidence', { source: 'im ack', person: 'bob' });
  await fire('closed', { state: 'acknowledged', by: 'bob' });

  // Nobody reads it: the next one, then the room, where somebody takes it.
  const bill = about(
    await line(child, ({ event, subject }) => event === 'accepted' && /Invoice/.test(subject), 'second mail'),
  );
  await bill('chosen', { why: 'dispatch', person: 'alice' });
  await bill('escalated', { from: 'alice', to: 'bob', trigger: 'time' });
  await bill('forwarded', { person: 'bob' });
  await bill('escalated', { to: 'duty@rooms.pointsman.test' });
  await bill('nudged', { room: 'duty@rooms.pointsman.test' });
  await bill('evidence', { source: 'im ack in room' });
  await bill('closed', { state: 'acknowledged', by: 'dave' });

  // A program's own mail, with what is to happen said in its subject.
  const client = createTransport({ ...ready.smtp, secure: false, ignoreTLS: true });
  await client.sendMail({ from: 'you@example.net', to: 'duty@pointsman.test', subject: 'Mine [pass]', text: 'Hi' });
  const mine = about(
    await line(child, ({ event, subject }) => event === 'accepted' && /Mine/.test(subject), 'own mail'),
  );
  await mine('escalated', { trigger: 'passed' });

  expect(await readdir(join(ready.sink.maildir, 'bob@pointsman.test', 'new'))).not.toEqual([]);
  expect(await child.exited).toEqual({ code: 0, signal: null });
  expect(existsSync(scratch)).toBe(false);
  expect(child.errors.seen()).toEqual([]);
  for (const text of child.out.seen()) expect(mismatches(JSON.parse(text), schema), text).toEqual([]);
}, 120_000);

test('for people: says what to type, which then works; another one beside it takes other ports; SIGTERM ends both', async () => {
  await using one = sandbox();
  const typed = await one.out.next((text) => /curl -sS smtp/.test(text), { within: 30_000, what: 'what to type' });
  const to = await one.out.next((text) => /--mail-from/.test(text), { what: 'its second line' });
  const socket = await one.out.next((text) => /track list --all --socket/.test(text), { what: 'where to look' });
  await run(['sh', '-c', `${typed}\n${to}`]);
  await one.out.next((text) => /you@example\.net writes to support@pointsman\.test: “Hello”/.test(text), {
    what: 'the mail',
  });
  const path = socket.split('--socket ')[1] ?? '';
  const listed = await run([process.execPath, program, 'track', 'list', '--all', '--json', '--socket', path]);
  expect(listed).toContain('Hello');

  await using other = sandbox('--json');
  const ready: ReadyLine = JSON.parse(await other.out.next(() => true, { within: 30_000, what: 'first line' }));
  expect(typed).not.toContain(`:${ready.smtp.port} `);
  const scratch = dirname(ready.sink.maildir);
  for (const child of [one, other]) expect((await child.stop('SIGTERM', 20_000)).code).toBe(0);
  expect(existsSync(scratch)).toBe(false);
  expect(existsSync(dirname(dirname(path)))).toBe(false);
});

test('wrong rules: every mistake with its place, exit 78, nothing started', async () => {
  await using folder = await tempFolder('rules');
  await run([
    'sh',
    '-c',
    `printf 'people:\\n  a: { mail: nope }\\n  b: { mial: b@x.test }\\n' > ${folder.path}/a.yaml`,
  ]);
  await using child = sandbox('--json', '--rules', folder.path);
  expect(await child.exited).toEqual({ code: 78, signal: null });
  expect(child.out.seen()).toEqual([]);
  const said = child.errors.seen().join('\n');
  expect(said).toMatch(/a\.yaml:2:\d+: error/);
  expect(said).toMatch(/a\.yaml:3:\d+: error/);
});

test('its reader leaves: it ends and takes its folder along', async () => {
  const script = `"${process.execPath}" "${program}" sandbox --json | head -n 1`;
  const ready: ReadyLine = JSON.parse(await run(['sh', '-c', script]));
  expect(existsSync(dirname(ready.sink.maildir))).toBe(false);
}, 60_000);
