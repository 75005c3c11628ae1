/**
 * What the line decoder remembers of a measurement between requests: the keys that its lines bear
 * and, once a row was taken, the columns that the registry gave to them. A cache: it may be dropped
 * at any time, and everything in it can be asked of the registry again.
 *
 * Field keys are predicted: each slot knows which key followed it last time, so that a line of the
 * usual shape costs one comparison per key and no look-up.
 */
import type { ColumnRef } from '../../base/model/schema.ts';
import { byteSpace, type ByteSpace } from './bytes.ts';
import type { BatchBuilder } from './batch-builder.ts';
import type { BatchOwner } from './request-batches.ts';
import type { DaySet } from './request-days.ts';
import { formCount } from './value-forms.ts';

/** A field key of a measurement, as written in lines (escaped). */
export class FieldSlot {
  readonly spelling: string;
  /** The key as written, with its `=`. */
  readonly written: ByteSpace;
  readonly length: number;
  /** Where values of each form go; undefined until the registry was asked. */
  readonly refs: (ColumnRef | undefined)[] = new Array<undefined>(formCount).fill(undefined);
  /** The slot that followed this one last time. */
  next: FieldSlot | undefined = undefined;
  /** Serial number of the line that used this slot last, and its place in that line. */
  seenInLine = 0;
  seenAt = 0;

  constructor(spelling: string, written: Uint8Array) {
    this.spelling = spelling;
    this.written = byteSpace(written);
    this.length = written.length;
  }
}

export class TagSlot {
  readonly spelling: string;
  ref: ColumnRef | undefined = undefined;

  constructor(spelling: string) {
    this.spelling = spelling;
  }
}

export class MeasurementLayout {
  readonly name: string;
  /** Undefined until the registry took a row. */
  owner: BatchOwner | undefined = undefined;
  firstField: FieldSlot | undefined = undefined;
  /** The builder of the request that used this layout last, and that request's serial number. */
  builder: BatchBuilder | undefined = undefined;
  builderRequest = 0;
  /** Days of that request's rows. */
  days: DaySet | undefined = undefined;
  /** Rows in the last request: how large the next one's columns may start. */
  rowsLast = 0;
  readonly #fields = new Map<string, FieldSlot>();
  readonly #tags = new Map<string, TagSlot>();

  constructor(name: string) {
    this.name = name;
  }

  /** The slot of a key as written with its `=` (one character per byte), if it is known. */
  field(written: string): FieldSlot | undefined {
    return this.#fields.get(written);
  }

  addField(written: string, bytes: Uint8Array, spelling: string): FieldSlot {
    const slot = new FieldSlot(spelling, bytes);
    this.#fields.set(written, slot);
    return slot;
  }

  tag(spelling: string): TagSlot {
    const known = this.#tags.get(spelling);
    if (known !== undefined) return known;
    const slot = new TagSlot(spelling);
    this.#tags.set(spelling, slot);
    return slot;
  }
}
