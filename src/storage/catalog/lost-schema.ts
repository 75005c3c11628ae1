/**
 * Names and types that a damaged journal no longer gives, taken from the footers of the files that
 * hold such columns (commit-protocol, section 9). Without them the rows of these files would be
 * there and have no name, and their ids would be given again. Commit thread, at its start.
 *
 * I1. Only what is missing is added; what the journal says stands.
 * I2. A footer that cannot be read leaves its columns unnamed, with an alarm; no start fails of it.
 */
import { asGatewayError } from '../../base/errors/gateway-error.ts';
import type { ColumnAddition, FileFacts } from '../../base/model/commit.ts';
import type { ColumnRef } from '../../base/model/schema.ts';
import type { AlarmSink } from '../../log/journal/commit-worker.ts';
import type { LiveState } from '../../log/journal/live-state.ts';

/** What a file's footer says of its measurement. */
export interface FooterSchema {
  readonly measurementId: number;
  readonly database: string;
  readonly measurement: string;
  readonly columns: readonly ColumnRef[];
}

/** Adds to `state` what its live files need and it does not have. */
export function restoreLostSchema(
  state: LiveState,
  footerOf: (path: string) => FooterSchema,
  alarm: AlarmSink,
): void {
  // The newest footer knows best what kind a column became.
  const files = [...state.files()].sort((a, b) => b.id - a.id);
  for (const file of files) {
    if (!lacksNames(state, file)) continue;
    try {
      restore(state, file.measurementId, footerOf(file.path));
    } catch (error) {
      const { message } = asGatewayError(error);
      alarm({
        kind: 'journal-damaged',
        message: `the names of columns in ${file.path} are lost: ${message}`,
        details: { path: file.path },
      });
    }
  }
}

function lacksNames(state: LiveState, { measurementId, columns }: FileFacts): boolean {
  if (state.measurement(measurementId) === undefined) return true;
  const known = state.columnsOf(measurementId);
  return columns.some(([first, last]) => {
    for (let id = first; id <= last; id += 1) if (!known.has(id)) return true;
    return false;
  });
}

function restore(state: LiveState, id: number, footer: FooterSchema): void {
  const { measurementId, database, measurement: name, columns } = footer;
  if (measurementId !== id) throw new Error(`its footer names measurement ${measurementId}`);
  const logicals = new Map<string, number>();
  const taken = new Set<number>();
  const note = ({ sqlName, logical }: Pick<ColumnAddition, 'sqlName' | 'logical'>): number => {
    logicals.set(sqlName, logical);
    taken.add(logical);
    return logical;
  };
  for (const column of state.columnsOf(id).values()) note(column);
  const additions = columns
    .filter(({ physical }) => !state.columnsOf(id).has(physical.id))
    .map(({ kind, spelling, sqlName, physical }): ColumnAddition => {
      const { id: columnId, name: inFiles, type } = physical;
      const logical = logicals.get(sqlName) ?? note({ sqlName, logical: firstFree(taken) });
      return { measurementId: id, columnId, logical, kind, spelling, sqlName, name: inFiles, type };
    });
  state.learn({ id, database, name }, additions);
}

/** Footers do not say which logical column it was; any number that no other one has will do. */
function firstFree(taken: ReadonlySet<number>): number {
  let free = 0;
  while (taken.has(free)) free += 1;
  return free;
}
