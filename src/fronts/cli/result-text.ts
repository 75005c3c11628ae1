/**
 * Answers of queries as text: aligned tables for people, CSV for programs. Numbers keep the digits
 * that the gateway sent, whatever their width.
 */

/** A cell as it is shown; null stays apart from the text `null`. */
export type Cell = string | null;

export interface QueryResult {
  readonly columns: readonly string[];
  readonly types: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  /** Why there is nothing, where a name means nothing. */
  readonly warning?: string | undefined;
}

interface QueryAnswerJson {
  readonly columns?: readonly string[];
  readonly types?: readonly string[];
  readonly data?: readonly (readonly unknown[])[];
  readonly warning?: string;
}

function cellOf(value: unknown): Cell {
  if (value === null || value === undefined) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The answer to `POST /api/v1/query`. Numbers become their digits as sent. */
export function parseResult(text: string): QueryResult {
  const digits = (_key: string, value: unknown, context?: { readonly source?: string }) =>
    typeof value === 'number' ? (context?.source ?? String(value)) : value;
  const answer = JSON.parse(text, digits as (key: string, value: unknown) => unknown);
  const { columns = [], types = [], data = [], warning } = answer as QueryAnswerJson;
  return { columns, types, rows: data.map((row) => row.map(cellOf)), warning };
}

function csvField(cell: Cell): string {
  if (cell === null) return '';
  // An empty text is quoted, so that it is not the same as null.
  return cell === '' || /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/** RFC 4180, with a header line; null is an empty field. */
export function csvText(result: QueryResult): string {
  const lines = [result.columns, ...result.rows].map((row) => row.map(csvField).join(','));
  return lines.map((line) => `${line}\n`).join('');
}

/** Control characters would move the cursor or colour the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    const named: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r' };
    return named[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

const numericTypes = /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|FLOAT|DECIMAL.*)$/;

/** A table with aligned columns, numbers to the right. */
export function tableText(result: QueryResult): string {
  const rows = result.rows.map((row) =>
    row.map((cell) => (cell === null ? 'NULL' : printable(cell))),
  );
  const heads = result.columns.map(printable);
  const widths = heads.map((head, column) => {
    return rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), head.length);
  });
  const toRight = heads.map((_, column) => numericTypes.test(result.types[column] ?? ''));
  const line = (cells: readonly string[]) => {
    const padded = cells.map((cell, column) => {
      const width = widths[column] ?? 0;
      return toRight[column] === true ? cell.padStart(width) : cell.padEnd(width);
    });
    return `${padded.join('  ').trimEnd()}\n`;
  };
  const rule = widths.map((width) => '-'.repeat(width));
  return [heads, rule, ...rows].map(line).join('');
}
