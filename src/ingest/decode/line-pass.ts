/**
 * One body of line protocol on its way through the decoder, in bounded pieces of work. Main thread;
 * several passes may be in the making, and each piece of work is one's own.
 */
import { isUtf8 } from 'node:buffer';
import type { ColumnBatch } from '../../base/model/column-batch.ts';
import type { RowAdmission } from '../../storage/catalog/row-admission.ts';
import { byteSpace, type ByteSpace } from './bytes.ts';
import { LineScanner, type LineSerials, type ScanLimits } from './line-scanner.ts';
import { LineSkipper } from './line-skipper.ts';
import { RejectionList } from './rejection-list.ts';
import { RequestBatches, type BuilderSerials, renamedCellsOf } from './request-batches.ts';
import { RequestDays } from './request-days.ts';
import { RowPlacer } from './row-placer.ts';
import type { SeriesCache, SeriesCaches } from './series-cache.ts';
import { parseFault, type Fault } from './series-parser.ts';
import { TimeReader } from './time-reader.ts';
import type { Decoded, DecodeOptions } from './types.ts';

/** UTF-8 bytes of one string field; InfluxDB 3's limit. */
const stringBytesMax = 1_048_576;

/** Work between two looks at the clock: well under a millisecond. */
const stepBytes = 65_536;
const stepLines = 256;

/** Bytes that are copied and looked at in one go. */
const lookBytes = 1_048_576;

const newline = 10;
const space = 32;
const tab = 9;
const carriageReturn = 13;
const hash = 35;

/** One request on its way through the decoder. */
export class LinePass {
  readonly #options: DecodeOptions;
  readonly #registry: RowAdmission;
  readonly #caches: SeriesCaches;
  readonly #space: ByteSpace;
  readonly #buffer: Buffer;
  /** Length of the body as it came. */
  readonly #length: number;
  /** The body has a NUL or is not UTF-8: each line is looked at. */
  #suspect = false;
  readonly #time: TimeReader;
  readonly #limits: ScanLimits;
  readonly #scanner: LineScanner;
  readonly #skipper: LineSkipper;
  readonly #batches: RequestBatches;
  readonly #placer: RowPlacer;
  readonly #rejections: RejectionList;
  /** Looks at the body before its first line is read. */
  #first: Generator<undefined> | undefined;
  #cache: SeriesCache;
  #at = 0;
  #line = 1;
  /** Work left on a long rejected line. */
  #long: Generator<undefined> | undefined;
  /** A bad line whose end is still to be found. */
  #bad: { readonly start: number; readonly fault: Fault } | undefined;

  constructor(
    body: Uint8Array,
    options: DecodeOptions,
    registry: RowAdmission,
    caches: SeriesCaches,
    serials: LineSerials & BuilderSerials,
    request: number,
  ) {
    this.#options = options;
    this.#registry = registry;
    this.#caches = caches;
    this.#cache = caches.current(options.database, registry.generation);
    this.#length = body.length;
    const bytes = endingInNewline(body);
    this.#first = this.#look(body);
    this.#space = byteSpace(bytes);
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#time = new TimeReader(options.precision, options.nowUs);
    const { columnsMax, nameBytesMax } = registry.options;
    this.#limits = {
      lineBytesMax: options.lineBytesMax,
      stringBytesMax,
      nameBytesMax,
      tagsMax: columnsMax,
      fieldsMax: columnsMax,
    };
    this.#scanner = new LineScanner(this.#space, this.#cache, this.#time, this.#limits, serials);
    this.#skipper = new LineSkipper(bytes);
    this.#rejections = new RejectionList(this.#buffer.subarray(0, body.length));
    this.#batches = new RequestBatches(options.database, serials);
    this.#placer = new RowPlacer({
      registry,
      database: options.database,
      cellsMax: options.cellsMax,
      batches: this.#batches,
      days: new RequestDays(options.daysMax),
      line: this.#space,
      request,
    });
  }

  /** The batches, once the body is done; yields for pauses. */
  finish(): Generator<undefined, readonly ColumnBatch[]> {
    return this.#batches.finish();
  }

  /** A bounded piece of work; true when the body is done. */
  step(): boolean {
    if (this.#first !== undefined) {
      if (this.#first.next().done === true) this.#first = undefined;
      return false;
    }
    this.#cache = this.#caches.current(this.#options.database, this.#registry.generation);
    this.#scanner.useCache(this.#cache);
    const { bytes } = this.#space;
    const stop = Math.min(bytes.length, this.#at + stepBytes);
    for (let lines = 0; lines < stepLines && this.#at < stop; lines += 1) {
      if (this.#long !== undefined) break;
      if (this.#bad !== undefined) {
        if (!this.#skipBad()) return false;
      } else if (this.#toLineStart(stop)) {
        this.#readLine();
      }
    }
    if (this.#long?.next().done === true) this.#long = undefined;
    return this.#at >= bytes.length && this.#bad === undefined && this.#long === undefined;
  }

  result(batches: readonly ColumnBatch[]): Decoded {
    const { rows, duplicateFields, cutTimeDigits, integersAsFloats } = this.#placer;
    const renamedCells = renamedCellsOf(batches);
    return {
      batches,
      rows,
      rejected: this.#rejections.finish(),
      rejectedLines: this.#rejections.lines,
      free: () => {
        this.#batches.free();
      },
      counters: { nanCells: 0, duplicateFields, cutTimeDigits, renamedCells, integersAsFloats },
    };
  }

  release(): void {
    this.#placer.release();
  }

  /** Fills the copy of the body, if there is one, and looks for what makes lines suspect. */
  *#look(body: Uint8Array): Generator<undefined> {
    const { bytes } = this.#space;
    const isCopy = bytes.length > body.length;
    for (let from = 0; from < body.length; ) {
      let to = Math.min(body.length, from + lookBytes);
      // Not in the middle of a character; who begins with more of these bytes is no UTF-8 anyway.
      for (let back = 0; back < 3 && ((body[to] ?? 0) & 0xc0) === 0x80; back += 1) to -= 1;
      if (isCopy) bytes.set(body.subarray(from, to), from);
      const piece = this.#buffer.subarray(from, to);
      this.#suspect ||= piece.includes(0) || !isUtf8(piece);
      from = to;
      yield;
    }
  }

  /** Moves to the first byte of a line; false if what stood here was blank or a comment. */
  #toLineStart(stop: number): boolean {
    const { bytes } = this.#space;
    let at = this.#at;
    let byte = bytes[at];
    while (at < stop && (byte === space || byte === tab || byte === carriageReturn)) {
      at += 1;
      byte = bytes[at];
    }
    this.#at = at;
    if (at === stop) return false;
    if (byte === hash) {
      this.#at = this.#buffer.indexOf(newline, at) + 1;
      this.#line += 1;
      return false;
    }
    if (byte !== newline) return true;
    this.#at = at + 1;
    this.#line += 1;
    return false;
  }

  #readLine(): void {
    const start = this.#at;
    const scanner = this.#scanner;
    if (start > scanner.guard) this.#setGuard(start);
    if (scanner.guard - start > this.#limits.lineBytesMax + stepBytes) {
      this.#skipper.begin(start, 'plain');
      this.#bad = { start, fault: parseFault('line too long') };
      return;
    }
    if (!scanner.scan(start)) {
      this.#skipper.begin(scanner.faultAt, scanner.faultPlace);
      this.#skipper.innerLines += scanner.innerLines;
      this.#bad = { start, fault: scanner.fault };
      return;
    }
    const fault = this.#suspectFault(start) ?? this.#placer.place(scanner, this.#time, this.#cache);
    if (fault !== undefined) this.#reject(start, scanner.next, fault);
    this.#at = scanner.next;
    this.#line += 1 + scanner.innerLines;
  }

  /** The last newline within reach of `start`, or the first beyond it. */
  #setGuard(start: number): void {
    const reach = Math.min(start + stepBytes, this.#buffer.length - 1);
    const last = this.#buffer.lastIndexOf(newline, reach);
    this.#scanner.guard = last >= start ? last : this.#buffer.indexOf(newline, reach);
  }

  #suspectFault(start: number): Fault | undefined {
    if (!this.#suspect) return undefined;
    const line = this.#buffer.subarray(start, this.#scanner.next);
    if (line.includes(0)) return parseFault('NUL in line');
    return isUtf8(line) ? undefined : parseFault('invalid UTF-8');
  }

  /** Goes on looking for the end of a bad line; true when it was found. */
  #skipBad(): boolean {
    const { start, fault } = this.#bad ?? { start: this.#at, fault: parseFault('') };
    if (!this.#skipper.advance(stepBytes)) return false;
    this.#bad = undefined;
    this.#reject(start, this.#skipper.at, fault);
    this.#at = this.#skipper.at;
    this.#line += 1 + this.#skipper.innerLines;
    return true;
  }

  /** Notes the line that begins at `start`; `next` is behind its newline. */
  #reject(start: number, next: number, fault: Fault): void {
    let end = Math.min(next, this.#length);
    if (end > start && this.#buffer[end - 1] === newline) end -= 1;
    if (end > start && this.#buffer[end - 1] === carriageReturn) end -= 1;
    this.#long = this.#rejections.add(start, end, this.#line, fault);
  }
}

/**
 * The body, or room for a copy with a newline behind it: the scanner's loops end at newlines.
 */
function endingInNewline(body: Uint8Array): Uint8Array {
  if (body.length === 0 || body[body.length - 1] === newline) {
    // Never a Buffer: one class of arrays keeps the hot loops monomorphic.
    return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  }
  const copy = new Uint8Array(body.length + 1);
  copy[body.length] = newline;
  return copy;
}
