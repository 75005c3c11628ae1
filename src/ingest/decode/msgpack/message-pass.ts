/**
 * One MessagePack body on its way through the decoder: finds its items, whatever they are nested
 * in, and takes each into the request's columns or among its rejections. A generator, so that it
 * can stop and go on; it yields after bounded pieces of work. Main thread.
 */
import type { ColumnBatch } from '../../../base/model/column-batch.ts';
import type { RowAdmission } from '../../../storage/catalog/row-admission.ts';
import { byteSpace, type ByteSpace } from '../bytes.ts';
import { rejectionBytesMax } from '../rejection-list.ts';
import { RequestBatches, type BuilderSerials, renamedCellsOf } from '../request-batches.ts';
import { RequestDays } from '../request-days.ts';
import { RowPlacer } from '../row-placer.ts';
import type { SeriesCaches } from '../series-cache.ts';
import { parseFault, type Fault } from '../series-parser.ts';
import type { Decoded, DecodeOptions } from '../types.ts';
import { bodyBroken } from './column-stage.ts';
import { ColumnarItem } from './columnar-item.ts';
import { ColumnarPlacer } from '../columnar/columnar-placer.ts';
import { valueClasses } from './formats.ts';
import { HeadReader } from './head-reader.ts';
import { ItemRejections } from './item-rejections.ts';
import { ItemTime } from './item-time.ts';
import type { KnownStrings } from './known-strings.ts';
import { refusedItem } from './refused-item.ts';
import { RowScanner, type RowSerials } from './row-scanner.ts';
import { ValueSkipper } from './value-skipper.ts';

/** Lists and batches within each other; real senders have one or two. */
const nestingMax = 16;

/** Work between two chances for a pause: well under a millisecond. */
const stepItems = 256;
const stepBytes = 65_536;
const stepValues = 16_384;

export interface PassDeps {
  readonly registry: RowAdmission;
  readonly caches: SeriesCaches;
  readonly serials: RowSerials & BuilderSerials;
  readonly seed: number;
  readonly strings: KnownStrings;
  /** Number of the request among all of the decoder. */
  readonly request: number;
}

export class MessagePass {
  readonly #deps: PassDeps;
  readonly #options: DecodeOptions;
  readonly #space: ByteSpace;
  readonly #head: HeadReader;
  readonly #time: ItemTime;
  readonly #skipper: ValueSkipper;
  readonly #scanner: RowScanner;
  readonly #batches: RequestBatches;
  readonly #rows: RowPlacer;
  readonly #columnar: ColumnarPlacer;
  readonly #rejections = new ItemRejections();
  readonly #cells = { count: 0 };
  #cache;
  /** Items met so far. */
  #items = 0;
  #nanCells = 0;
  #sinceYield = 0;
  #yieldedAt = 0;
  #broken: { readonly at: number; readonly reason: string } | undefined;

  constructor(body: Uint8Array, options: DecodeOptions, deps: PassDeps) {
    const { registry, caches, serials, seed, strings, request } = deps;
    const { database, cellsMax, nowUs, lineBytesMax } = options;
    // Never a Buffer: one class of arrays keeps the hot loops monomorphic.
    const space = byteSpace(new Uint8Array(body.buffer, body.byteOffset, body.length));
    this.#deps = deps;
    this.#options = options;
    this.#space = space;
    this.#head = new HeadReader(space);
    this.#time = new ItemTime(space);
    this.#skipper = new ValueSkipper(space);
    this.#cache = caches.current(database, registry.generation);
    const { columnsMax, nameBytesMax } = registry.options;
    const limits = { rowBytesMax: lineBytesMax, nameBytesMax, columnsMax };
    this.#scanner = new RowScanner(space, this.#cache, this.#time, nowUs, limits, serials);
    const cells = this.#cells;
    const days = new RequestDays(options.daysMax);
    const batches = new RequestBatches(database, serials);
    const common = { registry, database, days, cells, batches };
    this.#batches = batches;
    this.#rows = new RowPlacer({ ...common, cellsMax, line: space, request });
    const context = { space, head: new HeadReader(space), seed, strings };
    this.#columnar = new ColumnarPlacer({ ...common, nowUs });
    this.#context = context;
  }

  readonly #context;

  /** Why nothing of the body could be read; undefined if something could. */
  get unreadable(): string | undefined {
    return this.#items === 0 ? this.#broken?.reason : undefined;
  }

  /** Reads the body. */
  *run(): Generator<undefined, readonly ColumnBatch[]> {
    const { length } = this.#space.bytes;
    let at = 0;
    while (at < length) {
      const kind = this.#head.read(at);
      if (kind !== valueClasses.map && kind !== valueClasses.array) {
        this.#breakAt(at, kind === 0 ? brokenBody : 'neither a map nor an array');
        break;
      }
      const next = yield* this.#item(at, 0);
      if (next < 0) break;
      at = next;
    }
    if (this.#broken !== undefined && this.#items > 0) yield* this.#keepRest(this.#broken);
    return yield* this.#batches.finish();
  }

  result(batches: readonly ColumnBatch[]): Decoded {
    const rows = this.#rows;
    const columnar = this.#columnar;
    const renamedCells = renamedCellsOf(batches);
    return {
      batches,
      rows: rows.rows + columnar.rows,
      rejected: this.#rejections.finish(),
      rejectedLines: this.#rejections.count,
      free: () => {
        this.free();
      },
      counters: {
        nanCells: this.#nanCells + columnar.nanCells,
        duplicateFields: 0,
        cutTimeDigits: rows.cutTimeDigits + columnar.cutTimeDigits,
        renamedCells,
        integersAsFloats: rows.integersAsFloats + columnar.integersAsFloats,
      },
    };
  }

  free(): void {
    this.#batches.free();
    this.#columnar.free();
  }

  /** Lets go of what caches hold of the request. */
  release(): void {
    this.#rows.release();
  }

  #breakAt(at: number, reason: string): -1 {
    this.#broken ??= { at, reason };
    return -1;
  }

  /** A chance for others; the cache may be another one afterwards. */
  *#pause(at: number): Generator<undefined> {
    this.#sinceYield = 0;
    this.#yieldedAt = at;
    yield;
    const { caches, registry } = this.#deps;
    this.#cache = caches.current(this.#options.database, registry.generation);
    this.#scanner.useCache(this.#cache);
  }

  #isPauseDue(at: number): boolean {
    this.#sinceYield += 1;
    return this.#sinceYield >= stepItems || at - this.#yieldedAt >= stepBytes;
  }

  /** Takes what begins at `at`; returns the position behind it, or -1 where the body breaks. */
  *#item(at: number, depth: number): Generator<undefined, number> {
    const kind = this.#head.read(at);
    const { start, length } = this.#head;
    if (kind === 0) return this.#breakAt(at, brokenBody);
    if (kind === valueClasses.array) {
      if (depth === nestingMax) return yield* this.#reject(at, parseFault('too deep nesting'));
      return yield* this.#list(start, length, depth);
    }
    if (kind !== valueClasses.map) return yield* this.#reject(at, parseFault('no map'));
    switch (this.#scanner.scan(start, length)) {
      case 'row':
        return this.#placeRow() ?? (yield* this.#reject(at, this.#scanner.fault));
      case 'fault':
        return yield* this.#reject(at, this.#scanner.fault);
      case 'broken':
        return this.#breakAt(at, brokenBody);
      case 'columnar':
        return yield* this.#columnarItem(at, start, length);
      case 'batch':
        if (depth === nestingMax) return yield* this.#reject(at, parseFault('too deep nesting'));
        return yield* this.#batch(at, start, length, depth);
    }
  }

  *#list(start: number, length: number, depth: number): Generator<undefined, number> {
    let at = start;
    for (let index = 0; index < length; index += 1) {
      // Rows one behind the other need no generator of their own.
      const next = this.#tryRow(at);
      at = next > 0 ? next : yield* this.#item(at, depth + 1);
      if (at < 0) return -1;
      if (this.#isPauseDue(at)) yield* this.#pause(at);
    }
    return at;
  }

  /** Behind the row at `at` if there is one and it was taken; else 0, and nothing has happened. */
  #tryRow(at: number): number {
    if (this.#head.read(at) !== valueClasses.map) return 0;
    if (this.#scanner.scan(this.#head.start, this.#head.length) !== 'row') return 0;
    return this.#placeRow() ?? 0;
  }

  /** Behind the row that was scanned; undefined if it is refused, and the scanner's fault why. */
  #placeRow(): number | undefined {
    const scanner = this.#scanner;
    const fault = this.#rows.place(scanner, this.#time, this.#cache);
    if (fault !== undefined) {
      scanner.fault = fault;
      return undefined;
    }
    this.#items += 1;
    this.#nanCells += scanner.nanCells;
    return scanner.next;
  }

  /** A map with a `batch`: its items are taken, what else is in it is passed over. */
  *#batch(
    mapAt: number,
    start: number,
    pairs: number,
    depth: number,
  ): Generator<undefined, number> {
    const head = this.#head;
    let batches = 0;
    let fault: Fault | undefined;
    let at = start;
    for (let pair = 0; pair < pairs; pair += 1) {
      if (head.read(at) === 0) return this.#breakAt(mapAt, brokenBody);
      const name = this.#keyText(head);
      at = head.end;
      if (name === 'batch' && batches === 0) {
        batches += 1;
        const kind = head.read(at);
        if (kind === 0) return this.#breakAt(at, brokenBody);
        if (kind === valueClasses.array) {
          at = yield* this.#list(head.start, head.length, depth + 1);
          if (at < 0) return -1;
          continue;
        }
        fault = parseFault('a batch that is no array');
      } else if (name === 'batch') {
        fault = parseFault('key "batch" twice');
      } else if (name === undefined) {
        fault = parseFault('a key that is no string');
      } else if (rowKeys.has(name)) {
        fault = parseFault(`an item with a batch and "${name}"`);
      }
      // What is bad beside the batch is kept without it, whose items are taken already.
      const end = yield* this.#skip(at);
      if (end < 0) return this.#breakAt(at, brokenBody);
      at = end;
    }
    if (fault !== undefined) {
      this.#items += 1;
      yield* this.#rejections.addRest(
        this.#space.bytes.subarray(mapAt, Math.min(at, mapAt + rejectionBytesMax)),
        this.#items,
        fault,
      );
    }
    return at;
  }

  #keyText(head: HeadReader): string | undefined {
    if (valueClasses.string !== head.kind) return undefined;
    if (head.length > 7) return '';
    return Buffer.from(this.#space.bytes.subarray(head.start, head.end)).toString('latin1');
  }

  *#skip(at: number): Generator<undefined, number> {
    this.#skipper.begin(at);
    for (;;) {
      const state = this.#skipper.advance(stepValues);
      if (state === 'broken') return bodyBroken;
      if (state === 'done') return this.#skipper.at;
      yield* this.#pause(at);
    }
  }

  /** Keeps the value at `at` as a rejection; returns the position behind it. */
  *#reject(at: number, fault: Fault, count = 1): Generator<undefined, number> {
    const end = yield* this.#skip(at);
    if (end < 0) return this.#breakAt(at, brokenBody);
    this.#items += 1;
    yield* this.#rejections.add(this.#space.bytes.subarray(at, end), this.#items, fault, count);
    return end;
  }

  *#columnarItem(at: number, start: number, pairs: number): Generator<undefined, number> {
    const { cellsMax } = this.#options;
    const item = new ColumnarItem(this.#context, this.#time, {
      columnsMax: this.#deps.registry.options.columnsMax,
      nameBytesMax: this.#deps.registry.options.nameBytesMax,
      cellsMax: cellsMax - this.#cells.count,
      cellsReason: `max cells per request exceeded: ${cellsMax}`,
    });
    const end = yield* item.read(start, pairs);
    if (end < 0) {
      item.free();
      if (end === bodyBroken) return this.#breakAt(at, brokenBody);
      return yield* this.#reject(at, item.fault);
    }
    const name = item.name();
    const refused = typeof name === 'string' ? yield* this.#columnar.place(item, name) : name;
    if (refused === undefined) {
      this.#items += 1;
    } else if ('reason' in refused) {
      item.free();
      return yield* this.#reject(at, refused);
    } else if (refused.count === item.rowCount) {
      item.free();
      return yield* this.#reject(at, refused.fault, refused.count);
    } else {
      this.#items += 1;
      const rows = yield* refusedItem(this.#space, item, refused.rows, refused.count);
      yield* this.#rejections.add(rows, this.#items, refused.fault, refused.count);
    }
    yield* this.#pause(end);
    return end;
  }

  *#keepRest({ at, reason }: { at: number; reason: string }): Generator<undefined> {
    const { bytes } = this.#space;
    const rest = bytes.subarray(at, Math.min(bytes.length, at + rejectionBytesMax));
    this.#items += 1;
    const fault = parseFault(`the body breaks off: ${reason}`);
    yield* this.#rejections.addRest(rest, this.#items, fault);
  }
}

const brokenBody = 'it ends within a value, or has a byte that begins none';

const rowKeys = new Set(['columns', 'fields', 'f', 't', 'h', 'tags']);
