// What a report says to people (RFC 3464 §2: the first part), in the languages its reader is likely to read.
import { type Action, clean, type ReportData, type ReportedRecipient } from './dsn.ts';
import type { MailFacts } from './facts.ts';
import { formatDate } from './received.ts';
import { formatReply } from './reply.ts';

export const languages = ['en', 'de'] as const;
export type Language = (typeof languages)[number];

interface Words {
  readonly subjects: { readonly failed: string; readonly delayed: string; readonly passedOn: string };
  readonly greeting: (hostname: string) => string;
  readonly headings: Readonly<Record<Action, string>>;
  readonly addressedAs: string;
  readonly said: string;
  readonly until: (date: string) => string;
  readonly received: (date: string, queueId: string) => string;
}

const words: Readonly<Record<Language, Words>> = {
  en: {
    subjects: {
      failed: 'Your mail could not be delivered',
      delayed: 'Your mail is delayed',
      passedOn: 'Your mail was passed on',
    },
    greeting: (hostname) => `This is the mail system at ${hostname}.`,
    headings: {
      failed: 'Your mail could not be delivered to the following addresses. We have given up on them.',
      delayed: 'Your mail has not been delivered yet. We keep trying; you need not send it again.',
      delivered: 'Your mail was delivered:',
      relayed: 'Your mail was passed on to a mail system that sends no reports of its own:',
      expanded: 'Your mail was passed on to the members of a group; no further reports follow:',
    },
    addressedAs: 'addressed as',
    said: 'said',
    until: (date) => `We try until ${date}.`,
    received: (date, queueId) => `It was received here on ${date} as ${queueId}.`,
  },
  de: {
    subjects: {
      failed: 'Ihre Mail konnte nicht zugestellt werden',
      delayed: 'Ihre Mail verzögert sich',
      passedOn: 'Ihre Mail wurde weitergegeben',
    },
    greeting: (hostname) => `Dies ist das Mailsystem von ${hostname}.`,
    headings: {
      failed: 'Ihre Mail konnte an die folgenden Adressen nicht zugestellt werden. Es wird nicht weiter versucht.',
      delayed:
        'Ihre Mail ist noch nicht zugestellt. Es wird weiter versucht; Sie brauchen sie nicht noch einmal zu senden.',
      delivered: 'Ihre Mail wurde zugestellt:',
      relayed: 'Ihre Mail wurde an ein Mailsystem weitergegeben, das selbst keine Berichte sendet:',
      expanded: 'Ihre Mail wurde an die Mitglieder einer Gruppe weitergegeben; weitere Berichte folgen nicht:',
    },
    addressedAs: 'angeschrieben als',
    said: 'sagte',
    until: (date) => `Versucht wird es bis ${date}.`,
    received: (date, queueId) => `Sie kam hier am ${date} als ${queueId} an.`,
  },
};

/**
 * The configured ones; without any, German where the mail says that it is German or that its writer reads German
 * first (RFC 3282), else English.
 */
export function languagesFor(facts: Pick<MailFacts, 'headers'>, configured: readonly Language[]): readonly Language[] {
  if (configured.length > 0) return configured;
  const told = facts.headers.find(([name]) => name === 'content-language' || name === 'accept-language');
  return [/^\s*de\b/i.test(told?.[1] ?? '') ? 'de' : 'en'];
}

const languagesOf = ({ languages: wanted }: ReportData): readonly Language[] =>
  wanted && wanted.length > 0 ? wanted : ['en'];

export function reportSubject(data: ReportData): string {
  const actions = new Set(data.recipients.map(({ action }) => action));
  const kind = actions.has('failed') ? 'failed' : actions.has('delayed') ? 'delayed' : 'passedOn';
  return languagesOf(data)
    .map((language) => words[language].subjects[kind])
    .join(' / ');
}

export function reportText(data: ReportData): string {
  return languagesOf(data)
    .map((language) => textIn(data, words[language]))
    .join('\r\n-- \r\n\r\n');
}

function textIn(data: ReportData, say: Words): string {
  const { original } = data;
  const about = original.messageId === undefined ? [] : [`Message-ID: ${clean(original.messageId, true)}`];
  const paragraphs = [
    say.greeting(data.hostname),
    ...(['failed', 'delayed', 'delivered', 'relayed', 'expanded'] as const).flatMap((action) =>
      section(data, action, say),
    ),
    [say.received(formatDate(original.arrivedAt), original.queueId), ...about].join('\r\n'),
  ];
  return `${paragraphs.join('\r\n\r\n')}\r\n`;
}

function section(data: ReportData, action: Action, say: Words): string[] {
  const entries = data.recipients.filter((one) => one.action === action).map((one) => entry(one, say));
  return entries.length === 0 ? [] : [say.headings[action], ...entries];
}

function entry({ mailbox, orcpt, reply, remote, willRetryUntil }: ReportedRecipient, say: Words): string {
  const addressed = orcpt?.slice(orcpt.indexOf(';') + 1);
  const also =
    addressed === undefined || addressed === mailbox ? '' : ` (${say.addressedAs} ${clean(addressed, true)})`;
  const who = remote === undefined ? '' : `${remote} ${say.said}: `;
  const until = willRetryUntil === undefined ? '' : `\r\n    ${say.until(formatDate(willRetryUntil))}`;
  return `<${mailbox}>${also}\r\n    ${who}${clean(formatReply(reply), true)}${until}`;
}
