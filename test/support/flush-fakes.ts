/**
 * Stand-ins for what the flusher works with: an encoder whose jobs a test finishes in any order, a
 * committer that records proposals, a clock that a test moves. The committer also checks what a
 * real one relies on, and notes each violation.
 */
import type { CommitEvent, CommitProposal } from '../../src/base/model/commit.ts';
import type { ColumnBatch } from '../../src/base/model/column-batch.ts';
import type { Clock } from '../../src/base/lib/clock.ts';
import type {
  Encoder,
  FlushJob,
  FlushResult,
  HotJob,
  HotResult,
} from '../../src/storage/parquet/types.ts';
import type { Committer } from '../../src/ingest/buffer/types.ts';
import { columnRef, columnValues, type ColumnSpec } from './row-sets.ts';

/** Lets all promise reactions run. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

export class FakeClock implements Clock {
  nowMs = 1_000_000;
  /** How far the wall clock is off, in milliseconds. */
  wallJumpMs = 0;

  wallUs(): number {
    return (this.nowMs + this.wallJumpMs) * 1000;
  }

  monotonicMs(): number {
    return this.nowMs;
  }
}

export interface PendingJob<Job, Result> {
  readonly job: Job;
  finish(result: Result): void;
  fail(error: Error): void;
}

/** Facts that a real encoder would give, but for hashes and times. */
export function resultOf(job: FlushJob): FlushResult {
  const count = job.sets.reduce((sum, { files }) => sum + files.length, 0);
  const all = job.sets.flatMap(({ files, hasIdentity }) =>
    files.map((file) => ({
      id: file.fileId,
      measurementId: job.measurementId,
      path: `${job.measurementId}/${file.fileId}.parquet`,
      sha256: '0'.repeat(64),
      bytes: 1,
      rows: file.rows,
      hours: file.hours.map((hour) => [hour, 0, 0] as const),
      flags: hasIdentity ? 0 : 2,
      lsns: job.lsns,
      part: [0, count] as const,
      seqMax: job.lsns[1],
      columns: [],
    })),
  );
  const facts = all.slice(...job.range);
  return { facts, statistics: facts.map(({ id }) => ({ fileId: id, columns: [] })) };
}

export class FakeEncoder implements Encoder {
  readonly flushes: PendingJob<FlushJob, FlushResult>[] = [];
  readonly hots: PendingJob<HotJob, HotResult>[] = [];

  flush(job: FlushJob): Promise<FlushResult> {
    return this.#pending(this.flushes, job);
  }

  hot(job: HotJob): Promise<HotResult> {
    return this.#pending(this.hots, job);
  }

  /** Finishes the flush that waits at `index` as a real encoder would. */
  finish(index = 0): void {
    const [pending] = this.flushes.splice(index, 1);
    pending?.finish(resultOf(pending.job));
  }

  fail(index: number, error: Error): void {
    this.flushes.splice(index, 1)[0]?.fail(error);
  }

  #pending<Job, Result>(list: PendingJob<Job, Result>[], job: Job): Promise<Result> {
    return new Promise((finish, fail) => {
      list.push({ job, finish, fail });
    });
  }
}

export class FakeCommitter implements Committer {
  readonly proposals: CommitProposal[] = [];
  readonly violations: string[] = [];
  /** Called before each commit; what it throws refuses the commit. */
  refuse: () => void = () => undefined;
  readonly #listeners: ((event: CommitEvent) => void)[] = [];
  readonly #positions = new Map<number, number>();
  #lowWater = 0;
  #nextFileId = 1;
  #fileIdsTo = 0;
  /** LSNs of rows by measurement that no commit filed; a test keeps it. */
  readonly unfiled = new Map<number, Set<number>>();

  takeFileId(): number | undefined {
    if (this.#nextFileId > this.#fileIdsTo) return undefined;
    this.#nextFileId += 1;
    return this.#nextFileId - 1;
  }

  async reserveFileIds(): Promise<void> {
    await settled();
    this.#fileIdsTo = this.#nextFileId + 99;
  }

  onEvent(listener: (event: CommitEvent) => void): void {
    this.#listeners.push(listener);
  }

  async commit(proposal: CommitProposal): Promise<number> {
    await settled();
    this.refuse();
    this.proposals.push(proposal);
    for (const [id, position] of proposal.positions ?? []) this.#move(id, position, proposal);
    const lowWater = proposal.lowWater ?? this.#lowWater;
    for (const [id, rows] of this.unfiled) {
      const lost = [...rows].filter((seq) => seq <= lowWater);
      if (lost.length > 0) this.violations.push(`low water ${lowWater}: ${id} has ${lost.join()}`);
    }
    if (lowWater < this.#lowWater) this.violations.push('the low-water mark fell');
    this.#lowWater = lowWater;
    const commit = { ...proposal, number: this.proposals.length };
    for (const listener of this.#listeners) listener({ commit, statistics: [] });
    return commit.number;
  }

  /** Rows at or below the new position that no file of this commit holds would be lost. */
  #move(id: number, position: number, proposal: CommitProposal): void {
    const before = this.#positions.get(id) ?? 0;
    if (position <= before) this.violations.push(`position of ${id} fell to ${position}`);
    this.#positions.set(id, position);
    const ranges = (proposal.adds ?? [])
      .filter(({ measurementId }) => measurementId === id)
      .map(({ lsns }) => lsns);
    const rows = this.unfiled.get(id) ?? new Set();
    for (const seq of [...rows].sort((a, b) => a - b)) {
      if (seq > position) continue;
      const isFiled = ranges.some(([first, last]) => seq >= first && seq <= last);
      if (!isFiled) this.violations.push(`row ${seq} of ${id} is filed in no file`);
      rows.delete(seq);
    }
  }
}

export interface SmallBatchOptions {
  readonly hasIdentity?: boolean;
  readonly firstUs?: bigint;
  /** From row to row. */
  readonly stepUs?: bigint;
}

/** A batch of rows with one field and one tag, a microsecond apart unless told otherwise. */
export function smallBatch(
  measurementId: number,
  rowCount: number,
  options: SmallBatchOptions = {},
): ColumnBatch {
  const { hasIdentity = true, firstUs = 1_790_000_000_000_000n, stepUs = 1n } = options;
  const times = BigInt64Array.from(
    { length: rowCount },
    (_, row) => firstUs + BigInt(row) * stepUs,
  );
  const specs: ColumnSpec[] = [
    {
      column: columnRef(0, hasIdentity ? 'tag' : 'unknown', 'string', 'host'),
      values: Array.from({ length: rowCount }, (_, row) => `h${row % 3}`),
    },
    {
      column: columnRef(1, hasIdentity ? 'field' : 'unknown', 'int64', 'v'),
      values: Array.from({ length: rowCount }, (_, row) => BigInt(row)),
    },
  ];
  const columns = specs.map(columnValues);
  const measurement = `m${measurementId}`;
  return { measurementId, database: 'd', measurement, hasIdentity, rowCount, times, columns };
}
