/**
 * The columns of one measurement as the schema registry grows them: logical columns, which SQL
 * shows, over physical ones, which files hold. Lives on the main thread. Each change is reported
 * to `PendingChanges`, so that it rides in a commit.
 *
 * I1. A physical column never changes its name, type or id; a logical column only gains parts and
 *     goes from `unknown` to `tag` or `field` at most once.
 * I2. SQL names, physical names and the reserved names are one namespace by case folding.
 * I3. Ids of physical columns and indexes of logical ones are given in order from 0.
 */
import { assert, present } from '../../base/lib/assert.ts';
import type { ColumnAddition } from '../../base/model/commit.ts';
import { ColumnNames, foldName } from '../../base/model/names.ts';
import {
  isTagAt,
  type ColumnKind,
  type ColumnRef,
  type LogicalColumn,
  type MeasurementSchema,
  type PhysicalColumn,
  type PhysicalType,
} from '../../base/model/schema.ts';
import {
  basePart,
  canHold,
  conflictText,
  storedType,
  wantedPartName,
  type ValueForm,
} from './number-parts.ts';
import type { PendingChanges } from './pending-changes.ts';

/** What a value asks for: a column of that kind and spelling that can hold that form. */
export interface ColumnWish {
  readonly kind: ColumnKind;
  readonly spelling: string;
  readonly form: ValueForm;
}

/** Why a row is not taken. `conflict`: against the schema. `cap`: a limit of the registry. */
export interface Refusal {
  readonly kind: 'parse' | 'conflict' | 'cap';
  readonly reason: string;
  /** Place of the wish that is refused, if it is one of several. */
  readonly wish?: number;
}

/** Where a measurement is. */
export interface MeasurementPlace {
  readonly id: number;
  readonly database: string;
  readonly name: string;
  /** Tags named for all measurements of the database; the set grows. */
  readonly databaseTags: ReadonlySet<string>;
}

/** `fits`: the column stands. `adds`: one physical column would be made. */
export type WishOutlook = 'fits' | 'adds' | Refusal;

export class MeasurementEntry {
  readonly id: number;
  readonly database: string;
  readonly name: string;
  readonly #databaseTags: ReadonlySet<string>;
  readonly #pending: PendingChanges;
  readonly #names: ColumnNames;
  /** Undefined: lost by a damaged journal. */
  readonly #columns: (LogicalColumn | undefined)[] = [];
  /** Kind and spelling to the index of the logical column; see `keyOf`. */
  readonly #bySpelling = new Map<string, number>();
  readonly #bySqlName = new Map<string, number>();
  /** By id of the physical column; undefined: lost, and not given again. */
  readonly #refs: (ColumnRef | undefined)[] = [];
  readonly #refsByName = new Map<string, ColumnRef>();
  /** Where columns of dialects that name no kinds went: `kindlessKey` to logical index. */
  readonly #placed = new Map<string, number>();
  #schema: MeasurementSchema | undefined;
  #identified = false;
  #namings = 0;

  constructor(place: MeasurementPlace, pending: PendingChanges, names = new ColumnNames()) {
    this.id = place.id;
    this.database = place.database;
    this.name = place.name;
    this.#databaseTags = place.databaseTags;
    this.#pending = pending;
    this.#names = names;
  }

  /** The same measurement, which grows apart from this one and reports to `pending`. */
  copy(pending: PendingChanges): MeasurementEntry {
    const { id, database, name } = this;
    const place = { id, database, name, databaseTags: this.#databaseTags };
    const copy = new MeasurementEntry(place, pending, this.#names.copy());
    copy.#columns.push(...this.#columns);
    copy.#refs.push(...this.#refs);
    addAll(copy.#bySpelling, this.#bySpelling);
    addAll(copy.#bySqlName, this.#bySqlName);
    addAll(copy.#refsByName, this.#refsByName);
    addAll(copy.#placed, this.#placed);
    copy.#identified = this.#identified;
    copy.#namings = this.#namings;
    return copy;
  }

  /** True if the owner named the tags: rows of dialects that name none have identity too (P17). */
  get identified(): boolean {
    return this.#identified || this.#databaseTags.size > 0;
  }

  /** As `ColumnBatch.namings`, of the rows that are decided now. */
  get namings(): number {
    return this.#namings;
  }

  /** Rows that know of `namings` namings stand in a file or in the log. */
  raiseNamings(namings: number): void {
    this.#namings = Math.max(this.#namings, namings);
  }

  /** Spellings of all tags: those with a column, then those named for the database. */
  get tags(): readonly string[] {
    const own = this.schema.columns.filter(({ kind }) => kind === 'tag');
    return [...new Set([...own.map(({ spelling }) => spelling), ...this.#databaseTags])];
  }

  /** The owner named the tags; pending until a commit holds it. */
  identify(): void {
    if (this.#identified) return;
    this.#identified = true;
    this.#pending.addIdentified(this.id);
  }

  /** The owner named the tags, as the catalog has it. */
  restoreIdentity(): void {
    this.#identified = true;
  }

  /** Why the column of that spelling cannot be a tag for dialects that name none. */
  tagProblem(spelling: string): string | undefined {
    // Where such columns went they stay, also beside a tag that another dialect brought.
    for (const type of ['string', 'double', 'boolean'] as const) {
      const placed = this.#placed.get(kindlessKey(type, spelling));
      const problem = placed === undefined ? undefined : placedProblem(this.#at(placed));
      if (problem !== undefined) return problem;
    }
    if (this.#bySpelling.has(keyOf('tag', spelling))) return undefined;
    if (this.#bySpelling.has(keyOf('field', spelling))) return `column "${spelling}" is a field`;
    const isKnown = this.#bySpelling.has(keyOf('unknown', spelling));
    return isKnown ? undefined : this.#likeProblem(spelling);
  }

  /** Makes a tag of the column of that spelling, if there is one, which has no problem. */
  nameTag(spelling: string): void {
    const unknown = this.#bySpelling.get(keyOf('unknown', spelling));
    if (unknown !== undefined) this.#setKind(unknown, 'tag');
  }

  /**
   * A slip of the hand would be a tag that no row has: rows of one time would all be one point, and
   * all but the last of them be gone.
   */
  #likeProblem(spelling: string): string | undefined {
    const folded = foldName(spelling);
    const like = this.#columns.find((column) => column && foldName(column.spelling) === folded);
    return like && `there is no column "${spelling}", but one is spelt "${like.spelling}"`;
  }

  /** Number of physical columns. */
  get columnCount(): number {
    return this.#refs.length;
  }

  /** The measurement as it stands now; a later change gives a new object. */
  get schema(): MeasurementSchema {
    this.#schema ??= {
      id: this.id,
      database: this.database,
      name: this.name,
      columns: this.#columns.filter((column) => column !== undefined),
    };
    return this.#schema;
  }

  /** Physical column by its exact name in files. */
  physical(name: string): ColumnRef | undefined {
    return this.#refsByName.get(name);
  }

  /** Physical column by its id. */
  physicalById(id: number): ColumnRef | undefined {
    return this.#refs[id];
  }

  /** What `column` would come to; changes nothing. */
  outlook(wish: ColumnWish): WishOutlook {
    const index = this.#find(wish);
    if (typeof index === 'object') return index;
    if (index === undefined) return 'adds';
    return this.#partFor(index, wish.form) === undefined ? 'adds' : 'fits';
  }

  /**
   * The physical column in which a value of that form is stored, made if there is none yet; or the
   * refusal if the column of that spelling holds another type. Caps are the registry's business.
   */
  column(wish: ColumnWish): ColumnRef | Refusal {
    const found = this.#find(wish);
    if (typeof found === 'object') return found;
    const index = found ?? this.#addLogical(this.#kindOf(wish), wish.spelling, undefined);
    const { kind } = this.#at(index);
    if (kind === 'unknown' && wish.kind !== 'unknown') this.#setKind(index, wish.kind);
    if (wish.kind === 'unknown') this.#settle(index, kindlessKey(wish.form, wish.spelling));
    return this.#partFor(index, wish.form) ?? this.#addPart(index, wish.form);
  }

  /**
   * Learns a column as a WAL record names it, and returns it with its id and as the record's rows
   * have it: of a tag that they do not know as one the kind is unknown.
   * @param namings those that the rows know of; undefined for rows without identity
   */
  adopt(ref: ColumnRef, namings?: number): ColumnRef {
    const adopted = this.#adopt(ref, namings ?? 0);
    if (namings === undefined || adopted.kind !== 'tag') return adopted;
    const index = present(this.#bySqlName.get(adopted.sqlName), adopted.sqlName);
    if (isTagAt(this.#at(index), namings)) return adopted;
    if (ref.kind !== 'tag') return { ...adopted, kind: 'unknown' };
    // A record of a later naming came before this one: the column was a tag by then.
    this.#putSince(index, namings);
    this.#decide(index, 'tag', true);
    return adopted;
  }

  #adopt(ref: ColumnRef, namings: number): ColumnRef {
    const known = this.#refsByName.get(ref.physical.name);
    if (known === undefined) {
      const isNew = !this.#bySqlName.has(ref.sqlName);
      const index =
        this.#bySqlName.get(ref.sqlName) ?? this.#addLogical(ref.kind, ref.spelling, ref.sqlName);
      // Rows of earlier namings, which may follow, can have it as a field.
      if (isNew && ref.kind === 'tag' && namings > 0) this.#putSince(index, namings);
      this.#raise(index, ref, namings);
      return this.#addPhysical(index, ref.physical.name, ref.physical.type);
    }
    assert(
      known.physical.type === ref.physical.type,
      `column ${ref.physical.name} of ${this.name} is ${known.physical.type} in the catalog and ` +
        `${ref.physical.type} in the log`,
    );
    if (known.kind === ref.kind && known.columnar === ref.columnar) return known;
    this.#raise(present(this.#bySqlName.get(known.sqlName), known.sqlName), ref, namings);
    return present(this.#refsByName.get(ref.physical.name), ref.physical.name);
  }

  /** Takes a column as the catalog has it; nothing becomes pending. Called in order of ids. */
  restore(addition: ColumnAddition): void {
    const { logical, kind, spelling, sqlName, columnId, columnar, tagSince } = addition;
    if (this.#columns[logical] === undefined) this.#putLogical(logical, kind, spelling, sqlName);
    if (tagSince !== undefined) this.#putSince(logical, tagSince);
    if (columnar === true) this.#change(logical, kind, true);
    assert(
      this.#columns[logical]?.sqlName === sqlName && this.#refs[columnId] === undefined,
      `column ${columnId} of ${this.name} contradicts another one`,
    );
    this.#pushPhysical(logical, { id: columnId, name: addition.name, type: addition.type });
  }

  #at(index: number): LogicalColumn {
    return present(this.#columns[index], `column ${index} of ${this.name}`);
  }

  /** Index of the logical column that a wish goes to, undefined if it needs a new one. */
  #find(wish: ColumnWish): number | undefined | Refusal {
    const { spelling, form } = wish;
    if (wish.kind === 'unknown') {
      const placed = this.#placed.get(kindlessKey(form, spelling));
      if (placed !== undefined) return placed;
    }
    const kind = this.#kindOf(wish);
    if (kind === 'tag' && form !== 'string') return this.#conflict(wish, 'string');
    const kinds: readonly ColumnKind[] =
      kind === 'unknown' ? ['unknown', 'tag', 'field'] : [kind, 'unknown'];
    let refused: LogicalColumn | undefined;
    for (const each of kinds) {
      const index = this.#bySpelling.get(keyOf(each, spelling));
      if (index === undefined) continue;
      const column = this.#at(index);
      if (canHold(column, form)) return index;
      // A tag or field beside an unknown column that cannot be it is a column of its own.
      if (each === kind || kind === 'unknown') refused ??= column;
      if (each === kind) break;
    }
    if (refused === undefined) return undefined;
    return this.#conflict(wish, refused.parts[0]?.type ?? 'double');
  }

  #conflict({ spelling, form }: ColumnWish, existing: PhysicalType): Refusal {
    return { kind: 'conflict', reason: conflictText(this.name, spelling, form, existing) };
  }

  /** Tags that are named for columns whose sender names no kinds are asked for by all of these. */
  #kindOf({ kind, spelling }: ColumnWish): ColumnKind {
    if (kind !== 'unknown' || !this.identified) return kind;
    const isTag = this.#databaseTags.has(spelling) || this.#bySpelling.has(keyOf('tag', spelling));
    return isTag ? 'tag' : kind;
  }

  #partFor(index: number, form: ValueForm): ColumnRef | undefined {
    const column = this.#at(index);
    const type = storedType(basePart(column)?.type, form);
    const part = column.parts.find((each) => each.type === type);
    return part === undefined ? undefined : this.#refs[part.id];
  }

  #addPart(index: number, form: ValueForm): ColumnRef {
    const column = this.#at(index);
    const type = storedType(basePart(column)?.type, form);
    const wanted = wantedPartName(column, type);
    // The SQL name was taken when the logical column was made, and its base part bears it.
    const name = wanted === column.sqlName ? wanted : this.#names.takeFree(wanted);
    return this.#addPhysical(index, name, type);
  }

  #addLogical(kind: ColumnKind, spelling: string, sqlName: string | undefined): number {
    const name = sqlName ?? this.#names.takeFree(spelling);
    return this.#putLogical(this.#columns.length, kind, spelling, name);
  }

  #putLogical(index: number, kind: ColumnKind, spelling: string, sqlName: string): number {
    for (let lost = this.#columns.length; lost < index; lost += 1) this.#columns.push(undefined);
    this.#columns[index] = { kind, spelling, sqlName, parts: [] };
    this.#names.take(sqlName);
    this.#bySpelling.set(keyOf(kind, spelling), index);
    this.#bySqlName.set(sqlName, index);
    this.#schema = undefined;
    return index;
  }

  #addPhysical(index: number, name: string, type: PhysicalType): ColumnRef {
    const id = this.#refs.length;
    const ref = this.#pushPhysical(index, { id, name, type });
    const { kind, spelling, sqlName, columnar } = ref;
    const { tagSince } = this.#at(index);
    this.#pending.addColumn({
      measurementId: this.id,
      columnId: id,
      logical: index,
      kind,
      spelling,
      sqlName,
      ...(columnar === true && { columnar }),
      ...(tagSince !== undefined && { tagSince }),
      name,
      type,
    });
    return ref;
  }

  #pushPhysical(index: number, physical: PhysicalColumn): ColumnRef {
    const column = this.#at(index);
    this.#columns[index] = { ...column, parts: [...column.parts, physical] };
    this.#names.take(physical.name);
    this.#schema = undefined;
    this.#noteColumnar(index);
    return this.#setRef(refOf(column, physical));
  }

  #setRef(ref: ColumnRef): ColumnRef {
    for (let lost = this.#refs.length; lost < ref.physical.id; lost += 1)
      this.#refs.push(undefined);
    this.#refs[ref.physical.id] = ref;
    this.#refsByName.set(ref.physical.name, ref);
    return ref;
  }

  /** A kindless column goes to the logical column at `index`, and stays with it. */
  #settle(index: number, key: string): void {
    if (this.#placed.has(key)) return;
    this.#placed.set(key, index);
    const { kind, columnar } = this.#at(index);
    if (kind !== 'unknown' && columnar !== true) this.#decide(index, kind, true);
  }

  /** Takes over what a WAL record says of a column. */
  #raise(index: number, { kind, columnar = undefined }: ColumnRef, namings: number): void {
    const known = this.#at(index);
    const isNamed = kind !== 'unknown' && known.kind === 'unknown';
    const isColumnar = columnar === true || (kind === 'unknown' && known.kind !== 'unknown');
    if (isNamed) this.#setKind(index, kind, namings);
    else if (isColumnar && known.columnar !== true) this.#decide(index, known.kind, true);
  }

  /**
   * `unknown` becomes `kind`; columns without kinds have come and will go here. Where rows with
   * identity may have had it as a field, a tag is one from the next naming on.
   * @param namings the number of that naming, where a WAL record says it
   */
  #setKind(index: number, kind: ColumnKind, namings?: number): void {
    const { spelling } = this.#at(index);
    this.#bySpelling.delete(keyOf('unknown', spelling));
    this.#bySpelling.set(keyOf(kind, spelling), index);
    const since = namings ?? (this.identified ? this.#namings + 1 : 0);
    if (kind === 'tag' && since > 0) this.#putSince(index, since);
    this.#decide(index, kind, true);
  }

  #putSince(index: number, tagSince: number): void {
    this.#columns[index] = { ...this.#at(index), tagSince };
    this.#schema = undefined;
    this.raiseNamings(tagSince);
  }

  /** As `#change`, and for commits to say. */
  #decide(index: number, kind: ColumnKind, columnar: true): void {
    this.#change(index, kind, columnar);
    const { tagSince } = this.#at(index);
    const since = tagSince === undefined ? {} : { tagSince };
    this.#pending.setKind({ measurementId: this.id, logical: index, kind, columnar, ...since });
  }

  #change(index: number, kind: ColumnKind, columnar: true): void {
    const column = { ...this.#at(index), kind, columnar };
    this.#columns[index] = column;
    for (const physical of column.parts) this.#setRef(refOf(column, physical));
    this.#schema = undefined;
    this.#noteColumnar(index);
  }

  /** Notes where kindless columns go, as the catalog or a WAL record says. */
  #noteColumnar(index: number): void {
    const { kind, columnar, spelling, parts } = this.#at(index);
    const type = parts[0]?.type;
    if (type === undefined || (kind !== 'unknown' && columnar !== true)) return;
    const key = kindlessKey(type, spelling);
    if (!this.#placed.has(key)) this.#placed.set(key, index);
  }
}

/** Why a column to which columns without kinds go cannot be a tag. */
function placedProblem({ kind, spelling, parts }: LogicalColumn): string | undefined {
  if (kind === 'field') return `column "${spelling}" is a field`;
  const other = parts.find(({ type }) => type !== 'string');
  return other && `column "${spelling}" holds ${other.type} values; tags are strings`;
}

function refOf(column: LogicalColumn, physical: PhysicalColumn): ColumnRef {
  const { kind, spelling, sqlName, columnar } = column;
  return { kind, spelling, sqlName, ...(columnar === true && { columnar }), physical };
}

function keyOf(kind: ColumnKind, spelling: string): string {
  return `${kind}:${spelling}`;
}

/** By class: numbers share one place whatever part they go to. */
function kindlessKey(type: ValueForm | PhysicalType, spelling: string): string {
  return type === 'string' || type === 'boolean' ? `${type}:${spelling}` : `number:${spelling}`;
}

function addAll<K, V>(to: Map<K, V>, from: ReadonlyMap<K, V>): void {
  for (const [key, value] of from) to.set(key, value);
}
