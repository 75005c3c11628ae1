/**
 * Free space of the data directory against the watermarks of W7. Polled on the main thread; what
 * it decides is read by admission (hard: writes get 503 `disk_full`) and shown in the status. The
 * log finds out by itself when the disk is really full; this refuses before that.
 */
import { type Watermark, watermarkBytes } from '../base/config/derive.ts';
import type { Files } from '../base/disk/files.ts';
import { asGatewayError } from '../base/errors/gateway-error.ts';
import type { AlarmRecorder } from '../base/telemetry/alarms.ts';
import type { Logger } from '../base/telemetry/log.ts';

export type SpaceState = 'enough' | 'soft' | 'hard';

export interface SpaceFigures {
  readonly state: SpaceState;
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly softFreeBytes: number;
  readonly hardFreeBytes: number;
}

export interface SpaceDeps {
  readonly files: Pick<Files, 'freeBytes'>;
  /** Size of the file system of a path (base/disk/disk-size.ts). */
  readonly diskBytes: (path: string) => number;
  readonly alarms: AlarmRecorder;
  readonly logger: Logger;
}

export interface SpaceOptions {
  readonly dataDirectory: string;
  readonly softFree: Watermark;
  readonly hardFree: Watermark;
  readonly intervalMs: number;
}

export class SpaceWatch {
  readonly #deps: SpaceDeps;
  readonly #options: SpaceOptions;
  readonly #listeners: ((state: SpaceState) => void)[] = [];
  #figures: SpaceFigures;
  #timer: NodeJS.Timeout | undefined;

  /** Looks once. @throws HF_IO if the file system cannot be asked at all. */
  constructor(deps: SpaceDeps, options: SpaceOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#figures = this.#look();
    const { hardFree } = options;
    if (this.#figures.hardFreeBytes === hardFree.floorBytes) {
      deps.logger.info(
        { hardFreeBytes: hardFree.floorBytes },
        'storage.hard_free raised to what a full memory, a snapshot and two segments need',
      );
    }
    this.#alarm();
  }

  #look(): SpaceFigures {
    const { dataDirectory, softFree, hardFree } = this.#options;
    const totalBytes = this.#deps.diskBytes(dataDirectory);
    const freeBytes = this.#deps.files.freeBytes(dataDirectory);
    const softFreeBytes = watermarkBytes(softFree, totalBytes);
    const hardFreeBytes = watermarkBytes(hardFree, totalBytes);
    const belowSoft = freeBytes < softFreeBytes ? 'soft' : 'enough';
    const state = freeBytes < hardFreeBytes ? 'hard' : belowSoft;
    return { state, freeBytes, totalBytes, softFreeBytes, hardFreeBytes };
  }

  #alarm(): void {
    const { alarms } = this.#deps;
    const { state, freeBytes } = this.#figures;
    const detail = `${freeBytes} bytes free`;
    if (state === 'hard') alarms.raise('disk_hard', detail);
    else alarms.clear('disk_hard');
    if (state === 'soft') alarms.raise('disk_soft', detail);
    else alarms.clear('disk_soft');
  }

  /** Looks again now; returns what it found. */
  check(): SpaceState {
    const before = this.#figures.state;
    try {
      this.#figures = this.#look();
    } catch (error) {
      // The last state stands: a file system that cannot be asked may still take writes, and if it
      // cannot, the log says so.
      this.#deps.alarms.raise('disk_unknown', asGatewayError(error).message);
      return before;
    }
    this.#deps.alarms.clear('disk_unknown');
    this.#alarm();
    const { state } = this.#figures;
    if (state !== before) for (const listener of this.#listeners) listener(state);
    return state;
  }

  /** Looks every `intervalMs` from now on. */
  start(): void {
    this.#timer ??= setInterval(() => this.check(), this.#options.intervalMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  get figures(): SpaceFigures {
    return this.#figures;
  }

  /** True while writes must be refused. */
  get full(): boolean {
    return this.#figures.state === 'hard';
  }

  onState(listener: (state: SpaceState) => void): void {
    this.#listeners.push(listener);
  }
}
