// A recording in a file: what is written is read again, in any order, compressed or not; what is wrong says where.
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fetchRecording, type Recording, readRecording, saveRecording } from '../../../src/cli/recording.ts';
import { progressOf } from '../../../src/cli/replay.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { expectBareJid } from '../../../src/presence/jid.ts';
import type { RecordedMail, RecordedPresence } from '../../../src/rehearsal/replay.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const mail = (n: number): RecordedMail => ({
  facts: {
    queueId: String(n).padStart(13, '0') as QueueId,
    receivedAt: 1000 * n,
    reversePath: expectMailbox('ann@example.net'),
    recipients: [expectMailbox('g@example.org')],
    size: 1,
    peer: '127.0.0.1',
    carriesMembers: false,
    references: [],
    autoSubmitted: false,
    headers: [],
    receivedCount: 1,
    deliveredTo: [],
  },
  deliveries: [],
});
const presence = (at: number): RecordedPresence => ({
  jid: expectBareJid('a@example.org'),
  at,
  presence: { state: 'available', since: at, asOf: at },
});
const recording: Recording = { since: 0, until: 9000, mails: [mail(1), mail(2)], presence: [presence(5), presence(7)] };

test.each([
  'day.jsonl',
  'day.jsonl.gz',
])('%s: what was saved is read again, and is for its owner alone', async (name) => {
  await using folder = await tempFolder('recording');
  const file = join(folder.path, name);
  await saveRecording(file, recording);
  expect(await readRecording(folder.path, name)).toEqual(recording);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('by hand: any order, blank lines, no span', async () => {
  await using folder = await tempFolder('recording');
  const lines = [{ mail: mail(2) }, { presence: presence(7) }, { mail: mail(1) }, { presence: presence(5) }];
  await writeFile(join(folder.path, 'd'), lines.map((line) => `${JSON.stringify(line)}\n\n`).join(''));
  const read = await readRecording(folder.path, 'd');
  expect(read.mails.map(({ facts }) => facts.receivedAt)).toEqual([1000, 2000]);
  expect(read.presence.map(({ at }) => at)).toEqual([5, 7]);
  expect([read.since, read.until]).toEqual([1000, 2000 + 86_400_000]);
});

test.each([
  ['{"mail": {}}', 'd:2: is neither'],
  ['{"mail": {"facts": {"queueId": "x", "receivedAt": "late"}, "deliveries": []}}', 'd:2: is neither'],
  ['{"presence": {"jid": 1}}', 'd:2: is neither'],
  ['null', 'd:2: is neither'],
  ['{"mail"', 'd:2: is not a line of JSON'],
])('%s is refused with its line', async (line, message) => {
  await using folder = await tempFolder('recording');
  await writeFile(join(folder.path, 'd'), `${JSON.stringify({ presence: presence(5) })}\n${line}\n`);
  await expect(readRecording(folder.path, 'd')).rejects.toThrow(message);
});

test('a file that is not there, or not compressed though it says so', async () => {
  await using folder = await tempFolder('recording');
  await expect(readRecording(folder.path, 'none')).rejects.toThrow('none cannot be read: ENOENT');
  await writeFile(join(folder.path, 'd.gz'), 'nonsense');
  await expect(readRecording(folder.path, 'd.gz')).rejects.toThrow('d.gz cannot be read: incorrect header check');
});

test('a running Pointsman is asked page by page, and nothing of one instant is lost between two pages', async () => {
  const mails = Array.from({ length: 2500 }, (_, n) => mail(n + 1));
  // More changes than a page holds, many of them in the same instant.
  const changes = Array.from({ length: 12_000 }, (_, n) => presence(Math.floor(n / 700)));
  const got = await fetchRecording(
    {
      recorded: async ({ after = '', limit }) => mails.filter(({ facts }) => facts.queueId > after).slice(0, limit),
      presenceHistory: async ({ since, limit }) => changes.filter(({ at }) => at >= since).slice(0, limit),
    },
    0,
    99_000_000,
  );
  expect(got.mails).toEqual(mails);
  expect(got.presence).toEqual(changes);
});

test('a bar for who looks at standard error, when it takes long; nothing for a file', () => {
  const bar = (watched: boolean, total: number) => {
    const written: string[] = [];
    const terminal = {
      write: () => undefined,
      complain: (text: string) => void written.push(text),
      columns: null,
      watched,
    };
    const progress = progressOf(terminal, total);
    for (let n = 0; n < total; n += 1) progress.step();
    progress.end();
    return written;
  };
  const shown = bar(true, 4000);
  expect(shown[0]).toBe('\r░░░░░░░░░░░░░░░░░░░░   0 % of 4000 mails');
  expect(shown.at(-2)).toBe('\r████████████████████ 100 % of 4000 mails');
  expect(shown.at(-1)).toBe('\r\u001b[K');
  expect(shown).toHaveLength(102);
  expect(bar(false, 4000)).toEqual([]);
  expect(bar(true, 100)).toEqual([]);
});
