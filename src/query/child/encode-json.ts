/**
 * Rows of a result as JSON text. Exact: integers of any width and decimals are JSON numbers with all
 * their digits, times are RFC 3339 in UTC with as many digits as they have, bytes are base64, and
 * NaN and infinities, which JSON does not know, are null. Runs in the query process.
 */
import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBUnionValue,
  DuckDBVariantValue,
  type DuckDBDataChunk,
  type DuckDBValue,
} from '@duckdb/node-api';

/** Last second that was formatted, and its text up to the second: rows often share it. */
interface SecondText {
  second: bigint;
  text: string;
}

/** `2026-01-31T10:00:00` for a second since 1970; years beyond four digits get a sign. */
function secondText(second: bigint): string {
  const milliseconds = Number(second) * 1000;
  if (Math.abs(milliseconds) <= 8.64e15) {
    return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, '');
  }
  // JavaScript's dates end at the year 275760. The calendar repeats every 400 years.
  const cycleDays = 146_097n;
  const cycles = second / (cycleDays * 86_400n);
  const within = new Date(Number(second - cycles * cycleDays * 86_400n) * 1000);
  const year = within.getUTCFullYear() + Number(cycles) * 400;
  const rest = within
    .toISOString()
    .replace(/\.\d+Z$/, '')
    .slice(-15);
  return `${year < 0 ? '-' : '+'}${String(Math.abs(year)).padStart(6, '0')}${rest}`;
}

/** Formats instants; keeps the last second so that equal ones cost nothing. */
export class InstantFormat {
  #last: SecondText = { second: 0n, text: '1970-01-01T00:00:00' };

  /** RFC 3339 with `Z` for `count` units of 10^-`digits` seconds since 1970, zeros cut. */
  format(count: bigint, digits: number): string {
    const unit = 10n ** BigInt(digits);
    let second = count / unit;
    let fraction = count - second * unit;
    if (fraction < 0n) {
      second -= 1n;
      fraction += unit;
    }
    if (second !== this.#last.second) this.#last = { second, text: secondText(second) };
    if (fraction === 0n) return `${this.#last.text}Z`;
    const text = String(fraction).padStart(digits, '0').replace(/0+$/, '');
    return `${this.#last.text}.${text}Z`;
  }
}

/** An instant of any of DuckDB's timestamp types, or undefined. */
function instantText(value: object, instants: InstantFormat): string | undefined {
  if (value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue) {
    return value.isFinite ? instants.format(value.micros, 6) : value.toString();
  }
  if (value instanceof DuckDBTimestampNanosecondsValue) {
    return value.isFinite ? instants.format(value.nanos, 9) : value.toString();
  }
  if (value instanceof DuckDBTimestampMillisecondsValue) {
    return value.isFinite ? instants.format(value.millis, 3) : value.toString();
  }
  if (value instanceof DuckDBTimestampSecondsValue) {
    return value.isFinite ? instants.format(value.seconds, 0) : value.toString();
  }
  return undefined;
}

function nestedJson(value: object, instants: InstantFormat): string | undefined {
  const inner = (item: DuckDBValue) => valueJson(item, instants);
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) {
    return `[${value.items.map(inner).join(',')}]`;
  }
  if (value instanceof DuckDBStructValue) {
    const entries = Object.entries(value.entries);
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${inner(item)}`).join(',')}}`;
  }
  if (value instanceof DuckDBMapValue) {
    const entries = value.entries.map(
      (entry) => `{"key":${inner(entry.key)},"value":${inner(entry.value)}}`,
    );
    return `[${entries.join(',')}]`;
  }
  if (value instanceof DuckDBUnionValue || value instanceof DuckDBVariantValue) {
    return inner(value.value);
  }
  return undefined;
}

/** JSON text of any value that DuckDB can answer with. */
export function valueJson(value: DuckDBValue, instants: InstantFormat): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'number':
      return Number.isFinite(value) ? numberText(value) : 'null';
    default:
      break;
  }
  if (value === null) return 'null';
  if (value instanceof DuckDBDecimalValue) return value.toString();
  if (value instanceof DuckDBBlobValue) {
    return `"${Buffer.from(value.bytes).toString('base64')}"`;
  }
  if (value instanceof DuckDBDateValue) return JSON.stringify(value.toString());
  const instant = instantText(value, instants);
  if (instant !== undefined) return `"${instant}"`;
  return nestedJson(value, instants) ?? JSON.stringify(value.toString());
}

/** Shortest digits that give the same double; JSON keeps the sign of zero. */
function numberText(value: number): string {
  return Object.is(value, -0) ? '-0.0' : String(value);
}

/** Rows of `chunk` as JSON arrays with a comma between them, none around them. */
export function rowsJson(chunk: DuckDBDataChunk, instants: InstantFormat): string {
  const columns: string[][] = [];
  for (let column = 0; column < chunk.columnCount; column += 1) {
    const values = chunk.getColumnValues(column);
    columns.push(values.map((value) => valueJson(value, instants)));
  }
  const rows: string[] = [];
  for (let row = 0; row < chunk.rowCount; row += 1) {
    rows.push(`[${columns.map((texts) => texts[row]).join(',')}]`);
  }
  return rows.join(',');
}
