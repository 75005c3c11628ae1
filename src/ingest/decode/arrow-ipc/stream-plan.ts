/**
 * What the columns of a stream are, and which measurement its rows belong to: decided once, from
 * the schema and from what the request says beside it. What the request says goes first.
 */
import type { ColumnKind } from '../../../base/model/schema.ts';
import type { TableTerms } from '../types.ts';
import { arrowFault } from './flat-table.ts';
import type { ArrowField, ArrowSchema } from './metadata.ts';
import { timeTypeProblem } from './read-times.ts';

export interface StreamColumn {
  readonly field: ArrowField;
  readonly role: ColumnKind | 'time';
}

export interface StreamPlan {
  readonly measurement: string;
  /** True if the tags are named: the rows have identity (commit-protocol P17). */
  readonly namesTags: boolean;
  readonly columns: readonly StreamColumn[];
}

/** InfluxDB 3 marks the columns of its answers like this. */
const columnTypeKey = 'iox::column::type';
const tagType = 'iox::column_type::tag';
const measurementKeys = ['measurement', 'iox::measurement::name'];

/** @throws HF_BODY_UNREADABLE for a schema of which no row can be taken */
export function planOf({ fields, metadata }: ArrowSchema, terms: TableTerms): StreamPlan {
  const timeColumn = terms.timeColumn ?? 'time';
  const names = new Set<string>();
  for (const { name } of fields) {
    if (names.has(name)) throw arrowFault(`column "${name}" twice`);
    names.add(name);
  }
  if (terms.timeColumn !== undefined && !names.has(timeColumn)) {
    throw arrowFault(`no column "${timeColumn}", which is named as that of the times`);
  }
  const tags = tagsOf(fields, metadata, terms);
  for (const tag of tags ?? []) {
    if (!names.has(tag)) throw arrowFault(`no column "${tag}", which is named as a tag`);
  }
  const columns = fields.map((field): StreamColumn => {
    if (field.name === timeColumn) return { field, role: 'time' };
    if (tags === undefined) return { field, role: 'unknown' };
    return { field, role: tags.has(field.name) ? 'tag' : 'field' };
  });
  for (const { field, role } of columns) checkType(field, role);
  return {
    measurement: measurementOf(metadata, terms),
    namesTags: tags !== undefined,
    columns,
  };
}

function measurementOf(metadata: ReadonlyMap<string, string>, terms: TableTerms): string {
  const named = [terms.measurement, ...measurementKeys.map((key) => metadata.get(key))];
  const measurement = named.find((name) => name !== undefined && name !== '');
  if (measurement !== undefined) return measurement;
  throw arrowFault(
    'no measurement: name it by measurement=, by x-arc-measurement, or in the metadata of the schema',
  );
}

function tagsOf(
  fields: readonly ArrowField[],
  metadata: ReadonlyMap<string, string>,
  terms: TableTerms,
): ReadonlySet<string> | undefined {
  const listed = metadata.get('tags')?.split(',');
  const named = terms.tags ?? listed?.filter((tag) => tag !== '');
  if (named !== undefined) return new Set(named);
  if (!fields.some((field) => field.metadata.has(columnTypeKey))) return undefined;
  const marked = fields.filter((field) => field.metadata.get(columnTypeKey) === tagType);
  return new Set(marked.map(({ name }) => name));
}

function checkType({ name, type, dictionary }: ArrowField, role: StreamColumn['role']): void {
  const about = `column "${name}"`;
  if (dictionary !== undefined) {
    if (dictionary.indexes.name !== 'int') throw arrowFault(`${about} has indexes that are none`);
    if (type.name === 'text' && role !== 'time') return;
    const text = type.name === 'other' ? type.text : type.name;
    throw arrowFault(`${about} has a dictionary of ${text}, which is not taken: cast it`);
  }
  if (role === 'time') {
    const problem = timeTypeProblem(type);
    if (problem !== undefined) throw arrowFault(`${about} of type ${problem}`);
    return;
  }
  const isStored = type.name !== 'other' && type.name !== 'timestamp' && type.name !== 'date';
  if (isStored) return;
  const text = type.name === 'other' ? type.text : type.name;
  const remedy = 'cast it to integers, floats, booleans or text';
  throw arrowFault(`${about} of type ${text} cannot be stored: ${remedy}`);
}
