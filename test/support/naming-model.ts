/**
 * What P17 to P20 come to while tags are named: every row with its key as it was decided, merged by
 * brute force. Knows nothing of buffers, files or numbers of namings.
 */

export const tagNames = ['host', 'region', 'zone'] as const;
export type TagName = (typeof tagNames)[number];
export const fieldNames = ['v', 'w'] as const;
export type FieldName = (typeof fieldNames)[number];
export type Cell = string | number | null;

export interface PlainRow {
  /** Microseconds. */
  readonly time: number;
  readonly cells: Readonly<Record<TagName | FieldName, Cell>>;
}

/** A row with what told its point apart when it was decided. */
export interface DecidedRow extends PlainRow {
  readonly hasIdentity: boolean;
  /** The tags then. */
  readonly tags: ReadonlySet<TagName>;
}

export class NamingModel {
  readonly #kinds = new Map<TagName, 'unknown' | 'tag'>();
  /** Named for the whole database: new columns of that spelling are tags. */
  readonly #ofDatabase = new Set<TagName>();
  /** What rows with identity may have as a field, and was made a tag. */
  readonly #turned = new Set<TagName>();
  #identified = false;
  readonly #rows: DecidedRow[] = [];

  name(tags: readonly TagName[], forDatabase: boolean): void {
    for (const tag of tags) this.#makeTag(tag, forDatabase);
    for (const tag of forDatabase ? tags : []) this.#ofDatabase.add(tag);
    this.#identified = true;
  }

  #makeTag(tag: TagName, onlyKnown = false): void {
    const kind = this.#kinds.get(tag);
    if (kind === undefined && onlyKnown) return;
    if (kind === 'unknown' && this.#identified) this.#turned.add(tag);
    this.#kinds.set(tag, 'tag');
  }

  /** Rows of a dialect that names tags, one after the other. */
  decideNamed(rows: readonly PlainRow[]): readonly DecidedRow[] {
    return rows.map(({ time, cells }) => {
      for (const tag of tagNames) if (cells[tag]) this.#makeTag(tag);
      const own = { ...cells };
      for (const tag of tagNames) own[tag] = cells[tag] === '' ? null : cells[tag];
      return { time, cells: own, hasIdentity: true, tags: this.#tags() };
    });
  }

  /** Rows of a dialect that names none, all at once. */
  decideColumnar(rows: readonly PlainRow[]): readonly DecidedRow[] {
    for (const tag of tagNames) {
      if (this.#kinds.has(tag) || rows.every(({ cells }) => cells[tag] === null)) continue;
      this.#kinds.set(tag, this.#ofDatabase.has(tag) ? 'tag' : 'unknown');
    }
    const tags = this.#tags();
    return rows.map((row) => ({ ...row, hasIdentity: this.#identified, tags }));
  }

  #tags(): ReadonlySet<TagName> {
    return new Set(tagNames.filter((tag) => this.#kinds.get(tag) === 'tag'));
  }

  /** The rows take the next places in the log. */
  append(rows: readonly DecidedRow[]): void {
    this.#rows.push(...rows);
  }

  /** All that a query must show, as sorted texts. */
  answer(): readonly string[] {
    const points = new Map<string, PlainRow>();
    const others: PlainRow[] = [];
    for (const { hasIdentity, tags, time, cells } of this.#rows) {
      const own = { ...cells };
      // An empty tag is an absent tag.
      for (const tag of tags) own[tag] = own[tag] === '' ? null : own[tag];
      if (!hasIdentity) {
        others.push({ time, cells: own });
        continue;
      }
      const known = [...this.#turned].filter((tag) => tags.has(tag));
      const key = tagNames.map((tag) => (tags.has(tag) ? own[tag] : null));
      const name = JSON.stringify([time, key, known]);
      const older = points.get(name)?.cells;
      points.set(name, { time, cells: overlaid(older, own) });
    }
    return [...points.values(), ...others].map(textOf).toSorted();
  }

  /** Rows of points that have versions by another set of tags; they stand beside each other. */
  get turnedCount(): number {
    return this.#turned.size;
  }
}

function overlaid(older: PlainRow['cells'] | undefined, newer: PlainRow['cells']) {
  const merged = { ...newer };
  for (const name of [...tagNames, ...fieldNames]) merged[name] ??= older?.[name] ?? null;
  return merged;
}

export function textOf({ time, cells }: PlainRow): string {
  return [time, ...[...tagNames, ...fieldNames].map((name) => cells[name])]
    .map((cell) => (cell === '' ? "''" : String(cell)))
    .join(' | ');
}
