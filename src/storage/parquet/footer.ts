/**
 * The facts in a file's footer (docs/format/parquet.md, Footer key-values): written with every
 * file, read only for files that no commit names and for repair. Called on encoder threads (write)
 * and wherever files are judged (read); no state.
 */
import { crc32 } from 'node:zlib';
import type { HourSpan } from '../../base/model/commit.ts';
import type { ColumnKind, ColumnRef, PhysicalType } from '../../base/model/schema.ts';
import type { Files } from '../../base/disk/files.ts';
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { readFileMetadata, replaceKeyValues } from './thrift.ts';

/** Version of docs/format/parquet.md that this build writes and reads. */
export const parquetFormat = '1';

export interface FooterFacts {
  readonly fileId: number;
  readonly measurementId: number;
  readonly database: string;
  readonly measurement: string;
  readonly lsns: readonly [number, number];
  readonly part: readonly [index: number, count: number];
  readonly flags: number;
  readonly seqMax: number;
  readonly hours: readonly HourSpan[];
  readonly supersedes: readonly number[];
  readonly rows: number;
  /** As `ColumnBatch.namings`. */
  readonly namings?: number;
  /** Columns of the file after `time`, in file order. */
  readonly columns: readonly ColumnRef[];
}

/** Length field and `PAR1` at the end of a file. */
const trailerBytes = 8;
const magic = Buffer.from('PAR1', 'latin1');

const keys = {
  format: 'holdfast.format',
  measurement: 'holdfast.measurement',
  file: 'holdfast.file',
  columns: 'holdfast.columns',
  check: 'holdfast.check',
} as const;

/** Keys in the order in which the check runs over their values. */
const checkedKeys = [keys.format, keys.measurement, keys.file, keys.columns];

/** CRC-32 of the values, each followed by a line feed, as 8 hex digits. */
function checkOf(values: ReadonlyMap<string, string>): string {
  const text = checkedKeys.map((key) => `${values.get(key) ?? ''}\n`).join('');
  return crc32(text).toString(16).padStart(8, '0');
}

function keyValues(facts: FooterFacts): readonly (readonly [string, string])[] {
  const { fileId, rows, lsns, part, flags, seqMax, hours, supersedes, namings } = facts;
  const file = { id: fileId, rows, lsns, part, flags, seqMax, hours, supersedes, namings };
  const measurement = {
    id: facts.measurementId,
    database: facts.database,
    name: facts.measurement,
  };
  const columns = facts.columns.map(({ kind, spelling, sqlName, physical }) => {
    return { id: physical.id, kind, spelling, sqlName, name: physical.name, type: physical.type };
  });
  const values = new Map([
    [keys.format as string, parquetFormat],
    [keys.measurement, JSON.stringify(measurement)],
    [keys.file, JSON.stringify(file)],
    [keys.columns, JSON.stringify(columns)],
  ]);
  values.set(keys.check, checkOf(values));
  return [...values];
}

/** Splits a Parquet file into its bytes before the footer, and the footer. */
function splitFooter(file: Uint8Array): readonly [body: Uint8Array, footer: Uint8Array] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const end = file.length - trailerBytes;
  const start = end - view.getUint32(end, true);
  return [file.subarray(0, start), file.subarray(start, end)];
}

function trailer(footerBytes: number): Uint8Array {
  const bytes = Buffer.alloc(trailerBytes);
  bytes.writeUInt32LE(footerBytes, 0);
  magic.copy(bytes, 4);
  return bytes;
}

/** Returns `file` as parts to write one after the other, with `entries` as its only key-values. */
export function withKeyValues(
  file: Uint8Array,
  entries: readonly (readonly [key: string, value: string])[],
): readonly Uint8Array[] {
  const [body, footer] = splitFooter(file);
  const changed = replaceKeyValues(footer, entries);
  return [body, changed, trailer(changed.length)];
}

/** Returns `file` as parts to write one after the other, with the facts in its footer. */
export function withFooterFacts(file: Uint8Array, facts: FooterFacts): readonly Uint8Array[] {
  return withKeyValues(file, keyValues(facts));
}

function damaged(path: string, what: string, cause?: unknown): GatewayError {
  return new GatewayError('HF_PARQUET_FOOTER', `${path}: ${what}`, { cause, details: { path } });
}

function readFooterBytes(files: Files, path: string): Uint8Array {
  const file = files.open(path, 'read');
  try {
    const size = file.size();
    const end = Buffer.alloc(trailerBytes);
    if (size < trailerBytes + magic.length || file.read(end, size - trailerBytes) < trailerBytes) {
      throw damaged(path, 'too short for a Parquet file');
    }
    const length = end.readUInt32LE(0);
    const isParquet = end.subarray(4).equals(magic);
    if (!isParquet || length > size - trailerBytes - magic.length) {
      throw damaged(path, 'does not end as a Parquet file does');
    }
    const footer = Buffer.alloc(length);
    if (file.read(footer, size - trailerBytes - length) < length) {
      throw damaged(path, 'shorter than it says');
    }
    return footer;
  } finally {
    file.close();
  }
}

interface ColumnJson {
  id: number;
  kind: ColumnKind;
  spelling: string;
  sqlName: string;
  name: string;
  type: PhysicalType;
}

interface FileJson {
  id: number;
  rows: number;
  lsns: [number, number];
  part: [number, number];
  flags: number;
  seqMax: number;
  hours: HourSpan[];
  supersedes: number[];
  namings?: number;
}

function factsOf(path: string, rows: number, values: ReadonlyMap<string, string>): FooterFacts {
  if (values.get(keys.check) !== checkOf(values)) throw damaged(path, 'its check does not hold');
  const parse = (key: string): unknown => {
    const text = values.get(key);
    if (text === undefined) throw damaged(path, `no key ${key} in its footer`);
    return JSON.parse(text);
  };
  const measurement = parse(keys.measurement) as { id: number; database: string; name: string };
  const { id, ...file } = parse(keys.file) as FileJson;
  if (file.rows !== rows) throw damaged(path, `${rows} rows where ${file.rows} were written`);
  const columns = (parse(keys.columns) as ColumnJson[]).map((column) => {
    const { kind, spelling, sqlName, name, type } = column;
    return { kind, spelling, sqlName, physical: { id: column.id, name, type } };
  });
  return {
    fileId: id,
    ...file,
    measurementId: measurement.id,
    database: measurement.database,
    measurement: measurement.name,
    columns,
  };
}

/**
 * Returns what the footer of the file at `path` says. Throws HF_PARQUET_FOOTER if it is damaged or
 * not one of ours, HF_FORMAT_NEWER if a later build wrote it.
 */
export function readFooterFacts(files: Files, path: string): FooterFacts {
  const { rows, keyValues: values } = readFileMetadata(readFooterBytes(files, path));
  const format = values.get(keys.format);
  if (format === undefined) throw damaged(path, 'not written by Holdfast');
  if (format === '0') throw damaged(path, 'format 0, from before the first release');
  if (format !== parquetFormat) {
    const message = `${path}: format ${format}, this build reads ${parquetFormat}`;
    throw new GatewayError('HF_FORMAT_NEWER', message, {
      details: { path, format },
    });
  }
  try {
    return factsOf(path, rows, values);
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw damaged(path, 'key-values cannot be read', error);
  }
}
