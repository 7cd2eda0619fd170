// What we measure, by stage of a message's life: in at the door, made safe, chosen, forwarded, reported, escalated; and how
// things stand: queue, next hops, links. Counters follow the story events and the door's; gauges are read when asked for.
// No label ever holds an address, a queue id or anything else from mail.
import { collectDefaultMetrics } from 'prom-client';
import type { Duration, Instant } from '../clock.ts';
import { acceptedAtOf } from '../mail/queue-id.ts';
import { limitNames, limitOf, type Reply } from '../mail/reply.ts';
import type { Status } from '../operations.ts';
import { linkCauses } from '../presence/link-status.ts';
import type { StoryEvent } from '../tracking/event.ts';
import { type MeterSpec, Meters } from './meters.ts';

export interface Metrics {
  /** Every story event goes here, once. */
  observe(event: StoryEvent): void;
  /** What happens at the SMTP door. */
  observeDoor(event: DoorEvent): void;
  /** A message was made safe: how long that took. */
  observeCommit(took: Duration): void;
  /** One transaction with a next hop has ended. */
  observeTransaction(nextHop: string, took: Duration): void;
  /** The text that GET /metrics answers, and its content type. */
  render(status: Status, now: Instant): Promise<{ readonly text: string; readonly type: string }>;
  readonly specs: readonly MeterSpec[];
}

export type DoorEvent =
  | { readonly kind: 'connection'; readonly outcome: 'admitted' | 'refused' | 'busy' }
  /** The reply to content, and how long after its end. */
  | { readonly kind: 'message'; readonly reply: Reply; readonly took: Duration }
  /** Any negative reply. */
  | { readonly kind: 'refusal'; readonly reply: Reply };

const instants = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const waits = [0.01, 0.1, 1, 10, 60, 300, 1_800, 3_600, 14_400, 43_200, 86_400, 432_000];
const hopNames = 'a name under nextHops';

export function createMetrics(): Metrics {
  const meters = new Meters();
  const counters = createCounters(meters);
  const gauges = createGauges(meters);
  collectDefaultMetrics({ register: meters.registry, prefix: 'pointsman_' });
  return {
    ...counters,
    specs: meters.specs,
    async render(status, now) {
      gauges.set(status, now);
      return { text: await meters.registry.metrics(), type: meters.registry.contentType };
    },
  };
}

function createCounters(
  meters: Meters,
): Pick<Metrics, 'observe' | 'observeDoor' | 'observeCommit' | 'observeTransaction'> {
  const connections = meters.counter('smtp_connections_total', 'Connections to the SMTP door.', {
    outcome: 'admitted, refused (no peer), busy (too many)',
  });
  const messages = meters.counter('smtp_messages_total', 'Messages received to their end, by the reply they got.', {
    code: 'the reply’s three digits',
  });
  const limits = meters.counter('limits_hit_total', 'Times that a client was told that something is too much.', {
    limit: limitNames.join(', '),
  });
  const accepting = meters.histogram('smtp_accept_seconds', 'From the final dot to our reply.', instants);
  const octets = meters.counter('accepted_octets_total', 'Octets of content accepted.');
  const commits = meters.histogram(
    'commit_seconds',
    'From handing a message to the store until it is synced.',
    instants,
  );
  const events = meters.counter('story_events_total', 'Events in the stories of messages.', {
    event:
      'accepted, chosen, held, forwarded, deferred, failed, reported, nudged, evidence, escalated, closed, fault, operated',
  });
  const choices = meters.counter('choices_total', 'Decisions who gets the mail for a group.', {
    outcome: 'member, fallback, held',
    why: 'dispatch, retry, escalation; empty when held',
  });
  const attempts = meters.counter('delivery_attempts_total', 'Attempts to hand over a delivery, by how they ended.', {
    next_hop: hopNames,
    outcome: 'forwarded, deferred (tried again), failed (given up)',
  });
  const transactions = meters.histogram(
    'next_hop_seconds',
    'How long a transaction with a next hop took, whatever came of it.',
    instants,
    { next_hop: hopNames },
  );
  const delivered = meters.histogram(
    'delivery_seconds',
    'From accepting a message until a next hop had taken a delivery of it: waiting, holding and retries included.',
    waits,
    { next_hop: hopNames },
  );
  const reports = meters.counter('reports_total', 'Reports to senders (DSN).', {
    action: 'failed (a bounce), delayed, relayed, expanded, delivered',
  });
  const dead = meters.counter('dead_letters_total', 'Deliveries that failed where a report is forbidden.');
  const escalations = meters.counter('escalations_total', 'Escalation steps taken.', {
    group: 'a group of the rules',
    trigger: 'time, passed, owner offline, undeliverable, ack expired, promise expired, operator',
  });
  const handled = meters.histogram(
    'handled_seconds',
    'From accepting mail for a group until somebody had taken or answered it: for percentiles.',
    waits,
    { group: 'a group of the rules' },
  );
  const ended = meters.counter('closed_total', 'Tracked mail that was closed, by how.', {
    group: 'a group of the rules',
    state: 'acknowledged, answered, expired, withdrawn',
  });
  const evidence = meters.counter('evidence_total', 'Evidence recorded, by grade on the ladder.', {
    grade: '0 to 8',
    trusted: 'true, false',
  });

  return {
    observe(event) {
      events.add(1, event.event);
      switch (event.event) {
        case 'accepted':
          return octets.add(event.size);
        case 'chosen':
          return choices.add(1, event.person === undefined ? 'fallback' : 'member', event.why);
        case 'held':
          return choices.add(1, 'held');
        case 'forwarded':
          delivered.observe(Math.max(0, event.at - acceptedAtOf(event.queueId)) / 1000, event.nextHop);
          return attempts.add(1, event.nextHop, event.event);
        case 'deferred':
        case 'failed':
          return attempts.add(1, event.nextHop, event.event);
        case 'reported':
          return reports.add(1, event.action ?? 'failed');
        case 'escalated':
          return escalations.add(1, event.group ?? '', event.trigger);
        case 'closed':
          if (event.state === 'acknowledged' || event.state === 'answered')
            handled.observe(Math.max(0, event.at - acceptedAtOf(event.queueId)) / 1000, event.group ?? '');
          return ended.add(1, event.group ?? '', event.state);
        case 'evidence':
          return evidence.add(1, String(event.grade), String(event.trusted));
        case 'fault':
          return event.fault === 'dead-letter' ? dead.add(1) : undefined;
        default:
          return undefined;
      }
    },
    observeDoor(event) {
      switch (event.kind) {
        case 'connection':
          if (event.outcome === 'busy') limits.add(1, 'connections');
          return connections.add(1, event.outcome);
        case 'message':
          accepting.observe(event.took / 1000);
          return messages.add(1, String(event.reply.code));
        case 'refusal': {
          const limit = limitOf(event.reply);
          return limit === undefined ? undefined : limits.add(1, limit);
        }
        default:
          return event satisfies never;
      }
    },
    observeCommit: (took) => commits.observe(took / 1000),
    observeTransaction: (nextHop, took) => transactions.observe(took / 1000, nextHop),
  };
}

function createGauges(meters: Meters): { set(status: Status, now: Instant): void } {
  const state = (...states: string[]) => ({ state: states.join(', ') });
  const build = meters.gauge('build_info', 'The running version; always 1.', { version: 'of this program' });
  const rules = meters.gauge('rules_info', 'The rules in force; always 1.', { version: 'hash of the rule files' });
  const ready = meters.gauge('ready', '1 when mail can be taken.');
  const problems = meters.gauge('problems', 'What /readyz tells of now, whether ready or not.');
  const connections = meters.gauge('smtp_connections', 'Open connections to the SMTP door.');
  const expiry = meters.gauge(
    'tls_certificate_expiry_seconds',
    'Seconds until the certificate that STARTTLS shows expires; less than 0 afterwards. Missing without one.',
  );
  const full = meters.gauge('queue_full', '1 while mail gets 452 because the disk or the queue is full.');
  const deliveries = meters.gauge(
    'deliveries',
    'Deliveries in the store, by state.',
    state('queued', 'held', 'delivered', 'failed', 'dropped', 'dead'),
  );
  const queue = meters.gauge('queue_deliveries', 'What waits.', {
    part: 'active (being attempted, or in memory for its turn), deferred (in the store until it is due), held (for somebody to come)',
  });
  const oldest = meters.gauge('queue_oldest_age_seconds', 'Age of the oldest delivery that is queued; 0 when none is.');
  const hopState = meters.gauge('next_hop_state', '1 for the state of the circuit breaker of a next hop.', {
    next_hop: hopNames,
    state: hopStates.join(', '),
  });
  const level = meters.gauge('next_hop_level', 'Transactions that a next hop is given at one time at most, now.', {
    next_hop: hopNames,
  });
  const under = meters.gauge('next_hop_transactions', 'Transactions with a next hop under way.', {
    next_hop: hopNames,
  });
  const tracked = meters.gauge(
    'tracked_messages',
    'Tracked messages in the store, by state.',
    state('waiting', 'held', 'tracked', 'acknowledged', 'answered', 'expired', 'withdrawn'),
  );
  const nudges = meters.gauge('nudges_pending', 'Instant messages not yet sent.');
  const link = meters.gauge('xmpp_link_state', '1 for the state the XMPP link is in.', state(...linkStates));
  const since = meters.gauge('xmpp_link_changed_timestamp_seconds', 'When the XMPP link came into its state.');
  const causes = { cause: linkCauses.join(', ') };
  const downFor = meters.gauge('xmpp_link_down_seconds', 'How long no session stands; missing while one does.', causes);
  const sessions = meters.gauge('xmpp_sessions', 'Sessions since the start.', { how: 'new, resumed' });
  const ended = meters.gauge('xmpp_link_ended', 'Attempts and sessions that ended since the start.', causes);

  function setRelay({ relay, counts, connections: open, certificateExpiresAt }: Status, now: Instant): void {
    connections.set(open ?? 0);
    for (const one of [expiry, full]) one.remove();
    for (const one of [queue, hopState, level, under]) one.reset();
    if (certificateExpiresAt != null) expiry.set((certificateExpiresAt - now) / 1000);
    if (!relay) return;
    full.set(relay.full === null ? 0 : 1);
    for (const hop of relay.hops) {
      for (const one of hopStates) hopState.set({ next_hop: hop.name, state: one }, hop.state === one ? 1 : 0);
      level.set({ next_hop: hop.name }, hop.level);
      under.set({ next_hop: hop.name }, hop.under);
    }
    const active = relay.inHand + relay.waiting;
    queue.set({ part: 'active' }, active);
    if (counts === null) return;
    queue.set({ part: 'deferred' }, Math.max(0, counts.deliveries.queued - active));
    queue.set({ part: 'held' }, counts.deliveries.held);
  }

  return {
    set(status, now) {
      build.set({ version: status.version }, 1);
      rules.reset(); // The former version's series ends with it.
      rules.set({ version: status.rulesVersion }, 1);
      ready.set(status.ready ? 1 : 0);
      problems.set(status.problems.length);
      setRelay(status, now);
      for (const one of linkStates) link.set({ state: one }, status.link.state === one ? 1 : 0);
      since.set(status.link.since / 1000);
      const { counts, downSince, cause } = status.link;
      downFor.reset();
      if (downSince !== undefined) downFor.set({ cause: cause ?? 'none' }, Math.max(0, now - downSince) / 1000);
      sessions.set({ how: 'resumed' }, counts?.resumed ?? 0);
      sessions.set({ how: 'new' }, (counts?.sessions ?? 0) - (counts?.resumed ?? 0));
      for (const one of linkCauses) ended.set({ cause: one }, counts?.ended[one] ?? 0);
      // A store that does not answer leaves gaps, not stale or made-up numbers.
      for (const one of [deliveries, tracked, oldest, nudges]) one.reset();
      if (status.counts === null) {
        for (const one of [oldest, nudges]) one.set(Number.NaN);
        return;
      }
      for (const [one, count] of Object.entries(status.counts.deliveries)) deliveries.set({ state: one }, count);
      for (const [one, count] of Object.entries(status.counts.tracked)) tracked.set({ state: one }, count);
      const { oldestQueuedAt } = status.counts;
      oldest.set(oldestQueuedAt === null ? 0 : Math.max(0, now - oldestQueuedAt) / 1000);
      nudges.set(status.counts.pendingNudges);
    },
  };
}

const linkStates = ['off', 'connecting', 'up', 'down'] as const;
const hopStates = ['closed', 'open', 'probing'] as const;
