/**
 * Makes seeded write requests in line protocol together with the rows that they mean. Measurements
 * of several shapes and types, awkward names and strings, in-order and late rows over many hours,
 * before 1970 too; no two rows share series and time, so nothing is merged and nothing may vanish.
 */
import type { PlainRow, PlainValue } from './plain-row.ts';
import type { Random } from './random.ts';

export interface LoadRequest {
  /** From 1, ascending. */
  readonly number: number;
  readonly database: string;
  /** Line protocol with times in microseconds. */
  readonly body: string;
  readonly rows: readonly PlainRow[];
}

export interface LoadOptions {
  /** Rows in one request: from 1 to this. */
  readonly rowsMax: number;
  /** Added to string fields, so that logs and files fill up faster. */
  readonly paddingBytes?: number;
}

/** A measurement of the load, with the kinds of its columns. */
export interface LoadShape {
  readonly database: string;
  readonly measurement: string;
  readonly tags: readonly string[];
  readonly tagValues: readonly string[];
  /** How often its rows come, so that buffers fill up at different times. */
  readonly weight: number;
  /** Added to the time of all its rows, in hours. */
  readonly shiftHours: number;
  fields(random: Random, padding: string): Record<string, PlainValue | Unsigned>;
}

/** Written with the suffix `u`. */
interface Unsigned {
  readonly unsigned: bigint;
}

const int64Extremes = [2n ** 63n - 1n, -(2n ** 63n), 0n, -1n];
const oddStrings = [
  '',
  'plain',
  'line one\nline two',
  'quote " and \\ slash',
  'Größe 日本 🔥',
  ' ',
];

export const loadShapes: readonly LoadShape[] = [
  {
    database: 'plant',
    measurement: 'cpu',
    tags: ['host', 'core'],
    tagValues: ['a', 'b c', 'd,e', 'f=g'],
    weight: 6,
    shiftHours: 0,
    fields: (random) => ({
      usage: random.next() * 100,
      ticks: random.chance(0.2) ? random.pick(int64Extremes) : BigInt(random.below(1e9)),
      on: random.chance(0.5),
    }),
  },
  {
    database: 'plant',
    measurement: 'door log, west',
    tags: ['Place'],
    tagValues: ['Tür 1', 'gate\\2', ''],
    weight: 1,
    shiftHours: -7,
    fields: (random, padding) => ({ text: random.pick(oddStrings) + padding, code: 7n }),
  },
  {
    database: 'plant',
    measurement: 'mixed',
    tags: ['unit'],
    tagValues: ['x', 'y'],
    weight: 2,
    shiftHours: 1,
    fields: (random) => ({
      // Integers and doubles meet in one logical column; whole values are exact in both.
      level: random.chance(0.5) ? BigInt(random.below(2 ** 40)) : random.next() - 0.5,
      total: random.chance(0.3) ? { unsigned: 2n ** 64n - 1n } : BigInt(random.below(1e6)),
    }),
  },
  {
    database: 'Lab "2"',
    measurement: 'sparse',
    tags: [],
    tagValues: [],
    weight: 1,
    // Long before 1970.
    shiftHours: -1_000_000,
    fields: (random) => ({ [`channel ${random.below(30)}`]: random.next() * 1e-9 }),
  },
  {
    database: 'Lab "2"',
    measurement: 'cpu',
    tags: ['host'],
    tagValues: ['a'],
    weight: 3,
    shiftHours: 0,
    fields: (random, padding) => ({ note: `n${random.below(9)}${padding}` }),
  },
];

const startUs = 1_700_000_000_000_000n;
const hourUs = 3_600_000_000n;
/** Rows are this far apart; with it 3 million rows stay free of repeats whatever their hour. */
const stepUs = 1_001n;

export class LoadMaker {
  readonly #random: Random;
  readonly #options: LoadOptions;
  #rowCount = 0;
  #requestCount = 0;

  constructor(random: Random, options: LoadOptions) {
    this.#random = random;
    this.#options = options;
  }

  next(): LoadRequest {
    this.#requestCount += 1;
    const database = this.#random.pick(loadShapes).database;
    const shapes = loadShapes
      .filter((shape) => shape.database === database)
      .flatMap((shape) => Array.from({ length: shape.weight }, () => shape));
    const count = 1 + this.#random.below(this.#options.rowsMax);
    const lines: string[] = [];
    const rows: PlainRow[] = [];
    for (let index = 0; index < count; index += 1) {
      const { line, row } = this.#makeRow(this.#random.pick(shapes));
      lines.push(line);
      rows.push(row);
    }
    return { number: this.#requestCount, database, body: lines.join('\n'), rows };
  }

  #makeRow(shape: LoadShape): { line: string; row: PlainRow } {
    const random = this.#random;
    this.#rowCount += 1;
    const lateHours = random.chance(0.15) ? -random.below(40) : 0;
    const hours = BigInt(shape.shiftHours + lateHours);
    const time = startUs + hours * hourUs + BigInt(this.#rowCount) * stepUs;
    const tags: Record<string, string> = {};
    for (const tag of shape.tags) {
      const value = random.pick(shape.tagValues);
      if (value !== '') tags[tag] = value;
    }
    const padding = 'p'.repeat(random.below((this.#options.paddingBytes ?? 0) + 1));
    const given = shape.fields(random, padding);
    const fields: Record<string, PlainValue> = { request: BigInt(this.#requestCount) };
    const parts = [`request=${this.#requestCount}i`];
    for (const [name, value] of Object.entries(given)) {
      parts.push(`${escapeKey(name)}=${lineValue(value)}`);
      fields[name] = typeof value === 'object' ? value.unsigned : value;
    }
    const { database, measurement } = shape;
    const tagText = Object.entries(tags).map(([tag, value]) => `,${tag}=${escapeKey(value)}`);
    const head = `${measurement.replace(/[, ]/g, '\\$&')}${tagText.join('')}`;
    const line = `${head} ${parts.join(',')} ${time}`;
    return { line, row: { database, measurement, tags, time, fields } };
  }
}

function escapeKey(text: string): string {
  return text.replace(/[,= ]/g, '\\$&');
}

function lineValue(value: PlainValue | Unsigned): string {
  if (typeof value === 'object') return `${value.unsigned}u`;
  if (typeof value === 'bigint') return `${value}i`;
  if (typeof value === 'string') return `"${value.replace(/["\\]/g, '\\$&')}"`;
  return String(value);
}
