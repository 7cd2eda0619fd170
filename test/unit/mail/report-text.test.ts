// The part of a report that people read.
import { describe, expect, test } from 'vitest';
import type { ReportData } from '../../../src/mail/dsn.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { languages, languagesFor, reportSubject, reportText } from '../../../src/mail/report-text.ts';

const data: ReportData = {
  queueId: '01HZZZZZZ0001' as QueueId,
  hostname: 'mx.example.org',
  now: 0,
  to: expectMailbox('ann@example.net'),
  original: {
    queueId: '01HZZZZZZ0000' as QueueId,
    arrivedAt: 0,
    envelope: { smtputf8: false },
    content: new Uint8Array(),
  },
  recipients: [
    {
      mailbox: expectMailbox('eve@example.org'),
      action: 'delayed',
      reply: { code: 451, enhanced: '4.3.0', text: 'busy' },
      remote: 'mx.example.com',
      willRetryUntil: 0,
    },
  ],
};

describe('the language', () => {
  const of = (...headers: [string, string][]) => languagesFor({ headers }, []);

  test('is German when the mail was', () => {
    expect(of(['subject', 'x'], ['content-language', 'de-AT'])).toEqual(['de']);
    expect(of(['accept-language', 'de, en;q=0.5'])).toEqual(['de']);
    expect(of(['content-language', 'den'])).toEqual(['en']);
    expect(of(['accept-language', 'en, de'])).toEqual(['en']);
    expect(of()).toEqual(['en']);
  });

  test('is what the configuration says, whatever the mail was', () => {
    expect(languagesFor({ headers: [['content-language', 'de']] }, ['en', 'de'])).toEqual(['en', 'de']);
  });
});

test('of two languages, both stand in the text and in the subject', () => {
  expect(reportSubject({ ...data, languages: ['de', 'en'] })).toBe('Ihre Mail verzögert sich / Your mail is delayed');
  const text = reportText({ ...data, languages: ['de', 'en'] });
  expect(text.indexOf('Versucht wird es bis')).toBeGreaterThan(0);
  expect(text.indexOf('We try until')).toBeGreaterThan(text.indexOf('Versucht wird es bis'));
  expect(text.match(/451 4\.3\.0 busy/g)).toHaveLength(2);
});

test.each(languages)('in %s each action has words of its own', (language) => {
  const actions = ['failed', 'delayed', 'delivered', 'relayed', 'expanded'] as const;
  const texts = actions.map((action) =>
    reportText({ ...data, languages: [language], recipients: data.recipients.map((one) => ({ ...one, action })) }),
  );
  expect(new Set(texts).size).toBe(actions.length);
  for (const text of texts) expect(text).not.toMatch(/[^\r]\n|undefined/);
});
