/**
 * Line protocol to typed columns. The lenient grammar of InfluxDB 3 with the decisions of
 * docs/LINE-PROTOCOL.md: raw newlines inside strings belong to the string, a bad line costs that
 * line only, types are decided by the schema registry at once. Main thread; several requests may be
 * in the making, each gives way to the others every few milliseconds.
 *
 * I1. A request that is refused whole leaves nothing in the registry: it is decided on trial first,
 *     and for good only when every line has its place.
 */
import type { RowAdmission } from '../../storage/catalog/row-admission.ts';
import type { SchemaRegistry } from '../../storage/catalog/schema-registry.ts';
import { SchemaTrial } from '../../storage/catalog/schema-trial.ts';
import { LinePass } from './line-pass.ts';
import type { LineSerials } from './line-scanner.ts';
import type { BuilderSerials } from './request-batches.ts';
import { SeriesCaches } from './series-cache.ts';
import type { Decoded, DecodeOptions } from './types.ts';

export interface LineDecoderOptions {
  readonly registry: SchemaRegistry;
  /** Monotonic milliseconds; when to give way. */
  monotonicMs(): number;
  /** Any number; makes the hash tables hard to attack. */
  readonly seed: number;
  /** Memory for what is remembered of series, about. 16 MiB hold some 25,000 of ten tags. */
  readonly cacheBytesMax: number;
}

/** Milliseconds of work after which others get a turn. */
const workMs = 4;

export class LineDecoder {
  readonly #options: LineDecoderOptions;
  readonly #caches: SeriesCaches;
  readonly #serials: LineSerials & BuilderSerials = { line: 0, builder: 0 };
  #requests = 0;

  constructor(options: LineDecoderOptions) {
    this.#options = options;
    this.#caches = this.#newCaches();
  }

  /**
   * The rows of `body` that were taken, and the lines that were not. Never throws on input. Where
   * one bad line refuses them all, the rows are those that would have been taken.
   */
  decode(body: Uint8Array, options: DecodeOptions): Promise<Decoded> {
    if (!options.acceptPartial) return this.#decodeWhole(body, options);
    return this.#decode(body, options, this.#options.registry, this.#caches);
  }

  async #decodeWhole(body: Uint8Array, options: DecodeOptions): Promise<Decoded> {
    const { registry } = this.#options;
    for (;;) {
      const trial = new SchemaTrial(registry);
      const tried = await this.#decode(body, options, trial, this.#newCaches());
      if (tried.rejected.length > 0 || trial.isUnchanged) return tried;
      tried.free();
      // Once the registry has the columns of all rows, nobody can take them away again. If another
      // request came first, the next trial meets what it left; the registry never takes that back.
      if (trial.apply()) return this.#decode(body, options, registry, this.#caches);
    }
  }

  async #decode(
    body: Uint8Array,
    options: DecodeOptions,
    registry: RowAdmission,
    caches: SeriesCaches,
  ): Promise<Decoded> {
    const { monotonicMs } = this.#options;
    this.#requests += 1;
    const pass = new LinePass(body, options, registry, caches, this.#serials, this.#requests);
    let startedMs = monotonicMs();
    const pause = async () => {
      if (monotonicMs() - startedMs < workMs) return;
      await options.yieldNow();
      startedMs = monotonicMs();
    };
    try {
      while (!pass.step()) {
        if (monotonicMs() - startedMs >= workMs) await pause();
      }
      const batches = pass.finish();
      for (;;) {
        const step = batches.next();
        if (step.done === true) return pass.result(step.value);
        if (monotonicMs() - startedMs >= workMs) await pause();
      }
    } finally {
      pass.release();
    }
  }

  #newCaches(): SeriesCaches {
    return new SeriesCaches(this.#options.cacheBytesMax, this.#options.seed);
  }
}
