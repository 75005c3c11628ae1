/**
 * For the modes that answer before the sync: the log is synced before rows of it go into a file,
 * and before each commit (commit-protocol P4). A commit that named rows which the log then lost
 * would say "filed" of rows that replay gives again under other numbers; and a file of such rows
 * would look, after an ordinary power cut, as if the log had lost what it had.
 */
import type { Encoder } from '../../storage/parquet/types.ts';
import type { Committer } from './types.ts';

/** `encoder`, with `sync` awaited before each flush. */
export function encodeAfterSync(encoder: Encoder, sync: () => Promise<void>): Encoder {
  return {
    flush: async (job) => {
      await sync();
      return encoder.flush(job);
    },
    hot: (job) => encoder.hot(job),
  };
}

/** `commits`, with `sync` awaited before each commit. */
export function commitAfterSync(commits: Committer, sync: () => Promise<void>): Committer {
  return {
    commit: async (proposal, statistics) => {
      await sync();
      return commits.commit(proposal, statistics);
    },
    onEvent: (listener) => {
      commits.onEvent(listener);
    },
    takeFileId: () => commits.takeFileId(),
    reserveFileIds: () => commits.reserveFileIds(),
  };
}
