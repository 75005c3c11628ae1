/**
 * Reads one columnar item, `{m, columns: {name: [value, ...]}}`, into staged columns. The name may
 * come behind the columns, so nothing is decided here. Yields for pauses.
 */
import { isUtf8 } from 'node:buffer';
import type { StringDictionary } from '../../../base/model/column-batch.ts';
import { freeMemory } from '../../../base/lib/free-memory.ts';
import { decodeText, parseFault, type Fault } from '../series-parser.ts';
import type { StagedItem } from '../columnar/columnar-placer.ts';
import { bodyBroken, ColumnStage, valueBad, type StageContext } from './column-stage.ts';
import { int64, uint64, valueClasses } from './formats.ts';
import type { ItemTime } from './item-time.ts';
import { nameAt, tokenProblem, type TokenLimits } from './scalar-text.ts';
import { ValueSkipper } from './value-skipper.ts';

/** Work between two chances for a pause: well under a millisecond. */
const stepRows = 8192;
const stepBytes = 65_536;
const stepValues = 16_384;

export interface ColumnarLimits extends TokenLimits {
  /** Cells that the item may have. */
  readonly cellsMax: number;
  /** What to say if it has more. */
  readonly cellsReason: string;
}

/** Where the values of a column begin; for those who read them once more. */
export interface ColumnPlace {
  readonly keyAt: number;
  readonly keyEnd: number;
  readonly valuesAt: number;
}

export class ColumnarItem implements StagedItem {
  fault: Fault = parseFault('');
  /** Where the name is; -1: there is none. */
  nameAt = -1;
  /** Where the list of tags is; -1: there is none. */
  tagsAt = -1;
  rowCount = 0;
  /** All but the times. */
  readonly stages: ColumnStage[] = [];
  readonly places: ColumnPlace[] = [];
  /** Microseconds by halves; undefined: the item brings no times. */
  times: Int32Array | undefined;
  cutTimes = 0;
  cells = 0;
  namesTags = false;
  readonly left = undefined;
  readonly mayOwn = true;
  readonly #context: StageContext;
  readonly #time: ItemTime;
  readonly #limits: ColumnarLimits;
  readonly #skipper: ValueSkipper;
  #hasRowCount = false;
  #hasColumns = false;
  /** Columns that are tags, if the item names them. */
  #tags: ReadonlySet<string> | undefined;

  constructor(context: StageContext, time: ItemTime, limits: ColumnarLimits) {
    this.#context = context;
    this.#time = time;
    this.#limits = limits;
    this.#skipper = new ValueSkipper(context.space);
  }

  /** The measurement, or why there is none. */
  name(): string | Fault {
    if (this.nameAt < 0) return parseFault('missing measurement');
    const { space, head } = this.#context;
    const name = nameAt(space, head, this.nameAt, 'measurement_');
    if (name === undefined) return parseFault('a measurement that is no name');
    return isUtf8(name) ? decodeText(name) : parseFault('invalid UTF-8 in measurement');
  }

  free(): void {
    for (const stage of this.stages) stage.free();
    if (this.times !== undefined) freeMemory(this.times);
  }

  /**
   * Reads the map of `pairs` pairs whose content begins at `start`; returns the position behind it,
   * `bodyBroken`, or `valueBad` with a `fault`.
   */
  *read(start: number, pairs: number): Generator<undefined, number> {
    const { head } = this.#context;
    let at = start;
    for (let pair = 0; pair < pairs && at >= 0; pair += 1) {
      const kind = head.read(at);
      if (kind === 0) return bodyBroken;
      if (kind !== valueClasses.string) return this.#fail('a key that is no string');
      const name = head.length > 7 ? '' : this.#text(head.start, head.end);
      at = head.end;
      if (name === 'm') {
        if (this.nameAt >= 0) return this.#fail('key "m" twice');
        this.nameAt = at;
      } else if (name === 'columns') {
        if (this.#hasColumns) return this.#fail('key "columns" twice');
        this.#hasColumns = true;
        at = yield* this.#readColumns(at);
        continue;
      } else if (name === 'tags' && head.read(at) === valueClasses.array) {
        if (this.tagsAt >= 0) return this.#fail('key "tags" twice');
        this.tagsAt = at;
        at = this.#readTags();
        continue;
      } else if (name === 'batch') {
        return this.#fail('an item with columns and a batch');
      }
      at = yield* this.#skip(at);
    }
    return at < 0 || this.#tags === undefined ? at : yield* this.#nameTags(this.#tags, at);
  }

  /** Reads the list of names whose head was read. */
  #readTags(): number {
    const { head, space } = this.#context;
    const { length: count } = head;
    if (count > this.#limits.columnsMax) {
      const text = `max columns per measurement exceeded: ${this.#limits.columnsMax}`;
      return this.#fail(text, 'cap');
    }
    const tags = new Set<string>();
    let at = head.start;
    for (let index = 0; index < count; index += 1) {
      const kind = head.read(at);
      if (kind === 0) return bodyBroken;
      if (kind !== valueClasses.string) return this.#fail('the name of a tag that is no string');
      const name = space.bytes.subarray(head.start, head.end);
      if (!isUtf8(name)) return this.#fail('invalid UTF-8 in the name of a tag');
      tags.add(decodeText(name));
      at = head.end;
    }
    this.#tags = tags;
    return at;
  }

  /** The columns are those tags, and fields; `end` is behind the item. */
  *#nameTags(tags: ReadonlySet<string>, end: number): Generator<undefined, number> {
    this.namesTags = true;
    for (const stage of this.stages) {
      const { spelling } = stage;
      stage.kind = tags.has(spelling) ? 'tag' : 'field';
      if (stage.kind === 'field') continue;
      for (const { dictionary } of stage.columns()) {
        if (dictionary === undefined)
          return this.#fail(`a value of tag "${spelling}" that is no text`);
        const fault = yield* tagFault(dictionary, this.#limits);
        if (fault !== undefined) return this.#fail(`${fault.reason} in column "${spelling}"`);
      }
    }
    return end;
  }

  #fail(reason: string, kind: Fault['kind'] = 'parse'): typeof valueBad {
    this.fault = { reason, kind };
    return valueBad;
  }

  #text(start: number, end: number): string {
    return decodeText(this.#context.space.bytes.subarray(start, end));
  }

  *#skip(at: number): Generator<undefined, number> {
    this.#skipper.begin(at);
    for (;;) {
      const state = this.#skipper.advance(stepValues);
      if (state === 'broken') return bodyBroken;
      if (state === 'done') return this.#skipper.at;
      yield;
    }
  }

  *#readColumns(start: number): Generator<undefined, number> {
    const { head, space } = this.#context;
    const kind = head.read(start);
    if (kind === 0) return bodyBroken;
    if (kind !== valueClasses.map) return this.#fail('columns that are no map');
    const pairs = head.length;
    const { columnsMax } = this.#limits;
    if (pairs > columnsMax + 1) {
      return this.#fail(`max columns per measurement exceeded: ${columnsMax}`, 'cap');
    }
    const names = new Set<string>();
    let at = head.start;
    for (let pair = 0; pair < pairs; pair += 1) {
      const keyAt = at;
      const keyKind = head.read(at);
      if (keyKind === 0) return bodyBroken;
      if (keyKind !== valueClasses.string) return this.#fail('a column name that is no string');
      const key = space.bytes.subarray(head.start, head.end);
      if (!isUtf8(key)) return this.#fail('invalid UTF-8 in a column name');
      const name = decodeText(key);
      if (names.has(name)) return this.#fail(`column "${name}" twice`);
      names.add(name);
      at = yield* this.#readColumn(name, keyAt, head.end);
      if (at < 0) return at;
    }
    return at;
  }

  *#readColumn(name: string, keyAt: number, at: number): Generator<undefined, number> {
    const { head, space } = this.#context;
    const kind = head.read(at);
    if (kind === 0) return bodyBroken;
    if (kind !== valueClasses.array) return this.#fail(`column "${name}" that is no array`);
    const { length, start } = head;
    if (length > space.bytes.length - start) return bodyBroken;
    const isTime = name === 'time';
    if (isTime && length === 0) return start;
    if (!this.#hasRowCount) {
      this.#hasRowCount = true;
      this.rowCount = length;
    } else if (length !== this.rowCount) {
      const text = `expected ${this.rowCount}, got ${length} for '${name}'`;
      return this.#fail(`columnar format: array length mismatch (${text})`);
    }
    this.places.push({ keyAt, keyEnd: at, valuesAt: start });
    return isTime ? yield* this.#readTimes(start) : yield* this.#readValues(name, start);
  }

  *#readTimes(start: number): Generator<undefined, number> {
    const { head, space } = this.#context;
    const time = this.#time;
    const times = new Int32Array(this.rowCount * 2);
    this.times = times;
    time.unit = undefined;
    const { bytes } = space;
    let at = start;
    for (let row = 0; row < this.rowCount; row += 1) {
      const first = bytes[at];
      const isPlain = (first === uint64 || first === int64) && at + 9 <= bytes.length;
      if (!isPlain && head.read(at) === 0) return bodyBroken;
      if (row === 0) time.unit = time.unitAt(at);
      const fault = time.read(at);
      if (fault !== undefined) return this.#fail(`${fault} in row ${row + 1}`);
      times[row * 2] = time.low;
      times[row * 2 + 1] = time.high;
      if (time.cut) this.cutTimes += 1;
      at = time.next;
      if (row % stepRows === stepRows - 1) yield;
    }
    return at;
  }

  *#readValues(name: string, start: number): Generator<undefined, number> {
    const stage = new ColumnStage(name, this.rowCount, this.#context);
    this.stages.push(stage);
    const { cellsMax, cellsReason } = this.#limits;
    let at = start;
    while (stage.row < this.rowCount) {
      const rowStop = Math.min(this.rowCount, stage.row + stepRows);
      at = stage.take(at, rowStop, at + stepBytes);
      if (at === valueBad) return this.#fail(stage.fault);
      if (at < 0) return at;
      if (this.cells + stage.cells > cellsMax) return this.#fail(cellsReason, 'cap');
      if (stage.row < this.rowCount) yield;
    }
    this.cells += stage.cells;
    const fault = stage.stringFault(at);
    if (fault !== undefined) return this.#fail(fault);
    yield;
    return at;
  }
}

/** Why one of the texts is no tag; the empty one is an absent tag. Yields for pauses. */
function* tagFault(
  { count, bytes, offsets }: StringDictionary,
  limits: TokenLimits,
): Generator<undefined, Fault | undefined> {
  let seen = 0;
  for (let code = 0; code < count; code += 1) {
    const text = bytes.subarray(offsets[code] ?? 0, offsets[code + 1] ?? 0);
    const fault = text.length === 0 ? undefined : tokenProblem('tag value', text, limits);
    if (fault !== undefined) return fault;
    seen += text.length + 64;
    if (seen < stepBytes) continue;
    seen = 0;
    yield;
  }
  return undefined;
}
