/**
 * Rows that are in no file yet, as small Parquet files for the query process (commit-protocol P15).
 * Main thread; the encoding is done by an encoder thread.
 * I1. A pin sees exactly the rows that were in the buffers in the tick in which it was taken.
 * I2. A chunk holds rows of one row set and is reused until its rows are filed; new rows make a new
 *     chunk. A new chunk takes in earlier ones that are not larger than it, so a row is encoded
 *     about log2(n) times and a query reads about log2(n) chunks, however often it comes.
 * I3. A chunk's file is deleted when its rows were filed, or a larger chunk replaced it, and no pin
 *     holds it. A disk that refuses stops neither commit nor query: it goes with the next one.
 * I4. A file that somebody else deleted (a session's end empties shared memory) is encoded again.
 */
import type { Files } from '../../base/disk/files.ts';
import { GatewayError } from '../../base/errors/gateway-error.ts';
import type { ColumnRef } from '../../base/model/schema.ts';
import type { Encoder, HotJob, HotResult } from '../../storage/parquet/types.ts';
import type { HotRows, MeasurementBuffers } from './measurement-buffers.ts';
import type { RowBuffer } from './row-buffer.ts';
import type { HotChunk } from './types.ts';

export interface HotChunksDeps {
  readonly buffers: MeasurementBuffers;
  readonly encoder: Encoder;
  readonly files: Files;
}

export interface HotChunksOptions {
  /**
   * Absolute paths of directories that exist; all their `.parquet` files are ours. Chunks go to the
   * first; what it does not take goes to the next.
   */
  readonly directories: readonly string[];
}

/** The hot rows of one instant. */
export interface HotPin {
  /** Resolves when all chunks can be read; rejects with the encoder's error. */
  readonly chunks: Promise<readonly HotChunk[]>;
  /** The chunks are no longer read. More calls do nothing. */
  release(): void;
}

interface Chunk {
  readonly measurementId: number;
  readonly rows: RowBuffer;
  /** Settled with `ready`. */
  path: string;
  readonly from: number;
  readonly to: number;
  readonly columns: readonly ColumnRef[];
  readonly ready: Promise<HotResult>;
  bytes: number;
  pins: number;
  /** True when no new pin takes it. */
  retired: boolean;
  settled: boolean;
}

export class HotChunks {
  readonly #deps: HotChunksDeps;
  readonly #directories: readonly string[];
  /** By row set, the chunks that cover its first rows, in order and without gaps. */
  readonly #series = new Map<RowBuffer, Chunk[]>();
  /** Files that nobody needs and that stand yet. */
  readonly #unused = new Set<Chunk>();
  #bytes = 0;
  #next = 0;

  /** Deletes what an earlier run left in the directories. */
  constructor(deps: HotChunksDeps, options: HotChunksOptions) {
    this.#deps = deps;
    this.#directories = options.directories;
    for (const directory of options.directories) {
      for (const name of deps.files.list(directory)) {
        if (name.endsWith('.parquet')) deps.files.unlink(`${directory}/${name}`);
      }
    }
    deps.buffers.onDrop((sets) => {
      for (const rows of sets) this.#retire(rows, 0);
    });
  }

  /** Bytes of all chunk files that exist. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes the hot rows of these measurements as they are in this tick. */
  pin(measurementIds: readonly number[]): HotPin {
    const chunks = measurementIds.flatMap((id) =>
      this.#deps.buffers.hot(id).flatMap((hot) => this.#cover(hot)),
    );
    for (const chunk of chunks) chunk.pins += 1;
    let held = true;
    const ready = Promise.all(chunks.map(async (chunk) => shown(chunk, await chunk.ready)));
    // Who releases without reading does not wait for an error either.
    ready.catch(() => undefined);
    return {
      chunks: ready,
      release: () => {
        if (!held) return;
        held = false;
        for (const chunk of chunks) {
          chunk.pins -= 1;
          this.#deleteIfUnused(chunk);
        }
      },
    };
  }

  /** The chunks that cover the first `rowCount` rows of the set. */
  #cover({ measurementId, rows, rowCount }: HotRows): readonly Chunk[] {
    const lost = this.#series.get(rows)?.findIndex((chunk) => this.#isLost(chunk)) ?? -1;
    if (lost >= 0) this.#retire(rows, lost);
    const series = this.#series.get(rows) ?? [];
    const covered = series.at(-1)?.to ?? 0;
    if (covered >= rowCount) return [...series];
    let from = covered;
    let kept = series.length;
    for (let index = series.length - 1; index >= 0; index -= 1) {
      const chunk = series[index];
      if (chunk === undefined || chunk.to - chunk.from > rowCount - from) break;
      ({ from } = chunk);
      kept = index;
    }
    this.#retire(rows, kept);
    const whole = [...series.slice(0, kept), this.#encode(measurementId, rows, from, rowCount)];
    this.#series.set(rows, whole);
    return [...whole];
  }

  #isLost({ settled, path }: Chunk): boolean {
    return settled && this.#deps.files.size(path) === undefined;
  }

  #encode(measurementId: number, rows: RowBuffer, from: number, to: number): Chunk {
    this.#next += 1;
    const name = `${measurementId}-${this.#next}.parquet`;
    const view = rows.view();
    const { hasIdentity } = rows;
    const job = { hasIdentity, rows: view, from, to };
    const encoded = this.#write(job, name).finally(rows.read());
    const chunk: Chunk = {
      measurementId,
      rows,
      path: '',
      from,
      to,
      columns: view.columns.map(({ column }) => column),
      ready: encoded.then(
        ({ path, result }) => {
          chunk.path = path;
          chunk.bytes = result.bytes;
          this.#bytes += result.bytes;
          this.#settled(chunk);
          return result;
        },
        (error: unknown) => {
          this.#forget(chunk);
          this.#settled(chunk);
          throw error;
        },
      ),
      bytes: 0,
      pins: 0,
      retired: false,
      settled: false,
    };
    return chunk;
  }

  /** Into the first directory that takes it. */
  async #write(
    job: Omit<HotJob, 'path'>,
    name: string,
  ): Promise<{ readonly path: string; readonly result: HotResult }> {
    for (const [place, directory] of this.#directories.entries()) {
      const path = `${directory}/${name}`;
      try {
        return { path, result: await this.#deps.encoder.hot({ ...job, path }) };
      } catch (error) {
        const isLast = place === this.#directories.length - 1;
        if (isLast || !isOfPlace(error)) throw error;
      }
    }
    throw new GatewayError('HF_BUG', 'hot chunks have no directory');
  }

  #settled(chunk: Chunk): void {
    chunk.settled = true;
    this.#deleteIfUnused(chunk);
  }

  /** A chunk that could not be encoded: it and those after it leave, so that no gap stays. */
  #forget(chunk: Chunk): void {
    const index = this.#series.get(chunk.rows)?.indexOf(chunk) ?? -1;
    if (index >= 0) this.#retire(chunk.rows, index);
  }

  /** No new pin takes the chunks of the set from `first` on. */
  #retire(rows: RowBuffer, first: number): void {
    const series = this.#series.get(rows);
    if (series === undefined) return;
    if (first === 0) this.#series.delete(rows);
    else this.#series.set(rows, series.slice(0, first));
    for (const chunk of series.slice(first)) {
      chunk.retired = true;
      this.#deleteIfUnused(chunk);
    }
  }

  #deleteIfUnused(chunk: Chunk): void {
    if (!chunk.retired || !chunk.settled || chunk.pins > 0 || chunk.bytes === 0) return;
    this.#unused.add(chunk);
    for (const unused of this.#unused) {
      if (!this.#unlinked(unused.path)) return;
      this.#unused.delete(unused);
      this.#bytes -= unused.bytes;
      unused.bytes = 0;
    }
  }

  /** False if the disk refused. Called in the tick of a commit, which must reach everybody. */
  #unlinked(path: string): boolean {
    try {
      this.#deps.files.unlink(path);
      return true;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return false;
    }
  }
}

const placeCodes: readonly string[] = ['HF_DISK_FULL', 'HF_IO_SHORT_WRITE', 'HF_IO'];

/** True if another directory may take what this one did not: it is full, or gone. */
function isOfPlace(error: unknown): boolean {
  return error instanceof GatewayError && placeCodes.includes(error.code);
}

function shown(chunk: Chunk, result: HotResult): HotChunk {
  const { measurementId, rows, path, from, to, columns } = chunk;
  const { hasIdentity, namings, bufferId } = rows;
  const { hours, repeatHours, doubledHours } = result;
  const rowCount = to - from;
  const versions = { hours, repeatHours, doubledHours };
  return { measurementId, hasIdentity, namings, bufferId, path, rowCount, columns, ...versions };
}
