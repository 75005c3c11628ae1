/**
 * Rejected lines as rows of the reserved measurement for dead letters (`_internal.dead_letters`):
 * they ride in the WAL record of their request and are filed like any other row. The columns hold
 * what is needed to list them, to export them and to write them once more.
 */
import type {
  ColumnArray,
  ColumnBatch,
  ColumnValues,
  StringDictionary,
} from '../../base/model/column-batch.ts';
import { assert } from '../../base/lib/assert.ts';
import { reservedMeasurements, type ColumnRef } from '../../base/model/schema.ts';
import type { MeasurementEntry } from '../../storage/catalog/measurement-entry.ts';
import type { ValueForm } from '../../storage/catalog/number-parts.ts';
import type { SchemaRegistry } from '../../storage/catalog/schema-registry.ts';
import { byteSpace, hashBytes } from './bytes.ts';
import { DictionaryBuilder } from './dictionary-builder.ts';
import type { Precision, Rejection } from './types.ts';

/** Where the rejected lines came from; replaying them needs all of it but the sender. */
export interface RejectedRequest {
  readonly dialect: string;
  readonly database: string;
  readonly precision: Precision;
  /** Address and user agent. */
  readonly sender: string;
}

/**
 * One row per rejection, at the time of arrival; at least one rejection. `raw` holds, in base64,
 * texts that are not UTF-8.
 */
export function rejectedBatch(
  registry: SchemaRegistry,
  rejected: readonly Rejection[],
  request: RejectedRequest,
  nowUs: number,
): ColumnBatch {
  const entry = registry.reserved(reservedMeasurements.deadLetters);
  const all = undefined;
  const columns = [
    strings(entry, 'database', fill(rejected, request.database), all),
    strings(entry, 'dialect', fill(rejected, request.dialect), all),
    integers(entry, 'line', rejected, ({ line }) => line),
    integers(entry, 'lines', rejected, ({ count }) => count),
    strings(
      entry,
      'kind',
      rejected.map(({ kind }) => kind),
      all,
    ),
    strings(
      entry,
      'reason',
      rejected.map(({ reason }) => reason),
      all,
    ),
    strings(
      entry,
      'text',
      rejected.map(({ text }) => text),
      all,
    ),
    strings(entry, 'sender', fill(rejected, request.sender), all),
    strings(entry, 'precision', fill(rejected, request.precision), all),
  ];
  const withRaw = rejected.flatMap(({ raw }, row) => (raw === undefined ? [] : [{ raw, row }]));
  if (withRaw.length > 0) {
    const texts = withRaw.map(({ raw }) => Buffer.from(raw).toString('base64'));
    columns.push(
      strings(
        entry,
        'raw',
        texts,
        Uint32Array.from(withRaw, ({ row }) => row),
      ),
    );
  }
  return {
    measurementId: entry.id,
    database: entry.database,
    measurement: entry.name,
    hasIdentity: false,
    rowCount: rejected.length,
    times: new BigInt64Array(rejected.length).fill(BigInt(Math.floor(nowUs))),
    columns: columns.sort((a, b) => a.column.physical.id - b.column.physical.id),
  };
}

function fill(rejected: readonly Rejection[], text: string): readonly string[] {
  return new Array<string>(rejected.length).fill(text);
}

function columnOf(entry: MeasurementEntry, spelling: string, form: ValueForm): ColumnRef {
  const ref = entry.column({ kind: 'field', spelling, form });
  assert(!('reason' in ref), `column ${spelling} of ${entry.name} has another type`);
  return ref;
}

function column(
  ref: ColumnRef,
  values: ColumnArray,
  rows: Uint32Array | undefined,
  dictionary: StringDictionary | undefined,
): ColumnValues {
  return { column: ref, values, rows, dictionary };
}

function integers(
  entry: MeasurementEntry,
  spelling: string,
  rejected: readonly Rejection[],
  value: (rejection: Rejection) => number,
): ColumnValues {
  const values = BigInt64Array.from(rejected, (rejection) => BigInt(value(rejection)));
  return column(columnOf(entry, spelling, 'integerExact'), values, undefined, undefined);
}

function strings(
  entry: MeasurementEntry,
  spelling: string,
  texts: readonly string[],
  rows: Uint32Array | undefined,
): ColumnValues {
  const dictionary = new DictionaryBuilder();
  const codes = new Uint32Array(texts.length);
  let text: string | undefined;
  let code = 0;
  for (const [row, each] of texts.entries()) {
    if (each !== text) {
      text = each;
      const space = byteSpace(new TextEncoder().encode(each));
      const length = space.bytes.length;
      code = dictionary.code(space, 0, length, hashBytes(space, 0, length, 0));
    }
    codes[row] = code;
  }
  return column(columnOf(entry, spelling, 'string'), codes, rows, dictionary.finish());
}
