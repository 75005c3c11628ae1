/**
 * Rows written, sealed, filed, compacted and merged as the commit protocol allows (P17-P21), beside
 * a plain model with overwrite semantics. What stands where is decided by the caller's steps; marks
 * are exact, or called too high by a row that says so.
 */
import { fileFlags, type HourSpan } from '../../src/base/model/commit.ts';
import { hourOf, hourUs } from '../../src/base/model/partition.ts';
import { closeOverRepeats } from '../../src/base/model/repeat-closure.ts';
import { firstVersion } from '../../src/base/model/versions.ts';

export type PartName = 'x' | 'x__double' | 'x__uint64' | 's' | 'ok';
export type FieldName = 'x' | 's' | 'ok';
export interface FieldValue {
  readonly part: PartName;
  /** SQL literal. */
  readonly sql: string;
}
export type FieldValues = Readonly<Partial<Record<FieldName, FieldValue>>>;

export interface WrittenRow {
  readonly timeUs: bigint;
  readonly a: string | null;
  readonly b: string | null;
  readonly values: FieldValues;
  /** Called a repeat although it is none. */
  readonly overcalled: boolean;
}

/** A row as it stands in a buffer or file. */
export interface StoredRow extends WrittenRow {
  readonly seq: number;
  readonly repeat: boolean;
}

export interface StoredFile {
  readonly commit: number;
  readonly flags: number;
  readonly hours: readonly HourSpan[];
  readonly rows: readonly StoredRow[];
}

export interface StoredChunk {
  readonly bufferId: number;
  readonly hasIdentity: boolean;
  readonly hours: readonly HourSpan[];
  readonly repeatHours: readonly number[];
  readonly doubledHours: readonly number[];
  readonly rows: readonly StoredRow[];
}

export type Step =
  | { readonly do: 'write'; readonly hasIdentity: boolean; readonly rows: readonly WrittenRow[] }
  | { readonly do: 'seal' }
  | { readonly do: 'flush'; readonly dayFiles: boolean }
  | { readonly do: 'compact'; readonly pick: number }
  | { readonly do: 'merge'; readonly pick: number };

interface Buffer {
  readonly id: number;
  readonly identified: StoredRow[];
  readonly plain: StoredRow[];
}

/** An empty tag is an absent one. */
export function pointOf({ timeUs, a, b }: WrittenRow): string {
  return JSON.stringify([String(timeUs), a === '' ? null : a, b === '' ? null : b]);
}

function newestOf(rows: readonly StoredRow[]): StoredRow[] {
  const points = Map.groupBy(rows, pointOf);
  return Array.from(points.values(), (versions) => {
    const ordered = versions.toSorted(
      (one, other) => Number(one.repeat) - Number(other.repeat) || one.seq - other.seq,
    );
    const [first] = ordered;
    if (first === undefined) throw new Error('a group has rows');
    const seq = Math.max(...ordered.map((row) => row.seq));
    const repeat = ordered.every((row) => row.repeat);
    return { ...first, values: Object.assign({}, ...ordered.map((r) => r.values)), seq, repeat };
  });
}

export function hoursOf(rows: readonly WrittenRow[]): readonly HourSpan[] {
  const hours = Map.groupBy(rows, ({ timeUs }) => hourOf(timeUs));
  return Array.from(hours, ([hour, inHour]): HourSpan => {
    const offsets = inHour.map(({ timeUs }) => Number(timeUs - BigInt(hour) * hourUs));
    return [hour, Math.min(...offsets), Math.max(...offsets)];
  }).toSorted(([one], [other]) => one - other);
}

const dayOf = (row: WrittenRow) => Math.floor(hourOf(row.timeUs) / 24);

export class VersionHistory {
  files: readonly StoredFile[] = [];
  /** By point, its newest values. */
  readonly points = new Map<string, FieldValues>();
  /** Rows without identity. */
  readonly others: WrittenRow[] = [];
  #sealed: Buffer[] = [];
  #open: Buffer = { id: 1, identified: [], plain: [] };
  readonly #sealedPoints = new Set<string>();
  readonly #calledInOpen = new Set<string>();
  #seq = 0;
  #commit = 0;

  apply(step: Step): void {
    switch (step.do) {
      case 'write':
        for (const row of step.rows) this.#write(row, step.hasIdentity);
        break;
      case 'seal':
        this.#seal();
        break;
      case 'flush':
        this.#flush(step.dayFiles);
        break;
      case 'compact':
        this.#compact(step.pick);
        break;
      case 'merge':
        this.#merge(step.pick);
        break;
    }
  }

  #write(row: WrittenRow, hasIdentity: boolean): void {
    this.#seq += 1;
    const seq = this.#seq;
    if (!hasIdentity) {
      this.#open.plain.push({ ...row, seq, repeat: false });
      this.others.push(row);
      return;
    }
    const point = pointOf(row);
    const known = this.#sealedPoints.has(point) || this.#calledInOpen.has(point);
    const repeat = known || row.overcalled;
    if (repeat) this.#calledInOpen.add(point);
    this.#open.identified.push({ ...row, seq, repeat });
    this.points.set(point, { ...this.points.get(point), ...row.values });
  }

  #seal(): void {
    for (const row of this.#open.identified) this.#sealedPoints.add(pointOf(row));
    this.#calledInOpen.clear();
    this.#sealed.push(this.#open);
    this.#open = { id: this.#open.id + 1, identified: [], plain: [] };
  }

  /** Files the oldest sealed buffer. */
  #flush(dayFiles: boolean): void {
    const buffer = this.#sealed.shift();
    if (buffer === undefined) return;
    const merged = newestOf(buffer.identified);
    const folder = (row: StoredRow) => (dayFiles ? dayOf(row) : hourOf(row.timeUs));
    const sets = [
      { flags: 0, rows: merged.filter((row) => !row.repeat) },
      { flags: fileFlags.repeat, rows: merged.filter((row) => row.repeat) },
      { flags: fileFlags.noIdentity, rows: buffer.plain },
    ];
    this.#commit += 1;
    const added = sets.flatMap(({ flags, rows }) =>
      Array.from(Map.groupBy(rows, folder).values(), (own) => this.#file(own, flags)),
    );
    this.files = [...this.files, ...added];
  }

  #file(rows: readonly StoredRow[], flags: number): StoredFile {
    return { commit: this.#commit, flags, hours: hoursOf(rows), rows };
  }

  /** Two unflagged files of one day become one, newer by commit and as old by its rows. */
  #compact(pick: number): void {
    const unflagged = this.files.filter(({ flags }) => flags === 0);
    const one = unflagged[pick % Math.max(unflagged.length, 1)];
    const day = one?.rows[0] === undefined ? undefined : dayOf(one.rows[0]);
    const pair = unflagged.filter(({ rows }) => rows[0] !== undefined && dayOf(rows[0]) === day);
    if (pair.length < 2) return;
    const chosen = pair.slice(0, 2);
    this.#commit += 1;
    const whole = this.#file(
      chosen.flatMap(({ rows }) => rows),
      0,
    );
    this.files = [...this.files.filter((file) => !chosen.includes(file)), whole];
  }

  /** Versions of whole hours are combined for good (P21). */
  #merge(pick: number): void {
    const sources = this.files.map((file) => ({
      file,
      hasIdentity: (file.flags & fileFlags.noIdentity) === 0,
      hours: file.hours,
      repeatHours: file.flags === fileFlags.repeat ? file.hours.map(([hour]) => hour) : [],
    }));
    const flagged = sources.filter(({ repeatHours }) => repeatHours.length > 0);
    const seed = flagged[pick % Math.max(flagged.length, 1)];
    if (seed === undefined) return;
    const closed = closeOverRepeats([seed], sources).map(({ file }) => file);
    this.#commit += 1;
    const rows = newestOf(closed.flatMap((file) => file.rows));
    const first = rows.map((row) => ({ ...row, repeat: false }));
    this.files = [...this.files.filter((file) => !closed.includes(file)), this.#file(first, 0)];
  }

  /** The rows that are not filed, cut into chunks of at most `rowsMax` rows. */
  chunks(rowsMax: number): readonly StoredChunk[] {
    return [...this.#sealed, this.#open].flatMap(({ id, identified, plain }) => [
      ...chunksOf(identified, rowsMax, 2 * id, true),
      ...chunksOf(plain, rowsMax, 2 * id + 1, false),
    ]);
  }
}

function chunksOf(
  rows: readonly StoredRow[],
  rowsMax: number,
  bufferId: number,
  hasIdentity: boolean,
): StoredChunk[] {
  const chunks: StoredChunk[] = [];
  const seen = new Set<string>();
  for (let from = 0; from < rows.length; from += rowsMax) {
    const own = rows.slice(from, from + rowsMax);
    const doubled = new Set<number>();
    for (const row of own) {
      const point = pointOf(row);
      if (hasIdentity && seen.has(point)) doubled.add(hourOf(row.timeUs));
      seen.add(point);
    }
    const repeats = own.filter((row) => row.repeat).map((row) => hourOf(row.timeUs));
    chunks.push({
      bufferId,
      hasIdentity,
      hours: hoursOf(own),
      repeatHours: [...new Set(repeats)],
      doubledHours: [...doubled],
      rows: own,
    });
  }
  return chunks;
}

/** The version column as files and chunks hold it. */
export function versionOf(row: StoredRow): number {
  return row.repeat ? row.seq : firstVersion + row.seq;
}
