// What comes back to the address of one delivery: delivery reports and read receipts. A failure moves the mail on at
// once; and because the sender's reverse-path was replaced by ours, what the sender asked to be told, we tell.
import { type Content, headOf } from '../mail/content.ts';
import type { Action } from '../mail/dsn.ts';
import { type DsnRecipient, parseDsn } from '../mail/dsn-parse.ts';
import type { MailFacts } from '../mail/facts.ts';
import { parseMdn } from '../mail/mdn.ts';
import { parseReply, type Reply } from '../mail/reply.ts';
import type { Delivery, DeliveryRef, Message } from '../store/store.ts';
import { type Evidence, grades } from '../tracking/evidence.ts';
import type { Target, Work } from './choosing.ts';
import { escalate, weigh } from './escalating.ts';
import { receiptEvidence } from './mail-evidence.ts';
import { type Stage, tellAll } from './parts.ts';
import { isWanted, reportsFor } from './reporting.ts';

/** @param ref the delivery whose address it was sent to: that is what is trusted, whatever the mail says of itself */
export async function hearReturned(stage: Stage, ref: DeliveryRef, facts: MailFacts, content: Content): Promise<void> {
  const story = await stage.store.message(ref.queueId);
  const delivery = story?.deliveries.find(({ seq }) => seq === ref.seq);
  if (!story || !delivery) {
    stage.log.warn({ queueId: ref.queueId, seq: ref.seq }, 'a report on a delivery that is not known any more');
    return;
  }
  const about = { queueId: ref.queueId, seq: delivery.forwardOf ?? delivery.seq };
  const person = delivery.chosen?.person ?? null;
  const reference = facts.messageId ?? facts.queueId;
  // A report that returns a large message is read from its first 256 kB: its fields come before what it returns.
  const head = headOf(content);
  const mdn = parseMdn(head);
  if (mdn) {
    await weigh(stage, about, receiptEvidence(about, mdn, { person, reference, trusted: true }), person ?? 'a receipt');
    return;
  }
  const dsn = parseDsn(head);
  if (!dsn) {
    // An automatic answer to the envelope sender, a bounce that no program can read: kept, and no evidence of anything.
    const source = facts.autoSubmitted ? 'automatic reply' : 'unreadable report';
    await weigh(
      stage,
      about,
      { ...about, person, grade: grades.accepted, source, reference, trusted: false },
      'a report',
    );
    return;
  }
  for (const recipient of dsn.recipients)
    await hearReport(stage, { message: story.message, delivery, about, person, recipient, reference });
}

interface Heard {
  readonly message: Message;
  readonly delivery: Delivery;
  /** The tracked delivery. */
  readonly about: DeliveryRef;
  readonly person: string | null;
  readonly recipient: DsnRecipient;
  readonly reference: string;
}

async function hearReport(stage: Stage, heard: Heard): Promise<void> {
  const { delivery, about, person, recipient } = heard;
  const mark = markOf(delivery, recipient.action);
  // A report may come twice (its own delivery was repeated): it is answered once.
  const before = await stage.store.evidence(about.queueId);
  const known = before.some(({ reference }) => reference?.startsWith(mark));
  const evidence: Omit<Evidence, 'at'> = {
    ...about,
    person,
    // RFC 3464 §2.3.3: only `delivered` says that it is in the mailbox.
    grade: recipient.action === 'delivered' ? grades.delivered : grades.accepted,
    source: `DSN ${recipient.action}${recipient.status === undefined ? '' : ` ${recipient.status}`}`,
    reference: `${mark} ${heard.reference}`,
    trusted: true,
  };
  if (!known) await weigh(stage, about, evidence, 'a report');
  stage.reach('return-recorded');
  if (recipient.action === 'failed') {
    // Also when it is known: we may have died before it was acted upon, and what follows is done once anyway.
    if (await isTheirs(stage, heard, known)) await escalate(stage, about, { trigger: 'undeliverable', owner: person });
    stage.reach('return-moved-on');
    await oweFailure(stage, about, replyOf(recipient), recipient.remoteMta ?? null);
  } else if (
    // Success needs no report of its own: the sender has heard that the mail went to the members of a group.
    recipient.action === 'delayed' &&
    delivery.delayToldAt === null &&
    isWanted(heard.message, delivery, 'delay') &&
    !(await wasTold(stage, delivery, 'delayed'))
  ) {
    await report(stage, heard.message, delivery, recipient.action, replyOf(recipient), recipient.remoteMta ?? null);
  }
}

/** The last time they got it was by this delivery; a repeated report must not take it from nobody once more. */
async function isTheirs(stage: Stage, { delivery, about, person }: Heard, known: boolean): Promise<boolean> {
  if (person === null) return !known;
  const story = await stage.store.message(about.queueId);
  const theirs = (story?.deliveries ?? []).filter(
    ({ seq, forwardOf, chosen }) => (seq === about.seq || forwardOf === about.seq) && chosen?.person === person,
  );
  return theirs.at(-1)?.seq === delivery.seq;
}

async function wasTold(stage: Stage, { queueId, seq }: DeliveryRef, action: Action): Promise<boolean> {
  const events = await stage.store.events(queueId);
  return events.some(
    (event) => event.event === 'reported' && event.seq === seq && (event.action ?? 'failed') === action,
  );
}

/** A report may be quicker than we are at writing down that the next hop has the mail: then it moves on now. */
export async function followEarlyReturn(stage: Stage, { delivery }: Work, target: Target): Promise<void> {
  if (delivery.plan.kind !== 'group' || !delivery.plan.policy?.ask?.includes('dsn')) return;
  const about = { queueId: delivery.queueId, seq: delivery.forwardOf ?? delivery.seq };
  const mark = markOf(delivery, 'failed');
  const evidence = await stage.store.evidence(delivery.queueId);
  const returned = evidence.find(({ reference }) => reference?.startsWith(mark));
  if (!returned) return;
  await escalate(stage, about, { trigger: 'undeliverable', owner: target.person });
  await oweFailure(stage, about, { code: 550, text: returned.source }, null);
}

const markOf = ({ seq }: Pick<Delivery, 'seq'>, action: Action): string => `delivery ${seq} ${action}:`;

/** The sender must know when the mail is in nobody's mailbox any more, and no forward is on its way to one. */
export async function oweFailure(stage: Stage, about: DeliveryRef, reply: Reply, remote: string | null): Promise<void> {
  const story = await stage.store.message(about.queueId);
  const evidence = await stage.store.evidence(about.queueId);
  const original = story?.deliveries.find(({ seq }) => seq === about.seq);
  if (!story || !original || !isWanted(story.message, original, 'failure')) return;
  const returned = ({ seq }: Delivery) =>
    evidence.some(({ reference }) => reference?.startsWith(markOf({ seq }, 'failed')));
  const somewhere = story.deliveries
    .filter(({ seq, forwardOf }) => seq === about.seq || forwardOf === about.seq)
    .some(
      (each) => each.state === 'queued' || each.state === 'held' || (each.state === 'delivered' && !returned(each)),
    );
  if (somewhere || !returned(original)) return;
  if (!(await wasTold(stage, about, 'failed'))) await report(stage, story.message, original, 'failed', reply, remote);
}

async function report(
  stage: Stage,
  message: Message,
  delivery: Delivery,
  action: Action,
  reply: Reply,
  remote: string | null,
): Promise<void> {
  const now = stage.clock.now();
  const { acceptances, events } = await reportsFor(stage, [{ message, delivery, reply, remote, action }], now);
  const also = { reports: acceptances, events: [...events, ...acceptances.flatMap((each) => each.events)] };
  await stage.store.record(also);
  tellAll(stage, also.events);
  stage.wake();
}

function replyOf({ diagnostic, status, action }: DsnRecipient): Reply {
  const said = parseReply(diagnostic ?? '');
  if (said) return said;
  const code = action === 'failed' ? 550 : action === 'delayed' ? 450 : 250;
  const text = diagnostic ?? `The next hop reported: ${action}`;
  return { code, ...(status === undefined ? {} : { enhanced: status }), text };
}
