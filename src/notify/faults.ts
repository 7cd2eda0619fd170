// The catalogue of faults: what can be wrong, how bad it is, what it means and what to do. A fault is one open item with
// an owner; it clears by itself when its cause is gone, or, where nobody but a person can tell, by their word.
// docs/operate/faults.md is made from this; an id is never used for anything else again.
import { type Duration, formatDuration, hour, minute } from '../clock.ts';
import { faultsInGerman } from './faults-de.ts';
import type { Language } from './words.ts';

/**
 * After Isode's scale. critical: service is lost, act at once. fatal: part of it is likely lost, look at once.
 * error: something may be lost, it often recovers. warning: unexpected, nothing is lost.
 */
export const severities = ['critical', 'fatal', 'error', 'warning'] as const;
export type Severity = (typeof severities)[number];

export interface FaultKind {
  /** What every line about it begins with, in a few words. */
  readonly title: string;
  readonly severity: Severity;
  /** What one open item is about; several of a kind can be open, each about another. */
  readonly subject: string;
  readonly meaning: string;
  /** What an operator does, as an order. */
  readonly action: string;
  readonly clears: string;
  /** Whether a person may say that it is over. */
  readonly byHand?: true;
}

export const thresholds = {
  queueOld: hour,
  queueLong: 1_000,
  hopFailures: 3,
  linkDown: minute,
  diskFree: 0.05,
  clockJump: minute,
  strangersPerMinute: 20,
  quietFor: 10 * minute,
  certificateDays: 21,
  /** A claim on a fault lapses after this without a word. */
  claimLasts: 4 * hour,
  repeatEvery: 30 * minute,
} as const;

const long = (duration: Duration): string => formatDuration(duration);

export const faultKinds = {
  'queue-old': {
    title: 'mail waits too long',
    severity: 'error',
    subject: 'the queue',
    meaning: `The oldest mail that could be delivered has waited for more than ${long(thresholds.queueOld)}.`,
    action: 'Look with "pointsman queue list" why it is deferred; see to the next hop, then "pointsman queue retry".',
    clears: 'when nothing has waited so long any more',
  },
  'queue-long': {
    title: 'the queue is long',
    severity: 'warning',
    subject: 'the queue',
    meaning: `More than ${thresholds.queueLong} deliveries are queued.`,
    action: 'Look whether a next hop is down or a sender floods you.',
    clears: 'when it is below four fifths of that',
  },
  'next-hop-down': {
    title: 'a next hop takes no mail',
    severity: 'error',
    subject: 'the next hop',
    meaning: `${thresholds.hopFailures} attempts in a row were deferred by this next hop. Mail for it waits and is tried again.`,
    action: 'See to that mail server and the way to it; nothing is lost meanwhile.',
    clears: 'when it accepts a mail',
  },
  'dead-letter': {
    title: 'a dead letter',
    severity: 'error',
    subject: 'the message',
    meaning: 'A mail could not be delivered, and a report is forbidden (null reverse-path, or NOTIFY=NEVER).',
    action:
      'Read it with "pointsman queue show" and decide: "pointsman queue requeue-to" sends it on, "pointsman queue drop" ends it, ack says that it was seen to.',
    clears: 'when it was dropped or sent on, or by an operator: ack',
    byHand: true,
  },
  'xmpp-link-down': {
    title: 'no XMPP session',
    severity: 'error',
    subject: 'the XMPP link',
    meaning: `For more than ${long(thresholds.linkDown)} there is no session with the XMPP server: presence is unknown, nobody is nudged, mail goes by the fallbacks.`,
    action: 'See to the XMPP server, the account and its certificate.',
    clears: 'when the session stands again',
  },
  'rules-rejected': {
    title: 'rule files have errors',
    severity: 'error',
    subject: 'the rules',
    meaning: 'The newest rule files have errors; the last good rules are in force.',
    action: 'Run "pointsman check", mend the place it names, then "pointsman reload".',
    clears: 'when the files are good and loaded',
  },
  'disk-low': {
    title: 'the disk is nearly full',
    severity: 'critical',
    subject: 'the state folder',
    meaning: `Less than ${thresholds.diskFree * 100} % of the disk under the state folder is free. When it is full mail is refused for a time.`,
    action: 'Make room or give it a larger disk.',
    clears: 'when there is room again',
  },
  'clock-jumped': {
    title: 'the clock jumped',
    severity: 'warning',
    subject: 'the clock',
    meaning: `The machine's clock moved by more than ${long(thresholds.clockJump)} at once, or the machine stood still. Steps may have come early or late.`,
    action: 'See to time synchronisation (chrony, systemd-timesyncd) and to the host of a virtual machine.',
    clears: `when it has run evenly for ${long(thresholds.quietFor)}`,
  },
  'escalation-exhausted': {
    title: 'nobody has answered a mail',
    severity: 'error',
    subject: 'the message',
    meaning: 'Every step of the policy was taken and nobody has answered.',
    action: 'Take it yourself (ack) or see that somebody does; look whether the policy ends at somebody who is there.',
    clears: 'when somebody acknowledges or answers the mail after all, or by ack',
    byHand: true,
  },
  'nobody-eligible': {
    title: 'nobody of a group is eligible',
    severity: 'warning',
    subject: 'the group',
    meaning: 'Mail for the group went to its fallback or is held, because no member was eligible.',
    action: 'See that somebody is there, or change the members or "eligible" of the group.',
    clears: 'when a member is chosen again',
  },
  'commands-refused': {
    title: 'strangers give commands',
    severity: 'warning',
    subject: 'the instant messages',
    meaning: `More than ${thresholds.strangersPerMinute} commands in a minute came from people no rule names. None was executed.`,
    action: 'Look in the log for who it is; block them at the XMPP server.',
    clears: `when there were none for ${long(thresholds.quietFor)}`,
  },
  'presence-refused': {
    title: 'presence is not shared',
    severity: 'warning',
    subject: 'presence',
    meaning:
      'People whom the rules name refused to share their presence, or took it back: whether they are there is not known.',
    action: 'Ask them to accept Pointsman in their client, or put them into a shared roster group with it.',
    clears: 'when they share it',
  },
  'presence-not-answered': {
    title: 'presence is not answered for',
    severity: 'warning',
    subject: 'presence',
    meaning: 'People whom the rules name have not answered whether they share their presence.',
    action: 'Ask them to accept Pointsman in their client, or put them into a shared roster group with it.',
    clears: 'when they answer',
  },
  'xmpp-account-shared': {
    title: 'two Pointsman, one XMPP account',
    severity: 'error',
    subject: 'the other resource',
    meaning:
      'Another Pointsman is logged in to the same XMPP account: people may be asked twice, by two that do not know of each other.',
    action: 'Stop one of the two, or give it an account of its own.',
    clears: 'when the other one is gone',
  },
  'xmpp-domain-silent': {
    title: 'an XMPP domain is silent',
    severity: 'warning',
    subject: 'the domain',
    meaning: 'The XMPP server of another domain cannot be reached: whether its people are there is not known.',
    action: 'See to federation (s2s) between the two servers; look into the log of ours.',
    clears: 'when that server answers again',
  },
  'duty-room-hides-jids': {
    title: 'a room hides who is in it',
    severity: 'error',
    subject: 'the room',
    meaning:
      'A duty room does not show who its occupants are: nobody counts as present in it, and no command is taken there.',
    action: 'Make the room non-anonymous, or Pointsman its moderator (an affiliation of admin).',
    clears: 'when the room shows who is who',
  },
  'duty-room-not-entered': {
    title: 'not in a duty room',
    severity: 'warning',
    subject: 'the room',
    meaning: 'Pointsman is not in a duty room that the configuration or a rule names.',
    action: 'See that the room exists and that Pointsman may enter it.',
    clears: 'when it is in the room',
  },
  'certificate-expiring': {
    title: 'a certificate ends soon',
    severity: 'warning',
    subject: 'the certificate',
    meaning: `A certificate that the configuration names ends within ${thresholds.certificateDays} days.`,
    action: 'Renew it. That of tls.certFile is taken up by itself, others at a restart.',
    clears: 'when a longer one is there',
  },
  'certificate-rejected': {
    title: 'a certificate cannot be used',
    severity: 'error',
    subject: 'the certificate',
    meaning: 'The files of tls.certFile and tls.keyFile were changed and cannot be used; the former pair stays in use.',
    action:
      'Look what is wrong with them: the text says it. They are read again every minute, and by "pointsman reload".',
    clears: 'when the files can be used',
  },
  'directory-down': {
    title: 'the directory cannot be read',
    severity: 'error',
    subject: 'the directory',
    meaning:
      'People and groups could not be read: the directory does not answer, or what it answers cannot be used. Mail goes by what was read last.',
    action: 'See to the directory server, the way to it and its certificate; "pointsman reload" reads it at once.',
    clears: 'when it was read',
  },
  'directory-refused': {
    title: 'the directory does not let us in',
    severity: 'error',
    subject: 'the directory',
    meaning:
      'The directory refuses our account (a wrong password, say) or what we ask for. Mail goes by what was read last.',
    action: 'See to the account: its password file, and what it may read below the bases of the configuration.',
    clears: 'when it was read',
  },
  'directory-entries': {
    title: 'directory entries cannot be used',
    severity: 'warning',
    subject: 'the directory',
    meaning: 'Groups that the rules name have members in the directory that cannot be used; the others get the mail.',
    action: 'Mend the entries that the text names ("pointsman directory" lists them), or take them out of the group.',
    clears: 'when all of them can be used',
  },
  'directory-change-held': {
    title: 'a directory change is held back',
    severity: 'error',
    subject: 'the directory',
    meaning:
      'A group that the rules name has been emptied, or a large part of it or of all people is gone at once. Mail goes by what was there before.',
    action: 'Mend the directory; or, when it is meant, "pointsman directory accept".',
    clears: 'when they are there again, or the change was accepted',
  },
  'mail-refused': {
    title: 'no mail is taken',
    severity: 'critical',
    subject: 'the queue',
    meaning: 'No mail is taken (452): the disk under the state folder is full, or the queue is.',
    action:
      'Make room, or see to the next hop that the queue waits for ("pointsman queue counts"); limits.freeSpace and limits.waiting are the bounds.',
    clears: 'when there is room again',
  },
} as const satisfies Readonly<Record<string, FaultKind>>;

export type FaultId = keyof typeof faultKinds;
export const isFaultId = (text: string): text is FaultId => Object.hasOwn(faultKinds, text);
export const kindOf = (id: FaultId): FaultKind => faultKinds[id];

/** What is said of it to people. */
export type FaultWords = Pick<FaultKind, 'title' | 'meaning' | 'action'>;
const words: Readonly<Record<Language, Readonly<Record<FaultId, FaultWords>>>> = { en: faultKinds, de: faultsInGerman };
export const faultWords = (id: FaultId, language: Language): FaultWords => words[language][id];

/** The page for operators. */
export function catalogue(): string {
  const entries = Object.entries(faultKinds).map(
    ([id, kind]: [string, FaultKind]) =>
      `## ${id}\n\n**${kind.severity}**: ${kind.title}; one for ${kind.subject}. ${kind.meaning}\n\nDo: ${kind.action}\n\nClears ${kind.clears}.\n`,
  );
  return [
    '# Events and faults',
    '',
    'Made from `src/notify/faults.ts` by `npx vitest run test/unit/notify/faults.test.ts -u`; do not edit.',
    '',
    'A fault is one open item: it opens once, is claimed by somebody, and clears when its cause is gone. Every change is',
    'one line to the targets under `operators` in the configuration; repeats are counted and told at most every',
    `${long(thresholds.repeatEvery)}. A claim lapses after ${long(thresholds.claimLasts)}, or when its owner goes offline.`,
    'Answer with its number: `claim f3`, `release f3`, `show f3`, `ack f3` where a person decides.',
    '',
    '| severity | means |',
    '|---|---|',
    '| critical | service is lost: act at once |',
    '| fatal | part of it is likely lost: look at once |',
    '| error | something may be lost, or needs somebody; it often recovers by itself |',
    '| warning | unexpected; nothing is lost |',
    '',
    ...entries,
  ].join('\n');
}
