/** Every rule of commit-protocol P8 that looks at open buffers, as a table. */
import t from 'tap';
import { dueBuffers, type BufferFacts } from '../../../../src/ingest/buffer/flush-policy.ts';

const limits = {
  rowsMax: 50_000,
  bufferBytesMax: 1000,
  ageMs: 5000,
  rowsMin: 1000,
  ageMsMax: 60_000,
  openBytesMax: 2000,
  walBytesMax: 10_000,
};

const buffer = (measurementId: number, facts: Partial<BufferFacts> = {}): BufferFacts => {
  return { measurementId, rows: 1, bytes: 1, ageMs: 0, firstLsn: measurementId, ...facts };
};

interface Case {
  readonly name: string;
  readonly buffers: readonly BufferFacts[];
  readonly walBytes?: number;
  readonly due: readonly number[];
}

const cases: readonly Case[] = [
  { name: 'a young small buffer waits', buffers: [buffer(1, { rows: 49_999 })], due: [] },
  { name: 'rows', buffers: [buffer(1, { rows: 50_000 })], due: [1] },
  { name: 'bytes of one buffer', buffers: [buffer(1, { bytes: 1000 })], due: [1] },
  { name: 'age with enough rows', buffers: [buffer(1, { ageMs: 5000, rows: 1000 })], due: [1] },
  { name: 'age with too few rows', buffers: [buffer(1, { ageMs: 59_999, rows: 999 })], due: [] },
  { name: 'enough rows, too young', buffers: [buffer(1, { ageMs: 4999, rows: 1000 })], due: [] },
  { name: 'greatest age, whatever it holds', buffers: [buffer(1, { ageMs: 60_000 })], due: [1] },
  {
    name: 'memory: the oldest first, no more than needed',
    buffers: [
      buffer(4, { bytes: 900, firstLsn: 40 }),
      buffer(1, { bytes: 900, firstLsn: 10 }),
      buffer(3, { bytes: 900, firstLsn: 30 }),
      buffer(2, { bytes: 900, firstLsn: 20 }),
    ],
    due: [1, 2],
  },
  {
    name: 'memory: what is due anyway makes room first',
    buffers: [
      buffer(1, { bytes: 900 }),
      buffer(2, { bytes: 900, rows: 50_000 }),
      buffer(3, { bytes: 900 }),
    ],
    due: [2],
  },
  {
    name: 'log: buffers that hold its older half',
    buffers: [
      buffer(1, { firstLsn: 100 }),
      buffer(2, { firstLsn: 500 }),
      buffer(3, { firstLsn: 900 }),
    ],
    walBytes: 10_001,
    due: [1, 2],
  },
  {
    name: 'log: the only one',
    buffers: [buffer(1, { firstLsn: 1000 })],
    walBytes: 10_001,
    due: [1],
  },
  { name: 'log at its limit', buffers: [buffer(1)], walBytes: 10_000, due: [] },
];

for (const { name, buffers, walBytes = 0, due } of cases) {
  t.test(name, (test) => {
    test.strictSame(dueBuffers(buffers, limits, { walBytes, enteredTo: 1000 }), due);
    test.end();
  });
}
