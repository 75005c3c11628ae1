/** Payloads of the commit journal: refused with a code, or read, and then written to the same. */
import { isDeepStrictEqual } from 'node:util';
import {
  decodePayload,
  encodeCommit,
  encodeSnapshot,
} from '../../../../src/log/journal/commit-record.ts';
import { emptyState } from '../../../../src/log/journal/live-state.ts';
import { fileFacts } from '../../catalog-model.ts';
import { Broken, expectedCode, type FuzzTarget } from '../target.ts';

const file = fileFacts(7, 16, [1, 9]);
const column = {
  measurementId: 16,
  columnId: 4,
  logical: 2,
  kind: 'field',
  spelling: 'v',
  sqlName: 'v',
  name: 'v',
  type: 'int64',
} as const;

const seeds = [
  encodeCommit({ kind: 'mark', lowWater: 9 }),
  encodeCommit({
    kind: 'flush',
    adds: [file],
    databases: ['d"\n'],
    measurements: [{ id: 16, database: 'd', name: 'm' }],
    columns: [column, { ...column, columnar: true }],
    kinds: [{ measurementId: 16, logical: 2, kind: 'tag' }],
    positions: [[16, 99]],
    lowWater: 2 ** 40,
    fileIdsTo: 100,
  }),
  encodeCommit({ kind: 'job', removes: [{ id: 7, reason: 'compact' }] }),
  encodeSnapshot({
    ...emptyState,
    files: [file],
    removed: [{ ...file, id: 8, removedAt: 5, reason: 'drop' }],
    columns: [column],
  }),
];

const words = [
  ...[
    '{',
    '}',
    '[',
    ']',
    '"',
    ',',
    ':',
    'null',
    'true',
    '-1',
    '1e3',
    '1e999',
    '0.5',
    '\\u0000',
    '"v":1',
  ],
  ...[
    '"kind":"flush"',
    '"adds":[]',
    '"__proto__":{}',
    '9007199254740993',
    '\ud800',
    '[[1,2]]',
    '-0',
  ],
];

export function commitTarget(decode: typeof decodePayload = decodePayload): FuzzTarget {
  return {
    seeds,
    words,
    run(input) {
      let said;
      try {
        said = decode(input);
      } catch (error) {
        const code = expectedCode(error, ['HF_JOURNAL_RECORD_BAD', 'HF_FORMAT_NEWER']);
        return `${code} ${(error as Error).message.replace(/\d+/g, '')}`;
      }
      const bytes =
        said.type === 'commit' ? encodeCommit(said.proposal) : encodeSnapshot(said.state);
      const again = decodePayload(bytes);
      if (!isDeepStrictEqual(encodedOf(again), encodedOf(said))) throw new Broken('not the same');
      return `${said.type} ${Object.keys(said).length}`;
    },
  };
}

/** Lists of nothing are left out when they are written, and -0 is 0. */
function encodedOf(said: ReturnType<typeof decodePayload>): string {
  return Buffer.from(
    said.type === 'commit' ? encodeCommit(said.proposal) : encodeSnapshot(said.state),
  ).toString();
}
