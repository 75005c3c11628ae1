/**
 * What the commit thread is made of besides the committer: the SQLite index and the judgement of
 * unlisted files. Composed here so that the product's thread entry and those of tests, which bring
 * another file layer, share it.
 */
import type { CommitSettings } from '../../log/journal/commit-messages.ts';
import type { AlarmSink, CommitWorkerDeps } from '../../log/journal/commit-worker.ts';
import { epochOf } from '../../log/journal/file-ids.ts';
import type { JournalDeps } from '../../log/journal/open-journal.ts';
import type { LiveState } from '../../log/journal/live-state.ts';
import { readFooterFacts } from '../parquet/footer.ts';
import { FileIndex } from './file-index.ts';
import { restoreLostSchema } from './lost-schema.ts';
import { findUnlisted } from './unlisted-files.ts';

/** The dependencies of `runCommitter` over those of its journal. */
export function commitParts(deps: JournalDeps): CommitWorkerDeps {
  const { files } = deps;
  return {
    ...deps,
    openIndex: ({ root }: CommitSettings, state: LiveState, alarm: AlarmSink) =>
      new FileIndex({ files, path: `${root}/index.db`, alarm }, state),
    restoreSchema: ({ dataDirectory }, state, alarm) => {
      const footerOf = (path: string) => readFooterFacts(files, `${dataDirectory}/${path}`);
      restoreLostSchema(state, footerOf, alarm);
    },
    findUnlisted: ({ dataDirectory, orphans }, state, damaged, alarm) => {
      const listed = new Set<string>();
      let highestId = state.fileIdsTo;
      for (const list of [state.files(), state.removedFiles()]) {
        for (const { id, path } of list) {
          listed.add(path);
          highestId = Math.max(highestId, id);
        }
      }
      return findUnlisted({
        files,
        dataDirectory,
        orphans,
        footerOf: (path) => readFooterFacts(files, path),
        isListed: (path) => listed.has(path),
        isKnown: (id) => (state.file(id) ?? state.removedFile(id)) !== undefined,
        filedTo: (measurementId) => Math.max(state.position(measurementId), state.lowWater),
        epoch: epochOf(highestId),
        damaged,
        alarm,
      });
    },
  };
}
