// What GET /metrics answers, read back; and its page, which is made here.
import { describe, expect, it, test } from 'vitest';
import { metricsPage } from '../../../src/console/meters.ts';
import { createMetrics, type Metrics } from '../../../src/console/metrics.ts';
import { newQueueId } from '../../../src/mail/queue-id.ts';
import { replies } from '../../../src/mail/reply.ts';
import type { Status } from '../../../src/operations.ts';
import { sampleNow, sampleStatus } from '../../support/fake-operations.ts';

const read = async (metrics: Metrics, status: Status = sampleStatus): Promise<Map<string, number>> => {
  const { text } = await metrics.render(status, sampleNow);
  const lines = text.split('\n').filter((line) => line.startsWith('pointsman_'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
};

test('docs/reference/metrics.md has every metric of ours, as it is made', async () => {
  await expect(metricsPage(createMetrics().specs)).toMatchFileSnapshot('../../../docs/reference/metrics.md');
});

test('the page and the registry name the same', async () => {
  const metrics = createMetrics();
  const { text } = await metrics.render(sampleStatus, sampleNow);
  const found = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
  for (const { name, type } of metrics.specs) expect(found).toContain(`${name} ${type}`);
  const ours = found.filter((each) => !/^pointsman_(?:process|nodejs)_/.test(each));
  expect(ours.sort()).toEqual(metrics.specs.map(({ name, type }) => `${name} ${type}`).sort());
});

describe('by stage', () => {
  const queueId = newQueueId(sampleNow - 90_000, () => 0.5);
  const base = { at: sampleNow, queueId, to: 'a@b', nextHop: 'inside', reply: '250' };

  it('in at the door', async () => {
    const metrics = createMetrics();
    metrics.observeDoor({ kind: 'connection', outcome: 'admitted' });
    metrics.observeDoor({ kind: 'connection', outcome: 'busy' });
    metrics.observeDoor({ kind: 'message', reply: { code: 250, text: 'Ok' }, took: 7 });
    metrics.observeDoor({ kind: 'message', reply: replies.storeFull, took: 2_000 });
    metrics.observeDoor({
      kind: 'refusal',
      reply: { ...replies.storeFull, text: `${replies.storeFull.text} (session x)` },
    });
    metrics.observeDoor({ kind: 'refusal', reply: replies.tooFast });
    metrics.observeDoor({ kind: 'refusal', reply: replies.badSyntax });
    const seen = await read(metrics);
    expect(Object.fromEntries([...seen].filter(([name]) => /_smtp_(?:conn|mess)|limits/.test(name)))).toEqual({
      'pointsman_smtp_connections_total{outcome="admitted"}': 1,
      'pointsman_smtp_connections_total{outcome="busy"}': 1,
      'pointsman_smtp_messages_total{code="250"}': 1,
      'pointsman_smtp_messages_total{code="452"}': 1,
      'pointsman_limits_hit_total{limit="connections"}': 1,
      'pointsman_limits_hit_total{limit="storage"}': 1,
      'pointsman_limits_hit_total{limit="rate"}': 1,
      pointsman_smtp_connections: 0,
    });
    expect(seen.get('pointsman_smtp_accept_seconds_bucket{le="0.005"}')).toBe(0);
    expect(seen.get('pointsman_smtp_accept_seconds_bucket{le="0.01"}')).toBe(1);
    expect(seen.get('pointsman_smtp_accept_seconds_bucket{le="1"}')).toBe(1);
    expect(seen.get('pointsman_smtp_accept_seconds_bucket{le="+Inf"}')).toBe(2);
    expect(seen.get('pointsman_smtp_accept_seconds_sum')).toBeCloseTo(2.007);
    expect(seen.get('pointsman_smtp_accept_seconds_count')).toBe(2);
  });

  it('made safe, chosen, forwarded after a wait, deferred, reported, dead', async () => {
    const metrics = createMetrics();
    metrics.observeCommit(3);
    metrics.observeTransaction('inside', 40);
    const chosen = { ...base, event: 'chosen', group: 'g', mailbox: 'a@b', because: [], decision: 'd' } as const;
    metrics.observe({ ...chosen, why: 'dispatch', person: 'ann' });
    metrics.observe({ ...chosen, why: 'retry' });
    metrics.observe({ ...base, event: 'forwarded' });
    metrics.observe({ ...base, event: 'deferred', nextAttemptAt: sampleNow });
    metrics.observe({ ...base, event: 'reported', report: queueId, action: 'delayed' });
    metrics.observe({ ...base, event: 'reported', report: queueId });
    metrics.observe({ ...base, event: 'fault', fault: 'dead-letter', severity: 'error', text: '' });
    const seen = await read(metrics);
    expect(Object.fromEntries(seen)).toMatchObject({
      pointsman_commit_seconds_count: 1,
      'pointsman_next_hop_seconds_bucket{le="0.025",next_hop="inside"}': 0,
      'pointsman_next_hop_seconds_bucket{le="0.05",next_hop="inside"}': 1,
      'pointsman_choices_total{outcome="member",why="dispatch"}': 1,
      'pointsman_choices_total{outcome="fallback",why="retry"}': 1,
      'pointsman_delivery_attempts_total{next_hop="inside",outcome="forwarded"}': 1,
      'pointsman_delivery_attempts_total{next_hop="inside",outcome="deferred"}': 1,
      'pointsman_delivery_seconds_sum{next_hop="inside"}': 90,
      'pointsman_delivery_seconds_bucket{le="60",next_hop="inside"}': 0,
      'pointsman_delivery_seconds_bucket{le="300",next_hop="inside"}': 1,
      'pointsman_reports_total{action="delayed"}': 1,
      'pointsman_reports_total{action="failed"}': 1,
      pointsman_dead_letters_total: 1,
    });
  });

  it('queue, next hops, certificate', async () => {
    const metrics = createMetrics();
    const hop = { level: 3, under: 2, cause: '' };
    const status: Status = {
      ...sampleStatus,
      connections: 4,
      certificateExpiresAt: sampleNow + 60_000,
      relay: {
        hops: [
          { ...hop, name: 'inside', state: 'closed' },
          { ...hop, name: 'far', state: 'open', under: 0 },
        ],
        inHand: 1,
        waiting: 0,
        full: 'the disk',
      },
    };
    expect(Object.fromEntries(await read(metrics, status))).toMatchObject({
      pointsman_smtp_connections: 4,
      pointsman_tls_certificate_expiry_seconds: 60,
      pointsman_queue_full: 1,
      'pointsman_queue_deliveries{part="active"}': 1,
      'pointsman_queue_deliveries{part="deferred"}': 0,
      'pointsman_next_hop_state{next_hop="far",state="open"}': 1,
      'pointsman_next_hop_state{next_hop="far",state="closed"}': 0,
      'pointsman_next_hop_state{next_hop="inside",state="closed"}': 1,
      'pointsman_next_hop_level{next_hop="inside"}': 3,
      'pointsman_next_hop_transactions{next_hop="inside"}': 2,
    });
    const after = await read(metrics);
    expect([...after.keys()].filter((name) => /expiry|next_hop_state|queue_full/.test(name))).toEqual([]);
  });
});

test('what a meter does for one message costs next to nothing', () => {
  const metrics = createMetrics();
  const base = { at: sampleNow, queueId: newQueueId(sampleNow, () => 0.5), to: 'a@b', nextHop: 'inside', reply: '250' };
  const one = (): void => {
    metrics.observeDoor({ kind: 'message', reply: { code: 250, text: 'Ok' }, took: 7 });
    metrics.observeCommit(3);
    metrics.observe({ ...base, event: 'accepted', from: '', to: [], size: 1, peer: '' });
    metrics.observeTransaction('inside', 2);
    metrics.observe({ ...base, event: 'forwarded' });
  };
  for (let warm = 0; warm < 20_000; warm += 1) one();
  const from = process.cpuUsage();
  for (let count = 0; count < 20_000; count += 1) one();
  const { user } = process.cpuUsage(from);
  // Measured 1 µs; the bound is for slow and busy machines.
  expect(user / 20_000).toBeLessThan(20);
});
