// What the rules refuse by sender and recipient alone, before anything is known of the mail.
import type { MailFacts } from '../mail/facts.ts';
import type { Mailbox, ReversePath } from '../mail/path.ts';
import type { Reply } from '../mail/reply.ts';
import { plan } from './plan.ts';
import type { Rules } from './rules.ts';

/**
 * The routes before the first that reads the header, when one of them refuses: only these can be judged at RCPT, because
 * the first route that matches decides. Null when there are none.
 */
function envelopeRules(rules: Rules): Rules | null {
  const known = byEnvelope.get(rules);
  if (known !== undefined) return known;
  const reader = rules.routes.findIndex(({ match }) => match.subject !== undefined || match.headers.length > 0);
  const routes = reader < 0 ? rules.routes : rules.routes.slice(0, reader);
  const made = routes.some(({ action }) => action.kind === 'reject') ? { ...rules, routes } : null;
  byEnvelope.set(rules, made);
  return made;
}
const byEnvelope = new WeakMap<Rules, Rules | null>();

export function refusesByEnvelope(rules: Rules): boolean {
  return envelopeRules(rules) !== null;
}

export function refusalByEnvelope(rules: Rules, reversePath: ReversePath, mailbox: Mailbox): Reply | undefined {
  const known = envelopeRules(rules);
  if (!known) return undefined;
  const facts: MailFacts = {
    queueId: '' as MailFacts['queueId'],
    receivedAt: 0,
    reversePath,
    recipients: [mailbox],
    size: 0,
    peer: '',
    carriesMembers: false,
    references: [],
    autoSubmitted: false,
    headers: [],
    receivedCount: 0,
    deliveredTo: [],
  };
  const made = plan(facts, mailbox, known);
  return made.kind === 'reject' ? made.reply : undefined;
}
