/**
 * Metrics of one gateway: a registry of its own (nothing global, so that tests run several
 * gateways in one process) and narrow recorders for the parts. Figures that a part already keeps
 * are read at scrape time through `read`, which costs nothing on the write path.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
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

export class Metrics {
  readonly #registry = new Registry();
  readonly #metrics = new Map<MetricName, AnyMetric>();
  readonly #readings: { readonly name: MetricName; read(): Reading }[] = [];

  constructor() {
    for (const name of Object.keys(metricTable) as MetricName[]) {
      this.#metrics.set(name, this.#create(name, metricTable[name]));
    }
  }

  #create(name: MetricName, entry: MetricEntry): AnyMetric {
    const labelNames = [...(entry.labels ?? [])];
    const base = { name, help: entry.help, labelNames, registers: [this.#registry] };
    if (entry.type === 'counter') return new Counter(base);
    if (entry.type === 'gauge') return new Gauge(base);
    return new Histogram({ ...base, buckets: [...(entry.buckets ?? [])] });
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
