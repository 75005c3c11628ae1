/**
 * One body of Arrow IPC on its way through the decoder: its messages one after the other, each
 * record batch into the request's columns or among its rejections. A generator, so that it can stop
 * and go on; it yields after bounded pieces of work. Main thread.
 *
 * I1. Nothing is read outside the body, and no memory is taken on the word of a length in it.
 * I2. A record batch that is bad costs that batch only, a bad row that row only. Where messages no
 *     longer follow each other, those before are kept; the rest is one rejection.
 */
import { GatewayError } from '../../../base/errors/gateway-error.ts';
import type { ColumnBatch } from '../../../base/model/column-batch.ts';
import type { RowAdmission } from '../../../storage/catalog/row-admission.ts';
import { byteSpace, type ByteSpace } from '../bytes.ts';
import { ColumnarPlacer } from '../columnar/columnar-placer.ts';
import { ItemRejections } from '../msgpack/item-rejections.ts';
import type { KnownStrings } from '../msgpack/known-strings.ts';
import { rejectionBytesMax } from '../rejection-list.ts';
import { RequestBatches, type BuilderSerials, renamedCellsOf } from '../request-batches.ts';
import { RequestDays } from '../request-days.ts';
import { parseFault, type Fault } from '../series-parser.ts';
import type { Decoded, DecodeOptions } from '../types.ts';
import { ArrowItem, placeBatch, refuseCompression, type PlacedBatch } from './arrow-item.ts';
import { BatchBuffers, type Region } from './batch-buffers.ts';
import { ArrowDictionary } from './dictionaries.ts';
import { arrowFault } from './flat-table.ts';
import { frameAt, isPadding, messageRange, type MessageRange } from './message-frames.ts';
import {
  readFooter,
  readMessage,
  type ArrowBatch,
  type ArrowDictionaryBatch,
  type ArrowSchema,
} from './metadata.ts';
import { TextBudget, TextFinder } from './read-texts.ts';
import { refusedRows } from './refused-rows.ts';
import { planOf, type StreamPlan } from './stream-plan.ts';

/**
 * Rows and bytes of one rejected item: a batch of which many rows are refused becomes several. Of
 * rows that turn out to be longer, an item has fewer.
 */
const letterRows = 16_384;
const letterBytes = 1_048_576;

export interface ArrowPassDeps {
  readonly registry: RowAdmission;
  readonly serials: BuilderSerials;
  readonly seed: number;
  readonly strings: KnownStrings;
}

interface Stream {
  readonly plan: StreamPlan;
  /** By their numbers; a text is why there is none. */
  readonly dictionaries: Map<number, ArrowDictionary | string>;
}

export class ArrowPass {
  readonly #space: ByteSpace;
  readonly #options: DecodeOptions;
  readonly #registry: RowAdmission;
  readonly #seed: number;
  readonly #strings: KnownStrings;
  readonly #batches: RequestBatches;
  readonly #columnar: ColumnarPlacer;
  readonly #rejections = new ItemRejections('msgpack');
  readonly #cells = { count: 0 };
  readonly #budget: TextBudget;
  readonly #letterBudget: TextBudget;
  #letterBytesLeft: number;
  #stream: Stream | undefined;
  #messages = 0;
  /** Record batches met, and those of them that could be read. */
  #items = 0;
  #readable = 0;
  /** Why the first of what could not be read could not. */
  #fault: string | undefined;

  constructor(body: Uint8Array, options: DecodeOptions, deps: ArrowPassDeps) {
    // Buffers begin at multiples of eight bytes from the start; typed arrays need them to.
    const isAligned = body.byteOffset % 8 === 0;
    const bytes = isAligned ? body : new Uint8Array(body);
    const space = byteSpace(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
    const { registry, serials, seed, strings } = deps;
    const { database, nowUs } = options;
    this.#space = space;
    this.#options = options;
    this.#registry = registry;
    this.#seed = seed;
    this.#strings = strings;
    this.#budget = new TextBudget(bytes.length);
    this.#letterBudget = new TextBudget(bytes.length);
    this.#letterBytesLeft = 2 * bytes.length + rejectionBytesMax;
    this.#batches = new RequestBatches(database, serials);
    this.#columnar = new ColumnarPlacer({
      registry,
      database,
      nowUs,
      days: new RequestDays(options.daysMax),
      cells: this.#cells,
      batches: this.#batches,
    });
  }

  /** Why nothing of the body could be read; undefined if something could, or there is nothing. */
  get unreadable(): string | undefined {
    return this.#readable === 0 ? this.#fault : undefined;
  }

  /** Reads the body. */
  *run(): Generator<undefined, readonly ColumnBatch[]> {
    const range = messageRange(this.#space);
    const { end } = range;
    let { at } = range;
    try {
      yield* this.#footer(range);
    } catch (error) {
      this.#fault = `the footer of the file: ${reasonOf(error)}`;
      at = end;
    }
    while (at < end && !(this.#stream === undefined && isPadding(this.#space, at, end))) {
      this.#messages += 1;
      try {
        at = yield* this.#message(at, end);
      } catch (error) {
        const reason = this.#placed(at, reasonOf(error));
        const rest = this.#space.bytes.subarray(at, Math.min(end, at + rejectionBytesMax));
        yield* this.#refuseBytes(rest, parseFault(`the body breaks off: ${reason}`), reason);
        break;
      }
      yield;
    }
    this.#endStream();
    return yield* this.#batches.finish();
  }

  result(batches: readonly ColumnBatch[]): Decoded {
    const { rows, nanCells, cutTimeDigits, integersAsFloats } = this.#columnar;
    const renamedCells = renamedCellsOf(batches);
    return {
      batches,
      rows,
      rejected: this.#rejections.finish(),
      rejectedLines: this.#rejections.count,
      free: () => {
        this.free();
      },
      counters: { nanCells, duplicateFields: 0, cutTimeDigits, renamedCells, integersAsFloats },
    };
  }

  free(): void {
    this.#endStream();
    this.#batches.free();
    this.#columnar.free();
  }

  /** Begins the stream of a file. @throws HF_BODY_UNREADABLE */
  *#footer({ footerAt, footerEnd }: MessageRange): Generator<undefined> {
    if (footerAt < 0) return;
    const bytes = this.#space.bytes.subarray(footerAt, footerEnd);
    this.#begin(yield* readFooter(bytes, this.#registry.options.columnsMax + 1));
  }

  #begin(schema: ArrowSchema): void {
    this.#endStream();
    const plan = planOf(schema, this.#options.table ?? {});
    this.#stream = { plan, dictionaries: new Map() };
  }

  #endStream(): void {
    for (const dictionary of this.#stream?.dictionaries.values() ?? []) {
      if (typeof dictionary !== 'string') dictionary.free();
    }
    this.#stream = undefined;
  }

  #placed(at: number, reason: string): string {
    return `message ${this.#messages} at byte ${at}: ${reason}`;
  }

  /** Takes the message at `at`; returns where the next one is. @throws where the body breaks */
  *#message(at: number, end: number): Generator<undefined, number> {
    const { metadataAt, metadataLength } = frameAt(this.#space, at, end);
    const bodyAt = metadataAt + metadataLength;
    if (metadataLength === 0) {
      if (this.#stream === undefined) throw arrowFault('no schema');
      this.#endStream();
      return bodyAt;
    }
    const metadata = this.#space.bytes.subarray(metadataAt, bodyAt);
    const message = yield* readMessage(metadata, this.#registry.options.columnsMax + 1);
    const next = bodyAt + message.bodyLength;
    if (next > end) {
      const there = `of which ${end - bodyAt} are there`;
      throw arrowFault(`a body of ${message.bodyLength} bytes, ${there}`);
    }
    if (message.kind === 'schema') {
      this.#begin(message);
      return next;
    }
    if (this.#stream === undefined) throw arrowFault('no schema before it');
    const body = { at: bodyAt, length: message.bodyLength };
    if (message.kind === 'dictionary') {
      yield* this.#dictionary(this.#stream, message, body);
    } else {
      const frame = { at, length: next - at };
      yield* this.#batch(this.#stream, message, body, frame);
    }
    return next;
  }

  *#dictionary(
    { plan, dictionaries }: Stream,
    { id, isDelta, batch }: ArrowDictionaryBatch,
    body: Region,
  ): Generator<undefined> {
    const field = plan.columns.find((column) => column.field.dictionary?.id === id)?.field;
    // Of a dictionary that no column uses nothing is needed.
    if (field?.type.name !== 'text') return;
    const { name, type } = field;
    const known = dictionaries.get(id);
    if (isDelta && typeof known === 'string') return;
    const isMore = isDelta && known instanceof ArrowDictionary;
    const dictionary = isMore ? known : new ArrowDictionary(this.#seed);
    if (!isMore && known instanceof ArrowDictionary) known.free();
    dictionaries.set(id, dictionary);
    try {
      refuseCompression(batch);
      const place = new BatchBuffers(batch, body).next(type, name, true);
      const finder = new TextFinder(this.#space, place, type, name, this.#budget);
      yield* dictionary.add(this.#space, finder, place, name, this.#strings);
    } catch (error) {
      // Batches that use it say so.
      dictionaries.set(id, this.#placed(body.at, reasonOf(error)));
      dictionary.free();
    }
  }

  *#batch(stream: Stream, message: ArrowBatch, body: Region, frame: Region): Generator<undefined> {
    this.#items += 1;
    let placed: PlacedBatch | undefined;
    let fault: Fault | undefined;
    try {
      placed = yield* placeBatch(stream.plan, message, body);
      fault = yield* this.#place(stream, placed);
    } catch (error) {
      const reason = this.#placed(frame.at, reasonOf(error));
      const { bytes } = this.#space;
      const kept = bytes.subarray(frame.at, frame.at + Math.min(frame.length, rejectionBytesMax));
      return yield* this.#refuseBytes(kept, parseFault(reason), reason);
    }
    this.#readable += 1;
    if (fault !== undefined) yield* this.#refuse(stream, placed, fault, 1);
  }

  /** Takes the rows of a batch; returns why none of them is taken, if that is so. */
  *#place(stream: Stream, placed: PlacedBatch): Generator<undefined, Fault | undefined> {
    const { rowCount, plan } = placed;
    const { cellsMax } = this.#options;
    const tooMany: Fault = { kind: 'cap', reason: `max cells per request exceeded: ${cellsMax}` };
    if (rowCount === 0) return undefined;
    // A row may come to less than a bit of the body.
    if (this.#columnar.rows + rowCount > cellsMax) return tooMany;
    const item = new ArrowItem(placed, { from: 0, count: rowCount }, this.#context(this.#budget));
    let isOwned = false;
    try {
      const fits = yield* item.read(stream.dictionaries, cellsMax - this.#cells.count);
      if (!fits) return tooMany;
      const { left } = item;
      const before = this.#columnar.rows;
      const refused = yield* this.#columnar.place(item, plan.measurement);
      isOwned = this.#columnar.rows > before;
      if (refused !== undefined && 'reason' in refused) return refused;
      if (left !== undefined)
        yield* this.#refuse(stream, placed, left.fault, left.count, left.rows);
      if (refused === undefined) return undefined;
      const { rows, fault, count } = refused;
      // Those that its reader refuses are told already.
      if (left !== undefined)
        for (let row = 0; row < rowCount; row += 1) if (left.rows[row] === 1) rows[row] = 0;
      yield* this.#refuse(stream, placed, fault, count, rows);
      return undefined;
    } finally {
      if (!isOwned) item.free();
    }
  }

  #context(budget: TextBudget) {
    const { nameBytesMax, columnsMax } = this.#registry.options;
    return {
      space: this.#space,
      seed: this.#seed,
      strings: this.#strings,
      budget,
      limits: { nameBytesMax, columnsMax },
      precision: this.#options.precision,
    };
  }

  /** Keeps bytes of the stream as they are, for people: they cannot be sent once more. */
  *#refuseBytes(bytes: Uint8Array, fault: Fault, reason: string): Generator<undefined> {
    this.#fault ??= reason;
    const text = `${bytes.length} bytes of Arrow IPC`;
    yield* this.#rejections.addRest(bytes, Math.max(1, this.#items), fault, text);
  }

  /** Keeps the rows of a batch that `marks` has a 1 for, or all; they stand for `count` ones. */
  *#refuse(
    stream: Stream,
    placed: PlacedBatch,
    fault: Fault,
    count: number,
    marks?: Uint8Array,
  ): Generator<undefined> {
    let left = count;
    let rowsMax = letterRows;
    const { rowCount, plan } = placed;
    for (let from = 0; from < rowCount; ) {
      const range = { from, count: Math.min(rowsMax, rowCount - from) };
      from += range.count;
      const own = marks?.subarray(range.from, from);
      const meant = own === undefined ? range.count : countOf(own);
      if (meant === 0) continue;
      const item = new ArrowItem(placed, range, this.#context(this.#letterBudget));
      try {
        yield* item.read(stream.dictionaries, Infinity);
        const mayShrink = range.count > 1 && this.#letterBytesLeft > letterBytes;
        const { bytes, isWhole } = yield* refusedRows(item, {
          measurement: plan.measurement,
          marks: own,
          count: meant,
          bytesMax: mayShrink ? letterBytes : this.#letterBytesLeft,
        });
        if (!isWhole && mayShrink) {
          rowsMax = Math.ceil(range.count / 8);
          from = range.from;
          continue;
        }
        this.#letterBytesLeft = Math.max(0, this.#letterBytesLeft - bytes.length);
        yield* this.#rejections.add(bytes, this.#items, fault, left, isWhole);
        left = 0;
        if (!isWhole) return;
      } catch (error) {
        const reason = `${fault.reason} (not all rows of it are kept: ${reasonOf(error)})`;
        yield* this.#rejections.add(
          new Uint8Array(0),
          this.#items,
          { ...fault, reason },
          left,
          false,
        );
        return;
      } finally {
        item.free();
      }
    }
  }
}

function countOf(marks: Uint8Array): number {
  let count = 0;
  for (const mark of marks) count += mark;
  return count;
}

/** Why bytes are no Arrow. @throws what is another error */
function reasonOf(error: unknown): string {
  if (error instanceof GatewayError && error.code === 'HF_BODY_UNREADABLE') return error.message;
  throw error;
}
