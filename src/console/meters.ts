// Meters for Prometheus. Counters and histograms are our own behind prom-client's registry: a message moves ten of them,
// and what prom-client does for one of those (labels checked, sorted and joined to a key) costs more than all ten here.
// Each is described where it is made, with what its labels may say: docs/reference/metrics.md is written from that.
import { Gauge, type Metric, Registry } from 'prom-client';

export interface MeterSpec {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** What each label says, for people. */
  readonly labels: Readonly<Record<string, string>>;
}

type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly metricName?: string;
  readonly labels: Labels | Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** Label values in their order: at most two. */
type Key = readonly [] | readonly [string] | readonly [string, string];

export class Meters {
  readonly registry = new Registry();
  readonly specs: MeterSpec[] = [];

  counter(name: string, help: string, labels: Labels = {}): Counter {
    const counter = new Counter(this.#add('counter', name, help, labels));
    this.registry.registerMetric(counter as unknown as Metric);
    return counter;
  }

  /** `bounds` in seconds, rising. */
  histogram(name: string, help: string, bounds: readonly number[], labels: Labels = {}): Histogram {
    const histogram = new Histogram(this.#add('histogram', name, help, labels), bounds);
    this.registry.registerMetric(histogram as unknown as Metric);
    return histogram;
  }

  /** Set when somebody asks: no need to be quick. */
  gauge(name: string, help: string, labels: Labels = {}): Gauge {
    const spec = this.#add('gauge', name, help, labels);
    return new Gauge({ name: spec.name, help, labelNames: Object.keys(labels), registers: [this.registry] });
  }

  #add(type: MeterSpec['type'], name: string, help: string, labels: Labels): MeterSpec {
    const spec = { type, name: `pointsman_${name}`, help, labels };
    this.specs.push(spec);
    return spec;
  }
}

/** One number for each combination of label values. */
export class Counter {
  readonly name: string;
  readonly #spec: MeterSpec;
  readonly #labels: readonly string[];
  readonly #values = new Map<string, Map<string, number>>();

  constructor(spec: MeterSpec) {
    this.name = spec.name;
    this.#spec = spec;
    this.#labels = Object.keys(spec.labels);
    // A series that is not there cannot be told from one that is not scraped.
    if (this.#labels.length === 0) this.add(0);
  }

  add(by: number, first = '', second = ''): void {
    let inner = this.#values.get(first);
    if (inner === undefined) {
      inner = new Map();
      this.#values.set(first, inner);
    }
    inner.set(second, (inner.get(second) ?? 0) + by);
  }

  /** For the registry. */
  get(): object {
    const values: Sample[] = [];
    for (const [first, inner] of this.#values) {
      for (const [second, value] of inner) values.push({ labels: labelled(this.#labels, [first, second]), value });
    }
    return { ...described(this.#spec), values };
  }
}

interface Spread {
  /** How many fell under each bound and above the one before; the last is beyond all. */
  readonly counts: number[];
  sum: number;
}

export class Histogram {
  readonly name: string;
  readonly #spec: MeterSpec;
  readonly #labels: readonly string[];
  readonly #bounds: readonly number[];
  readonly #spreads = new Map<string, Spread>();

  constructor(spec: MeterSpec, bounds: readonly number[]) {
    this.name = spec.name;
    this.#spec = spec;
    this.#labels = Object.keys(spec.labels);
    this.#bounds = bounds;
  }

  observe(seconds: number, label = ''): void {
    let spread = this.#spreads.get(label);
    if (spread === undefined) {
      spread = { counts: Array<number>(this.#bounds.length + 1).fill(0), sum: 0 };
      this.#spreads.set(label, spread);
    }
    let at = 0;
    while (at < this.#bounds.length && seconds > (this.#bounds[at] ?? 0)) at += 1;
    spread.counts[at] = (spread.counts[at] ?? 0) + 1;
    spread.sum += seconds;
  }

  get(): object {
    const values: Sample[] = [];
    for (const [label, { counts, sum }] of this.#spreads) {
      const labels = labelled(this.#labels, [label]);
      let below = 0;
      for (const [index, count] of counts.entries()) {
        below += count;
        const le = this.#bounds[index] ?? '+Inf';
        values.push({ metricName: `${this.name}_bucket`, labels: { le, ...labels }, value: below });
      }
      values.push({ metricName: `${this.name}_sum`, labels, value: sum });
      values.push({ metricName: `${this.name}_count`, labels, value: below });
    }
    return { ...described(this.#spec), values };
  }
}

const described = ({ name, help, type }: MeterSpec) => ({ name, help, type, aggregator: 'sum' });

function labelled(names: readonly string[], key: Key): Labels {
  return Object.fromEntries(names.map((name, index) => [name, key[index] ?? '']));
}

/** The page for people; a test keeps it as it is made here. */
export function metricsPage(specs: readonly MeterSpec[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const rows = specs.map(({ name, type, help, labels }) => {
    const said = Object.entries(labels).map(([label, values]) => `\`${label}\`: ${cell(values)}`);
    return `| \`${name}\` | ${type} | ${cell(help)} | ${said.join('; ')} |`;
  });
  return `# Metrics

Made from \`src/console/metrics.ts\` by \`npx vitest run --project unit test/unit/console/metrics.test.ts -u\`; do not edit.

\`GET /metrics\` on the \`http\` address answers them in Prometheus' text format. Times are seconds, sizes octets. No label
ever holds an address, a queue id or anything else from mail. Besides these there are prom-client's defaults for the
process (\`pointsman_process_…\`, \`pointsman_nodejs_…\`: memory, descriptors, event loop, garbage collection).

| name | type | meaning | labels |
|---|---|---|---|
${rows.join('\n')}
`;
}
