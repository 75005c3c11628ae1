/**
 * The messages of an Arrow IPC stream as their metadata describes them (Arrow's Message.fbs and
 * Schema.fbs, versions 4 and 5). Nothing here knows what is stored, nor trusts a buffer's place:
 * that is checked against the body by who reads it (batch-buffers.ts).
 */
import { arrowFault, FlatTable } from './flat-table.ts';

export type TimestampUnit = 's' | 'ms' | 'us' | 'n';

/** Types whose values can be read; `other` are those that cannot. */
export type ArrowType =
  | { readonly name: 'null' | 'bool' }
  | { readonly name: 'int'; readonly bits: 8 | 16 | 32 | 64; readonly isSigned: boolean }
  | { readonly name: 'float'; readonly bits: 16 | 32 | 64 }
  | { readonly name: 'text'; readonly layout: 'offsets32' | 'offsets64' | 'views' }
  | { readonly name: 'timestamp'; readonly unit: TimestampUnit }
  | { readonly name: 'date'; readonly unit: 'day' | 'ms' }
  | { readonly name: 'other'; readonly text: string };

export interface ArrowField {
  readonly name: string;
  readonly type: ArrowType;
  /** The values are indexes, of that type, into the dictionary of that number. */
  readonly dictionary: { readonly id: number; readonly indexes: ArrowType } | undefined;
  readonly metadata: ReadonlyMap<string, string>;
}

export interface ArrowSchema {
  readonly kind: 'schema';
  readonly fields: readonly ArrowField[];
  readonly metadata: ReadonlyMap<string, string>;
}

/** Rows: per column a node and some buffers, one behind the other. */
export interface ArrowBatch {
  readonly kind: 'batch';
  readonly rowCount: number;
  /** Length and count of nulls, by turns. */
  readonly nodes: Float64Array;
  /** Offset in the body and length, by turns. */
  readonly buffers: Float64Array;
  /** Buffers of texts of each column of views. */
  readonly variadic: Float64Array;
  readonly compression: string | undefined;
}

export interface ArrowDictionaryBatch {
  readonly kind: 'dictionary';
  readonly id: number;
  /** True if its values come behind those that are there. */
  readonly isDelta: boolean;
  readonly batch: ArrowBatch;
}

export type ArrowMessage = (ArrowSchema | ArrowBatch | ArrowDictionaryBatch) & {
  readonly bodyLength: number;
};

/** The fourth and the fifth version, by the numbers that stand for them. */
const versions = [3, 4];

const schemaHeader = 1;
const dictionaryHeader = 2;
const batchHeader = 3;

/** Fields of a schema between two chances for a pause. */
const stepFields = 256;

/** Pairs of words that a schema, or a field of it, may have; real ones have a few. */
const pairsMax = 1024;

/**
 * The message whose metadata `bytes` are. Of a schema at most `fieldsMax` fields are read. Yields
 * for pauses.
 * @throws HF_BODY_UNREADABLE
 */
export function* readMessage(
  bytes: Uint8Array,
  fieldsMax: number,
): Generator<undefined, ArrowMessage> {
  const message = FlatTable.root(bytes);
  if (!versions.includes(message.int16(0))) throw arrowFault('another version of Arrow');
  const header = message.table(2);
  const bodyLength = message.int64(3);
  if (header === undefined) throw arrowFault('no header');
  if (bodyLength < 0) throw arrowFault(`a body of ${bodyLength} bytes`);
  switch (message.uint8(1)) {
    case schemaHeader:
      return { ...(yield* schemaOf(header, fieldsMax)), bodyLength };
    case dictionaryHeader: {
      const data = header.table(1);
      if (data === undefined) throw arrowFault('a dictionary without values');
      const isDelta = header.uint8(2) !== 0;
      return { kind: 'dictionary', id: header.int64(0), isDelta, batch: batchOf(data), bodyLength };
    }
    case batchHeader:
      return { ...batchOf(header), bodyLength };
    default:
      throw arrowFault('neither a schema nor rows nor a dictionary');
  }
}

/**
 * The schema in the footer of a file: some writers leave it out at the head. Yields for pauses.
 * @throws HF_BODY_UNREADABLE
 */
export function* readFooter(
  bytes: Uint8Array,
  fieldsMax: number,
): Generator<undefined, ArrowSchema> {
  const schema = FlatTable.root(bytes).table(1);
  if (schema === undefined) throw arrowFault('a footer without a schema');
  return yield* schemaOf(schema, fieldsMax);
}

function* schemaOf(header: FlatTable, fieldsMax: number): Generator<undefined, ArrowSchema> {
  if (header.int16(0) !== 0) throw arrowFault('big-endian values, which are not taken');
  const fields: ArrowField[] = [];
  for (const field of header.tables(1)) {
    if (fields.length === fieldsMax) {
      throw arrowFault(`max columns per measurement exceeded: ${fieldsMax - 1}`);
    }
    fields.push(fieldOf(field));
    if (fields.length % stepFields === 0) yield;
  }
  return { kind: 'schema', fields, metadata: pairsOf(header, 2) };
}

function fieldOf(field: FlatTable): ArrowField {
  const encoding = field.table(4);
  const indexes = encoding?.table(1);
  const dictionary = encoding && {
    id: encoding.int64(0),
    indexes: indexes === undefined ? defaultIndexes : intOf(indexes),
  };
  return {
    name: field.text(0) ?? '',
    type: typeOf(field),
    dictionary,
    metadata: pairsOf(field, 6),
  };
}

const defaultIndexes: ArrowType = { name: 'int', bits: 32, isSigned: true };

function pairsOf(table: FlatTable, slot: number): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  for (const pair of table.tables(slot)) {
    if (pairs.size === pairsMax) throw arrowFault(`more than ${pairsMax} words in its metadata`);
    pairs.set(pair.text(0) ?? '', pair.text(1) ?? '');
  }
  return pairs;
}

function batchOf(header: FlatTable): ArrowBatch {
  const rowCount = header.int64(0);
  if (rowCount < 0) throw arrowFault(`${rowCount} rows`);
  const compression = header.table(3);
  return {
    kind: 'batch',
    rowCount,
    nodes: header.integers(1, 2),
    buffers: header.integers(2, 2),
    variadic: header.integers(4, 1),
    compression: compression && (compression.uint8(0) === 0 ? 'lz4' : 'zstd'),
  };
}

/** Names of types by the numbers that stand for them. */
const typeNames = [
  ...['none', 'null', 'int', 'float', 'binary', 'utf8', 'bool', 'decimal', 'date', 'time'],
  ...['timestamp', 'interval', 'list', 'struct', 'union', 'fixed_size_binary', 'fixed_size_list'],
  ...['map', 'duration', 'large_binary', 'large_utf8', 'large_list', 'run_end_encoded'],
  ...['binary_view', 'utf8_view', 'list_view', 'large_list_view'],
];

const timestampUnits: readonly TimestampUnit[] = ['s', 'ms', 'us', 'n'];
const floatBits = [16, 32, 64] as const;

function typeOf(field: FlatTable): ArrowType {
  const number = field.uint8(2);
  const name = typeNames[number] ?? `type ${number}`;
  const other: ArrowType = { name: 'other', text: name };
  const table = field.table(3);
  switch (name) {
    case 'null':
    case 'bool':
      return { name };
    case 'binary':
    case 'utf8':
      return { name: 'text', layout: 'offsets32' };
    case 'large_binary':
    case 'large_utf8':
      return { name: 'text', layout: 'offsets64' };
    case 'binary_view':
    case 'utf8_view':
      return { name: 'text', layout: 'views' };
    case 'int':
      return table === undefined ? other : intOf(table);
    case 'float': {
      const bits = floatBits[table?.int16(0) ?? -1];
      return bits === undefined ? other : { name: 'float', bits };
    }
    case 'timestamp': {
      const unit = timestampUnits[table?.int16(0) ?? -1];
      return unit === undefined ? other : { name: 'timestamp', unit };
    }
    case 'date':
      return { name: 'date', unit: table?.int16(0, 1) === 0 ? 'day' : 'ms' };
    default:
      return other;
  }
}

function intOf(table: FlatTable): ArrowType {
  const bits = table.int32(0);
  const isSigned = table.uint8(1) !== 0;
  if (bits === 8 || bits === 16 || bits === 32 || bits === 64) {
    return { name: 'int', bits, isSigned };
  }
  return { name: 'other', text: `int of ${bits} bits` };
}
