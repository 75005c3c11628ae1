/**
 * The plain model against which every crash is judged. It lives outside the data directory and
 * knows what was sent, what was answered and in which order the log took it; given what is there
 * after a recovery it lists every broken promise:
 *
 * - each acknowledged request, and each that a query has shown, is there, whole;
 * - each request is there whole or not at all, each row once, each value exact, nothing invented;
 * - what is there is a prefix of the log's order.
 *
 * Requests are known by small numbers. No two rows sent share series and time.
 */
import { rowKey, rowText, type PlainRow } from './plain-row.ts';

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

export class DurabilityModel {
  readonly #requestOfText = new Map<string, number>();
  readonly #requestOfKey = new Map<string, number>();
  readonly #rowCounts = new Map<number, number>();

  get requestCount(): number {
    return this.#rowCounts.size;
  }

  /** Call before the request leaves. */
  sent(request: number, rows: readonly PlainRow[]): void {
    if (this.#rowCounts.has(request)) throw new Error(`request ${request} was sent twice`);
    this.#rowCounts.set(request, rows.length);
    for (const row of rows) {
      const key = rowKey(row);
      if (this.#requestOfKey.has(key)) throw new Error(`point sent twice: ${key}`);
      this.#requestOfKey.set(key, request);
      this.#requestOfText.set(rowText(row), request);
    }
  }

  /** Requests of which at least one row is among `rows`. */
  requestsIn(rows: readonly PlainRow[]): ReadonlySet<number> {
    const found = new Set<number>();
    for (const row of rows) {
      const request = this.#requestOfKey.get(rowKey(row));
      if (request !== undefined) found.add(request);
    }
    return found;
  }

  /** Everything that is wrong with `rows` as the whole content after a recovery; empty if right. */
  check(rows: readonly PlainRow[], expectation: Expectation): readonly Problem[] {
    const problems: Problem[] = [];
    const counts = this.#countRows(rows, problems);
    for (const [request, count] of counts) {
      const expected = this.#rowCounts.get(request) ?? 0;
      if (count < expected) {
        problems.push({ kind: 'torn', request, detail: `${count} of ${expected} rows` });
      }
    }
    for (const request of expectation.promised) {
      if (!counts.has(request)) problems.push({ kind: 'lost', request, detail: 'was promised' });
    }
    for (const run of expectation.order ?? []) checkPrefix(run, counts, problems);
    return problems;
  }

  /** Distinct right rows per request. */
  #countRows(rows: readonly PlainRow[], problems: Problem[]): ReadonlyMap<number, number> {
    const counts = new Map<number, number>();
    const met = new Set<string>();
    for (const row of rows) {
      const text = rowText(row);
      const request = this.#requestOfText.get(text);
      if (request === undefined) {
        const owner = this.#requestOfKey.get(rowKey(row));
        problems.push({
          kind: owner === undefined ? 'invented' : 'broken',
          request: owner,
          detail: text.slice(0, 400),
        });
      } else if (met.has(text)) {
        problems.push({ kind: 'doubled', request, detail: text.slice(0, 400) });
      } else {
        met.add(text);
        counts.set(request, (counts.get(request) ?? 0) + 1);
      }
    }
    return counts;
  }
}

function checkPrefix(
  run: readonly number[],
  present: ReadonlyMap<number, number>,
  problems: Problem[],
): void {
  const end = run.findIndex((request) => !present.has(request));
  if (end === -1) return;
  for (const request of run.slice(end).filter((one) => present.has(one))) {
    const detail = `is there, but request ${run[end]}, earlier in the log, is not`;
    problems.push({ kind: 'disordered', request, detail });
  }
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
