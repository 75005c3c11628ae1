/**
 * One column of a columnar item between its bytes and the request's columns. Where its values go is
 * decided when the whole item was read; until then they stand by their forms, in arrays that become
 * the request's columns as they are if nothing speaks against it.
 */
import type { ColumnKind, ColumnRef, PhysicalType } from '../../../base/model/schema.ts';
import type { ColumnValues } from '../../../base/model/column-batch.ts';
import type { ColumnWish } from '../../../storage/catalog/measurement-entry.ts';
import type { ColumnBuilder } from '../column-builder.ts';
import {
  booleanForm,
  doubleForm,
  formCount,
  formNames,
  hugeExactForm,
  hugeForm,
  integerExactForm,
  integerForm,
  stringForm,
} from '../value-forms.ts';
import { hasEmptyString, markRows, StageFlow } from './stage-flow.ts';

/** The columns in which values stand until their own are known. */
export const placeholders: Readonly<Record<PhysicalType, ColumnRef>> = {
  double: placeholder('double'),
  int64: placeholder('int64'),
  uint64: placeholder('uint64'),
  string: placeholder('string'),
  boolean: placeholder('boolean'),
};

function placeholder(type: PhysicalType): ColumnRef {
  return { kind: 'unknown', spelling: '', sqlName: '', physical: { id: -1, name: '', type } };
}

export abstract class StagedColumn {
  readonly spelling: string;
  /** Decided before the registry is asked. */
  kind: ColumnKind;
  /** Of the item: rows without a value count too. */
  readonly rowCount: number;
  nanCells = 0;
  /** Where values of each form go, once that is decided. */
  readonly refs: (ColumnRef | undefined)[] = new Array<undefined>(formCount).fill(undefined);
  /** The first row with a value of each form; -1: there is none. */
  protected readonly firstRows = new Int32Array(formCount).fill(-1);
  readonly #seed: number;

  constructor(spelling: string, kind: ColumnKind, rowCount: number, seed: number) {
    this.spelling = spelling;
    this.kind = kind;
    this.rowCount = rowCount;
    this.#seed = seed;
  }

  /** The values, of each type by themselves, in columns that are none yet. */
  abstract columns(): readonly ColumnValues[];

  /** Gives all memory back; what `columns` gave is empty then. */
  abstract free(): void;

  /** True if there is a value of that form. */
  has(form: number): boolean {
    return (this.firstRows[form] ?? -1) >= 0;
  }

  /** Notes that `row` has a value of `form`; called in the order of the rows. */
  note(form: number, row: number): void {
    if ((this.firstRows[form] ?? -1) < 0) this.firstRows[form] = row;
  }

  /** What the values need of the registry, in the order of their rows. */
  wishes(): { readonly form: number; readonly wish: ColumnWish }[] {
    const { spelling, kind } = this;
    const forms = formNames
      .map((_, form) => form)
      .filter((form) => this.has(form))
      .sort((a, b) => (this.firstRows[a] ?? 0) - (this.firstRows[b] ?? 0));
    return forms.map((form) => ({
      form,
      wish: { kind, spelling, form: formNames[form] ?? 'string' },
    }));
  }

  /**
   * The columns, in the arrays that were filled while reading; undefined if values of one array go
   * to several columns, or of several arrays to one, or if there are empty tags, which are none.
   */
  inPlace(): ColumnValues[] | undefined {
    const columns: ColumnValues[] = [];
    for (const staged of this.columns()) {
      const { type } = staged.column.physical;
      const ref = this.#onlyRef(type);
      if (ref?.physical.type !== type) return undefined;
      if (ref.kind === 'tag' && hasEmptyString(staged)) return undefined;
      columns.push({ ...staged, column: ref });
    }
    return columns;
  }

  /**
   * Puts the values into other columns, `offset` rows further down. Rows that `left` marks are left
   * out. Returns how many integers are kept as floats; yields for pauses.
   */
  *pour(
    target: (ref: ColumnRef) => ColumnBuilder,
    offset: number,
    left: Uint8Array | undefined,
  ): Generator<undefined, number> {
    const flow = new StageFlow(this.columns(), this.refs, target, this.#seed);
    yield* flow.run(this.rowCount, offset, left);
    return flow.integersAsFloats;
  }

  /** Marks the rows that have a value of `form`; returns how many were not marked before. */
  *mark(form: number, marks: Uint8Array): Generator<undefined, number> {
    let count = 0;
    for (const column of this.columns()) count += yield* markRows(column, form, marks);
    return count;
  }

  /** True if a row that is not marked has a value of `form`. */
  *stands(form: number, marks: Uint8Array): Generator<undefined, boolean> {
    for (const column of this.columns()) {
      const copy = marks.slice();
      if ((yield* markRows(column, form, copy)) > 0) return true;
    }
    return false;
  }

  #onlyRef(type: PhysicalType): ColumnRef | undefined {
    const forms = formsOfType[type].filter((form) => this.has(form));
    const ref = this.refs[forms[0] ?? 0];
    return forms.every((form) => this.refs[form] === ref) ? ref : undefined;
  }
}

const formsOfType: Readonly<Record<PhysicalType, readonly number[]>> = {
  double: [doubleForm],
  int64: [integerExactForm, integerForm],
  uint64: [hugeExactForm, hugeForm],
  string: [stringForm],
  boolean: [booleanForm],
};
