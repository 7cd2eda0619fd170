// The milter as a door: what an MTA tells of a message goes to the Advisor, and its advice becomes edits.
//
// Only the whole message can be answered at its end, so: one recipient that must be refused or must wait refuses or
// delays all of it. Rules that refuse by the envelope alone are therefore asked at RCPT already, where mail comes by
// SMTP. Whatever goes wrong leaves the recipients as they are or has the MTA try later; a half edit cannot be.
import type { Advice, Advised, Advisor, Client, Planned } from '../intake.ts';
import type { Log } from '../log.ts';
import type { Envelope, ForwardPath } from '../mail/envelope.ts';
import { PointsmanError } from '../mail/error.ts';
import { remembering } from '../mail/memo.ts';
import { isInternationalised, type Mailbox, mailboxKey, nullReversePath, parseMailbox } from '../mail/path.ts';
import { type Reply, replies } from '../mail/reply.ts';
import type { Handlers } from './handlers.ts';
import type { EnvelopeAddress, Message } from './message.ts';
import type { Edit, EndVerdict, Verdict } from './reply.ts';
import { actions } from './wire.ts';

export interface RouterOptions {
  readonly advisor: Advisor;
  readonly log: Log;
  /** What is said when we fail. */
  readonly onFailure: 'tempfail' | 'accept';
  /** What becomes of mail that the rules would hold. */
  readonly hold: 'tempfail' | 'quarantine' | null;
  /** All mail that this MTA asks about is members' own. */
  readonly carriesMembers: boolean;
  /** Completes a sender without a domain. */
  readonly hostname: string;
}

/** What the router asks an MTA for. */
export const routerActions =
  actions.addHeaders | actions.addRecipient | actions.deleteRecipient | actions.addRecipientPar | actions.quarantine;

interface Seen {
  readonly planned: Planned | null;
  /** The recipients that have a place in the envelope, in its order. */
  readonly recipients: readonly EnvelopeAddress[];
}

const goOn: Verdict = { kind: 'continue' };
const unchanged: EndVerdict = { verdict: { kind: 'accept' } };

/** RFC 3463 §3.8 X.7.1: a policy of ours, for now. */
const nobodyThere: Reply = { code: 451, enhanced: '4.7.1', text: 'Nobody can take it now, try again later' };

export function createRouter(options: RouterOptions): Handlers {
  const { advisor, log } = options;

  function look(message: Message): Seen {
    // Nobody but us puts anything there.
    const known = message.context as Seen | undefined;
    if (known) return known;
    const recipients: EnvelopeAddress[] = [];
    const forwardPaths: ForwardPath[] = [];
    for (const recipient of message.recipients) {
      // A local user's bare name, for one: nothing of ours, so it stays as it is.
      const mailbox = parseMailbox(recipient.address);
      if (mailbox === undefined) continue;
      recipients.push(recipient);
      forwardPaths.push(pathOf(mailbox, recipient));
    }
    const envelope = envelopeOf(message, forwardPaths, options.hostname);
    const planned =
      forwardPaths.length === 0 ? null : advisor.plan(clientOf(message, options), envelope, message.header);
    const made = { planned, recipients };
    message.context = made;
    return made;
  }

  function failure(error: unknown): EndVerdict {
    if (!(error instanceof PointsmanError)) throw error;
    log.warn({ err: error }, 'a message could not be routed');
    return options.onFailure === 'accept' ? unchanged : { verdict: { kind: 'reply', reply: error.reply } };
  }

  return {
    recipient(recipient, message) {
      const mailbox = parseMailbox(recipient.address);
      // Postfix keeps trying for ever to hand in mail of sendmail(1) whose recipient is refused.
      if (mailbox === undefined || !bySmtp(message)) return goOn;
      const reply = advisor.refusal(envelopeOf(message, [], options.hostname).reversePath, mailbox);
      return reply ? { kind: 'reply', reply } : goOn;
    },
    wantsBody(message) {
      const { planned } = look(message);
      return planned !== null && wantsContent(planned);
    },
    message(message) {
      const { planned, recipients } = look(message);
      if (planned === null) return unchanged;
      const answer = (advised: Advised): EndVerdict => {
        const end = endOf(message, recipients, advised, options);
        log.debug(
          {
            queueId: advised.queueId,
            // Asked for only when it is logged.
            mta: () => message.macro('i') ?? '',
            advice: advised.advice,
          },
          'advised',
        );
        return end;
      };
      try {
        const wanted = wantsContent(planned);
        // Later it will not be smaller.
        if (wanted && message.tooLarge) return { verdict: { kind: 'reply', reply: replies.tooBig } };
        const body = wanted ? message.body() : undefined;
        const content = body === undefined ? null : Buffer.concat([message.headerBlock(), crlf, body]);
        const advised =
          planned.unsure === 'nothing'
            ? advisor.advise(planned, content)
            : advisor.planWhole(planned, content).then((whole) => advisor.advise(whole, content));
        return advised instanceof Promise ? advised.then(answer).catch(failure) : answer(advised);
      } catch (error) {
        return failure(error);
      }
    },
  };

  function wantsContent({ needsContent, unsure }: Planned): boolean {
    return needsContent || unsure === 'content' || (unsure === 'thread' && advisor.keepsContent());
  }
}

const crlf = Buffer.from('\r\n');

/** Mail of sendmail(1) comes from localhost with port 0. */
const bySmtp = ({ client }: Message): boolean => !(client.hostname === 'localhost' && client.port === 0);

function clientOf(message: Message, { carriesMembers }: RouterOptions): Client {
  const { address, port, helo } = message.client;
  const tls = message.macro('tls_version') !== undefined;
  // Whoever has given a password to the MTA is one of its own.
  const own = carriesMembers || (message.macro('auth_authen') ?? '') !== '';
  return { address: address === '' ? '127.0.0.1' : address, port, helo, tls, carriesMembers: own };
}

function envelopeOf({ sender }: Message, forwardPaths: readonly ForwardPath[], hostname: string): Envelope {
  const has = (name: string): boolean => sender.parameters.some((each) => each.toUpperCase() === name);
  const reversePath =
    sender.address === ''
      ? nullReversePath
      : (parseMailbox(sender.address) ?? parseMailbox(`${sender.address}@${hostname}`) ?? nullReversePath);
  return { reversePath, forwardPaths, body: has('BODY=8BITMIME') ? '8BITMIME' : '7BIT', smtputf8: has('SMTPUTF8') };
}

/** NOTIFY goes along with whoever is added instead; only "never" matters to us. */
function pathOf(mailbox: Mailbox, { parameters }: EnvelopeAddress): ForwardPath {
  return parameters.some((each) => /^NOTIFY=NEVER$/i.test(each)) ? { mailbox, notify: ['never'] } : { mailbox };
}

function endOf(
  message: Message,
  recipients: readonly EnvelopeAddress[],
  { advice, onAnswered }: Advised,
  { hold, log }: RouterOptions,
): EndVerdict {
  const refused = advice.find((each) => each.kind === 'refuse');
  if (refused?.kind === 'refuse') return { verdict: { kind: 'reply', reply: refused.reply } };
  const later = advice.find((each) => each.kind === 'later');
  if (later) {
    return hold === 'quarantine'
      ? { verdict: { kind: 'accept' }, edits: [{ kind: 'quarantine', reason: later.because.join('; ') }] }
      : { verdict: { kind: 'reply', reply: nobodyThere } };
  }
  const edits = editsFor(message, recipients, advice);
  if (edits === null)
    log.warn({ mta: message.macro('i') ?? '' }, 'the MTA cannot be told; recipients stay as they are');
  return {
    verdict: { kind: 'accept' },
    edits: edits ?? [],
    onAnswered: (whole) => onAnswered(whole && edits !== null),
  };
}

/** Null when this MTA cannot carry them out. */
function editsFor(
  message: Message,
  recipients: readonly EnvelopeAddress[],
  advice: readonly Advice[],
): readonly Edit[] | null {
  const smtputf8 = message.sender.parameters.some((each) => each.toUpperCase() === 'SMTPUTF8');
  const [only] = recipients;
  const [said] = advice;
  // By far the most: one recipient, and one member instead.
  if (recipients.length === 1 && only && said?.kind === 'instead' && !said.copies && said.mailboxes.length === 1) {
    const [address] = said.mailboxes;
    const simple = actions.addRecipient | actions.deleteRecipient | actions.addHeaders;
    const isPlain = address !== undefined && !isInternationalised(address);
    if (
      isPlain &&
      (message.powers.actions & simple) === simple &&
      mailboxKey(address) !== mailboxKey(only.address as Mailbox)
    )
      return [
        { kind: 'add recipient', address, parameters: dsnOf(only, smtputf8) },
        ...headersOf(advice),
        { kind: 'remove recipient', raw: only.raw },
      ];
  }
  const can = (needed: number): boolean => (message.powers.actions & needed) === needed;
  // Whoever has the mail anyway is not added again: Postfix would deliver it twice.
  const has = new Set<string>();
  for (const [index, { address }] of recipients.entries())
    if (advice[index]?.kind !== 'instead') has.add(mailboxKey(address as Mailbox));
  const added = new Map<string, Edit & { kind: 'add recipient' }>();
  const add = (address: Mailbox, parameters: string): void => {
    const key = mailboxKey(address);
    if (!has.has(key) && !added.has(key)) added.set(key, { kind: 'add recipient', address, parameters });
  };
  for (const [index, recipient] of recipients.entries()) {
    const each = advice[index];
    if (each?.kind === 'instead') for (const one of each.mailboxes) add(one, dsnOf(recipient, smtputf8));
  }
  // RFC 3461 §4.1: nobody but us asked for a copy, so the sender hears nothing of it.
  for (const { copies = [] } of advice) for (const one of copies) add(one, 'NOTIFY=NEVER');
  const removed = new Map<string, Edit>();
  for (const [index, { raw, address }] of recipients.entries()) {
    if (advice[index]?.kind !== 'instead') continue;
    // Who is to have another's mail, and is there already, just stays: added and removed it would be gone in Postfix.
    if (added.has(mailboxKey(address as Mailbox))) has.add(mailboxKey(address as Mailbox));
    else removed.set(raw.toString('latin1'), { kind: 'remove recipient', raw });
  }
  for (const key of has) added.delete(key);
  if ((added.size > 0 && !can(actions.addRecipient)) || (removed.size > 0 && !can(actions.deleteRecipient)))
    return null;
  // Postfix asks for SMTPUTF8 on its own only where it is told to.
  if (!smtputf8 && [...added.values()].some(({ address }) => isInternationalised(address as Mailbox))) return null;
  const above = can(actions.addHeaders) ? headersOf(advice) : [];
  return [...added.values(), ...above, ...removed.values()];
}

/** One mail, so each once. What is inserted last stands on top. */
function headersOf(advice: readonly Advice[]): Edit[] {
  const [first] = advice;
  if (
    advice.length === 1 &&
    first?.headers &&
    first.headers.length <= 2 &&
    first.headers[0]?.[0] !== first.headers[1]?.[0]
  )
    return first.headers.map(([name, value]): Edit => ({ kind: 'insert header', index: 0, name, value })).reverse();
  const all = new Map<string, Edit>();
  for (const { headers = [] } of advice)
    for (const [name, value] of headers) all.set(`${name}:${value}`, { kind: 'insert header', index: 0, name, value });
  return [...all.values()].reverse();
}

/** RFC 3461 §5.2.7: the group stays the original recipient, and what the sender wants to be told stays as it is. */
function dsnOf({ address, parameters }: EnvelopeAddress, smtputf8: boolean): string {
  if (parameters.length === 0) return originalRecipient(address, smtputf8) ?? '';
  const given = (name: string): string | undefined =>
    parameters.find((each) => each.toUpperCase().startsWith(`${name}=`));
  const notify = given('NOTIFY');
  const orcpt = given('ORCPT') ?? originalRecipient(address, smtputf8);
  return [notify, orcpt].filter((each) => each !== undefined).join(' ');
}

/** RFC 3461 §4.2, xtext; RFC 6533 §3 for an address beyond ASCII. */
function originalRecipient(address: string, smtputf8: boolean): string | undefined {
  return /[^\x00-\x7f]/.test(address) ? internationalRecipient(address, smtputf8) : plainRecipient(address);
}

const plainRecipient = remembering(
  (address: string): string =>
    `ORCPT=rfc822;${address.replace(/[^\x21-\x2a\x2c-\x3c\x3e-\x7e]/g, (one) => `+${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)}`,
);

function internationalRecipient(address: string, smtputf8: boolean): string | undefined {
  return smtputf8
    ? `ORCPT=utf-8;${address.replace(/[\x00-\x20\x7f+=\\]/g, (one) => `\\x{${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}}`)}`
    : undefined;
}
