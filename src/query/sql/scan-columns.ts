/** Which columns a measurement shows in SQL, in which order and under which names. Pure. */
import type { LogicalColumn, MeasurementSchema, PhysicalColumn } from '../../base/model/schema.ts';
import { foldName } from '../../base/model/names.ts';

/** Columns in the order in which `*` shows them, time left out: tags, then all others. */
export function shownColumns(schema: MeasurementSchema): readonly LogicalColumn[] {
  const tags = schema.columns.filter((column) => column.kind === 'tag');
  return [...tags, ...schema.columns.filter((column) => column.kind !== 'tag')];
}

export interface NamedPart {
  readonly name: string;
  readonly physical: PhysicalColumn;
  /** The column that it is a part of. */
  readonly column: LogicalColumn;
}

/**
 * Parts with the names by which SQL reaches them: their own, or, for a part that is called like its
 * column, that name with the type added. Columns of one part have none.
 */
export function namedParts(schema: MeasurementSchema): readonly NamedPart[] {
  const taken = new Set(schema.columns.map((column) => foldName(column.sqlName)));
  for (const column of schema.columns) {
    for (const part of column.parts) taken.add(foldName(part.name));
  }
  return schema.columns.flatMap((column) => {
    if (column.parts.length < 2) return [];
    return column.parts.flatMap((physical) => {
      if (foldName(physical.name) !== foldName(column.sqlName)) {
        return [{ name: physical.name, physical, column }];
      }
      const name = `${column.sqlName}__${physical.type}`;
      return taken.has(foldName(name)) ? [] : [{ name, physical, column }];
    });
  });
}
