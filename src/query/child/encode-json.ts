/**
 * Rows of a result as JSON text. Exact: integers of any width and decimals are JSON numbers with
 * all their digits, times are RFC 3339 in UTC with as many digits as they have, bytes are base64,
 * and NaN and infinities, which JSON does not know, are null. Runs in the query process.
 */
import {
  DuckDBArrayValue,
  DuckDBBlobValue,
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

/** `2026-01-31T10:00:00` for a second since 1970; years beyond four digits get a sign. */
function secondText(second: number): string {
  const milliseconds = second * 1000;
  if (Math.abs(milliseconds) <= 8.64e15) {
    return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, '');
  }
  // JavaScript's dates end at the year 275760. The calendar repeats every 400 years.
  const cycleSeconds = 146_097 * 86_400;
  const cycles = Math.trunc(second / cycleSeconds);
  const within = new Date((second - cycles * cycleSeconds) * 1000);
  const year = within.getUTCFullYear() + cycles * 400;
  const rest = within
    .toISOString()
    .replace(/\.\d+Z$/, '')
    .slice(-15);
  return `${year < 0 ? '-' : '+'}${String(Math.abs(year)).padStart(6, '0')}${rest}`;
}

/** Formats instants; keeps the last second's text, since rows often share it. */
export class InstantFormat {
  #second = 0;
  #text = '1970-01-01T00:00:00';

  /** RFC 3339 with `Z` for `count` units of 10^-`digits` seconds since 1970, zeros cut. */
  format(count: bigint, digits: number): string {
    const [second, fraction] = splitSeconds(count, digits);
    if (second !== this.#second) {
      this.#second = second;
      this.#text = secondText(second);
    }
    if (fraction === 0) return `${this.#text}Z`;
    const text = String(fraction).padStart(digits, '0');
    return `${this.#text}.${withoutTrailingZeros(text)}Z`;
  }
}

/** Whole seconds, rounded down, and the rest in units of 10^-`digits` seconds; both exact. */
function splitSeconds(count: bigint, digits: number): readonly [second: number, rest: number] {
  const near = Number(count);
  if (Number.isSafeInteger(near)) {
    const unit = 10 ** digits;
    const second = Math.floor(near / unit);
    return [second, near - second * unit];
  }
  const unit = 10n ** BigInt(digits);
  const rest = ((count % unit) + unit) % unit;
  return [Number((count - rest) / unit), Number(rest)];
}

function withoutTrailingZeros(digits: string): string {
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === 48) end -= 1;
  return digits.slice(0, end);
}

/** An instant of any of DuckDB's timestamp types, or undefined. */
function instantText(value: object, instants: InstantFormat): string | undefined {
  if (value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue) {
    return finite(value, value.micros) ? instants.format(value.micros, 6) : value.toString();
  }
  if (value instanceof DuckDBTimestampNanosecondsValue) {
    return finite(value, value.nanos) ? instants.format(value.nanos, 9) : value.toString();
  }
  if (value instanceof DuckDBTimestampMillisecondsValue) {
    return finite(value, value.millis) ? instants.format(value.millis, 3) : value.toString();
  }
  if (value instanceof DuckDBTimestampSecondsValue) {
    return finite(value, value.seconds) ? instants.format(value.seconds, 0) : value.toString();
  }
  return undefined;
}

/** False for `infinity` and `-infinity`, which lie at the far ends; nearly all times do not. */
function finite(value: { readonly isFinite: boolean }, count: bigint): boolean {
  return Number.isSafeInteger(Number(count)) || value.isFinite;
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
  const instant = instantText(value, instants);
  if (instant !== undefined) return `"${instant}"`;
  if (value instanceof DuckDBDecimalValue) return value.toString();
  if (value instanceof DuckDBBlobValue) {
    return `"${Buffer.from(value.bytes).toString('base64')}"`;
  }
  return nestedJson(value, instants) ?? JSON.stringify(value.toString());
}

/** Shortest digits that give the same double; JSON keeps the sign of zero. */
function numberText(value: number): string {
  return Object.is(value, -0) ? '-0.0' : String(value);
}

/** Rows of `chunk` as JSON arrays with a comma between them, none around them. */
export function rowsJson(chunk: DuckDBDataChunk, instants: InstantFormat): string {
  const columns: (readonly DuckDBValue[])[] = [];
  for (let column = 0; column < chunk.columnCount; column += 1) {
    columns.push(chunk.getColumnValues(column));
  }
  const { rowCount } = chunk;
  let text = '';
  for (let row = 0; row < rowCount; row += 1) {
    text += row === 0 ? '[' : ',[';
    for (let column = 0; column < columns.length; column += 1) {
      if (column > 0) text += ',';
      text += valueJson(columns[column]?.[row] ?? null, instants);
    }
    text += ']';
  }
  return text;
}
