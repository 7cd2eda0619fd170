// The mail sink: what is sent to it lies in a Maildir, byte for byte, and nothing in an address leaves that folder.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import { expect, test } from 'vitest';
import { expectMailbox } from '../../../src/mail/path.ts';
import { createMailSink, folderOf, type SunkMail } from '../../../src/sandbox/mail-sink.ts';
import { tempFolder } from '../../support/temp-folder.ts';

test('keeps each mail once for each mailbox, and tells of it', async (test) => {
  const folder = await tempFolder('sink');
  const sink = createMailSink(join(folder.path, 'maildir'));
  const { host, port } = await sink.start();
  test.onTestFinished(async () => {
    await sink.stop();
    await folder.remove();
  });
  const mails: SunkMail[] = [];
  sink.onMail((mail) => mails.push(mail));
  const raw =
    'From: Ann <ann@example.net>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <a@b>\r\n\r\n.dot\r\n';
  const client = createTransport({ host, port, secure: false, ignoreTLS: true });
  await client.sendMail({ envelope: { from: 'ann@example.net', to: ['Bob@x.test', 'carol@x.test'] }, raw });
  expect(mails.map(({ mailbox }) => mailbox)).toEqual(['Bob@x.test', 'carol@x.test']);
  expect(mails[0]).toMatchObject({ subject: 'Grüße', messageId: '<a@b>', replyTo: 'ann@example.net' });
  expect(await readdir(sink.maildir)).toEqual(['bob@x.test', 'carol@x.test']);
  const [name] = await readdir(join(sink.maildir, 'bob@x.test', 'new'));
  expect(mails[0]?.path).toBe(join(sink.maildir, 'bob@x.test', 'new', name ?? ''));
  expect(await readFile(mails[0]?.path ?? '', 'utf8')).toBe(raw);
  expect(await readdir(join(sink.maildir, 'bob@x.test', 'tmp'))).toEqual([]);
});

test.each([
  ['Alice@X.test', 'alice@x.test'],
  ['"../../etc/x"@x.test', '%2e.%2f..%2fetc%2fx@x.test'],
  ['.a@x.test', '%2ea@x.test'],
  ['a%b@x.test', 'a%25b@x.test'],
])('%s lies in %s', (mailbox, folder) => {
  expect(folderOf(expectMailbox(mailbox))).toBe(folder);
});

test('a very long address has a folder of its own all the same', () => {
  const long = (last: string) => folderOf(expectMailbox(`${'é'.repeat(60)}${last}@x.test`));
  expect(long('a')).toMatch(/^[0-9a-f]{64}$/);
  expect(long('a')).not.toBe(long('b'));
});
