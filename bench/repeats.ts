/**
 * What telling repeated points costs traffic that has none: the same rows through decoder, log
 * record, buffers and encoder in one thread, with marks and merging and, by composition, without.
 * CPU time per row; rounds of the two take turns, the least of each counts: what else runs on the
 * machine only adds.
 *
 * `node bench/repeats.ts [--rows 200000] [--rounds 7] [--only cpu-100]`
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { nodeFiles } from '../src/base/disk/files.ts';
import { systemClock } from '../src/base/lib/clock.ts';
import { MeasurementBuffers } from '../src/ingest/buffer/measurement-buffers.ts';
import type { MeasurementBuffer } from '../src/ingest/buffer/measurement-buffer.ts';
import { SeriesMarks } from '../src/ingest/buffer/series-marks.ts';
import { LineDecoder } from '../src/ingest/decode/line-protocol.ts';
import { encodeRequest } from '../src/log/wal/request-record.ts';
import { SchemaRegistry } from '../src/storage/catalog/schema-registry.ts';
import { FileWriter } from '../src/storage/parquet/file-writer.ts';
import { encodeFlush } from '../src/storage/parquet/flush-encoder.ts';
import { loadLine, machineLine } from './machine.ts';
import { BodySource, type Shape } from './shapes.ts';

const rowsPerBody = 1000;
const bufferRows = 50_000;
const hourFileMinRows = 1000;
const mebibyte = 2 ** 20;

const scenarios: Readonly<Record<string, Shape>> = {
  'iot-1000': { name: 'iot', hosts: 1000 },
  'cpu-100': { name: 'cpu', hosts: 100 },
  'cpu-4000': { name: 'cpu', hosts: 4000 },
};

/** One way of rows into files. */
class Lane {
  readonly #registry = new SchemaRegistry({
    columnsMax: 1000,
    measurementsMax: 100,
    databasesMax: 10,
    nameBytesMax: 1000,
    createDatabases: true,
  });
  readonly #decoder = new LineDecoder({
    registry: this.#registry,
    monotonicMs: () => systemClock.monotonicMs(),
    seed: 1,
    cacheBytesMax: 32 * mebibyte,
  });
  readonly #buffers: MeasurementBuffers;
  readonly #writer: FileWriter;
  readonly #bodies: BodySource;
  readonly #tells: boolean;
  #lsn = 1;
  #fileId = 1;

  constructor(shape: Shape, directory: string, tells: boolean) {
    this.#tells = tells;
    this.#bodies = new BodySource(shape, 256, rowsPerBody);
    this.#writer = new FileWriter(nodeFiles, directory);
    this.#buffers = new MeasurementBuffers(systemClock, {
      positions: [],
      lowWater: 0,
      rowsMax: bufferRows,
      bufferBytesMax: 128 * mebibyte,
      memoryBytesMax: 512 * mebibyte,
      hashSeed: 1,
      ...(tells && { marks: new SeriesMarks([], { bytesMax: 32 * mebibyte, hashSeed: 1 }) }),
    });
  }

  /** CPU microseconds per row. */
  async run(rows: number): Promise<number> {
    const before = process.cpuUsage();
    for (let done = 0; done < rows; done += rowsPerBody) await this.#request();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / rows;
  }

  async #request(): Promise<void> {
    const decoded = await this.#decoder.decode(this.#bodies.next(), {
      database: 'bench',
      precision: 'n',
      nowUs: 0,
      cellsMax: 1e8,
      lineBytesMax: mebibyte,
      acceptPartial: true,
      daysMax: 1000,
      yieldNow: () => Promise.resolve(),
    });
    encodeRequest({ batches: decoded.batches, serverTimeUs: 0, clockTrusted: true });
    for (const batch of decoded.batches) this.#buffers.append(batch, this.#lsn, 0);
    this.#lsn += decoded.rows;
    this.#buffers.recordEntered(this.#lsn - 1);
    decoded.free();
    for (const buffer of this.#buffers.open) {
      if (buffer.rows < bufferRows) continue;
      for (const sealed of this.#buffers.seal([buffer.measurementId])) await this.#flush(sealed);
    }
  }

  async #flush(buffer: MeasurementBuffer): Promise<void> {
    const plans = buffer.plan(hourFileMinRows);
    const ids = plans.flat().map(() => this.#fileId++);
    const job = buffer.flushJob(plans, ids, [0, ids.length]);
    const sets = job.sets.map((set) => (this.#tells ? set : { ...set, hasIdentity: false }));
    await encodeFlush({ ...job, sets }, 'snappy', this.#writer);
    this.#buffers.filed(buffer.measurementId, buffer.lastSeq);
  }
}

async function measure(name: string, shape: Shape, rows: number, rounds: number): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-repeats-'));
  try {
    const off = new Lane(shape, root, false);
    const on = new Lane(shape, root, true);
    const costs = { off: [] as number[], on: [] as number[] };
    // The first round warms up.
    for (let round = 0; round <= rounds; round += 1) {
      const turns = round % 2 === 0 ? (['off', 'on'] as const) : (['on', 'off'] as const);
      for (const turn of turns) {
        const cost = await (turn === 'off' ? off : on).run(rows);
        if (round > 0) costs[turn].push(cost);
        rmSync(join(root, 'bench'), { recursive: true, force: true });
      }
    }
    const [without, told] = [Math.min(...costs.off), Math.min(...costs.on)];
    const share = (told / without - 1) * 100;
    const figures = [without.toFixed(3), told.toFixed(3), `${share.toFixed(1)} %`];
    console.log([name.padEnd(10), ...figures.map((text) => text.padStart(12))].join(' '));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '200000' },
    rounds: { type: 'string', default: '7' },
    only: { type: 'string', default: '' },
  },
});
console.log(machineLine(tmpdir()));
console.log(loadLine());
console.log('CPU microseconds a row: without, with, difference');
for (const [name, shape] of Object.entries(scenarios)) {
  if (name.includes(values.only)) {
    await measure(name, shape, Number(values.rows), Number(values.rounds));
  }
}
