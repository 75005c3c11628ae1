/**
 * What a load has beside points with tags: requests that carry an idempotency key, over every write
 * route and with bad rows in some, whose rows come once and often have no identity; and columnar
 * rows of measurements whose tags are named while they are written.
 *
 * Rows of such a measurement are of three kinds. Before its tags are named a point may come again
 * and stands once for each time: `apart`, which no other row has, tells them from each other. While
 * they are being named every point comes once, so that it makes no difference which of the two a
 * row is. From then on a point that comes again is one point, apart from the rows before.
 */
import { Table, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import { arrowPath, lineProtocolPaths, messagePackPaths } from '../../src/fronts/http/dialect.ts';
import type { LoadMaker, LoadRequest } from './load.ts';
import { packed } from './msgpack-bytes.ts';
import type { PlainRow, PlainValue } from './plain-row.ts';
import type { Random } from './random.ts';

interface Place {
  readonly database: string;
  readonly measurement: string;
  /** Columns that tell rows apart; of `apart` there is none in rows with identity. */
  readonly tags: readonly string[];
}

const database = 'plant';
const keyedLines: Place = { database, measurement: 'keyed lines', tags: ['host'] };
const keyedColumns: Place = { database, measurement: 'keyed columns', tags: [] };

/** Columns whose tags are named. */
export const namedTags = ['host', 'line'] as const;
const namedPlaces = ['press', 'oven'].map((measurement): Place => {
  return { database, measurement, tags: [...namedTags, 'apart'] };
});
export const namedMeasurements = namedPlaces.map(({ measurement }) => measurement);

export const mixedPlaces: readonly Place[] = [keyedLines, keyedColumns, ...namedPlaces];

/** The row with its tags among the tags, whatever the schema called the columns by then. */
export function withTags(row: PlainRow): PlainRow {
  const place = mixedPlaces.find(
    (each) => each.database === row.database && each.measurement === row.measurement,
  );
  if (place === undefined) return row;
  const tags: Record<string, string> = { ...row.tags };
  const fields: Record<string, PlainValue> = {};
  for (const [name, value] of Object.entries(row.fields)) {
    if (place.tags.includes(name) && typeof value === 'string') tags[name] = value;
    else fields[name] = value;
  }
  return { ...row, tags, fields };
}

/** A request with a key: it is sent until it is answered, with the same words each time. */
export interface KeyedRequest extends LoadRequest {
  readonly key: string;
  /** The text of its bad row, which no other request has; undefined if it has none. */
  readonly bad: string | undefined;
}

export function isKeyed(request: LoadRequest): request is KeyedRequest {
  return request.key !== undefined;
}

type Naming = 'before' | 'under way' | 'done';

interface Point {
  readonly host: string;
  readonly line: string | undefined;
  readonly time: bigint;
}

const startUs = 1_700_000_000_000_000n;
const stepUs = 1_003n;
const rowsMax = 9;

export class MixedLoad {
  readonly #random: Random;
  readonly #plain: LoadMaker;
  readonly #naming = new Map<string, Naming>();
  /** Points that may come again, by measurement and lane. */
  readonly #points = new Map<string, Point[]>();
  #rowCount = 0;

  constructor(random: Random, plain: LoadMaker) {
    this.#random = random;
    this.#plain = plain;
  }

  /** The next request of a lane, as `LoadMaker.next`. */
  next(lane: number): LoadRequest {
    const kind = this.#random.below(10);
    if (kind < 2) return this.#keyed();
    if (kind < 4) return this.#named(lane);
    return this.#plain.next(lane);
  }

  /** From the next request on it is not known whether rows of `measurement` have identity. */
  namingBegins(measurement: string): void {
    this.#naming.set(measurement, 'under way');
  }

  /** From the next request on they have. */
  namingEnds(measurement: string): void {
    this.#naming.set(measurement, 'done');
  }

  #keyed(): KeyedRequest {
    const random = this.#random;
    const number = this.#plain.takeNumber();
    const key = `key ${number}`;
    const bad = random.chance(0.5) ? `bad-${number}` : undefined;
    const isLine = random.chance(0.4);
    const rows = Array.from({ length: 1 + random.below(rowsMax) }, (_, index): PlainRow => {
      const host = random.pick(['a', 'b']);
      const own = { request: BigInt(number), n: BigInt(index) };
      const place = isLine ? keyedLines : keyedColumns;
      const time = this.#newTime();
      if (isLine) return { ...placeOf(place), tags: { host }, time, fields: own };
      return { ...placeOf(place), tags: {}, time, fields: { host, ...own } };
    });
    const common = { number, key, bad, database, rows };
    if (!isLine && random.chance(0.3)) {
      const path = `${arrowPath}?db=${database}&measurement=${keyedColumns.measurement}`;
      return { ...common, bad: undefined, path, body: tableOf(rows), status: 204 };
    }
    if (!isLine) {
      const items = [{ m: keyedColumns.measurement, columns: columnsOf(rows) }];
      const badItem = bad === undefined ? [] : [{ m: bad, fields: {} }];
      const path = `${random.pick(messagePackPaths)}?db=${database}`;
      return { ...common, path, body: bodyOf([...items, ...badItem]), status: 204 };
    }
    const { path, dialect } = random.pick(lineProtocolPaths);
    const lines = rows.map(({ tags, time, fields }) => {
      const { request = 0n, n = 0n } = fields;
      return `keyed\\ lines,host=${tags['host']} request=${request}i,n=${n}i ${time}000`;
    });
    if (bad !== undefined) lines.splice(random.below(lines.length + 1), 0, bad);
    const terms = `db=${database}&bucket=${database}&precision=ns`;
    const status = bad !== undefined && dialect !== 'arc' ? 400 : 204;
    return { ...common, path: `${path}?${terms}`, body: lines.join('\n'), status };
  }

  #named(lane: number): LoadRequest {
    const random = this.#random;
    const number = this.#plain.takeNumber();
    const place = random.pick(namedPlaces);
    const naming = this.#naming.get(place.measurement) ?? 'before';
    const rows = Array.from({ length: 1 + random.below(rowsMax) }, (_, index): PlainRow => {
      const { host, line, time } = this.#point(place, lane, naming);
      const tags = {
        host,
        ...(line !== undefined && { line }),
        ...(naming === 'before' && { apart: `${number}.${index}` }),
      };
      this.#rowCount += 1;
      // No other request writes these values, so they tell which one a row is of.
      const fields = { request: BigInt(number), v: BigInt(this.#rowCount) };
      return { ...placeOf(place), tags, time, fields };
    });
    const body = bodyOf({ m: place.measurement, columns: columnsOf(rows) });
    const path = `${random.pick(messagePackPaths)}?db=${database}`;
    return { number, database, rows, path, body, status: 204 };
  }

  /** A new point, or one that the lane wrote. */
  #point({ measurement }: Place, lane: number, naming: Naming): Point {
    const random = this.#random;
    const name = `${measurement} ${lane}`;
    const points = this.#points.get(name) ?? [];
    this.#points.set(name, points);
    const isKnown = naming !== 'under way' && points.length > 0 && random.chance(0.5);
    if (isKnown) return random.pick(random.chance(0.7) ? points.slice(-8) : points);
    const line = random.chance(0.3) ? undefined : random.pick(['1', '2']);
    const point = { host: random.pick(['a', 'b']), line, time: this.#newTime() };
    if (naming !== 'under way') points.push(point);
    return point;
  }

  #newTime(): bigint {
    this.#rowCount += 1;
    const lateHours = this.#random.chance(0.15) ? this.#random.below(30) : 0;
    return startUs - BigInt(lateHours) * 3_600_000_000n + BigInt(this.#rowCount) * stepUs;
  }
}

function placeOf({ database, measurement }: Place): Pick<PlainRow, 'database' | 'measurement'> {
  return { database, measurement };
}

/** Columns of the rows: time, tags, fields; null where a row has none. */
function columnsOf(rows: readonly PlainRow[]): Record<string, readonly unknown[]> {
  const all = rows.map(({ tags, fields, time }) => ({ time, ...tags, ...fields }));
  const names = new Set(all.flatMap((row) => Object.keys(row)));
  const cell = (row: Readonly<Record<string, PlainValue>>, name: string) => row[name] ?? null;
  return Object.fromEntries([...names].map((name) => [name, all.map((row) => cell(row, name))]));
}

/** The rows as an Arrow stream. */
function tableOf(rows: readonly PlainRow[]): Uint8Array<ArrayBuffer> {
  const integers = (name: string) =>
    vectorFromArray(BigInt64Array.from(rows, ({ fields }) => BigInt(fields[name] ?? 0)));
  const hosts = rows.map(({ fields }) => String(fields['host']));
  const table = new Table({
    time: vectorFromArray(BigInt64Array.from(rows, ({ time }) => time)),
    host: vectorFromArray(hosts, new Utf8()),
    request: integers('request'),
    n: integers('n'),
  });
  return new Uint8Array(tableToIPC(table, 'stream'));
}

function bodyOf(value: unknown): Uint8Array<ArrayBuffer> {
  return new Uint8Array(packed(value));
}
