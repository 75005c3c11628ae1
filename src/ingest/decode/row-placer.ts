/**
 * Takes a scanned line or row item into the request's columns, or says why it is not taken. All
 * checks come before the first cell is written, and the registry admits a row's columns all or
 * none, so a bad row leaves nothing behind: no cell, no column, no measurement.
 */
import type { ColumnRef } from '../../base/model/schema.ts';
import type { ColumnWish } from '../../storage/catalog/measurement-entry.ts';
import type { RowAdmission } from '../../storage/catalog/row-admission.ts';
import { present } from '../../base/lib/assert.ts';
import type { BatchBuilder } from './batch-builder.ts';
import { byteSpace, type ByteSpace } from './bytes.ts';
import type { ColumnBuilder } from './column-builder.ts';
import type { FieldArrays } from './field-arrays.ts';
import type { MeasurementLayout } from './layout.ts';
import type { RequestBatches } from './request-batches.ts';
import type { RequestDays } from './request-days.ts';
import type { Series, SeriesCache } from './series-cache.ts';
import { backslash, type Fault } from './series-parser.ts';
import {
  booleanForm,
  doubleForm,
  formNames,
  hugeExactForm,
  integerExactForm,
  stringForm,
} from './value-forms.ts';

const quote = 34;

/** Rows for which a measurement seen for the first time has room. */
const rowsFirst = 32;

/** Cells of a request so far, counted by all who place rows of it. */
export interface CellCount {
  count: number;
}

export interface PlacerOptions {
  readonly registry: RowAdmission;
  readonly database: string;
  readonly cellsMax: number;
  readonly cells?: CellCount;
  /** Those of the whole request. */
  readonly batches: RequestBatches;
  /** Those of the whole request. */
  readonly days: RequestDays;
  readonly line: ByteSpace;
  /** Number of the request among all of the decoder. */
  readonly request: number;
}

/** A row that a scanner has read. */
export interface ScannedRow {
  readonly series: Series | undefined;
  readonly fields: FieldArrays;
}

/** The time of a row, by halves of its microseconds. */
export interface RowTime {
  readonly low: number;
  readonly high: number;
  /** True if it had finer digits. */
  readonly cut: boolean;
}

export class RowPlacer {
  rows = 0;
  duplicateFields = 0;
  cutTimeDigits = 0;
  integersAsFloats = 0;
  readonly #registry: RowAdmission;
  readonly #database: string;
  readonly #cellsMax: number;
  readonly #cells: CellCount;
  readonly #days: RequestDays;
  readonly #line: ByteSpace;
  readonly #request: number;
  readonly #batches: RequestBatches;
  readonly #layouts = new Set<MeasurementLayout>();
  #unescaped: ByteSpace = byteSpace(new Uint8Array(64));

  constructor(options: PlacerOptions) {
    const { registry, database, cellsMax, cells = { count: 0 } } = options;
    const { batches, days, line, request } = options;
    this.#registry = registry;
    this.#database = database;
    this.#cellsMax = cellsMax;
    this.#cells = cells;
    this.#batches = batches;
    this.#days = days;
    this.#line = line;
    this.#request = request;
  }

  /** Takes the line that `scanner` read; undefined if it was taken. */
  place(scanner: ScannedRow, time: RowTime, cache: SeriesCache): Fault | undefined {
    const series = present(scanner.series, 'series of the line');
    const { layout } = series;
    const cells = series.tagSlots.length + scanner.fields.count - scanner.fields.duplicates;
    if (this.#cells.count + cells > this.#cellsMax) {
      return { kind: 'cap', reason: `max cells per request exceeded: ${this.#cellsMax}` };
    }
    const isOwn = layout.builderRequest === this.#request;
    const days = (isOwn ? layout.days : undefined) ?? this.#days.of(layout.name);
    if (!this.#days.allows(days, time.low, time.high)) {
      return { kind: 'cap', reason: this.#days.reason };
    }
    if (!this.#isKnown(scanner, series, cache)) {
      const refusal = this.#admit(scanner, series, cache);
      if (refusal !== undefined) return refusal;
    }
    let { builder } = layout;
    const isCurrent = builder?.isOpen === true && builder.kind.namings === layout.owner?.namings;
    if (builder === undefined || !isOwn || !isCurrent) {
      builder = this.#builderFor(layout, series, scanner);
      layout.days = days;
    }
    if (series.builder !== builder.serial) {
      series.local = builder.enterSeries(series);
      series.builder = builder.serial;
    }
    this.#putFields(scanner, builder, cache);
    builder.endRow(series.local, time.low, time.high);
    this.#days.note(days, time.low, time.high);
    this.#cells.count += cells;
    this.rows += 1;
    this.duplicateFields += scanner.fields.duplicates;
    if (time.cut) this.cutTimeDigits += 1;
    return undefined;
  }

  /** Lets go of the builders in the caches; the request is over. */
  release(): void {
    for (const layout of this.#layouts) {
      if (layout.builderRequest !== this.#request) continue;
      layout.rowsLast = layout.builder?.rowCount ?? 0;
      layout.builder = undefined;
      layout.days = undefined;
    }
  }

  /** True if the columns of all the line's tags and fields stand. */
  #isKnown(scanner: ScannedRow, series: Series, cache: SeriesCache): boolean {
    const { slots, forms, count } = scanner.fields;
    if (!series.admitted && !series.hasColumns) return false;
    for (let place = 0; place < count; place += 1) {
      if (slots[place]?.refs[forms[place] ?? 0] === undefined) return false;
    }
    if (!series.admitted) remember(series, cache);
    return true;
  }

  #admit(scanner: ScannedRow, series: Series, cache: SeriesCache): Fault | undefined {
    const wishes: ColumnWish[] = [];
    for (const { spelling } of series.tagSlots) {
      wishes.push({ kind: 'tag', spelling, form: 'string' });
    }
    const places: number[] = [];
    const { fields } = scanner;
    for (let place = 0; place < fields.count; place += 1) {
      if (fields.overruled[place] === 1) continue;
      places.push(place);
      const form = formNames[fields.forms[place] ?? 0] ?? 'string';
      const { spelling } = present(fields.slots[place], 'slot of a field');
      wishes.push({ kind: 'field', spelling, form });
    }
    const { layout } = series;
    const admitted = this.#registry.admit(this.#database, layout.name, wishes);
    if ('reason' in admitted) return admitted;
    layout.owner = admitted.entry;
    const { columns } = admitted;
    for (const [index, slot] of series.tagSlots.entries()) slot.ref = columns[index];
    if (!series.admitted) remember(series, cache);
    for (const [index, place] of places.entries()) {
      const slot = present(fields.slots[place], 'slot of a field');
      slot.refs[fields.forms[place] ?? 0] = columns[series.tagSlots.length + index];
    }
    return undefined;
  }

  #builderFor(layout: MeasurementLayout, series: Series, scanner: ScannedRow): BatchBuilder {
    const owner = present(layout.owner, 'owner of an admitted measurement');
    // Never more room than lines like this one can still come.
    const lineBytes = series.length + scanner.fields.count * 4;
    const linesMax = Math.ceil(this.#line.bytes.length / lineBytes);
    const rows = Math.min(linesMax, Math.max(rowsFirst, layout.rowsLast));
    const builder = this.#batches.builder(owner, true, rows);
    layout.builder = builder;
    layout.builderRequest = this.#request;
    this.#layouts.add(layout);
    return builder;
  }

  #putFields(scanner: ScannedRow, builder: BatchBuilder, cache: SeriesCache): void {
    const { fields } = scanner;
    const { slots, forms, numbers, words, overruled, count } = fields;
    const row = builder.rowCount;
    for (let place = 0; place < count; place += 1) {
      if (overruled[place] === 1) continue;
      const form = forms[place] ?? 0;
      const ref = slots[place]?.refs[form] as ColumnRef;
      const column = builder.field(ref);
      const number = numbers[place] ?? 0;
      if (form === doubleForm) {
        column.pushDouble(row, number);
      } else if (form === integerExactForm || form === hugeExactForm) {
        if (ref.physical.type === 'double') {
          column.pushDouble(row, number);
          this.integersAsFloats += 1;
        } else {
          column.pushInteger(row, number);
        }
      } else if (form === stringForm) {
        column.pushCode(row, this.#code(fields, place, column, cache));
      } else if (form === booleanForm) {
        column.pushBoolean(row, number);
      } else {
        column.pushWords(row, words[place * 2] ?? 0, words[place * 2 + 1] ?? 0);
      }
    }
  }

  #code(fields: FieldArrays, place: number, column: ColumnBuilder, cache: SeriesCache): number {
    const dictionary = present(column.dictionary, 'dictionary of a string column');
    const start = fields.starts[place] ?? 0;
    const length = fields.lengths[place] ?? 0;
    if (fields.escapes[place] === 0) {
      return dictionary.code(this.#line, start, length, cache.hash(this.#line, start, length));
    }
    const kept = this.#unescape(start, length);
    const own = this.#unescaped;
    return dictionary.code(own, 0, kept, cache.hash(own, 0, kept));
  }

  /** Puts the string without its escapes into `#unescaped`; returns its length. */
  #unescape(start: number, length: number): number {
    if (this.#unescaped.bytes.length < length) {
      this.#unescaped = byteSpace(new Uint8Array(length * 2));
    }
    const from = this.#line.bytes;
    const to = this.#unescaped.bytes;
    let kept = 0;
    for (let at = start; at < start + length; at += 1) {
      if (from[at] === backslash && (from[at + 1] === quote || from[at + 1] === backslash)) at += 1;
      to[kept] = from[at] ?? 0;
      kept += 1;
    }
    return kept;
  }
}

/** Puts a series of which a row is taken into the cache. */
function remember(series: Series, cache: SeriesCache): void {
  series.admitted = true;
  cache.add(series);
}
