/**
 * Commits and snapshots as bytes: the payload of a journal record is UTF-8 JSON with a version
 * (docs/format/journal.md). The number of a commit is that of its record and not in the payload.
 *
 * I1. What `encodeCommit` and `encodeSnapshot` give, `decodePayload` reads back unchanged.
 * I2. A version or key that this build does not know is refused: to pass over it could lose a file.
 *
 * Called by the committer (commit thread) and by whoever reads a journal offline. Pure.
 */
import { GatewayError } from '../../base/errors/gateway-error.ts';
import type {
  CatalogState,
  ColumnAddition,
  CommitProposal,
  DatabaseTags,
  FileFacts,
  FileRemoval,
  KindChange,
  MeasurementAddition,
  RemoveReason,
} from '../../base/model/commit.ts';
import type { ColumnKind, PhysicalType } from '../../base/model/schema.ts';

/** Version of the payload that this build writes, and the only one that it reads. */
export const journalVersion = 1;

/** A file that is removed and not yet unlinked. */
export type RemovedFile = CatalogState['removed'][number];

export type JournalPayload =
  | { readonly type: 'commit'; readonly proposal: CommitProposal }
  | { readonly type: 'snapshot'; readonly state: CatalogState };

/** Returns the payload of a commit record; absent and empty lists are left out. */
export function encodeCommit(proposal: CommitProposal): Uint8Array {
  const json = {
    v: journalVersion,
    kind: proposal.kind,
    adds: mapped(proposal.adds, fileToJson),
    removes: mapped(proposal.removes, ({ id, reason }) => ({ id, reason })),
    databases: mapped(proposal.databases, (name) => name),
    measurements: mapped(proposal.measurements, measurementToJson),
    columns: mapped(proposal.columns, columnToJson),
    kinds: mapped(proposal.kinds, ({ measurementId, logical, kind, columnar, tagSince }) => ({
      measurement: measurementId,
      logical,
      kind,
      columnar,
      tagSince,
    })),
    identified: mapped(proposal.identified, (id) => id),
    databaseTags: mapped(proposal.databaseTags, tagsToJson),
    positions: mapped(proposal.positions, ([id, lsn]) => [id, lsn]),
    lowWater: proposal.lowWater,
    fileIdsTo: proposal.fileIdsTo,
  };
  return Buffer.from(JSON.stringify(json), 'utf8');
}

/** Returns the payload of a snapshot record. */
export function encodeSnapshot(state: CatalogState): Uint8Array {
  const json = {
    v: journalVersion,
    kind: 'snapshot',
    commit: state.commit,
    databases: state.databases,
    measurements: state.measurements.map(measurementToJson),
    columns: state.columns.map(columnToJson),
    files: state.files.map(fileToJson),
    removed: state.removed.map((file) => ({
      ...fileToJson(file),
      removedAt: file.removedAt,
      reason: file.reason,
    })),
    identified: mapped(state.identified, (id) => id),
    databaseTags: mapped(state.databaseTags, tagsToJson),
    positions: state.positions,
    lowWater: state.lowWater,
    fileIdsTo: state.fileIdsTo,
  };
  return Buffer.from(JSON.stringify(json), 'utf8');
}

/**
 * Returns what a journal record says.
 * @throws HF_FORMAT_NEWER if the version or a key is not one of this build's,
 * HF_JOURNAL_RECORD_BAD if a value makes no sense.
 */
export function decodePayload(payload: Uint8Array): JournalPayload {
  const fields = new Fields(parse(payload), 'record');
  const version = fields.number('v');
  if (version < journalVersion) throw refused(`record of format ${version}`);
  if (version > journalVersion) {
    const message = `commit journal of format ${version}; this build reads ${journalVersion}`;
    throw new GatewayError('HF_FORMAT_NEWER', message, { details: { version } });
  }
  const kind = fields.oneOf('kind', payloadKinds);
  if (kind === 'snapshot') return { type: 'snapshot', state: decodeState(fields) };
  return { type: 'commit', proposal: decodeProposal(kind, fields) };
}

type CommitKind = CommitProposal['kind'];

const payloadKinds: readonly (CommitKind | 'snapshot')[] = [
  'flush',
  'job',
  'schema',
  'ids',
  'mark',
  'snapshot',
];
const removeReasons: readonly RemoveReason[] = [
  'compact',
  'merge',
  'rewrite',
  'delete',
  'retention',
  'drop',
  'lost',
];
const columnKinds: readonly ColumnKind[] = ['tag', 'field', 'unknown'];
const physicalTypes: readonly PhysicalType[] = ['int64', 'double', 'boolean', 'string', 'uint64'];

function mapped<T, R>(list: readonly T[] | undefined, map: (item: T) => R): R[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list.map((item) => map(item));
}

function fileToJson(file: FileFacts): Record<string, unknown> {
  return {
    id: file.id,
    measurement: file.measurementId,
    path: file.path,
    sha256: file.sha256,
    bytes: file.bytes,
    rows: file.rows,
    hours: file.hours,
    flags: file.flags,
    lsns: file.lsns,
    part: file.part,
    seqMax: file.seqMax,
    columns: file.columns,
    namings: file.namings,
  };
}

function measurementToJson({ id, database, name }: MeasurementAddition): Record<string, unknown> {
  return { id, database, name };
}

function tagsToJson({ database, tags }: DatabaseTags): Record<string, unknown> {
  return { database, tags };
}

function columnToJson(column: ColumnAddition): Record<string, unknown> {
  return {
    measurement: column.measurementId,
    column: column.columnId,
    logical: column.logical,
    kind: column.kind,
    spelling: column.spelling,
    sqlName: column.sqlName,
    columnar: column.columnar,
    tagSince: column.tagSince,
    name: column.name,
    type: column.type,
  };
}

function decodeState(fields: Fields): CatalogState {
  const state: CatalogState = {
    commit: fields.number('commit'),
    databases: fields.strings('databases') ?? [],
    measurements: fields.list('measurements', measurementFromJson) ?? [],
    columns: fields.list('columns', columnFromJson) ?? [],
    files: fields.list('files', fileFromJson) ?? [],
    removed: fields.list('removed', removedFromJson) ?? [],
    identified: fields.numbers('identified') ?? [],
    databaseTags: fields.list('databaseTags', tagsFromJson) ?? [],
    positions: fields.pairs('positions') ?? [],
    lowWater: fields.number('lowWater'),
    fileIdsTo: fields.number('fileIdsTo'),
  };
  fields.end();
  return state;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function decodeProposal(kind: CommitKind, fields: Fields): CommitProposal {
  const proposal: Writable<CommitProposal> = { kind };
  const adds = fields.list('adds', fileFromJson);
  if (adds !== undefined) proposal.adds = adds;
  const removes = fields.list('removes', removalFromJson);
  if (removes !== undefined) proposal.removes = removes;
  const databases = fields.strings('databases');
  if (databases !== undefined) proposal.databases = databases;
  const measurements = fields.list('measurements', measurementFromJson);
  if (measurements !== undefined) proposal.measurements = measurements;
  const columns = fields.list('columns', columnFromJson);
  if (columns !== undefined) proposal.columns = columns;
  const kinds = fields.list('kinds', kindFromJson);
  if (kinds !== undefined) proposal.kinds = kinds;
  const identified = fields.numbers('identified');
  if (identified !== undefined) proposal.identified = identified;
  const databaseTags = fields.list('databaseTags', tagsFromJson);
  if (databaseTags !== undefined) proposal.databaseTags = databaseTags;
  const positions = fields.pairs('positions');
  if (positions !== undefined) proposal.positions = positions;
  if (fields.has('lowWater')) proposal.lowWater = fields.number('lowWater');
  if (fields.has('fileIdsTo')) proposal.fileIdsTo = fields.number('fileIdsTo');
  fields.end();
  return proposal;
}

function fileFacts(fields: Fields): FileFacts {
  return {
    id: fields.number('id'),
    measurementId: fields.number('measurement'),
    path: fields.text('path'),
    sha256: fields.text('sha256'),
    bytes: fields.number('bytes'),
    rows: fields.number('rows'),
    hours: fields.list('hours', tripleFromJson) ?? [],
    flags: fields.number('flags'),
    lsns: fields.pair('lsns'),
    part: fields.pair('part'),
    seqMax: fields.number('seqMax'),
    columns: fields.pairs('columns') ?? [],
    ...fields.optional('namings'),
  };
}

function fileFromJson(json: unknown): FileFacts {
  const fields = new Fields(json, 'file');
  const facts = fileFacts(fields);
  fields.end();
  return facts;
}

function removedFromJson(json: unknown): RemovedFile {
  const fields = new Fields(json, 'removed file');
  const facts = fileFacts(fields);
  const removedAt = fields.number('removedAt');
  const reason = fields.oneOf('reason', removeReasons);
  fields.end();
  return { ...facts, removedAt, reason };
}

function removalFromJson(json: unknown): FileRemoval {
  const fields = new Fields(json, 'removal');
  const removal = { id: fields.number('id'), reason: fields.oneOf('reason', removeReasons) };
  fields.end();
  return removal;
}

function measurementFromJson(json: unknown): MeasurementAddition {
  const fields = new Fields(json, 'measurement');
  const addition = {
    id: fields.number('id'),
    database: fields.text('database'),
    name: fields.text('name'),
  };
  fields.end();
  return addition;
}

function columnFromJson(json: unknown): ColumnAddition {
  const fields = new Fields(json, 'column');
  const addition = {
    measurementId: fields.number('measurement'),
    columnId: fields.number('column'),
    logical: fields.number('logical'),
    kind: fields.oneOf('kind', columnKinds),
    spelling: fields.text('spelling'),
    sqlName: fields.text('sqlName'),
    ...fields.mark('columnar'),
    ...fields.optional('tagSince'),
    name: fields.text('name'),
    type: fields.oneOf('type', physicalTypes),
  };
  fields.end();
  return addition;
}

function kindFromJson(json: unknown): KindChange {
  const fields = new Fields(json, 'kind');
  const change = {
    measurementId: fields.number('measurement'),
    logical: fields.number('logical'),
    kind: fields.oneOf('kind', columnKinds),
    ...fields.mark('columnar'),
    ...fields.optional('tagSince'),
  };
  fields.end();
  return change;
}

function tagsFromJson(json: unknown): DatabaseTags {
  const fields = new Fields(json, 'tags of a database');
  const added = { database: fields.text('database'), tags: fields.strings('tags') ?? [] };
  fields.end();
  return added;
}

function pairFromJson(json: unknown): readonly [number, number] {
  if (!isIntegers(json, 2)) throw refused('a pair of integers is malformed');
  return json as [number, number];
}

function tripleFromJson(json: unknown): readonly [number, number, number] {
  if (!isIntegers(json, 3)) throw refused('a triple of integers is malformed');
  return json as [number, number, number];
}

function isIntegers(json: unknown, count: number): boolean {
  return Array.isArray(json) && json.length === count && json.every(Number.isSafeInteger);
}

function parse(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload));
  } catch (error) {
    throw refused('payload is not JSON', error);
  }
}

function refused(message: string, cause?: unknown): GatewayError {
  const options = cause === undefined ? {} : { cause };
  return new GatewayError('HF_JOURNAL_RECORD_BAD', `commit journal: ${message}`, options);
}

/** One JSON object, read key by key; `end` refuses keys that nobody asked for. */
class Fields {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #what: string;
  #taken = 0;

  constructor(json: unknown, what: string) {
    if (json === null || typeof json !== 'object' || Array.isArray(json)) {
      throw refused(`${what} is not an object`);
    }
    this.#fields = json as Record<string, unknown>;
    this.#what = what;
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#fields, key);
  }

  number(key: string): number {
    const value = this.#take(key);
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw this.#malformed(key);
    return value;
  }

  text(key: string): string {
    const value = this.#take(key);
    if (typeof value !== 'string') throw this.#malformed(key);
    return value;
  }

  oneOf<T extends string>(key: string, allowed: readonly T[]): T {
    const value = this.text(key) as T;
    if (!allowed.includes(value)) throw this.#malformed(key);
    return value;
  }

  /** A key that is true or not there. */
  mark<K extends string>(key: K): { readonly [key in K]?: true } {
    if (!this.has(key)) return {};
    if (this.#take(key) !== true) throw this.#malformed(key);
    return { [key]: true } as { readonly [key in K]?: true };
  }

  /** A number that may be missing. */
  optional<K extends string>(key: K): { readonly [key in K]?: number } {
    return this.has(key) ? ({ [key]: this.number(key) } as { readonly [key in K]: number }) : {};
  }

  pair(key: string): readonly [number, number] {
    return pairFromJson(this.#take(key));
  }

  list<T>(key: string, read: (json: unknown) => T): readonly T[] | undefined {
    if (!this.has(key)) return undefined;
    const value = this.#take(key);
    if (!Array.isArray(value)) throw this.#malformed(key);
    return value.map((item) => read(item));
  }

  strings(key: string): readonly string[] | undefined {
    return this.list(key, (item) => {
      if (typeof item !== 'string') throw this.#malformed(key);
      return item;
    });
  }

  numbers(key: string): readonly number[] | undefined {
    return this.list(key, (item) => {
      if (!Number.isSafeInteger(item)) throw this.#malformed(key);
      return item as number;
    });
  }

  pairs(key: string): readonly (readonly [number, number])[] | undefined {
    return this.list(key, pairFromJson);
  }

  end(): void {
    if (Object.keys(this.#fields).length === this.#taken) return;
    const keys = Object.keys(this.#fields);
    throw new GatewayError('HF_FORMAT_NEWER', `commit journal, ${this.#what}: unknown key`, {
      details: { keys },
    });
  }

  #take(key: string): unknown {
    if (this.has(key)) this.#taken++;
    return this.#fields[key];
  }

  #malformed(key: string): GatewayError {
    return refused(`${this.#what}: "${key}" is missing or malformed`);
  }
}
