/**
 * Parquet files read by engines that are not ours, as plain values: DuckDB in this process, and
 * pyarrow in a Python of its own (kept in a cache folder, set up on first use).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { DuckDBInstance } from '@duckdb/node-api';
import type { Value } from './row-sets.ts';

export interface ReadBack {
  readonly columns: readonly string[];
  readonly types: readonly string[];
  /** Times and integers as bigint, in file order. */
  readonly rows: readonly (readonly Value[])[];
}

function plainValue(value: unknown): Value {
  if (value === null || typeof value !== 'object') return value as Value;
  if ('micros' in value) return value.micros as bigint;
  // DuckDB's decimals: an integer and a scale, which is 0 here.
  return (value as { value: bigint }).value;
}

/** Reads all rows with DuckDB, in file order. */
export async function readWithDuckdb(path: string): Promise<ReadBack> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  try {
    const quoted = path.replaceAll("'", "''");
    const reader = await connection.runAndReadAll(`SELECT * FROM read_parquet('${quoted}')`);
    return {
      columns: reader.columnNames(),
      types: reader.columnTypes().map(String),
      rows: reader.getRows().map((row) => row.map(plainValue)),
    };
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

const pythonFolder = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'holdfast-test',
  'pyarrow',
);

/** Returns the Python that has pyarrow, or the reason why there is none. */
export function pyarrowPython(): { readonly python: string } | { readonly absent: string } {
  const python = join(pythonFolder, 'bin', 'python');
  const works = () => spawnSync(python, ['-c', 'import pyarrow']).status === 0;
  if (existsSync(python) && works()) return { python };
  mkdirSync(dirname(pythonFolder), { recursive: true });
  const steps: readonly (readonly [string, readonly string[]])[] = [
    ['python3', ['-m', 'venv', pythonFolder]],
    [python, ['-m', 'pip', 'install', '--quiet', 'pyarrow']],
  ];
  for (const [program, words] of steps) {
    const { status, stderr, error } = spawnSync(program, words, { encoding: 'utf8' });
    if (status === 0) continue;
    const last = error?.message ?? stderr.trim().split('\n').at(-1) ?? '';
    return { absent: `pyarrow from PyPI (${program}: ${last})` };
  }
  return works() ? { python } : { absent: 'pyarrow from PyPI (installed, but import fails)' };
}

const script = `
import json, sys
import pyarrow as pa, pyarrow.parquet as pq

def tagged(values, form):
    return [None if value is None else form(value) for value in values]

def plain(column):
    kind = column.type
    if pa.types.is_timestamp(kind):
        column, kind = column.cast(pa.int64()), pa.int64()
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return tagged(column.to_pylist(), lambda value: 'i%d' % value)
    if pa.types.is_floating(kind):
        return tagged(column.to_pylist(), lambda value: 'f' + value.hex())
    return column.to_pylist()

file = pq.ParquetFile(sys.argv[1])
table = file.read()
group = file.metadata.row_group(0)
chunks = [group.column(index) for index in range(file.metadata.num_columns)]
json.dump({
    'columns': table.column_names,
    'types': [str(field.type) for field in table.schema],
    'values': [plain(column) for column in table.columns],
    'meta': {k.decode(): v.decode() for k, v in (file.metadata.metadata or {}).items()},
    'rowGroups': file.metadata.num_row_groups,
    'encodings': [list(chunk.encodings) for chunk in chunks],
    'compression': [chunk.compression for chunk in chunks],
    'pageIndex': [chunk.has_column_index for chunk in chunks],
}, sys.stdout)
`;

interface PyarrowJson {
  columns: string[];
  types: string[];
  values: (string | number | boolean | null)[][];
  meta: Record<string, string>;
  rowGroups: number;
  encodings: string[][];
  compression: string[];
  pageIndex: boolean[];
}

/** Python's exact hexadecimal form of a double. */
function fromHex(text: string): number {
  const match = /^(-?)0x([01])\.?([0-9a-f]*)p([+-]\d+)$/.exec(text);
  if (match === null) throw new Error(`no double: ${text}`);
  const [, sign, whole, fraction = '', exponent] = match;
  const digits = BigInt(`0x${whole ?? ''}${fraction}`);
  const scale = Number(exponent) - 4 * fraction.length;
  const size = Number(digits) * 2 ** Math.max(scale, -1000) * 2 ** Math.min(scale + 1000, 0);
  return sign === '-' ? -size : size;
}

function fromPython(value: string | number | boolean | null, type: string): Value {
  if (typeof value !== 'string') return value;
  if (type === 'double') return fromHex(value.slice(1));
  const integer = type.startsWith('timestamp') || type.startsWith('int') || type.startsWith('dec');
  return integer ? BigInt(value.slice(1)) : value;
}

/** Reads all rows with pyarrow, in file order, and what its metadata says. */
export function readWithPyarrow(
  python: string,
  path: string,
): ReadBack & Omit<PyarrowJson, 'values'> {
  const output = execFileSync(python, ['-c', script, path], { maxBuffer: 2 ** 30 });
  const { values, ...read } = JSON.parse(output.toString('utf8')) as PyarrowJson;
  const rowCount = values[0]?.length ?? 0;
  const rows = Array.from({ length: rowCount }, (_, row) => {
    return values.map((column, index) => fromPython(column[row] ?? null, read.types[index] ?? ''));
  });
  return { ...read, rows };
}
