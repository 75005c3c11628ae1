/**
 * Answers to the SHOW statements of InfluxQL, in InfluxDB's exact JSON form. Names of measurements,
 * fields and tags come from the schema; which values there are is asked of the engine, so that a
 * tag's values are those of the rows that are kept. Regular expressions run in the engine too: its
 * dialect is InfluxDB's own, and none can hold up the main thread.
 */
import type { LogicalColumn, MeasurementSchema, PhysicalType } from '../../base/model/schema.ts';
import type { Condition, NameTest, ShowStatement } from './statements.ts';

export type Cell = string | number | boolean | null;

export interface Series {
  readonly name?: string;
  readonly columns: readonly string[];
  readonly values: readonly (readonly Cell[])[];
}

/** Rows of a SQL statement. */
export type AskEngine = (sql: string) => Promise<readonly (readonly Cell[])[]>;

const fieldTypes: readonly (readonly [PhysicalType, string])[] = [
  ['double', 'float'],
  ['int64', 'integer'],
  ['uint64', 'unsigned'],
  ['string', 'string'],
  ['boolean', 'boolean'],
];

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function tableOf({ database, name }: MeasurementSchema): string {
  return `${quoted(database)}.${quoted(name)}`;
}

/** SQL that holds the text expression `left` against a test. */
function testSql(left: string, { operator, texts }: NameTest): string {
  switch (operator) {
    case '=':
      return `${left} IN (${texts.map(literal).join(', ')})`;
    case '!=':
      return `${left} NOT IN (${texts.map(literal).join(', ')})`;
    case '=~':
      return `regexp_matches(${left}, ${literal(texts[0] ?? '')})`;
    case '!~':
      return `NOT regexp_matches(${left}, ${literal(texts[0] ?? '')})`;
  }
}

function byText(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

function tagsOf(schema: MeasurementSchema): readonly LogicalColumn[] {
  const tags = schema.columns.filter(({ kind }) => kind === 'tag');
  return tags.toSorted((a, b) => byText(a.spelling, b.spelling));
}

/** A condition on a measurement's rows. A tag that is not there is '', as in InfluxDB. */
function conditionSql(condition: Condition, schema: MeasurementSchema): string {
  switch (condition.kind) {
    case 'any':
      return 'true';
    case 'tag': {
      const named = schema.columns.filter(({ spelling }) => spelling === condition.key);
      const tag = named.find(({ kind }) => kind === 'tag');
      // A condition on a field says nothing of series: InfluxDB lets it pass.
      if (tag === undefined && named.length > 0) return 'true';
      const value = tag === undefined ? `''` : `coalesce(${quoted(tag.sqlName)}, '')`;
      return `(${testSql(value, condition.test)})`;
    }
    default: {
      const parts = condition.parts.map((part) => conditionSql(part, schema));
      return `(${parts.join(condition.kind === 'and' ? ' AND ' : ' OR ')})`;
    }
  }
}

function escapedPart(text: string, special: RegExp): string {
  return text.replaceAll(special, String.raw`\$&`);
}

/** The key of a series as InfluxDB writes it. */
function seriesKey(
  schema: MeasurementSchema,
  tags: readonly LogicalColumn[],
  row: readonly Cell[],
): string {
  const parts = [escapedPart(schema.name, /[, ]/g)];
  for (const [index, { spelling }] of tags.entries()) {
    const value = row[index];
    if (typeof value !== 'string') continue;
    parts.push(`${escapedPart(spelling, /[,= ]/g)}=${escapedPart(value, /[,= ]/g)}`);
  }
  return parts.join(',');
}

export class ShowAnswers {
  readonly #statement: ShowStatement;
  readonly #ask: AskEngine;

  constructor(statement: ShowStatement, ask: AskEngine) {
    this.#statement = statement;
    this.#ask = ask;
  }

  /** Series of the answer; none if there is nothing to show. */
  async series(measurements: readonly MeasurementSchema[]): Promise<readonly Series[]> {
    const chosen = await this.#chosen(measurements);
    switch (this.#statement.kind) {
      case 'measurements':
        return this.#measurementNames(chosen);
      case 'series':
        return this.#seriesKeys(chosen);
      case 'field keys':
        return this.#perMeasurement(chosen, ['fieldKey', 'fieldType'], (schema) =>
          Promise.resolve(this.#cut(fieldKeys(schema))),
        );
      case 'tag keys':
        return this.#perMeasurement(chosen, ['tagKey'], async (schema) =>
          this.#cut(await this.#tagKeys(schema)),
        );
      case 'tag values':
        return this.#perMeasurement(chosen, ['key', 'value'], (schema) => this.#tagValues(schema));
    }
  }

  #cut<T>(list: readonly T[]): readonly T[] {
    const { limit, offset } = this.#statement.limits;
    return list.slice(offset, offset + limit);
  }

  async #perMeasurement(
    chosen: readonly MeasurementSchema[],
    columns: readonly string[],
    rowsOf: (schema: MeasurementSchema) => Promise<Series['values']>,
  ): Promise<readonly Series[]> {
    const series: Series[] = [];
    for (const schema of chosen) {
      const values = await rowsOf(schema);
      if (values.length > 0) series.push({ name: schema.name, columns, values });
    }
    return series;
  }

  async #measurementNames(chosen: readonly MeasurementSchema[]): Promise<readonly Series[]> {
    const { where } = this.#statement;
    const names: Cell[][] = [];
    for (const schema of chosen) {
      if (where === undefined || (await this.#hasRow(schema, where))) names.push([schema.name]);
    }
    const values = this.#cut(names);
    return values.length === 0 ? [] : [{ name: 'measurements', columns: ['name'], values }];
  }

  async #hasRow(schema: MeasurementSchema, where: Condition): Promise<boolean> {
    const condition = conditionSql(where, schema);
    const rows = await this.#ask(`SELECT 1 FROM ${tableOf(schema)} WHERE ${condition} LIMIT 1`);
    return rows.length > 0;
  }

  #whereSql(schema: MeasurementSchema): string {
    const { where } = this.#statement;
    return where === undefined ? '' : ` WHERE ${conditionSql(where, schema)}`;
  }

  async #seriesKeys(chosen: readonly MeasurementSchema[]): Promise<readonly Series[]> {
    const keys: string[] = [];
    for (const schema of chosen) {
      const tags = tagsOf(schema);
      const columns = [...tags.map(({ sqlName }) => quoted(sqlName)), '1'].join(', ');
      const sql = `SELECT DISTINCT ${columns} FROM ${tableOf(schema)}${this.#whereSql(schema)}`;
      for (const row of await this.#ask(sql)) keys.push(seriesKey(schema, tags, row));
    }
    const values = this.#cut(keys.toSorted(byText)).map((key) => [key]);
    return values.length === 0 ? [] : [{ columns: ['key'], values }];
  }

  async #tagKeys(schema: MeasurementSchema): Promise<Series['values']> {
    const tags = tagsOf(schema);
    const { where } = this.#statement;
    if (where === undefined || tags.length === 0) return tags.map(({ spelling }) => [spelling]);
    const counts = tags.map(({ sqlName }) => `count(${quoted(sqlName)}) > 0`).join(', ');
    const [row = []] = await this.#ask(
      `SELECT ${counts} FROM ${tableOf(schema)}${this.#whereSql(schema)}`,
    );
    return tags.filter((_, index) => row[index] === true).map(({ spelling }) => [spelling]);
  }

  async #tagValues(schema: MeasurementSchema): Promise<Series['values']> {
    const { keys, where } = this.#statement;
    const tags = tagsOf(schema);
    const asked = await this.#passing(
      keys === undefined ? [] : [keys],
      tags.map(({ spelling }) => spelling),
    );
    const condition = where === undefined ? 'true' : conditionSql(where, schema);
    const selects = tags
      .map(({ spelling, sqlName }, index) => ({ spelling, column: quoted(sqlName), index }))
      .filter(({ spelling }) => asked.has(spelling))
      .map(({ column, index }) => {
        const rows = `${tableOf(schema)} WHERE ${column} IS NOT NULL AND ${condition}`;
        return `SELECT DISTINCT ${index} AS k, ${column} AS v FROM ${rows}`;
      });
    if (selects.length === 0) return [];
    const { limit, offset } = this.#statement.limits;
    const cut = `${limit === Infinity ? '' : ` LIMIT ${limit}`} OFFSET ${offset}`;
    const rows = await this.#ask(`${selects.join(' UNION ALL ')} ORDER BY k, v${cut}`);
    return rows.map(([index, value]) => [tags[Number(index)]?.spelling ?? '', value ?? '']);
  }

  async #chosen(measurements: readonly MeasurementSchema[]): Promise<readonly MeasurementSchema[]> {
    const { sources } = this.#statement;
    const names = await this.#passing(
      sources,
      measurements.map(({ name }) => name),
    );
    const chosen = measurements.filter(({ name }) => names.has(name));
    return chosen.toSorted((a, b) => byText(a.name, b.name));
  }

  /** Names that pass one of the tests; all of them where there is none. */
  async #passing(
    tests: readonly NameTest[],
    names: readonly string[],
  ): Promise<ReadonlySet<string>> {
    if (tests.length === 0 || names.length === 0) return new Set(names);
    const plain = tests.every(({ operator }) => operator === '=' || operator === '!=');
    if (plain) {
      const passes = (name: string) =>
        tests.some(({ operator, texts }) => texts.includes(name) === (operator === '='));
      return new Set(names.filter(passes));
    }
    const condition = tests.map((test) => `(${testSql('n', test)})`).join(' OR ');
    const values = names.map((name) => `(${literal(name)})`).join(', ');
    const rows = await this.#ask(`SELECT n FROM (VALUES ${values}) t(n) WHERE ${condition}`);
    return new Set(rows.map(([name]) => String(name)));
  }
}

function fieldKeys(schema: MeasurementSchema): Series['values'] {
  const fields = schema.columns.filter(({ kind }) => kind !== 'tag');
  const rows = fields.flatMap(({ spelling, parts }) => {
    const types = fieldTypes.filter(([type]) => parts.some((part) => part.type === type));
    return types.map(([, shown]) => [spelling, shown] as const);
  });
  // Columns of one spelling may share a type; that is said once.
  const once = new Map(rows.map((row) => [JSON.stringify(row), row]));
  return [...once.values()].toSorted((a, b) => byText(a[0], b[0]));
}
