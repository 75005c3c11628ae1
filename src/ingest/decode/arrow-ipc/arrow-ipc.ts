/**
 * Arrow IPC, as a stream or as a file, to typed columns. Main thread; several requests may be in
 * the making, each gives way to the others every few milliseconds.
 */
import { GatewayError } from '../../../base/errors/gateway-error.ts';
import type { RowAdmission } from '../../../storage/catalog/row-admission.ts';
import { inTurns } from '../../../base/lib/turns.ts';
import { KnownStrings } from '../msgpack/known-strings.ts';
import type { BuilderSerials } from '../request-batches.ts';
import type { Decoded, DecodeOptions } from '../types.ts';
import { ArrowPass } from './arrow-pass.ts';

export interface ArrowDecoderOptions {
  readonly registry: RowAdmission;
  /** Monotonic milliseconds; when to give way. */
  monotonicMs(): number;
  /** Any number; makes the hash tables hard to attack. */
  readonly seed: number;
}

export class ArrowDecoder {
  readonly #options: ArrowDecoderOptions;
  readonly #serials: BuilderSerials = { builder: 0 };
  readonly #strings = new KnownStrings();

  constructor(options: ArrowDecoderOptions) {
    this.#options = options;
  }

  /**
   * The rows of `body` that were taken, and what was not. Columns may be views of `body`.
   * @throws HF_BODY_UNREADABLE if nothing in it can be read
   */
  async decode(body: Uint8Array, options: DecodeOptions): Promise<Decoded> {
    const { registry, seed, monotonicMs } = this.#options;
    const pass = new ArrowPass(body, options, {
      registry,
      seed,
      serials: this.#serials,
      strings: this.#strings,
    });
    const { yieldNow } = options;
    try {
      const batches = await inTurns(pass.run(), { monotonicMs, yieldNow });
      const { unreadable } = pass;
      if (unreadable === undefined) return pass.result(batches);
      throw new GatewayError('HF_BODY_UNREADABLE', `Invalid Arrow IPC payload: ${unreadable}`);
    } catch (error) {
      pass.free();
      throw error;
    }
  }
}
