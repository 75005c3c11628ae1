/**
 * Metrics of one gateway: a registry of its own (nothing global, so that tests run several
 * gateways in one process) and narrow recorders for the parts. Figures that a part already keeps
 * are read at scrape time through `read`, which costs nothing on the write path.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { LatencyCounts } from '../lib/latency-histogram.ts';
import {
  type LabelsOf,
  type MetricEntry,
  type MetricName,
  type MetricOf,
  metricTable,
} from './metric-table.ts';

export interface CounterRecorder<Name extends MetricName = MetricName> {
  add(count: number, labels: LabelsOf<Name>): void;
}

export interface HistogramRecorder {
  /** In the unit of the metric's name. */
  observe(value: number): void;
}

/** One value, or one per label value of a metric with one label. */
export type Reading = number | Readonly<Record<string, number>> | undefined;

type AnyMetric = Counter | Gauge | Histogram;

/** A histogram that a part keeps itself; of prom-client's only what its registry calls. */
class ReadHistogram {
  readonly name: string;
  readonly #help: string;
  read: () => LatencyCounts | undefined = () => undefined;

  constructor(name: string, help: string) {
    this.name = name;
    this.#help = help;
  }

  get(): Promise<unknown> {
    const { name } = this;
    const counts = this.read();
    const values = (counts?.cumulative ?? []).map(([upToMs, value]) => {
      const le = upToMs === Infinity ? '+Inf' : Number((upToMs / 1000).toPrecision(4));
      return { metricName: `${name}_bucket`, labels: { le }, value };
    });
    const shape = { name, help: this.#help, type: 'histogram', aggregator: 'sum' };
    if (counts === undefined) return Promise.resolve({ ...shape, values });
    const count = values.at(-1)?.value ?? 0;
    const sums = [
      { metricName: `${name}_sum`, labels: {}, value: counts.sumMs / 1000 },
      { metricName: `${name}_count`, labels: {}, value: count },
    ];
    return Promise.resolve({ ...shape, values: [...values, ...sums] });
  }
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #metrics = new Map<MetricName, AnyMetric | ReadHistogram>();
  readonly #readings: { readonly name: MetricName; read(): Reading }[] = [];

  constructor() {
    for (const name of Object.keys(metricTable) as MetricName[]) {
      this.#metrics.set(name, this.#create(name, metricTable[name]));
    }
  }

  #create(name: MetricName, entry: MetricEntry): AnyMetric | ReadHistogram {
    const labelNames = [...(entry.labels ?? [])];
    const base = { name, help: entry.help, labelNames, registers: [this.#registry] };
    if (entry.type === 'counter') return new Counter(base);
    if (entry.type === 'gauge') return new Gauge(base);
    if (entry.buckets !== undefined) return new Histogram({ ...base, buckets: [...entry.buckets] });
    const histogram = new ReadHistogram(name, entry.help);
    this.#registry.registerMetric(histogram as unknown as Histogram);
    return histogram;
  }

  /** Records into a counter as things happen. */
  counter<Name extends MetricOf<'counter'>>(name: Name): CounterRecorder<Name> {
    const metric = this.#metrics.get(name) as Counter;
    return {
      add: (count, labels) => {
        metric.inc(labels, count);
      },
    };
  }

  histogram(name: MetricOf<'histogram'>): HistogramRecorder {
    const metric = this.#metrics.get(name) as Histogram;
    return {
      observe: (value) => {
        metric.observe(value);
      },
    };
  }

  /** Takes the value of a counter or gauge from `read` at each scrape. */
  read(name: MetricOf<'counter' | 'gauge'>, read: () => Reading): void {
    this.#readings.push({ name, read });
  }

  /** Takes a histogram without buckets of its own in the table, of seconds, from `read`. */
  readHistogram(name: MetricOf<'histogram'>, read: () => LatencyCounts | undefined): void {
    (this.#metrics.get(name) as ReadHistogram).read = read;
  }

  #refresh(name: MetricName, reading: Reading): void {
    if (reading === undefined) return;
    const metric = this.#metrics.get(name) as Counter | Gauge;
    const labelName = (metricTable[name] as MetricEntry).labels?.[0];
    metric.reset();
    if (typeof reading === 'number') {
      metric.inc({}, reading);
      return;
    }
    for (const [label, value] of Object.entries(reading)) {
      metric.inc(labelName === undefined ? {} : { [labelName]: label }, value);
    }
  }

  /** The text that Prometheus reads. */
  async text(): Promise<string> {
    for (const { name, read } of this.#readings) this.#refresh(name, read());
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }
}
