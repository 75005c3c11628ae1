/**
 * A row in its plainest form, as the tests' models compare it: what was sent and what came back are
 * both brought to this, and two rows are equal if their texts are.
 */

/** Integers may be bigint or number; a whole double equals the integer of the same value. */
export type PlainValue = string | boolean | number | bigint;

export interface PlainRow {
  readonly database: string;
  readonly measurement: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Microseconds since 1970 UTC. */
  readonly time: bigint;
  readonly fields: Readonly<Record<string, PlainValue>>;
}

/** Exact text of a value: digits for whole numbers, else the shortest form that reads back. */
export function valueText(value: PlainValue): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value).toString();
  return String(value);
}

/** The value that digits in JSON or SQL text stand for, exactly. */
export function numberFromText(text: string): bigint | number {
  return /^-?\d+$/.test(text) ? BigInt(text) : Number(text);
}

function sorted(record: Readonly<Record<string, PlainValue>>): string {
  const names = Object.keys(record).sort();
  return names.map((name) => `${JSON.stringify(name)}=${valueText(record[name] ?? '')}`).join(',');
}

/** Equal for two rows of one series and time, whatever their fields. */
export function rowKey(row: PlainRow): string {
  return `${JSON.stringify([row.database, row.measurement])} ${sorted(row.tags)} ${row.time}`;
}

export function rowText(row: PlainRow): string {
  return `${rowKey(row)} ${sorted(row.fields)}`;
}

/** One row per series and time; each field from the last row that has it. */
export function mergedPlainRows(rows: Iterable<PlainRow>): readonly PlainRow[] {
  const merged = new Map<string, PlainRow>();
  for (const row of rows) {
    const key = rowKey(row);
    const older = merged.get(key);
    const fields = { ...older?.fields, ...row.fields };
    merged.set(key, older === undefined ? row : { ...older, fields });
  }
  return [...merged.values()];
}
