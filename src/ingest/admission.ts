/**
 * Decides whether a write may come in at all, before its body is read and again before it is
 * decoded. One place knows every reason to refuse; each is a 503 that loses nothing (W7, W11).
 * Called on the main thread by the door and by the write routes.
 *
 * I1. A request is always admitted when nothing else is held, however large it is; and when half of
 *     the memory is free, so that a few rows that wait for their flush never keep a large one out.
 * I2. What is admitted is counted until its rows are in the buffers, which count them from then on.
 */
import { GatewayError } from '../base/errors/gateway-error.ts';

/** What admission looks at; each reads a figure that its owner keeps. */
export interface AdmissionSources {
  /** False until replay has reached the end of the log. */
  recovered(): boolean;
  /** True while free space is below the hard watermark. */
  diskFull(): boolean;
  /** True while the write-ahead log has no segment to write to. */
  walFailed(): boolean;
  /** Bytes of live segments of the write-ahead log. */
  walBytes(): number;
  /** Age in milliseconds of the oldest group that is not synced yet; 0 if there is none. */
  walOldestUnsyncedMs(): number;
  /** Bytes of buffers, sealed flushes and hot chunks. */
  bufferBytes(): number;
}

export interface AdmissionLimits {
  /** `ingest.memory` in bytes. */
  readonly memoryBytesMax: number;
  /** `wal.size_max` in bytes: reached only if flushes fail or cannot keep up. */
  readonly walBytesMax: number;
  /** Telegraf gives up after 5 s: later answers would make it send the same rows again. */
  readonly unsyncedMsMax: number;
}

export class Admission {
  readonly #sources: AdmissionSources;
  readonly #limits: AdmissionLimits;
  #heldBytes = 0;
  #stopping = false;

  constructor(sources: AdmissionSources, limits: AdmissionLimits) {
    this.#sources = sources;
    this.#limits = limits;
  }

  /** Bytes of requests between admission and the buffers. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** From now on every write is refused with HF_SHUTTING_DOWN. */
  stop(): void {
    this.#stopping = true;
  }

  /** Why no write may come in now; undefined if one may. */
  refusal(): GatewayError | undefined {
    if (this.#stopping) {
      return new GatewayError('HF_SHUTTING_DOWN', 'the gateway is stopping');
    }
    if (!this.#sources.recovered()) {
      return new GatewayError('HF_RECOVERING', 'the write-ahead log is being read');
    }
    if (this.#sources.walFailed()) {
      return new GatewayError('HF_WAL_FAILED', 'the write-ahead log cannot be written');
    }
    if (this.#sources.diskFull()) {
      return new GatewayError('HF_DISK_FULL', 'free space is below the hard watermark');
    }
    const walBytes = this.#sources.walBytes();
    if (walBytes > this.#limits.walBytesMax) {
      return new GatewayError('HF_WAL_FULL', `the write-ahead log holds ${walBytes} bytes`);
    }
    const waitedMs = this.#sources.walOldestUnsyncedMs();
    if (waitedMs > this.#limits.unsyncedMsMax) {
      return new GatewayError('HF_WAL_STALLED', `a sync takes ${Math.round(waitedMs)} ms so far`);
    }
    return undefined;
  }

  /** @throws the reason why no write may come in now */
  check(): void {
    const refusal = this.refusal();
    if (refusal !== undefined) throw refusal;
  }

  /**
   * Counts `bytes` as held and returns the call that gives them back.
   * @throws as `check`, or HF_INGEST_MEMORY if they do not fit beside what is held
   */
  hold(bytes: number): () => void {
    this.check();
    const others = this.#heldBytes + this.#sources.bufferBytes();
    const { memoryBytesMax } = this.#limits;
    if (others > 0 && others + Math.min(bytes, memoryBytesMax / 2) > memoryBytesMax) {
      throw new GatewayError('HF_INGEST_MEMORY', `${others} bytes are held already`, {
        details: { heldBytes: others, memoryBytesMax },
      });
    }
    this.#heldBytes += bytes;
    return () => {
      this.#heldBytes -= bytes;
    };
  }
}
