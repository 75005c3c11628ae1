/**
 * The one way in for rows (commit-protocol P3). A request goes through here in this order, on the
 * main thread:
 *
 * I1. admitted, and its memory held, before it is decoded (admission.ts);
 * I2. decided completely (types, names, times) before it is written: replay decides nothing (W8);
 * I3. one WAL record, with its rejected rows (W2, P2);
 * I4. in the buffers only after the record's sync returned, in LSN order (P1);
 * I5. answered only after its rows are in the buffers (W12).
 */
import type { Clock } from '../base/lib/clock.ts';
import type { ColumnBatch, RequestBatch } from '../base/model/column-batch.ts';
import { asGatewayError, GatewayError } from '../base/errors/gateway-error.ts';
import type { Admission } from './admission.ts';
import type { DecodeCounters, Decoded, DecodeOptions, Rejection } from './decode/types.ts';
import type {
  LetterMarks,
  WriteDoor,
  WriteFormat,
  WriteOutcome,
  WriteRequest,
} from './door-types.ts';
import type { FutureRows } from './future-rows.ts';
import type { HeldKey, RequestKeys } from './keys/request-keys.ts';

/** The decoder of one format. */
export interface Decoder {
  decode(body: Uint8Array, options: DecodeOptions): Promise<Decoded>;
}

/** The write-ahead log as the door sees it (WalClient). */
export interface RecordLog {
  /** `done` is called in LSN order, with the first LSN after the record's sync, or an error. */
  append(
    payload: Uint8Array,
    count: number,
    done: (error: GatewayError | undefined, lsn: number) => void,
  ): void;
}

/** The buffers as the door sees them (MeasurementBuffers). */
export interface RowSink {
  /**
   * Takes the rows of a record, whose LSNs begin at `lsn`: records enter in the order of the calls.
   * `done` is called once, when all rows are in and seen; what it gets as an error is thrown too.
   */
  enter(batches: readonly ColumnBatch[], lsn: number, done: (error: unknown) => void): void;
}

export interface DoorDeps {
  readonly admission: Admission;
  readonly decoders: Readonly<Record<WriteFormat, Decoder>>;
  /** Makes the batch of the reserved measurement that files rejected rows. */
  rejectedBatch(rejected: readonly Rejection[], request: WriteRequest, nowUs: number): ColumnBatch;
  /** Makes the batch that says what became of dead letters. */
  markedBatch(became: 'replayed' | 'dropped', ids: readonly string[], nowUs: number): ColumnBatch;
  readonly keys: Pick<RequestKeys, 'check' | 'once'>;
  /** Bytes of the record of a decided request; of a large one later, when others had turns. */
  encode(request: RequestBatch): Uint8Array | Promise<Uint8Array>;
  /** The log, once it is read; no request is admitted before. */
  log(): RecordLog;
  readonly buffers: RowSink;
  readonly clock: Clock;
  databaseExists(name: string): boolean;
  /** Figures for the metrics; called once per request that was kept. */
  count(request: WriteRequest, outcome: WriteOutcome, counters: DecodeCounters): void;
  readonly futureRows: Pick<FutureRows, 'find' | 'note'>;
}

export interface DoorOptions {
  readonly cellsMax: number;
  readonly daysMax: number;
  readonly lineBytesMax: number;
  readonly createDatabases: boolean;
}

/** Body, columns and record of a request are held at once: up to about this many times its body. */
const heldPerBodyByte = 6;

/** Gives others a turn. */
export const yieldNow = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

function totalRows(batches: readonly ColumnBatch[]): number {
  return batches.reduce((sum, batch) => sum + batch.rowCount, 0);
}

export class Door implements WriteDoor, LetterMarks {
  readonly #deps: DoorDeps;
  readonly #options: DoorOptions;

  constructor(deps: DoorDeps, options: DoorOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  admit(hasKey = false): void {
    this.#deps.admission.check();
    if (hasKey) this.#deps.keys.check();
  }

  async write(request: WriteRequest): Promise<WriteOutcome> {
    const release = this.#deps.admission.hold(request.body.length * heldPerBodyByte);
    try {
      const { key } = request;
      if (key === undefined) return await this.#writeHeld(request);
      return await this.#deps.keys.once(request, key, (held) => this.#writeHeld(request, held));
    } finally {
      release();
    }
  }

  async dropLetters(ids: readonly string[]): Promise<void> {
    const { admission, clock, markedBatch } = this.#deps;
    const refusal = admission.refusal();
    if (refusal !== undefined && refusal.code !== 'HF_DISK_FULL') throw refusal;
    const nowUs = clock.wallUs();
    const batches = [markedBatch('dropped', ids, nowUs)];
    await this.#keep({ batches, serverTimeUs: nowUs, clockTrusted: true }, () => undefined);
  }

  #checkDatabase(name: string): void {
    if (this.#options.createDatabases || this.#deps.databaseExists(name)) return;
    throw new GatewayError('HF_DATABASE_UNKNOWN', `database not found: "${name}"`);
  }

  async #writeHeld(request: WriteRequest, key?: HeldKey): Promise<WriteOutcome> {
    this.#checkDatabase(request.database);
    const nowUs = this.#deps.clock.wallUs();
    const { cellsMax, daysMax, lineBytesMax } = this.#options;
    const decoded = await this.#deps.decoders[request.format ?? 'line'].decode(request.body, {
      database: request.database,
      precision: request.precision,
      ...(request.table !== undefined && { table: request.table }),
      nowUs,
      acceptPartial: request.acceptPartial,
      cellsMax,
      daysMax,
      lineBytesMax,
      yieldNow,
    });
    const { rejected, rejectedLines, rows } = decoded;
    const isUseless = request.letter !== undefined && rows === 0;
    if (rejected.length > 0 && (!request.acceptPartial || isUseless)) {
      decoded.free();
      return { rows: 0, rejected, rejectedLines };
    }
    const outcome = { rows, rejected, rejectedLines };
    const batches = [...decoded.batches, ...this.#reserved(request, outcome, nowUs, key)];
    const future = this.#deps.futureRows.find(decoded.batches, nowUs);
    // The clock has no judge yet: every server time counts as trusted.
    const kept = { batches, serverTimeUs: nowUs, clockTrusted: true };
    if (batches.length > 0) await this.#keep(kept, () => key?.kept());
    decoded.free();
    if (future.length > 0) this.#deps.futureRows.note(future, request);
    this.#deps.count(request, outcome, decoded.counters);
    return outcome;
  }

  /** Rows of Holdfast's own that go with those of a request; none if nothing came of it. */
  #reserved(
    request: WriteRequest,
    outcome: WriteOutcome,
    nowUs: number,
    key: HeldKey | undefined,
  ): readonly ColumnBatch[] {
    const { rejected, rows } = outcome;
    if (rejected.length === 0 && rows === 0) return [];
    const { rejectedBatch, markedBatch } = this.#deps;
    const own: ColumnBatch[] = [];
    if (rejected.length > 0) own.push(rejectedBatch(rejected, request, nowUs));
    if (request.letter !== undefined) own.push(markedBatch('replayed', [request.letter], nowUs));
    if (key !== undefined) own.push(key.row(nowUs, outcome));
    return own;
  }

  /** Resolves when the request is in the log and in the buffers. */
  async #keep(request: RequestBatch, kept: () => void): Promise<void> {
    const count = totalRows(request.batches);
    const encoded = this.#deps.encode(request);
    const payload = encoded instanceof Uint8Array ? encoded : await encoded;
    await new Promise<void>((resolve, reject) => {
      this.#deps.log().append(payload, count, (error, lsn) => {
        if (error !== undefined) {
          reject(error);
          return;
        }
        this.#deps.buffers.enter(request.batches, lsn, (cause) => {
          // Rows that are in the log and only in part in memory: nobody goes on from here.
          if (cause !== undefined) {
            reject(asGatewayError(cause));
            return;
          }
          kept();
          resolve();
        });
      });
    });
  }
}
