/**
 * Values of a column that is named as a tag: text, whatever they came as. Empty ones are no tag; a
 * row with one that cannot be a tag is refused.
 */
import type { ColumnValues, StringDictionary } from '../../../base/model/column-batch.ts';
import { present } from '../../../base/lib/assert.ts';
import { byteSpace, hashBytes } from '../bytes.ts';
import { DictionaryBuilder } from '../dictionary-builder.ts';
import { tokenProblem, type TokenLimits } from '../msgpack/scalar-text.ts';
import { stringForm } from '../value-forms.ts';
import type { ArrowColumn } from './arrow-column.ts';
import { stepRows } from './batch-buffers.ts';

/** Texts between two chances for a pause: looking at one costs more than a row. */
const stepTexts = 512;

/** Bytes between two chances for a pause. */
const stepBytes = 131_072;

interface TagValues {
  /** By row; `noTag` where there is none. */
  readonly codes: Uint32Array;
  readonly dictionary: StringDictionary;
}

const noTag = 0xffff_ffff;

/** Makes texts of the column's values; `refuse` is called for rows that cannot have them. */
export function* makeTags(
  column: ArrowColumn,
  seed: number,
  limits: TokenLimits,
  refuse: (row: number, reason: string) => void,
): Generator<undefined> {
  const columns = column.columns();
  const [first] = columns;
  if (first === undefined) return;
  const isText = columns.length === 1 && first.dictionary !== undefined;
  if (isText && (yield* areTags(first.dictionary, limits))) return;
  const { codes, dictionary } = isText
    ? yield* codesOf(first, column.rowCount)
    : yield* textsOf(columns, column.rowCount, seed);
  const problems = yield* problemsOf(dictionary, limits);
  const values = new Uint32Array(codes.length);
  const rows = new Uint32Array(codes.length);
  let kept = 0;
  for (let row = 0; row < codes.length; row += 1) {
    if (row % stepRows === stepRows - 1) yield;
    const code = codes[row] ?? noTag;
    if (code === noTag) continue;
    const problem = problems.get(code);
    if (problem !== undefined) {
      // An empty tag is an absent tag.
      if (problem !== '') refuse(row, problem);
      continue;
    }
    values[kept] = code;
    rows[kept] = row;
    kept += 1;
  }
  const isWhole = kept === codes.length;
  const some = rows.subarray(0, kept);
  column.replace(values.subarray(0, kept), isWhole ? undefined : some, dictionary);
  if (kept > 0) column.note(stringForm, rows[0] ?? 0);
}

/** True if all of the texts can be tags, none is empty, and no byte of them needs a second look. */
function* areTags(
  { count, bytes, offsets }: StringDictionary,
  { nameBytesMax }: TokenLimits,
): Generator<undefined, boolean> {
  for (let code = 0; code < count; code += 1) {
    const length = (offsets[code + 1] ?? 0) - (offsets[code] ?? 0);
    if (length === 0 || length > nameBytesMax) return false;
    if (code % stepRows === stepRows - 1) yield;
  }
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte < 32 || byte === 127) return false;
    if (at % stepBytes === stepBytes - 1) yield;
  }
  return true;
}

function* codesOf(column: ColumnValues, rowCount: number): Generator<undefined, TagValues> {
  const { values, rows } = column;
  const codes = new Uint32Array(rowCount).fill(noTag);
  for (let index = 0; index < values.length; index += 1) {
    codes[rows?.[index] ?? index] = Number(values[index]);
    if (index % stepRows === stepRows - 1) yield;
  }
  // A copy: what the column has goes when it gets its new values.
  const { count, bytes, offsets } = present(column.dictionary, 'dictionary of texts');
  return { codes, dictionary: { count, bytes: bytes.slice(), offsets: offsets.slice() } };
}

/** Of numbers and booleans. */
function* textsOf(
  columns: readonly ColumnValues[],
  rowCount: number,
  seed: number,
): Generator<undefined, TagValues> {
  const codes = new Uint32Array(rowCount).fill(noTag);
  const builder = new DictionaryBuilder();
  const encoder = new TextEncoder();
  for (const { column, values, rows } of columns) {
    const isBoolean = column.physical.type === 'boolean';
    for (let index = 0; index < values.length; index += 1) {
      const value = values[index];
      const space = byteSpace(encoder.encode(String(isBoolean ? value === 1 : value)));
      const { length } = space.bytes;
      const hash = hashBytes(space, 0, length, seed);
      codes[rows?.[index] ?? index] = builder.code(space, 0, length, hash);
      if (index % stepTexts === stepTexts - 1) yield;
    }
  }
  return { codes, dictionary: builder.finish() };
}

/** By code: why it is no tag; empty for the empty text. */
function* problemsOf(
  { count, bytes, offsets }: StringDictionary,
  limits: TokenLimits,
): Generator<undefined, ReadonlyMap<number, string>> {
  const problems = new Map<number, string>();
  let length = 0;
  for (let code = 0; code < count; code += 1) {
    const text = bytes.subarray(offsets[code] ?? 0, offsets[code + 1] ?? 0);
    length += text.length + 64;
    if (text.length === 0) problems.set(code, '');
    else {
      const problem = tokenProblem('tag value', text, limits);
      if (problem !== undefined) problems.set(code, problem.reason);
    }
    if (length < stepBytes) continue;
    length = 0;
    yield;
  }
  return problems;
}
