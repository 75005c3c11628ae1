/**
 * MessagePack in all the shapes in which Arc takes it, to typed columns: columnar and row maps,
 * alone, in lists, in batches, in lists of those. A bad item costs that item only. Main thread;
 * several requests may be in the making, each gives way to the others every few milliseconds.
 */
import { GatewayError } from '../../../base/errors/gateway-error.ts';
import type { RowAdmission } from '../../../storage/catalog/row-admission.ts';
import { inTurns } from '../../../base/lib/turns.ts';
import { SeriesCaches } from '../series-cache.ts';
import type { Decoded, DecodeOptions } from '../types.ts';
import { KnownStrings } from './known-strings.ts';
import { MessagePass } from './message-pass.ts';
import type { BuilderSerials } from '../request-batches.ts';
import type { RowSerials } from './row-scanner.ts';

export interface MessagePackDecoderOptions {
  readonly registry: RowAdmission;
  /** Monotonic milliseconds; when to give way. */
  monotonicMs(): number;
  /** Any number; makes the hash tables hard to attack. */
  readonly seed: number;
  /** Memory for what is remembered of series, about. */
  readonly cacheBytesMax: number;
}

export class MessagePackDecoder {
  readonly #options: MessagePackDecoderOptions;
  readonly #caches: SeriesCaches;
  readonly #serials: RowSerials & BuilderSerials = { row: 0, builder: 0 };
  readonly #strings = new KnownStrings();
  #requests = 0;

  constructor(options: MessagePackDecoderOptions) {
    this.#options = options;
    this.#caches = new SeriesCaches(options.cacheBytesMax, options.seed);
  }

  /**
   * The rows of `body` that were taken, and the items that were not.
   * @throws HF_BODY_UNREADABLE if nothing in it can be read
   */
  async decode(body: Uint8Array, options: DecodeOptions): Promise<Decoded> {
    const { registry, monotonicMs, seed } = this.#options;
    this.#requests += 1;
    const pass = new MessagePass(body, options, {
      registry,
      caches: this.#caches,
      serials: this.#serials,
      seed,
      strings: this.#strings,
      request: this.#requests,
    });
    try {
      const { yieldNow } = options;
      const batches = await inTurns(pass.run(), { monotonicMs, yieldNow });
      const { unreadable } = pass;
      if (unreadable === undefined) return pass.result(batches);
      throw new GatewayError('HF_BODY_UNREADABLE', `Invalid MessagePack payload: ${unreadable}`);
    } catch (error) {
      pass.free();
      throw error;
    } finally {
      pass.release();
    }
  }
}
