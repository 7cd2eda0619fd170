// Content too large for memory: in through the front door into a file of the store's, out through the transport, octet by
// octet the same; and what goes wrong with the file is temporary and leaves nothing behind.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Intake } from '../../../src/intake.ts';
import { type Content, type ContentWriter, isFile, mostInMemory } from '../../../src/mail/content.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { createFrontDoor, type FrontDoor } from '../../../src/smtp/server.ts';
import { createTransport } from '../../../src/smtp/transport.ts';
import { openSqliteStore } from '../../../src/store/sqlite/open.ts';
import type { Acceptance, Store } from '../../../src/store/store.ts';
import { Peer } from '../../dialogues/smtp/dialogue.ts';
import { acceptance } from '../../store/fixtures.ts';
import { type TempFolder, tempFolder } from '../../support/temp-folder.ts';
import { ScriptedHop } from './scripted-hop.ts';

const queueId = '0123456789ABC' as QueueId;
const undo: (() => Promise<unknown>)[] = [];
let folder: TempFolder;
let store: Store;

beforeEach(async () => {
  folder = await tempFolder('large');
  store = await openSqliteStore({ folder: folder.path, keepContent: 1_000 });
});
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
  await store.close();
  await folder.remove();
});

const accepting = (content: Content, more: Partial<Acceptance> = {}): Acceptance => {
  const made = acceptance(queueId, { content, ...more });
  return { ...made, message: { ...made.message, size: content.length } };
};
const files = () => readdirSync(join(folder.path, 'content'));
const digest = (octets: Uint8Array | string) => createHash('sha256').update(octets).digest('hex');

// Lines that begin with dots, of many lengths, so that pieces end anywhere.
function letter(octets: number): string {
  const lines: string[] = ['Subject: large', ''];
  for (let sum = 0, count = 0; sum < octets; count += 1) {
    const line = `${'.'.repeat(count % 4)}${'x'.repeat((count * 37) % 800)}`;
    lines.push(line);
    sum += line.length + 2;
  }
  return `${lines.join('\r\n')}\r\n`;
}

async function door(
  intake: Partial<Intake>,
  more: { memory?: number } = {},
): Promise<{ front: FrontDoor; peer: Peer }> {
  const front = createFrontDoor({
    listen: [{ host: '127.0.0.1', port: 0, carriesMembers: false }],
    hostname: 'relay.example',
    size: 20_000_000,
    peers: [],
    intake: {
      admitClient: () => undefined,
      admitRecipient: () => undefined,
      accept: async () => queueId,
      openContent: () => store.openContent(),
      ...intake,
    },
    limits: more,
  });
  const [bound] = await front.start();
  const peer = new Peer(bound?.port ?? 0);
  undo.push(
    () => front.close(),
    async () => peer.end(),
  );
  peer.write('EHLO c\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<x@example.com>\r\nDATA\r\n');
  for (let replies = 0; replies < 5; replies += 1) await peer.reply();
  return { front, peer };
}

const stuffed = (text: string) => text.replace(/^\./gm, '..');

test('goes through a file, and out again as it was', async () => {
  const text = letter(3_000_000);
  let kept: Content | undefined;
  // Far less memory than the message has octets.
  const { peer } = await door(
    {
      accept: async (_client, _envelope, content) => {
        await store.accept(accepting(content));
        kept = content;
        return queueId;
      },
    },
    { memory: 2 * mostInMemory },
  );
  peer.write(`${stuffed(text)}.\r\n`);
  expect(await peer.reply()).toMatch(/^250 /);
  if (!kept || !isFile(kept)) throw new Error('a file was expected');
  expect(kept).toMatchObject({ length: text.length });
  expect(Buffer.from(kept.head).toString()).toBe(text.slice(0, mostInMemory));
  expect(digest(readFileSync(kept.path))).toBe(digest(text));

  // As it is read for a retry.
  const stored = await store.content(queueId);
  expect(stored).toMatchObject({ path: kept.path, length: text.length });
  const hop = new ScriptedHop({ extensions: ['PIPELINING', '8BITMIME'] });
  const port = await hop.listen();
  const transport = createTransport({ hostname: 'relay.example' });
  undo.push(
    () => hop.close(),
    () => transport.close(),
  );
  let dots = 0;
  const outcomes = await transport.ship(
    { name: 'hop', host: '127.0.0.1', port, tls: 'none', maxConnections: 1 },
    {
      queueId,
      envelope: { reversePath: '<>', body: '7BIT', smtputf8: false },
      recipients: [{ mailbox: expectMailbox('x@example.com') }],
      prepend: 'Received: here\r\n',
      content: stored,
    },
    {
      signal: new AbortController().signal,
      onFinalDot: async () => {
        dots += 1;
      },
    },
  );
  expect(outcomes.map(({ kind }) => kind)).toEqual(['accepted']);
  expect(dots).toBe(1);
  expect(digest(hop.contents[0] ?? '')).toBe(digest(`Received: here\r\n${stuffed(text)}`));
}, 30_000);

test('that is refused, too big or left unfinished leaves no file', async () => {
  const bare = await door({});
  bare.peer.write(`${stuffed(letter(600_000))}bare\n.\r\n.\r\n`);
  expect(await bare.peer.reply()).toMatch(/^554 5\.6\.0 /);
  const big = await door({});
  big.peer.write(`${stuffed(letter(20_100_000))}.\r\n`);
  expect(await big.peer.reply()).toMatch(/^552 5\.3\.4 /);
  const gone = await door({});
  gone.peer.write(stuffed(letter(600_000)));
  while (files().length === 0) await new Promise((resolve) => setImmediate(resolve));
  gone.peer.end();
  while (gone.front.connections > 0 || files().length > 0) await new Promise((resolve) => setImmediate(resolve));
  expect(files()).toEqual([]);
}, 30_000);

test('that cannot be written is tried again later', async () => {
  const broken = (): ContentWriter => ({
    write: () => Promise.reject(new Error('no space left')),
    finish: () => Promise.reject(new Error('never written')),
    discard: async () => undefined,
  });
  const { peer } = await door({ openContent: broken });
  peer.write(`${stuffed(letter(600_000))}.\r\n`);
  expect(await peer.reply()).toMatch(/^451 4\.3\.0 /);
});

test('goes when its message has been retired, and at a start when no message has it', async () => {
  const write = async (): Promise<Content> => {
    const writer = store.openContent();
    await writer.write(Buffer.from('Subject: x\r\n\r\n'));
    return writer.finish();
  };
  const lost = await write();
  const kept = await write();
  await store.accept(accepting(kept, { deliveries: [], tracked: [] }));
  expect(files()).toHaveLength(2);
  await store.close();
  store = await openSqliteStore({ folder: folder.path, keepContent: 1_000 });
  expect(files()).toHaveLength(1);
  expect(isFile(lost) && files().includes(lost.path)).toBe(false);
  const refused = await write();
  if (isFile(refused)) await store.dropContent(refused);
  expect(files()).toHaveLength(1);
  const found = await store.content(queueId);
  expect(Buffer.from(isFile(found) ? found.head : found).toString()).toBe('Subject: x\r\n\r\n');
  await store.retireContent(queueId);
  await expect(store.content(queueId)).rejects.toThrow(/not kept/);
  expect(files()).toEqual([]);
});
