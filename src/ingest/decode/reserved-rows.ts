/**
 * Rows of the measurements that Holdfast files for itself, as batches that ride in the WAL record
 * of a request, and back. They are few beside the rows of senders, so they come as plain lists.
 */
import type { ColumnBatch, ColumnValues } from '../../base/model/column-batch.ts';
import { assert } from '../../base/lib/assert.ts';
import type { ColumnRef } from '../../base/model/schema.ts';
import type { ReservedForm, ReservedTable } from '../../storage/catalog/reserved-tables.ts';
import type { SchemaRegistry } from '../../storage/catalog/schema-registry.ts';
import { byteSpace, hashBytes } from './bytes.ts';
import { DictionaryBuilder } from './dictionary-builder.ts';

type ValueOf<Form> = Form extends 'string' ? string : Form extends 'boolean' ? boolean : number;

/** Values by column, one per row; undefined where a row has none. */
export type ReservedValues<Table extends ReservedTable> = {
  readonly [Name in keyof Table['columns']]: readonly (
    | ValueOf<Table['columns'][Name]>
    | undefined
  )[];
};

type Values = readonly (string | number | boolean | undefined)[];

/** `rowCount` rows of `table`, at least one, all at the time `nowUs`; without identity. */
export function reservedBatch<Table extends ReservedTable>(
  registry: SchemaRegistry,
  table: Table,
  { nowUs, rowCount }: { readonly nowUs: number; readonly rowCount: number },
  values: ReservedValues<Table>,
): ColumnBatch {
  const entry = registry.reserved(table.id);
  const columns: ColumnValues[] = [];
  for (const [spelling, form] of Object.entries(table.columns)) {
    const ref = entry.column({ kind: 'field', spelling, form });
    assert(!('reason' in ref), `column ${spelling} of ${entry.name} has another type`);
    const given: Values = values[spelling] ?? [];
    if (given.some((value) => value !== undefined)) columns.push(columnOf(ref, form, given));
  }
  return {
    measurementId: entry.id,
    database: entry.database,
    measurement: entry.name,
    hasIdentity: false,
    rowCount,
    times: new BigInt64Array(rowCount).fill(BigInt(Math.floor(nowUs))),
    columns: columns.sort((a, b) => a.column.physical.id - b.column.physical.id),
  };
}

function columnOf(column: ColumnRef, form: ReservedForm, given: Values): ColumnValues {
  const present = [...given.keys()].filter((row) => given[row] !== undefined);
  const rows = present.length === given.length ? undefined : Uint32Array.from(present);
  const own = present.map((row) => given[row]);
  switch (form) {
    case 'string':
      return { column, rows, ...codesOf(own.map(String)) };
    case 'integerExact': {
      const values = BigInt64Array.from(own, (value) => BigInt(Number(value)));
      return { column, rows, values, dictionary: undefined };
    }
    case 'boolean': {
      const values = Uint8Array.from(own, (value) => (value === true ? 1 : 0));
      return { column, rows, values, dictionary: undefined };
    }
  }
}

function codesOf(texts: readonly string[]): Pick<ColumnValues, 'values' | 'dictionary'> {
  const dictionary = new DictionaryBuilder();
  const values = new Uint32Array(texts.length);
  let text: string | undefined;
  let code = 0;
  for (const [row, each] of texts.entries()) {
    if (each !== text) {
      text = each;
      const space = byteSpace(new TextEncoder().encode(each));
      const { length } = space.bytes;
      code = dictionary.code(space, 0, length, hashBytes(space, 0, length, 0));
    }
    values[row] = code;
  }
  return { values, dictionary: dictionary.finish() };
}

/** The texts of a column of strings by row; undefined where a row has none. */
export function textsOf(batch: ColumnBatch, spelling: string): readonly (string | undefined)[] {
  const texts = new Array<string | undefined>(batch.rowCount).fill(undefined);
  const found = batch.columns.find(({ column }) => column.spelling === spelling);
  const dictionary = found?.dictionary;
  if (found === undefined || dictionary === undefined) return texts;
  for (let index = 0; index < found.values.length; index += 1) {
    const code = Number(found.values[index]);
    const bytes = dictionary.bytes.subarray(
      dictionary.offsets[code] ?? 0,
      dictionary.offsets[code + 1] ?? 0,
    );
    const { buffer, byteOffset, length } = bytes;
    // The memory may be shared, and used again: the text is a copy.
    const text = Buffer.from(buffer as ArrayBuffer, byteOffset, length).toString('utf8');
    texts[found.rows?.[index] ?? index] = text;
  }
  return texts;
}
