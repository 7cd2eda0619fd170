// Read receipts as programs write them, and what counts as read.
import { describe, expect, test } from 'vitest';
import { mayAskForMdn, mdnSource, parseMdn, wasDisplayed } from '../../../src/mail/mdn.ts';
import { nullReversePath } from '../../../src/mail/path.ts';
import { postfixDsn, receiptSaying, receipts } from '../../support/reports.ts';

const read = (content: Uint8Array) => {
  const mdn = parseMdn(content);
  if (!mdn) throw new Error('not an MDN');
  return mdn;
};

describe('a receipt in the format of', () => {
  test.each([
    'thunderbird',
    'outlook',
    'appleMail',
    'gmail',
  ] as const)('%s says that a person has read it', (program) => {
    const mdn = read(receipts[program]());
    expect(mdn).toMatchObject({
      action: 'manual',
      type: 'displayed',
      modifiers: [],
      originalMessageId: '<fire-1@example.net>',
      finalRecipient: 'bob@example.org',
    });
    expect(wasDisplayed(mdn)).toBe(true);
  });

  test('a server that answers by itself says nothing about a person', () => {
    const mdn = read(receipts.exchange());
    expect(mdn).toMatchObject({ action: 'automatic', sending: 'automatically', type: 'displayed' });
    expect(wasDisplayed(mdn)).toBe(false);
    expect(mdnSource(mdn)).toBe('MDN displayed (automatic action)');
  });
});

describe('a disposition', () => {
  test.each([
    ['manual-action/MDN-sent-automatically; displayed', true],
    ['MANUAL-ACTION / mdn-sent-manually ;displayed', true],
    ['manual-action/MDN-sent-manually; displayed (by a comment)', true],
    ['manual-action/MDN-sent-manually; displayed/warning', true],
    ['manual-action/MDN-sent-manually; displayed/error', false],
    ['manual-action/MDN-sent-manually; displayed/superseded', false],
    ['manual-action/MDN-sent-manually; deleted', false],
    ['manual-action/MDN-sent-manually; dispatched', false],
    ['automatic-action/MDN-sent-automatically; processed', false],
    ['automatic-action/MDN-sent-manually; displayed', false],
    ['automatic-action/MDN-sent-automatically; deleted/expired, mailbox-terminated', false],
    ['manual-action/MDN-sent-manually; denied', false],
    ['manual-action/MDN-sent-manually; failed', false],
  ])('%s', (text, counts) => {
    expect(wasDisplayed(read(receiptSaying(text)))).toBe(counts);
  });

  test.each([
    'displayed',
    'manual-action; displayed',
    'manual-action/MDN-sent-manually; read',
    '',
  ])('that is none is no receipt: %j', (text) => {
    expect(parseMdn(receiptSaying(text))).toBeUndefined();
  });
});

test('a delivery report is no receipt', () => {
  expect(parseMdn(postfixDsn({ recipient: 'a@b.example', action: 'failed', status: '5.1.1' }))).toBeUndefined();
});

test('the Message-ID is taken from the returned header when the field is missing', () => {
  const text = receipts
    .thunderbird()
    .toString('latin1')
    .replace(/^Original-Message-ID.*\r\n/m, '');
  expect(read(Buffer.from(text, 'latin1')).originalMessageId).toBe('<fire-1@example.net>');
});

test('a receipt is asked for only where nobody has asked, and somebody could be answered', () => {
  const facts = { headers: [] as [string, string][], autoSubmitted: false, reversePath: 'ann@example.net' as never };
  expect(mayAskForMdn(facts)).toBe(true);
  expect(mayAskForMdn({ ...facts, headers: [['disposition-notification-to', 'ann@example.net']] })).toBe(false);
  expect(mayAskForMdn({ ...facts, autoSubmitted: true })).toBe(false);
  expect(mayAskForMdn({ ...facts, reversePath: nullReversePath })).toBe(false);
});
