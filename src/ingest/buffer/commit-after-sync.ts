/**
 * A committer that has the log synced before each commit, for the modes that do not sync by
 * themselves (commit-protocol P4): a commit that named rows which the log then lost would say
 * "filed" of rows that replay gives again under other numbers.
 */
import type { Committer } from './types.ts';

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
