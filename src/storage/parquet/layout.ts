/**
 * Where each row of a set goes: which file, which slice of it, which place in the slice. A file is
 * built slice by slice so that a very wide or long one never stands in memory as dense columns all
 * at once: 2,000 mostly empty columns of 50,000 rows would be 800 MB.
 */
import { present } from '../../base/lib/assert.ts';
import { mapHours } from './hours.ts';
import type { MergedRows, PlannedFile } from './types.ts';

/** Values (rows x columns) of one slice; 8 bytes each, so 32 MiB as dense columns. */
export const sliceCellsMax = 4 * 1024 * 1024;

/** Marks a row that is in no slice. */
export const noSlice = 0xffffffff;

/** A run of rows of one file, in file order. */
export interface RowSlice {
  readonly file: number;
  readonly length: number;
  /** Rows of the set in file order, or undefined: then they are `from`, `from + 1`, ... */
  readonly order: Uint32Array | undefined;
  readonly from: number;
}

export interface RowLayout {
  /** Ascending by file, then by place in the file. */
  readonly slices: readonly RowSlice[];
  /** Slice by row (`noSlice`: in none); undefined if rows stand in order in the only slice. */
  readonly sliceOfRow: Uint32Array | undefined;
  /** Place in its slice by row; undefined if rows stand in order in the only slice. */
  readonly placeOfRow: Uint32Array | undefined;
}

/** A planned file together with the rows that it holds once versions are merged. */
export interface FilledFile extends PlannedFile {
  readonly rows: number;
  /** Its index among the planned files. */
  readonly place: number;
}

/** Index of the planned file by row. */
function fileByRow({ rows }: MergedRows, files: readonly PlannedFile[]): Uint32Array {
  const fileOfHour = (repeat: boolean) => {
    const found = new Map<number, number>();
    files.forEach((file, index) => {
      if (file.repeat === repeat) for (const hour of file.hours) found.set(hour, index);
    });
    return found;
  };
  return mapHours(rows.times, fileOfHour(false), fileOfHour(true), rows.repeats);
}

/** Row lists by file, each in file order; lists of files without rows are empty. */
function rowsByFile(merged: MergedRows, files: readonly PlannedFile[]): readonly Uint32Array[] {
  const { order } = merged;
  const { rowCount } = merged.rows;
  const fileOfRow = fileByRow(merged, files);
  const counts = new Uint32Array(files.length);
  for (const file of fileOfRow) counts[file] = (counts[file] as number) + 1;
  const lists = Array.from(counts, (count) => new Uint32Array(count));
  const filled = new Uint32Array(files.length);
  for (let index = 0; index < rowCount; index += 1) {
    const row = order === undefined ? index : (order[index] as number);
    const file = fileOfRow[row] as number;
    const place = filled[file] as number;
    (lists[file] as Uint32Array)[place] = row;
    filled[file] = place + 1;
  }
  return lists;
}

/** Cuts one file's rows into slices of at most `rowsMax` rows. */
function slicesOf(
  file: number,
  list: Uint32Array | undefined,
  length: number,
  rowsMax: number,
): readonly RowSlice[] {
  const slices: RowSlice[] = [];
  for (let start = 0; start < length; start += rowsMax) {
    const end = Math.min(length, start + rowsMax);
    const part = list?.subarray(start, end);
    // Rows one after the other need no list: their columns are views, not copies.
    const plain = part === undefined || isRun(part);
    slices.push({
      file,
      length: end - start,
      order: plain ? undefined : part,
      from: part === undefined ? start : present(part[0], 'first row'),
    });
  }
  return slices;
}

function isRun(list: Uint32Array): boolean {
  const first = present(list[0], 'first row');
  for (let index = 1; index < list.length; index += 1) {
    if (list[index] !== first + index) return false;
  }
  return true;
}

/** Rows by file, those files that have any. */
export interface FileLayout extends RowLayout {
  /** `RowSlice.file` counts in these. */
  readonly files: readonly FilledFile[];
}

/**
 * Returns the place of each row in the planned files; files without rows are left out.
 * @param rowsMax rows of a slice; the default bounds its cells
 */
export function layoutFiles(
  merged: MergedRows,
  planned: readonly PlannedFile[],
  rowsMax: number = sliceRowsMax(merged.rows.columns.length),
): FileLayout {
  const { rows, order } = merged;
  const single = planned.length === 1;
  const lists = single ? [order] : rowsByFile(merged, planned);
  const filled = planned
    .map((file, place) => ({ file, place, list: lists[place] }))
    .filter(({ list }) => single || (list?.length ?? 0) > 0);
  const files = filled.map(({ file, place, list }) => {
    return { ...file, place, rows: list?.length ?? rows.rowCount };
  });
  const slices = filled.flatMap(({ list }, index) => {
    return slicesOf(index, list, list?.length ?? rows.rowCount, rowsMax);
  });
  const only = slices.length === 1 ? slices[0] : undefined;
  if (only !== undefined && only.order === undefined) {
    return { files, slices, sliceOfRow: undefined, placeOfRow: undefined };
  }
  return { files, slices, ...placesOf(slices, rows.rowCount) };
}

/** Rows of one slice: at least 1,024, so that thousands of columns do not make tiny ones. */
function sliceRowsMax(columnCount: number): number {
  return Math.max(1024, Math.floor(sliceCellsMax / (columnCount + 1)));
}

/** Slice and place of each row below `rowCount` that is in a slice. */
function placesOf(slices: readonly RowSlice[], rowCount: number) {
  const sliceOfRow = new Uint32Array(rowCount).fill(noSlice);
  const placeOfRow = new Uint32Array(rowCount);
  slices.forEach((slice, index) => {
    for (let place = 0; place < slice.length; place += 1) {
      const row = slice.order === undefined ? slice.from + place : (slice.order[place] as number);
      sliceOfRow[row] = index;
      placeOfRow[row] = place;
    }
  });
  return { sliceOfRow, placeOfRow };
}

/** Layout of rows `from` to `to` (exclusive) of a buffer as one file, unsorted (hot chunks). */
export function layoutRun(
  from: number,
  to: number,
  columnCount: number,
  rowsMax: number = sliceRowsMax(columnCount),
): RowLayout {
  const slices = slicesOf(0, undefined, to - from, rowsMax).map((slice) => {
    return { ...slice, from: slice.from + from };
  });
  if (slices.length === 1) return { slices, sliceOfRow: undefined, placeOfRow: undefined };
  return { slices, ...placesOf(slices, to) };
}
