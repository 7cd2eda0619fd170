// Look up: an MTA asks who shall have the mail for an address, and nothing more is known of that mail. No content, no
// sender, no watch. An MTA asks several times for one message, so an answer stands for a moment; each new one counts as
// one message given to that member, or those who take turns would never change.
import { type Duration, second } from '../clock.ts';
import { type Mailbox, mailboxKey, parseMailbox } from '../mail/path.ts';
import { newQueueId } from '../mail/queue-id.ts';
import { indexOf } from '../routing/admission.ts';
import { choose } from '../routing/choose.ts';
import { type GroupPlan, plan } from '../routing/plan.ts';
import type { Person, PersonName } from '../routing/rules.ts';
import { awayNow, type Stage } from './parts.ts';
import { isUnheard, presenceOf } from './presence-of.ts';

export type LookedUp =
  | { readonly kind: 'found'; readonly value: string }
  | { readonly kind: 'not found' }
  | { readonly kind: 'temporary' | 'permanent'; readonly why: string };

export const lookupMaps = ['route', 'presence', 'members', 'jid'] as const;

interface Standing {
  readonly person: PersonName | null;
  readonly mailbox: Mailbox;
  readonly until: number;
  readonly rulesVersion: string;
}

/** How long after a start, or a new session, presence that is not known is waited for: as the relay does. */
const learningTime: Duration = 15 * second;
const notFound: LookedUp = { kind: 'not found' };

/** @param steady how long an answer stands while the member stays eligible */
export function createLookup(stage: Stage, steady: Duration): (map: string | null, key: string) => LookedUp {
  const standing = new Map<string, Standing>();

  function route(address: Mailbox): LookedUp {
    const rules = stage.rules.current();
    const group = indexOf(rules).groupByAddress.get(mailboxKey(address));
    if (!group) return notFound;
    const now = stage.clock.now();
    const before = standing.get(group.name);
    if (before && before.until > now && before.rulesVersion === rules.version && stillThere(before, group.eligible))
      return { kind: 'found', value: before.mailbox };
    const made = planOf(address);
    if (made?.kind !== 'group') return notFound;
    const facts = { now, excluded: awayNow(stage, now), holdUntil: null };
    const snapshot = stage.ledger.snapshot(made, stage.watcher, made.chain ? { ...facts, acceptedAt: now } : facts);
    const choice = choose(made, snapshot);
    if (choice.kind === 'hold') return { kind: 'temporary', why: 'nobody is there' };
    if (choice.kind === 'fallback' && learning(made)) return { kind: 'temporary', why: 'presence is not known yet' };
    // To several at once: a list, as any alias may be.
    if (choice.also) {
      const all = [choice.mailbox, ...choice.also.map(({ mailbox }) => mailbox)];
      return { kind: 'found', value: all.join(', ') };
    }
    const person = choice.kind === 'member' ? choice.person : null;
    if (person !== null) {
      const ref = { queueId: stage.newQueueId(now), seq: 0 };
      stage.ledger.assign(ref, person, (choice.kind === 'member' ? choice.group : undefined) ?? made.group, now);
      stage.ledger.settled(ref);
      standing.set(group.name, { person, mailbox: choice.mailbox, until: now + steady, rulesVersion: rules.version });
    } else standing.delete(group.name);
    return { kind: 'found', value: choice.mailbox };
  }

  function stillThere({ person: name }: Standing, eligible: GroupPlan['eligible']): boolean {
    if (name !== null && stage.absences.away(name, stage.clock.now())) return false;
    const known = name === null ? undefined : stage.rules.current().people.get(name);
    return eligible.includes(known ? presenceOf(stage.watcher, known.name, known.jid).state : 'unknown');
  }

  function learning({ candidates }: GroupPlan): boolean {
    const link = stage.watcher.link();
    if (link.state === 'off') return false;
    if (stage.clock.now() >= (link.state === 'up' ? link.since : stage.startedAt) + learningTime) return false;
    return candidates.some(({ person, jid }) => isUnheard(presenceOf(stage.watcher, person, jid)));
  }

  /** By the group's address alone: routes read what an MTA does not tell here. */
  function planOf(address: Mailbox): ReturnType<typeof plan> | undefined {
    const rules = stage.rules.current();
    const facts = {
      queueId: newQueueId(0, () => 0),
      receivedAt: 0,
      reversePath: '<>' as const,
      recipients: [address],
      size: 0,
      peer: '',
      carriesMembers: false,
      references: [],
      autoSubmitted: false,
      headers: [],
      receivedCount: 0,
      deliveredTo: [],
    };
    return plan(facts, address, { ...rules, routes: [] });
  }

  function person(key: string): Person | undefined {
    const { people } = stage.rules.current();
    const mailbox = parseMailbox(key);
    const byAddress = mailbox && indexOf(stage.rules.current()).personByAddress.get(mailboxKey(mailbox));
    return byAddress ?? people.get(key) ?? [...people.values()].find(({ jid }) => jid === key.toLowerCase());
  }

  function members(key: string): LookedUp {
    const rules = stage.rules.current();
    const mailbox = parseMailbox(key);
    const group = (mailbox && indexOf(rules).groupByAddress.get(mailboxKey(mailbox))) ?? rules.groups.get(key);
    if (!group) return notFound;
    const mails = group.members.flatMap((name) => rules.people.get(name)?.mail ?? []);
    return { kind: 'found', value: mails.join(', ') };
  }

  return (map, key) => {
    // A protocol without maps means the first of ours.
    switch (map ?? 'route') {
      case 'route': {
        // Postfix asks for `@domain` and bare names, too: they are nobody's here.
        const address = parseMailbox(key);
        return address === undefined ? notFound : route(address);
      }
      case 'presence': {
        const found = person(key);
        if (!found) return notFound;
        return { kind: 'found', value: presenceOf(stage.watcher, found.name, found.jid).state };
      }
      case 'members':
        return members(key);
      case 'jid': {
        const jid = person(key)?.jid;
        return jid ? { kind: 'found', value: jid } : notFound;
      }
      default:
        return { kind: 'permanent', why: `no such map; there are ${lookupMaps.join(', ')}` };
    }
  };
}
