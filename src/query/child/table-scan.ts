/**
 * The scan of one table of a query, with the lists of files that it reads by variable. Pure: the
 * text depends on nothing but its arguments, so that a test can compare it.
 */
import type { MeasurementSchema } from '../../base/model/schema.ts';
import { buildScan, type Scan, type ScanColumns } from '../sql/scan.ts';
import type { FileGroup, TimeRange } from '../sql/scan-terms.ts';
import type { TagBound } from '../sql/tag-bounds.ts';
import { splitSources, type RowSource } from './split-sources.ts';
import type { FileEntry, HotFile } from './wire.ts';

export interface TableParts {
  readonly schema: MeasurementSchema;
  readonly files: readonly FileEntry[];
  /** With the columns that each really holds, ascending. */
  readonly hot: readonly HotFile[];
  readonly columns: ScanColumns;
  readonly range: TimeRange;
  readonly tags: readonly TagBound[];
  readonly dataDirectory: string;
}

export interface TableScan {
  readonly scan: Scan;
  /** Absolute paths by the name of the session variable that must hold them. */
  readonly lists: ReadonlyMap<string, readonly string[]>;
}

interface TagSetSources {
  readonly namings: number;
  readonly files: readonly FileEntry[];
  readonly hot: readonly HotFile[];
}

/** The sources by the tags that tell their points apart: versions never meet across these (P17). */
function byTagSet({ schema, files, hot }: TableParts): readonly TagSetSources[] {
  const namings = new Set([0]);
  for (const { tagSince } of schema.columns) namings.add(tagSince ?? 0);
  if (namings.size === 1) return [{ namings: 0, files, hot }];
  const ascending = [...namings].sort((a, b) => a - b);
  const tagSetOf = ({ namings: known = 0 }: FileEntry | HotFile) =>
    ascending.findLast((each) => each <= known);
  return ascending.map((each) => ({
    namings: each,
    files: files.filter((file) => tagSetOf(file) === each),
    hot: hot.filter((chunk) => tagSetOf(chunk) === each),
  }));
}

/** @param firstVariable number of the first variable that no other table of the query has */
export function tableScan(parts: TableParts, firstVariable: number): TableScan {
  const { schema, columns, range, tags, dataDirectory } = parts;
  const lists = new Map<string, string[]>();
  const grouped = (sources: readonly RowSource[]): readonly FileGroup[] => {
    const groups = new Map<string, { group: FileGroup; paths: string[] }>();
    for (const { path, columnsKey, columnIds } of sources) {
      let known = groups.get(columnsKey);
      if (known === undefined) {
        const variable = `files_${String(firstVariable + lists.size)}`;
        known = { group: { variable, columnIds: columnIds() }, paths: [] };
        groups.set(columnsKey, known);
        lists.set(variable, known.paths);
      }
      known.paths.push(path);
    }
    return Array.from(groups.values(), ({ group }) => group);
  };
  const splits = byTagSet(parts).map(({ namings, files, hot }) => {
    return { namings, ...splitSources(files, hot, range, dataDirectory) };
  });
  const sources = {
    plain: grouped(splits.flatMap(({ plain }) => plain)),
    merges: splits
      .filter(({ versions }) => versions.length > 0)
      .map(({ namings, older, versions }) => {
        return { namings, older: grouped(older), versions: grouped(versions) };
      }),
  };
  return { scan: buildScan(schema, sources, columns, { range, tags }), lists };
}
