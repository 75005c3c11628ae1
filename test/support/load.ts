/**
 * Makes seeded write requests in line protocol together with the rows that they mean. Measurements
 * of several shapes and types, awkward names and strings, in-order and late rows over many hours,
 * before 1970 too. Rows of shapes that are `rewritten` come again: whole, field by field, several
 * times in one request, at once or much later, with their tags in another order; and whole requests
 * are sent again as they were. Points are rewritten only in the lane that wrote them first, so the
 * order of their versions is that of the requests' numbers. All other points come once.
 */
import type { PlainRow, PlainValue } from './plain-row.ts';
import type { Random } from './random.ts';

export interface LoadRequest {
  /** From 1, ascending. */
  readonly number: number;
  readonly database: string;
  /** Line protocol with times in microseconds, unless there is a path that says otherwise. */
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly rows: readonly PlainRow[];
  /** Path and query; `/api/v2/write` if it is not given. */
  readonly path?: string;
  /** `Idempotency-Key`. */
  readonly key?: string;
  /** What it is answered when it is kept; 204 if it is not given. */
  readonly status?: number;
}

export interface LoadOptions {
  /** Rows in one request: from 1 to this. */
  readonly rowsMax: number;
  /** Added to string fields, so that logs and files fill up faster. */
  readonly paddingBytes?: number;
  /** No point comes again, so that each row carries the number of its request. */
  readonly isOnce?: boolean;
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
  /** Its points come again; each value of `fields` is made of `unique`, which no other row has. */
  readonly rewritten?: boolean;
  fields(random: Random, padding: string, unique: bigint): Record<string, PlainValue | Unsigned>;
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
    database: 'plant',
    measurement: 'state',
    tags: ['unit', 'Area', 'line'],
    tagValues: ['x', 'y', ''],
    weight: 5,
    shiftHours: 0,
    rewritten: true,
    fields: (random, padding, unique) => ({
      // Either part of one logical column: the newest version clears the other part.
      level: random.chance(0.5) ? unique : Number(unique) + 0.5,
      count: unique,
      text: `t${unique}${padding}`,
      note: `n${unique}`,
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

/** A series and time that has been written. */
interface Point {
  readonly shape: LoadShape;
  readonly tags: Readonly<Record<string, string>>;
  readonly time: bigint;
}

/** What one lane has sent. */
interface Lane {
  readonly points: Point[];
  last: Omit<LoadRequest, 'number'> | undefined;
}

export class LoadMaker {
  readonly #random: Random;
  readonly #options: LoadOptions;
  readonly #lanes = new Map<number, Lane>();
  #rowCount = 0;
  #requestCount = 0;

  constructor(random: Random, options: LoadOptions) {
    this.#random = random;
    this.#options = options;
  }

  /** A number for a request that is made elsewhere. */
  takeNumber(): number {
    this.#requestCount += 1;
    return this.#requestCount;
  }

  /** @param number of the lane; its last request has been answered, or never will be */
  next(number = 0): LoadRequest {
    const random = this.#random;
    this.#requestCount += 1;
    const lane = this.#lanes.get(number) ?? { points: [], last: undefined };
    this.#lanes.set(number, lane);
    if (lane.last !== undefined && random.chance(0.05)) {
      return { ...lane.last, number: this.#requestCount };
    }
    const wanted = loadShapes.filter(({ rewritten }) => !this.#options.isOnce || !rewritten);
    const { database } = random.pick(wanted);
    const shapes = wanted
      .filter((shape) => shape.database === database)
      .flatMap((shape) => Array.from({ length: shape.weight }, () => shape));
    const count = 1 + random.below(this.#options.rowsMax);
    const lines: string[] = [];
    const rows: PlainRow[] = [];
    for (let index = 0; index < count; index += 1) {
      const shape = random.pick(shapes);
      const point = this.#pickPoint(shape, lane);
      const { line, row } = this.#makeRow(point);
      lines.push(line);
      rows.push(row);
    }
    // A request that is sent again must not differ: it has no row that may come only once.
    const isRewritten = rows.every(({ measurement }) => measurement === 'state');
    const request = { database, body: lines.join('\n'), rows };
    lane.last = isRewritten ? request : undefined;
    return { ...request, number: this.#requestCount };
  }

  /** A new point, or one that the lane wrote: often one of the last, now and then any. */
  #pickPoint(shape: LoadShape, lane: Lane): Point {
    const random = this.#random;
    if (shape.rewritten !== true) return this.#newPoint(shape);
    if (lane.points.length > 0 && random.chance(0.6)) {
      return random.pick(random.chance(0.7) ? lane.points.slice(-12) : lane.points);
    }
    const point = this.#newPoint(shape);
    lane.points.push(point);
    return point;
  }

  #newPoint(shape: LoadShape): Point {
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
    return { shape, tags, time };
  }

  #makeRow({ shape, tags, time }: Point): { line: string; row: PlainRow } {
    const random = this.#random;
    this.#rowCount += 1;
    const padding = 'p'.repeat(random.below((this.#options.paddingBytes ?? 0) + 1));
    const given = Object.entries(shape.fields(random, padding, BigInt(this.#rowCount)));
    const kept =
      shape.rewritten === true && random.chance(0.6)
        ? random.shuffled(given).slice(0, 1 + random.below(given.length))
        : given;
    const fields: Record<string, PlainValue> = {};
    const parts: string[] = [];
    if (shape.rewritten !== true) {
      fields['request'] = BigInt(this.#requestCount);
      parts.push(`request=${this.#requestCount}i`);
    }
    for (const [name, value] of kept) {
      parts.push(`${escapeKey(name)}=${lineValue(value)}`);
      fields[name] = typeof value === 'object' ? value.unsigned : value;
    }
    const { database, measurement } = shape;
    const tagText = random
      .shuffled(Object.entries(tags))
      .map(([tag, value]) => `,${tag}=${escapeKey(value)}`);
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
