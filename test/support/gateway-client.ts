/**
 * What a test says to a running gateway over HTTP, and what it reads back: rows in their plainest
 * form, digits kept exact.
 */
import type { LoadRequest } from './load.ts';
import { numberFromText, type PlainRow, type PlainValue } from './plain-row.ts';

/** A value of an answer: digits of numbers are kept as text in a `Digits`. */
type Cell = string | boolean | null | Digits;

class Digits {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export interface Answer {
  readonly columns: readonly string[];
  readonly types: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

type WrittenRequest = Pick<LoadRequest, 'database' | 'body' | 'path' | 'key'>;

export interface WriteAnswer {
  readonly status: number;
  readonly text: string;
  /** It is the answer to an earlier request with the same key. */
  readonly isRepeat: boolean;
}

/** Which columns of a measurement are tags; all others but `time` are fields. */
export interface MeasurementPlace {
  readonly database: string;
  readonly measurement: string;
  readonly tags: readonly string[];
}

export class GatewayClient {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  /** Sends a request; the status of the answer, or undefined if there was none. */
  async write(request: WrittenRequest): Promise<number | undefined> {
    return (await this.deliver(request))?.status;
  }

  /** Sends a request; the answer, or undefined if there was none. */
  async deliver(request: WrittenRequest): Promise<WriteAnswer | undefined> {
    const bucket = encodeURIComponent(request.database);
    const { body, key, path = `/api/v2/write?bucket=${bucket}&precision=us` } = request;
    const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': key };
    try {
      const answer = await fetch(`${this.url}${path}`, { method: 'POST', headers, body });
      const text = await answer.text();
      const isRepeat = answer.headers.get('idempotent-replayed') === 'true';
      return { status: answer.status, text, isRepeat };
    } catch {
      return undefined;
    }
  }

  /** Names tags of a measurement; the status of the answer, or undefined if there was none. */
  async nameTags(
    database: string,
    measurement: string,
    tags: readonly string[],
  ): Promise<number | undefined> {
    const path = [database, measurement].map(encodeURIComponent).join('/');
    try {
      const answer = await fetch(`${this.url}/api/v1/measurements/${path}/tags`, {
        method: 'PUT',
        body: JSON.stringify({ tags }),
      });
      await answer.arrayBuffer();
      return answer.status;
    } catch {
      return undefined;
    }
  }

  /** Runs a statement. Throws what the gateway answers if it is not a success, or warns. */
  async query(sql: string): Promise<Answer> {
    const answer = await fetch(`${this.url}/api/v1/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ sql }),
    });
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`${answer.status} ${text} for ${sql}`);
    const parsed = JSON.parse(text, exactNumbers) as {
      columns: string[];
      types: string[];
      data: Cell[][];
      warning?: string;
    };
    if (parsed.warning !== undefined) throw new Error(`${parsed.warning} for ${sql}`);
    return { columns: parsed.columns, types: parsed.types, rows: parsed.data };
  }

  /** All rows of one measurement. */
  async rows(place: MeasurementPlace): Promise<PlainRow[]> {
    const name = `${quoted(place.database)}.${quoted(place.measurement)}`;
    const { columns, rows } = await this.query(`SELECT * FROM ${name}`);
    return rows.map((cells) => plainRow(place, columns, cells));
  }

  /** All rows of the named measurements that are there. */
  async allRows(places: readonly MeasurementPlace[]): Promise<PlainRow[]> {
    const found: PlainRow[] = [];
    const databases = await this.query('SHOW DATABASES');
    const names = new Set(databases.rows.map(([name]) => name));
    for (const place of places.filter(({ database }) => names.has(database))) {
      const tables = await this.query(`SHOW TABLES FROM ${quoted(place.database)}`);
      const column = tables.columns.findIndex((one) => /table|measurement|name/.test(one));
      if (!tables.rows.some((row) => row[column] === place.measurement)) continue;
      found.push(...(await this.rows(place)));
    }
    return found;
  }
}

/** A reviver that keeps the digits of numbers as they stand in the text. */
function exactNumbers(_key: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === 'number' ? new Digits(context?.source ?? String(value)) : value;
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Microseconds since 1970 of an RFC 3339 time with up to six decimals. */
export function microseconds(text: string): bigint {
  const match = /^(.*?)(?:\.(\d{1,6}))?Z$/.exec(text);
  if (match === null) throw new Error(`no time: ${text}`);
  const [, seconds, fraction = ''] = match;
  return BigInt(Date.parse(`${seconds}Z`)) * 1000n + BigInt(fraction.padEnd(6, '0'));
}

function plainRow(
  place: MeasurementPlace,
  columns: readonly string[],
  cells: readonly Cell[],
): PlainRow {
  const tags: Record<string, string> = {};
  const fields: Record<string, PlainValue> = {};
  let time = 0n;
  columns.forEach((column, index) => {
    const cell = cells[index];
    if (cell === undefined || cell === null) return;
    if (column === 'time') time = microseconds(String(cell));
    else if (place.tags.includes(column)) tags[column] = String(cell);
    else fields[column] = cell instanceof Digits ? numberFromText(cell.text) : cell;
  });
  return { database: place.database, measurement: place.measurement, tags, time, fields };
}
