/**
 * Dead letters as SQL finds them: which ones are asked for, and their rows put together again.
 */
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { internalDatabase } from '../../base/model/schema.ts';
import {
  deadLetterDrops,
  deadLetterReplays,
  deadLetters,
} from '../../storage/catalog/reserved-tables.ts';

export type LetterState = 'open' | 'replayed' | 'all';

/** Which letters; all that is given must hold. Those that were dropped are never meant. */
export interface LetterFilter {
  /** `open` are those that were not sent once more. */
  readonly state: LetterState;
  readonly id?: string;
  readonly database?: string;
  readonly kind?: string;
  /** Part of the reason, of the text, or of the sender and its agent, whatever the case. */
  readonly reason?: string;
  readonly text?: string;
  readonly sender?: string;
  /** That the line begins with; of MessagePack, that stands in the text. */
  readonly measurement?: string;
  /** Wall time in microseconds: at or after, and before. */
  readonly fromUs?: number;
  readonly toUs?: number;
}

/** Where a page ended; opaque to those who ask for the next. */
export interface LetterCursor {
  readonly timeUs: number;
  readonly id: string;
}

/** One letter, whole: its parts put together. */
export interface Letter {
  readonly id: string;
  readonly timeUs: number;
  readonly database: string;
  readonly dialect: string;
  readonly format: string;
  readonly precision: string;
  readonly line: number;
  readonly lines: number;
  readonly kind: string;
  readonly reason: string;
  readonly text: string;
  readonly sender: string;
  readonly agent: string | undefined;
  /** What the sender sent; undefined if not all of it was kept. */
  readonly body: Buffer | undefined;
}

/** What is shown of a letter in a list. */
export interface LetterSummary extends Omit<Letter, 'body'> {
  readonly isWhole: boolean;
  readonly isReplayed: boolean;
}

/** Characters of a text in a list. */
const listTextMax = 500;

const letters = `${internalDatabase}.${deadLetters.name}`;

function isIn(table: string): string {
  return `EXISTS (SELECT 1 FROM ${internalDatabase}.${table} AS r WHERE r."letter" = l."id")`;
}

const isReplayed = isIn(deadLetterReplays.name);
const isDropped = isIn(deadLetterDrops.name);

export function cursorText({ timeUs, id }: LetterCursor): string {
  return `${timeUs}.${id}`;
}

/** @throws HF_PARAMETER for a text that `cursorText` does not make */
export function parseCursor(text: string): LetterCursor {
  const dot = text.indexOf('.');
  const timeUs = Number(text.slice(0, dot));
  if (dot > 0 && Number.isSafeInteger(timeUs)) return { timeUs, id: text.slice(dot + 1) };
  throw new GatewayError('HF_PARAMETER', `'${text}' is no place where an answer ended`);
}

export interface LetterStatement {
  readonly sql: string;
  readonly parameters: readonly (string | number)[];
}

class Conditions {
  readonly parameters: (string | number)[] = [];
  readonly #texts: string[] = [];

  add(text: (parameter: string) => string, value: string | number | undefined): void {
    if (value === undefined) return;
    this.parameters.push(value);
    this.#texts.push(text(`$${this.parameters.length}`));
  }

  addPlain(text: string): void {
    this.#texts.push(text);
  }

  /** What stands for `value` in the text of a condition. */
  value(value: string): string {
    this.parameters.push(value);
    return `$${this.parameters.length}`;
  }

  get sql(): string {
    return this.#texts.join(' AND ');
  }
}

/** True of all rows of a letter if it is of one. */
function ofLetter(condition: string): string {
  return `l."id" IN (SELECT t."id" FROM ${letters} AS t WHERE ${condition})`;
}

/** Line protocol in which `name` begins a line, or MessagePack that shows it. */
function beginsWith(conditions: Conditions, name: string): string {
  const shown = conditions.value(name);
  const escaped = conditions.value(name.replace(/[, ]/g, '\\$&'));
  const start = `chr(10) || ${escaped}`;
  const line = `contains(chr(10) || t."text", ${start} || ',')`;
  const lineWithoutTags = `contains(chr(10) || t."text", ${start} || ' ')`;
  const item = `(t."format" <> 'line' AND contains(t."text", ${shown}))`;
  return `t."part" = 0 AND (${line} OR ${lineWithoutTags} OR ${item})`;
}

function conditionsOf(filter: LetterFilter): Conditions {
  const { state, id, database, kind, reason, text, sender, measurement, fromUs, toUs } = filter;
  const conditions = new Conditions();
  conditions.addPlain('l."id" IS NOT NULL');
  conditions.addPlain(`NOT ${isDropped}`);
  if (state !== 'all') conditions.addPlain(state === 'open' ? `NOT ${isReplayed}` : isReplayed);
  conditions.add((value) => `l."id" = ${value}`, id);
  conditions.add((value) => `l."database" = ${value}`, database);
  conditions.add((value) => `l."kind" = ${value}`, kind);
  conditions.add((value) => `contains(lower(l."reason"), lower(${value}))`, reason);
  const inText = (value: string) => ofLetter(`contains(lower(t."text"), lower(${value}))`);
  conditions.add(inText, text);
  const whose = `lower(concat_ws(' ', l."sender", l."agent"))`;
  conditions.add((value) => `contains(${whose}, lower(${value}))`, sender);
  if (measurement !== undefined) {
    conditions.addPlain(ofLetter(beginsWith(conditions, measurement)));
  }
  conditions.add((value) => `epoch_us(l."time") >= ${value}`, fromUs);
  conditions.add((value) => `epoch_us(l."time") < ${value}`, toUs);
  return conditions;
}

const common =
  'epoch_us(l."time"), l."id", l."database", l."dialect", l."format", l."precision", ' +
  'l."line", l."lines", l."kind", l."reason", l."sender", l."agent", l."whole", l."parts"';

/** Letters on one side of `place` in the order of time and id. */
function addPlace(conditions: Conditions, side: '<' | '>', place: LetterCursor | undefined): void {
  if (place === undefined) return;
  conditions.add((value) => `epoch_us(l."time") ${side}= ${value}`, place.timeUs);
  const inTick = conditions.parameters.length;
  const isBeside = `epoch_us(l."time") ${side} $${inTick}`;
  conditions.add((value) => `(${isBeside} OR l."id" ${side} ${value})`, place.id);
}

/** The newest letters that `filter` names, or those that are older than `after`. */
export function listStatement(
  filter: LetterFilter,
  limit: number,
  after?: LetterCursor,
): LetterStatement {
  const conditions = conditionsOf(filter);
  conditions.addPlain('l."part" = 0');
  addPlace(conditions, '<', after);
  const sql =
    `SELECT ${common}, substr(l."text", 1, ${listTextMax}), ${isReplayed} ` +
    `FROM ${letters} AS l WHERE ${conditions.sql} ` +
    `ORDER BY l."time" DESC, l."id" DESC LIMIT ${limit}`;
  return { sql, parameters: conditions.parameters };
}

/** How many letters, and lines in them, `filter` names. */
export function countStatement(filter: LetterFilter): LetterStatement {
  const conditions = conditionsOf(filter);
  const sql =
    'SELECT count(*) FILTER (WHERE l."part" = 0), coalesce(sum(l."lines"), 0)::BIGINT ' +
    `FROM ${letters} AS l WHERE ${conditions.sql}`;
  return { sql, parameters: conditions.parameters };
}

/** Rows of letters behind `after`, oldest first. */
export function pageStatement(
  filter: LetterFilter,
  after: LetterCursor | undefined,
  rowsMax: number,
): LetterStatement {
  const conditions = conditionsOf(filter);
  addPlace(conditions, '>', after);
  const sql =
    `SELECT ${common}, l."text", l."raw", l."part" FROM ${letters} AS l ` +
    `WHERE ${conditions.sql} ORDER BY l."time", l."id", l."part" LIMIT ${rowsMax}`;
  return { sql, parameters: conditions.parameters };
}

/** Time and id of letters behind `after`, oldest first. */
export function idsStatement(
  filter: LetterFilter,
  after: LetterCursor | undefined,
  limit: number,
): LetterStatement {
  const conditions = conditionsOf(filter);
  conditions.addPlain('l."part" = 0');
  addPlace(conditions, '>', after);
  const sql =
    `SELECT epoch_us(l."time"), l."id" FROM ${letters} AS l ` +
    `WHERE ${conditions.sql} ORDER BY l."time", l."id" LIMIT ${limit}`;
  return { sql, parameters: conditions.parameters };
}

/** The time of the oldest row that belongs to no dropped letter; null if there is none. */
export const oldestKeptStatement = `SELECT min(epoch_us(l."time")) FROM ${letters} AS l WHERE NOT ${isDropped}`;

type Cells = readonly unknown[];

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function headOf(cells: Cells): Omit<Letter, 'body' | 'text'> {
  const [timeUs, id, database, dialect, format, precision, line, lines, kind, reason] = cells;
  const agent = cells[11];
  return {
    timeUs: Number(timeUs),
    id: textOf(id),
    database: textOf(database),
    dialect: textOf(dialect),
    format: textOf(format),
    precision: textOf(precision),
    line: Number(line),
    lines: Number(lines),
    kind: textOf(kind),
    reason: textOf(reason),
    sender: textOf(cells[10]),
    agent: typeof agent === 'string' ? agent : undefined,
  };
}

/** A row of `listStatement`. */
export function summaryOf(cells: Cells): LetterSummary {
  const [isWhole, , text, isReplayed] = cells.slice(12);
  return {
    ...headOf(cells),
    text: textOf(text),
    isWhole: isWhole === true,
    isReplayed: isReplayed === true,
  };
}

/** The letter whose rows, of `pageStatement`, these are; at least one. */
export function letterOf(rows: readonly Cells[]): Letter {
  const head = headOf(rows[0] ?? []);
  const [isWhole, parts] = (rows[0] ?? []).slice(12);
  const texts = rows.map((cells) => textOf(cells[14]));
  const pieces = rows.map((cells, index) => {
    const raw = cells[15];
    return typeof raw === 'string' ? Buffer.from(raw, 'base64') : Buffer.from(texts[index] ?? '');
  });
  // A line is cut where it has a newline, which no piece keeps; items are cut anywhere.
  const isLine = head.format === 'line';
  const joint = Buffer.from(isLine ? '\n' : '');
  const joined = pieces.flatMap((piece, index) => (index === 0 ? [piece] : [joint, piece]));
  const isComplete = isWhole === true && Number(parts) === rows.length;
  return {
    ...head,
    text: texts.join(isLine ? '\n' : ''),
    body: isComplete ? Buffer.concat(joined) : undefined,
  };
}

/** Id of the letter that a row of `pageStatement` belongs to. */
export function letterIdOf(cells: Cells): string {
  return textOf(cells[1]);
}
