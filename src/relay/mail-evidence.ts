// Watch, by mail: replies in the thread and read receipts. Anybody can write a From header and knows the Message-ID, so
// either counts only by a path that is trusted: a peer or listener that carries members' own mail, or an address that
// only we can make. The rest is recorded as unverified, and changes nothing.
import { type Content, headOf } from '../mail/content.ts';
import type { MailFacts } from '../mail/facts.ts';
import { mdnSource, type ParsedMdn, parseMdn, wasDisplayed } from '../mail/mdn.ts';
import { mailboxKey, nullReversePath, parseMailbox } from '../mail/path.ts';
import type { Person } from '../routing/rules.ts';
import type { Evidence } from '../tracking/evidence.ts';
import { grades } from '../tracking/evidence.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { weigh } from './escalating.ts';
import type { Stage } from './parts.ts';
import { mayHave } from './standing-in.ts';

/** Mail that passes: what it says of messages that are tracked. */
export async function weighMail(stage: Stage, facts: MailFacts, content: Content, trusted: boolean): Promise<void> {
  const mdn = looksLikeReceipt(facts) ? parseMdn(headOf(content)) : undefined;
  if (mdn) return weighReceipt(stage, facts, mdn, trusted);
  return weighReply(stage, facts, trusted);
}

/** Mail of which an MTA shows us the header alone: a receipt is read from its body, and must not pass for a reply. */
export async function weighHeader(stage: Stage, facts: MailFacts, trusted: boolean): Promise<void> {
  if (!looksLikeReceipt(facts)) await weighReply(stage, facts, trusted);
}

/** Whether it is worth looking at the body at all. */
function looksLikeReceipt({ headers }: MailFacts): boolean {
  return headers.some(
    ([name, value]) => name === 'content-type' && /^multipart\//i.test(value) && /report/i.test(value),
  );
}

async function weighReply(stage: Stage, facts: MailFacts, trusted: boolean): Promise<void> {
  if (facts.references.length === 0 || facts.reversePath === nullReversePath) return;
  const person = personAt(stage, facts.reversePath);
  for (const tracked of await stage.store.trackedByMessageId(facts.references)) {
    const known = person !== null && mayAnswer(stage, person, tracked);
    const evidence: Omit<Evidence, 'at'> = {
      queueId: tracked.queueId,
      seq: tracked.seq,
      person: known ? person.name : null,
      grade: grades.answered,
      // RFC 3834: an automatic answer is nobody's; recorded, and stops nothing.
      source: facts.autoSubmitted ? 'automatic reply' : 'reply',
      reference: facts.messageId ?? facts.queueId,
      trusted: trusted && known && !facts.autoSubmitted,
    };
    await weigh(stage, tracked, evidence, person?.name ?? 'a reply');
  }
}

/** RFC 8098 §3: matched by Original-Message-ID; whose it is, by Final-Recipient or else by From. */
async function weighReceipt(stage: Stage, facts: MailFacts, mdn: ParsedMdn, trusted: boolean): Promise<void> {
  if (mdn.originalMessageId === undefined) return;
  const from = /<([^<>]+)>\s*$/.exec(facts.from ?? '')?.[1] ?? facts.from;
  const person = personAt(stage, mdn.finalRecipient) ?? personAt(stage, from);
  for (const tracked of await stage.store.trackedByMessageId([mdn.originalMessageId])) {
    const known = person !== null && mayAnswer(stage, person, tracked);
    await weigh(
      stage,
      tracked,
      receiptEvidence(tracked, mdn, {
        person: known ? person.name : null,
        reference: facts.messageId ?? facts.queueId,
        trusted: trusted && known,
      }),
      person?.name ?? 'a receipt',
    );
  }
}

/** Whatever is no "displayed by a person" is recorded without a grade: it stops nothing. */
export function receiptEvidence(
  { queueId, seq }: Pick<Tracked, 'queueId' | 'seq'>,
  mdn: ParsedMdn,
  said: Pick<Evidence, 'person' | 'reference' | 'trusted'>,
): Omit<Evidence, 'at'> {
  return {
    queueId,
    seq,
    grade: wasDisplayed(mdn) ? grades.displayed : grades.accepted,
    source: mdnSource(mdn),
    ...said,
  };
}

function personAt(stage: Stage, address: string | undefined): Person | null {
  const mailbox = address === undefined ? undefined : parseMailbox(address.trim());
  if (mailbox === undefined) return null;
  const key = mailboxKey(mailbox);
  return [...stage.rules.current().people.values()].find(({ mail }) => mailboxKey(mail) === key) ?? null;
}

/** The owner, a candidate, or whoever runs the mail. */
function mayAnswer(stage: Stage, person: Person, { owner, plan }: Tracked): boolean {
  return person.operator || owner === person.name || mayHave(stage, plan, person.name);
}
