/**
 * Buffers under random histories of batches, seals, commits and restarts, held against a brute
 * force set of all sealed points: no row that repeats one may be called first. A test composes
 * marks that break a rule to see that the set notices.
 */
import fc from 'fast-check';
import type { ColumnBatch } from '../../src/base/model/column-batch.ts';
import { fileFlags, type FileFacts, type HourSpan } from '../../src/base/model/commit.ts';
import { hourOf, hourUs } from '../../src/base/model/partition.ts';
import { MeasurementBuffers } from '../../src/ingest/buffer/measurement-buffers.ts';
import type { MeasurementBuffer } from '../../src/ingest/buffer/measurement-buffer.ts';
import type { KeyOrder } from '../../src/ingest/buffer/row-series.ts';
import type { FloorRule } from '../../src/ingest/buffer/measurement-marks.ts';
import { SeriesMarks } from '../../src/ingest/buffer/series-marks.ts';
import { FakeClock } from './flush-fakes.ts';
import { columnRef, columnValues, type Value } from './row-sets.ts';
import { pointOf } from './version-model.ts';

/** What a history is run with; the product's own where a part is left out. */
export interface Composition {
  readonly bytesMax?: number;
  readonly rule?: FloorRule;
  readonly keyOrder?: KeyOrder;
  /** Files that floors are taken from at a start. */
  readonly filesAtStart?: (files: readonly FileFacts[]) => readonly FileFacts[];
}

const tagRefs = [0, 1, 2].map((id) => columnRef(id, 'tag', 'string', `t${id}`));
const fieldRef = columnRef(3, 'field', 'int64', 'v');

interface Row {
  readonly time: bigint;
  readonly tags: readonly Value[];
}

/** Ascending by hour; some at the edges of what a time can be. */
const hours = [-2_562_047, 0, 497_222, 497_223, 497_224, 497_225, 2_562_046];

const rowOf: fc.Arbitrary<Row> = fc.record({
  time: fc
    .tuple(fc.constantFrom(...hours), fc.constantFrom(0n, 1n, 2n, 5n, 3_599_999_999n))
    .map(([hour, offset]) => BigInt(hour) * hourUs + offset),
  tags: fc.tuple(...tagRefs.map(() => fc.constantFrom<Value>(null, '', 'a', 'b'))),
});

const steps = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('batch' as const),
      measurementId: fc.integer({ min: 16, max: 17 }),
      rows: fc.array(rowOf, { minLength: 1, maxLength: 6 }),
      columnOrder: fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
      hasIdentity: fc.integer({ min: 0, max: 5 }).map((number) => number > 0),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('seal' as const),
      measurementId: fc.integer({ min: 16, max: 17 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('commit' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
);

export type Step = typeof steps extends fc.Arbitrary<infer S> ? S : never;

/** Histories of up to `length` steps. */
export function histories(length: number): fc.Arbitrary<readonly Step[]> {
  return fc.array(steps, { minLength: 1, maxLength: length, size: 'max' });
}

function batchOf(step: Step & { kind: 'batch' }): ColumnBatch {
  const { rows, columnOrder, hasIdentity, measurementId } = step;
  const tags = columnOrder.map((index) => {
    const values = rows.map((row) => row.tags[index] ?? null);
    const column = tagRefs[index] ?? fieldRef;
    return columnValues({ column: hasIdentity ? column : { ...column, kind: 'unknown' }, values });
  });
  const field = columnValues({ column: fieldRef, values: rows.map((_, row) => BigInt(row)) });
  return {
    measurementId,
    database: 'd',
    measurement: `m${measurementId}`,
    hasIdentity,
    rowCount: rows.length,
    times: BigInt64Array.from(rows, ({ time }) => time),
    columns: [...tags.filter(({ values }) => values.length > 0), field],
  };
}

interface Entered {
  readonly lsn: number;
  readonly step: Step & { kind: 'batch' };
}

/** One box through its restarts. */
class History {
  readonly #composition: Composition;
  readonly #files: FileFacts[] = [];
  readonly #positions = new Map<number, number>();
  /** In the log and in no file. */
  #unfiled: Entered[] = [];
  #buffers: MeasurementBuffers;
  /** Points of sealed rows by measurement; after a restart those of files. */
  #sealed = new Map<number, Set<string>>();
  readonly #filedPoints = new Map<number, Set<string>>();
  readonly #waiting: MeasurementBuffer[] = [];
  /** Rows of open buffers with what they were called. */
  #open: { readonly measurementId: number; readonly point: string }[] = [];
  #lsn = 0;
  firsts = 0;
  repeats = 0;

  constructor(composition: Composition) {
    this.#composition = composition;
    this.#buffers = this.#start();
  }

  run(step: Step): void {
    if (step.kind === 'batch') {
      const entered = { lsn: this.#lsn + 1, step };
      this.#lsn += step.rows.length + 3;
      this.#unfiled.push(entered);
      this.#enter(entered);
    } else if (step.kind === 'seal') {
      for (const buffer of this.#buffers.seal([step.measurementId])) this.#waiting.push(buffer);
      this.#sealOpen(step.measurementId);
    } else if (step.kind === 'commit') {
      const buffer = this.#waiting.shift();
      if (buffer !== undefined) this.#file(buffer);
    } else {
      this.#restart();
    }
  }

  #start(): MeasurementBuffers {
    const { bytesMax = 2 ** 20, rule, keyOrder, filesAtStart } = this.#composition;
    const files = filesAtStart === undefined ? this.#files : filesAtStart(this.#files);
    const marks = new SeriesMarks(files, {
      bytesMax,
      hashSeed: 9,
      ...(rule !== undefined && { rule }),
    });
    return new MeasurementBuffers(new FakeClock(), {
      positions: [...this.#positions],
      lowWater: 0,
      rowsMax: 50_000,
      bufferBytesMax: 2 ** 26,
      memoryBytesMax: 2 ** 26,
      hashSeed: 7,
      marks,
      ...(keyOrder !== undefined && { keyOrder }),
    });
  }

  #pointsOf({ step }: Entered): readonly string[] {
    return step.rows.map(({ time, tags }) => pointOf([...tagRefs], [time, ...tags]));
  }

  #enter(entered: Entered): void {
    const { lsn, step } = entered;
    const { measurementId, rows, hasIdentity } = step;
    this.#buffers.append(batchOf(step), lsn, 0);
    this.#buffers.recordEntered(lsn + rows.length - 1);
    const set = this.#buffers
      .hot(measurementId)
      .map((hot) => hot.rows)
      .findLast((each) => each.hasIdentity === hasIdentity);
    if (set === undefined) throw new Error('the rows are nowhere');
    const { repeats, rowCount } = set.view();
    if (!hasIdentity && repeats !== undefined) throw new Error('a row without identity repeats');
    this.#pointsOf(entered).forEach((point, index) => {
      if (!hasIdentity) return;
      const isRepeat = repeats?.[rowCount - rows.length + index] === 1;
      const isSealed = this.#sealed.get(measurementId)?.has(point) === true;
      if (isSealed && !isRepeat) throw new Error(`first, though ${point} is sealed`);
      if (isRepeat) this.repeats += 1;
      else this.firsts += 1;
      this.#open.push({ measurementId, point });
    });
  }

  #sealOpen(measurementId: number): void {
    const points = this.#sealed.get(measurementId) ?? new Set();
    this.#sealed.set(measurementId, points);
    for (const each of this.#open) {
      if (each.measurementId === measurementId) points.add(each.point);
    }
    this.#open = this.#open.filter((each) => each.measurementId !== measurementId);
  }

  #file(buffer: MeasurementBuffer): void {
    const { measurementId, lastSeq } = buffer;
    for (const set of buffer.sets) this.#files.push(this.#factsOf(measurementId, set));
    const isFiled = ({ step, lsn }: Entered) =>
      step.measurementId === measurementId && lsn <= lastSeq;
    const points = this.#filedPoints.get(measurementId) ?? new Set();
    this.#filedPoints.set(measurementId, points);
    for (const entered of this.#unfiled.filter(isFiled)) {
      if (!entered.step.hasIdentity) continue;
      for (const point of this.#pointsOf(entered)) points.add(point);
    }
    this.#unfiled = this.#unfiled.filter((entered) => !isFiled(entered));
    this.#positions.set(measurementId, lastSeq);
    this.#buffers.filed(measurementId, lastSeq);
  }

  #factsOf(measurementId: number, set: { times: BigInt64Array; hasIdentity: boolean }): FileFacts {
    const spans = new Map<number, HourSpan>();
    for (const time of set.times) {
      const hour = hourOf(time);
      const offset = Number(time - BigInt(hour) * hourUs);
      const [, min, max] = spans.get(hour) ?? [hour, offset, offset];
      spans.set(hour, [hour, Math.min(min, offset), Math.max(max, offset)]);
    }
    return {
      id: this.#files.length + 1,
      measurementId,
      path: '',
      sha256: '',
      bytes: 1,
      rows: set.times.length,
      hours: [...spans.values()],
      flags: set.hasIdentity ? 0 : fileFlags.noIdentity,
      lsns: [0, 0],
      part: [0, 1],
      seqMax: 0,
      columns: [],
    };
  }

  #restart(): void {
    this.#buffers = this.#start();
    this.#waiting.length = 0;
    this.#open = [];
    this.#sealed = new Map([...this.#filedPoints].map(([id, points]) => [id, new Set(points)]));
    for (const entered of this.#unfiled) this.#enter(entered);
  }
}

/** Runs the steps; throws if a repeat is called first. Returns how many rows were called what. */
export function runHistory(
  history: readonly Step[],
  composition: Composition = {},
): { readonly firsts: number; readonly repeats: number } {
  const box = new History(composition);
  for (const step of history) box.run(step);
  return { firsts: box.firsts, repeats: box.repeats };
}
