/**
 * The plain model against which every crash is judged. It lives outside the data directory and
 * knows what was sent, what was answered and in which order the log took it; given what is there
 * after a recovery it lists every broken promise:
 *
 * - each acknowledged request, and each that a query has shown, is there, whole;
 * - each request is there whole or not at all, each value exact, nothing invented;
 * - each point (series and time) stands once, and each of its fields has the value of the last
 *   request that is there and wrote that field;
 * - what is there is a prefix of the log's order.
 *
 * Requests are known by small numbers. The versions of a point are sent one after the other, in the
 * order of their numbers: each only after the answer, if any, to the one before. Which requests are
 * there is told by their values: no two requests write the same value to a field of a point, unless
 * the second is the first one sent again.
 */
import { rowKey, rowText, valueText, type PlainRow, type PlainValue } from './plain-row.ts';

export type ProblemKind = 'lost' | 'torn' | 'doubled' | 'broken' | 'invented' | 'disordered';

export interface Problem {
  readonly kind: ProblemKind;
  readonly request: number | undefined;
  readonly detail: string;
}

export interface Expectation {
  /** Requests that must be there: answered with success, or shown by a query. */
  readonly promised: Iterable<number>;
  /**
   * Requests in the order of their log records, one list for each run of the gateway; undefined if
   * the order is not known. A list may leave out requests of which nothing was written.
   */
  readonly order?: readonly (readonly number[])[];
}

interface Version {
  readonly request: number;
  readonly fields: Readonly<Record<string, PlainValue>>;
}

/** A field of a point: what it holds and who wrote that last. */
interface Held {
  readonly value: PlainValue;
  readonly request: number;
}

export class DurabilityModel {
  /** By point, in the order in which they were sent. */
  readonly #versions = new Map<string, Version[]>();
  /** Points that a request wrote, one for each of its rows. */
  readonly #keys = new Map<number, readonly string[]>();

  get requestCount(): number {
    return this.#keys.size;
  }

  /** Call before the request leaves. */
  sent(request: number, rows: readonly PlainRow[]): void {
    if (this.#keys.has(request)) throw new Error(`request ${request} was sent twice`);
    this.#keys.set(request, rows.map(rowKey));
    for (const row of rows) {
      const key = rowKey(row);
      const versions = this.#versions.get(key) ?? [];
      assertTold(request, row, versions);
      const last = versions.at(-1)?.request ?? 0;
      if (last > request) throw new Error(`request ${request} comes after ${last} for ${key}`);
      versions.push({ request, fields: row.fields });
      this.#versions.set(key, versions);
    }
  }

  /** Requests of which `rows` show a value. */
  requestsIn(rows: readonly PlainRow[]): ReadonlySet<number> {
    const found = new Set<number>();
    for (const row of rows) {
      for (const request of this.#tracesIn(row)) found.add(request);
    }
    return found;
  }

  /** Everything that is wrong with `rows` as the whole content after a recovery; empty if right. */
  check(rows: readonly PlainRow[], expectation: Expectation): readonly Problem[] {
    const problems: Problem[] = [];
    const content = this.#points(rows, problems);
    const traced = this.requestsIn([...content.values()]);
    const present = new Set([...expectation.promised, ...traced]);
    const missing = new Map<number, string[]>();
    const shown = new Map<number, number>();
    for (const [key, versions] of this.#versions) {
      this.#checkPoint([key, content.get(key)], versions, present, { missing, shown });
    }
    for (const [request, points] of missing) {
      const rowCount = this.#keys.get(request)?.length ?? 0;
      const isTorn = traced.has(request) || (shown.get(request) ?? 0) > 0;
      problems.push(
        isTorn
          ? { kind: 'torn', request, detail: tornText(points, rowCount) }
          : { kind: 'lost', request, detail: 'was promised' },
      );
    }
    for (const run of expectation.order ?? []) this.#checkPrefix(run, present, problems);
    return problems;
  }

  /**
   * The first requests that wrote the values of the row. A later one that wrote the same was sent
   * again at once, as it was: which of the two is there makes no difference.
   */
  #tracesIn(row: PlainRow): readonly number[] {
    const versions = this.#versions.get(rowKey(row)) ?? [];
    return Object.entries(row.fields).flatMap(([field, value]) => {
      const text = valueText(value);
      return versions.find(({ fields }) => hasValue(fields, field, text))?.request ?? [];
    });
  }

  /** The rows by point; notes those that nobody sent, stand twice or hold what nobody wrote. */
  #points(rows: readonly PlainRow[], problems: Problem[]): ReadonlyMap<string, PlainRow> {
    const content = new Map<string, PlainRow>();
    for (const row of rows) {
      const key = rowKey(row);
      const versions = this.#versions.get(key);
      const detail = rowText(row).slice(0, 400);
      const request = versions?.at(-1)?.request;
      if (versions === undefined) problems.push({ kind: 'invented', request, detail });
      else if (content.has(key)) problems.push({ kind: 'doubled', request, detail });
      else {
        content.set(key, row);
        const isBroken = Object.entries(row.fields).some(([field, value]) => {
          const text = valueText(value);
          return !versions.some(({ fields }) => hasValue(fields, field, text));
        });
        if (isBroken) problems.push({ kind: 'broken', request, detail });
      }
    }
    return content;
  }

  /** Counts, by request, rows of which a value that should be shown is, or is not. */
  #checkPoint(
    [key, row]: readonly [key: string, row: PlainRow | undefined],
    versions: readonly Version[],
    present: ReadonlySet<number>,
    counts: { readonly missing: Map<number, string[]>; readonly shown: Map<number, number> },
  ): void {
    const missing = new Map<number, string>();
    const shown = new Set<number>();
    for (const [field, { value, request }] of Object.entries(folded(versions, present))) {
      const isShown = row !== undefined && hasValue(row.fields, field, valueText(value));
      if (isShown) shown.add(request);
      else missing.set(request, `${field} is not ${valueText(value)}${insteadOf(row)}`);
    }
    for (const [request, lack] of missing) {
      counts.missing.set(request, [...(counts.missing.get(request) ?? []), `${key}: ${lack}`]);
    }
    for (const request of shown) if (!missing.has(request)) add(counts.shown, request);
  }

  #checkPrefix(run: readonly number[], present: ReadonlySet<number>, problems: Problem[]): void {
    const end = run.findIndex((request) => !present.has(request) && this.#isTold(request, present));
    if (end === -1) return;
    for (const request of run.slice(end).filter((one) => present.has(one))) {
      const missing = `request ${run[end]} (${this.#keys.get(run[end] ?? 0)?.[0] ?? ''})`;
      const detail = `is there, but ${missing}, earlier in the log, is not`;
      problems.push({ kind: 'disordered', request, detail });
    }
  }

  /** True if the content would be another one with this request in it. */
  #isTold(request: number, present: ReadonlySet<number>): boolean {
    const withIt = new Set([...present, request]);
    return (this.#keys.get(request) ?? []).some((key) => {
      const versions = this.#versions.get(key) ?? [];
      return foldedText(versions, withIt) !== foldedText(versions, present);
    });
  }
}

/** Throws if a value of `row` would not tell which request it is of. */
function assertTold(request: number, { fields }: PlainRow, versions: readonly Version[]): void {
  const others = versions.filter((version) => version.request !== request);
  const text = (of: Readonly<Record<string, PlainValue>>) =>
    JSON.stringify(Object.entries(of).map(([field, value]) => [field, valueText(value)]));
  if (others.some((version) => text(version.fields) === text(fields))) return;
  for (const [field, value] of Object.entries(fields)) {
    const other = others.find((version) => hasValue(version.fields, field, valueText(value)));
    if (other === undefined) continue;
    throw new Error(`requests ${other.request} and ${request} give ${field} of a point one value`);
  }
}

function hasValue(
  fields: Readonly<Record<string, PlainValue>>,
  field: string,
  text: string,
): boolean {
  const value = fields[field];
  return value !== undefined && valueText(value) === text;
}

/** Fields of a point as the present requests leave them. */
function folded(
  versions: readonly Version[],
  present: ReadonlySet<number>,
): Readonly<Record<string, Held>> {
  const held: Record<string, Held> = {};
  for (const { request, fields } of versions) {
    if (!present.has(request)) continue;
    for (const [field, value] of Object.entries(fields)) held[field] = { value, request };
  }
  return held;
}

function insteadOf(row: PlainRow | undefined): string {
  return row === undefined ? ', no such point' : ` in ${rowText(row)}`;
}

function tornText(points: readonly string[], rowCount: number): string {
  const first = points.slice(0, 2).map((point) => point.slice(0, 400));
  return `${points.length} of ${rowCount} rows lack a value; ${first.join('; ')}`;
}

function foldedText(versions: readonly Version[], present: ReadonlySet<number>): string {
  const fields = Object.entries(folded(versions, present));
  return JSON.stringify(fields.map(([field, { value }]) => [field, valueText(value)]).sort());
}

function add(counts: Map<number, number>, request: number): void {
  counts.set(request, (counts.get(request) ?? 0) + 1);
}

/** Counts per kind, such as `lost 3, torn 1`, and the first few in full. */
export function describeProblems(problems: readonly Problem[]): string {
  const counts = new Map<string, number>();
  for (const { kind } of problems) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const summary = [...counts].map(([kind, count]) => `${kind} ${count}`).join(', ');
  const first = problems
    .slice(0, 3)
    .map(({ kind, request, detail }) => `${kind} request ${request ?? '?'}: ${detail}`);
  return [summary, ...first].join('; ');
}
