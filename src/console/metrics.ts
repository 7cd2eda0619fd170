// Prometheus metrics, in a registry of our own. Counters follow the story events; gauges are read when asked for.
// No label ever holds an address, a queue id or anything else from mail: the values of each are listed beside it.
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Instant } from '../clock.ts';
import type { Status } from '../operations.ts';
import { linkCauses } from '../presence/link-status.ts';
import type { StoryEvent } from '../tracking/event.ts';

export interface Metrics {
  /** Every story event goes here, once. */
  observe(event: StoryEvent): void;
  /** The text that GET /metrics answers, and its content type. */
  render(status: Status, now: Instant): Promise<{ readonly text: string; readonly type: string }>;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, prefix: 'pointsman_' });

  const events = new Counter({
    name: 'pointsman_story_events_total',
    help: 'Events in the stories of messages.',
    labelNames: ['event'], // accepted chosen held forwarded deferred failed reported nudged evidence escalated closed fault operated
    registers,
  });
  const attempts = new Counter({
    name: 'pointsman_delivery_attempts_total',
    help: 'Attempts to hand a delivery to a next hop, by how they ended.',
    labelNames: ['next_hop', 'outcome'], // next_hop: the names in pointsman.yaml; outcome: forwarded deferred failed
    registers,
  });
  const escalations = new Counter({
    name: 'pointsman_escalations_total',
    help: 'Escalation steps taken.',
    labelNames: ['trigger'], // time, passed, owner offline, undeliverable
    registers,
  });
  const evidence = new Counter({
    name: 'pointsman_evidence_total',
    help: 'Evidence recorded, by grade on the ladder.',
    labelNames: ['grade', 'trusted'], // grade: 0 to 8; trusted: true false
    registers,
  });
  const octets = new Counter({
    name: 'pointsman_accepted_octets_total',
    help: 'Octets of content accepted.',
    registers,
  });
  const gauges = createGauges(registers);

  return {
    observe(event) {
      events.inc({ event: event.event });
      switch (event.event) {
        case 'accepted':
          return octets.inc(event.size);
        case 'forwarded':
        case 'deferred':
        case 'failed':
          return attempts.inc({ next_hop: event.nextHop, outcome: event.event });
        case 'escalated':
          return escalations.inc({ trigger: event.trigger });
        case 'evidence':
          return evidence.inc({ grade: event.grade, trusted: String(event.trusted) });
        default:
          return undefined;
      }
    },
    async render(status, now) {
      gauges.set(status, now);
      return { text: await registry.metrics(), type: registry.contentType };
    },
  };
}

function createGauges(registers: Registry[]): { set(status: Status, now: Instant): void } {
  const gauge = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Gauge({ name: `pointsman_${name}`, help, labelNames, registers });

  const build = gauge('build_info', 'The running version.', 'version'); // version: of this program
  const rules = gauge('rules_info', 'The rules in force.', 'version'); // version: hash of the rule files
  const ready = gauge('ready', '1 when mail can be taken.');
  const problems = gauge('problems', 'What /readyz tells of now, whether ready or not.');
  const deliveries = gauge('deliveries', 'Deliveries in the store.', 'state'); // queued held delivered failed dropped dead
  const tracked = gauge('tracked_messages', 'Tracked messages in the store.', 'state'); // waiting held tracked acknowledged answered expired withdrawn
  const oldest = gauge('queue_oldest_age_seconds', 'Age of the oldest delivery that is queued; 0 when none is.');
  const nudges = gauge('nudges_pending', 'Instant messages not yet sent.');
  const link = gauge('xmpp_link_state', '1 for the state the XMPP link is in.', 'state'); // off connecting up down
  const linkSince = gauge('xmpp_link_changed_timestamp_seconds', 'When the XMPP link came into its state.');

  const downFor = gauge('xmpp_link_down_seconds', 'How long no session stands; 0 while one does.', 'cause'); // cause: linkCauses in presence/link-status.ts
  const sessions = gauge('xmpp_sessions', 'Sessions since the start, of which some were resumed.', 'how'); // how: new resumed
  const ended = gauge('xmpp_link_ended', 'Attempts and sessions that ended since the start.', 'cause'); // cause: linkCauses in presence/link-status.ts

  return {
    set(status, now) {
      build.set({ version: status.version }, 1);
      rules.reset(); // The former version's series ends with it.
      rules.set({ version: status.rulesVersion }, 1);
      ready.set(status.ready ? 1 : 0);
      problems.set(status.problems.length);
      for (const state of ['off', 'connecting', 'up', 'down']) link.set({ state }, status.link.state === state ? 1 : 0);
      linkSince.set(status.link.since / 1000);
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
      for (const [state, count] of Object.entries(status.counts.deliveries)) deliveries.set({ state }, count);
      for (const [state, count] of Object.entries(status.counts.tracked)) tracked.set({ state }, count);
      const { oldestQueuedAt } = status.counts;
      oldest.set(oldestQueuedAt === null ? 0 : Math.max(0, now - oldestQueuedAt) / 1000);
      nudges.set(status.counts.pendingNudges);
    },
  };
}
