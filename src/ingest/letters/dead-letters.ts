/**
 * Dead letters for an operator: listed, exported, sent once more, and dropped. Main thread.
 *
 * L1. A letter is sent once more through the door, as a request of its own, with the database, the
 *     unit of time and the format that it came with (commit-protocol P3).
 * L2. That it was is a row in the same log record as the rows it gave, so both are there or neither
 *     is: however often a replay is run or broken off, a letter gives its rows once.
 * L3. A letter of which still nothing can be kept stays as it is, and leaves no new one. If a part
 *     can be kept, the rest becomes a new letter.
 * L4. That a letter was dropped is a row in the log too. Its own rows stay until no letter of their
 *     file is left to be kept; the file then goes by a commit.
 */
import { asGatewayError, GatewayError } from '../../base/errors/gateway-error.ts';
import type { Precision } from '../decode/types.ts';
import type {
  LetterMarks,
  WriteDialect,
  WriteDoor,
  WriteFormat,
  WriteRequest,
} from '../door-types.ts';
import type { AskInternal } from '../keys/filed-keys.ts';
import {
  countStatement,
  idsStatement,
  letterIdOf,
  letterOf,
  listStatement,
  oldestKeptStatement,
  pageStatement,
  summaryOf,
  type Letter,
  type LetterCursor,
  type LetterFilter,
  type LetterSummary,
} from './letter-query.ts';
import type { ReservedFiles } from './reserved-files.ts';

export interface LetterList {
  /** All that the filter names, and lines in them. */
  readonly count: number;
  readonly lines: number;
  /** The newest of them, newest first. */
  readonly letters: readonly LetterSummary[];
  /** Where the list goes on; undefined at its end. */
  readonly next: LetterCursor | undefined;
}

export interface DropOutcome {
  /** Letters that are dropped now, and files of which nothing else was left. */
  readonly dropped: number;
  readonly files: number;
}

export interface ReplayOutcome {
  /** Letters that were sent once more and kept, and rows that came of them. */
  readonly replayed: number;
  readonly rows: number;
  /** Letters of which still nothing can be kept, and why, for the first of them. */
  readonly refused: number;
  readonly refusals: readonly { readonly id: string; readonly reason: string }[];
  /** Where to go on; undefined if all letters were seen. */
  readonly next: LetterCursor | undefined;
  /** Why it stopped early: a reason that passes. */
  readonly stopped: GatewayError | undefined;
}

const refusalsMax = 20;

/** Rows asked for at once: of one letter all, if its line was not longer than 32 MiB. */
const pageRows = 600;

/** Letters that are dropped by one record of the log. */
const dropPage = 10_000;

export class DeadLetters {
  readonly #ask: AskInternal;
  readonly #door: WriteDoor & LetterMarks;
  readonly #files: Pick<ReservedFiles, 'older'>;
  #last: Promise<unknown> = Promise.resolve();

  constructor(deps: {
    readonly ask: AskInternal;
    readonly door: WriteDoor & LetterMarks;
    readonly files: Pick<ReservedFiles, 'older'>;
  }) {
    this.#ask = deps.ask;
    this.#door = deps.door;
    this.#files = deps.files;
  }

  /** The newest letters that `filter` names, or those before `from`; at most `limit`. */
  async list(filter: LetterFilter, limit: number, from?: LetterCursor): Promise<LetterList> {
    const counted = countStatement(filter);
    const [counts = []] = await this.#rows(counted.sql, counted.parameters);
    const { sql, parameters } = listStatement(filter, limit, from);
    const rows = limit === 0 ? [] : await this.#rows(sql, parameters);
    const letters = rows.map(summaryOf);
    const last = letters.length === limit ? letters.at(-1) : undefined;
    const [count, lines] = counts;
    return { count: Number(count ?? 0), lines: Number(lines ?? 0), letters, next: last };
  }

  /** The letters that `filter` names, oldest first. */
  async *letters(filter: LetterFilter, from?: LetterCursor): AsyncGenerator<Letter> {
    let after = from;
    for (;;) {
      const { sql, parameters } = pageStatement(filter, after, pageRows);
      const rows = await this.#rows(sql, parameters);
      const isLastPage = rows.length < pageRows;
      for (const [letter, isLast] of lettersIn(rows)) {
        // The last letter of a full page may go on behind it; alone in one it is too long anyway.
        if (isLast && !isLastPage && letter.id !== letterIdOf(rows[0] ?? [])) break;
        after = { timeUs: letter.timeUs, id: letter.id };
        yield letter;
      }
      if (isLastPage) return;
    }
  }

  /**
   * Sends letters once more, oldest first, at most `limit`; one call at a time, so that none is
   * sent by two at once.
   * @throws HF_LETTER_UNKNOWN; a GatewayError if not even the first could be read or sent
   */
  replay(filter: LetterFilter, limit: number, from?: LetterCursor): Promise<ReplayOutcome> {
    return this.#inTurn(async () => {
      await this.#checkId(filter);
      return this.#replay({ ...filter, state: 'open' }, limit, from);
    });
  }

  /**
   * Drops the letters that `filter` names: they are in no list, export or replay from then on.
   * Durable when it resolves; what it did before it throws stays done.
   * @throws HF_LETTER_UNKNOWN, or what refuses writes
   */
  drop(filter: LetterFilter): Promise<DropOutcome> {
    return this.#inTurn(async () => {
      await this.#checkId(filter);
      let dropped = 0;
      let after: LetterCursor | undefined;
      for (;;) {
        const { sql, parameters } = idsStatement(filter, after, dropPage);
        const page = (await this.#rows(sql, parameters)).map(placeOf);
        if (page.length > 0) await this.#door.dropLetters(page.map(({ id }) => id));
        dropped += page.length;
        after = page.at(-1);
        if (page.length < dropPage) break;
      }
      // Files first: what is added to them while the rows are read is not seen by either.
      const removeOlder = this.#files.older();
      const [[oldest] = []] = await this.#rows(oldestKeptStatement, []);
      const keptFromUs = oldest === null ? Infinity : Number(oldest ?? -Infinity);
      return { dropped, files: await removeOlder(keptFromUs) };
    });
  }

  /** @throws HF_LETTER_UNKNOWN if it names one that is not there, or was dropped */
  async #checkId({ id }: LetterFilter): Promise<void> {
    if (id === undefined) return;
    const { sql, parameters } = countStatement({ state: 'all', id });
    const [[count] = []] = await this.#rows(sql, parameters);
    if (Number(count) > 0) return;
    throw new GatewayError('HF_LETTER_UNKNOWN', `there is no dead letter '${id}'`);
  }

  #inTurn<T>(call: () => Promise<T>): Promise<T> {
    const run = this.#last.then(call);
    this.#last = run.catch(() => undefined);
    return run;
  }

  async #replay(
    filter: LetterFilter,
    limit: number,
    from: LetterCursor | undefined,
  ): Promise<ReplayOutcome> {
    let next = from;
    let seen = 0;
    let replayed = 0;
    let rows = 0;
    let refused = 0;
    const refusals: { id: string; reason: string }[] = [];
    const outcome = (goesOn: boolean, stopped?: GatewayError): ReplayOutcome => {
      return { replayed, rows, refused, refusals, next: goesOn ? next : undefined, stopped };
    };
    for await (const letter of this.letters(filter, from)) {
      if (seen === limit) return outcome(true);
      try {
        const sent = await this.#send(letter);
        if (typeof sent === 'number') {
          replayed += 1;
          rows += sent;
        } else {
          refused += 1;
          if (refusals.length < refusalsMax) refusals.push({ id: letter.id, reason: sent.reason });
        }
      } catch (thrown) {
        const error = asGatewayError(thrown);
        if (seen === 0) throw error;
        return outcome(true, error);
      }
      seen += 1;
      next = { timeUs: letter.timeUs, id: letter.id };
    }
    return outcome(false);
  }

  /** Rows that came of a letter, or why none could be kept. @throws what passes */
  async #send(letter: Letter): Promise<number | { readonly reason: string }> {
    const { id, body } = letter;
    if (body === undefined) return { reason: 'not all of its bytes were kept' };
    const request: WriteRequest = {
      dialect: letter.dialect as WriteDialect,
      format: letter.format as WriteFormat,
      database: letter.database,
      precision: letter.precision as Precision,
      body,
      acceptPartial: true,
      sender: letter.sender,
      ...(letter.agent !== undefined && { agent: letter.agent }),
      key: `dead letter ${id}`,
      letter: id,
    };
    try {
      this.#door.admit(true);
      const { rows, rejected, isRepeat } = await this.#door.write(request);
      if (rows > 0 || isRepeat === true) return rows;
      return { reason: rejected[0]?.reason ?? 'it holds no row' };
    } catch (thrown) {
      const error = asGatewayError(thrown);
      if (error.kind !== 'input') throw error;
      return { reason: error.message };
    }
  }

  async #rows(
    sql: string,
    parameters: readonly (string | number)[],
  ): Promise<readonly (readonly unknown[])[]> {
    const all: (readonly unknown[])[] = [];
    for await (const rows of this.#ask(sql, parameters)) all.push(...rows);
    return all;
  }
}

/** A row of `idsStatement`. */
function placeOf([timeUs, id]: readonly unknown[]): LetterCursor {
  return { timeUs: Number(timeUs), id: String(id) };
}

/** The letters in rows that are in order, and which is the last. */
function* lettersIn(
  rows: readonly (readonly unknown[])[],
): Generator<readonly [letter: Letter, isLast: boolean]> {
  let from = 0;
  for (let index = 1; index <= rows.length; index += 1) {
    const isEnd = index === rows.length;
    if (!isEnd && letterIdOf(rows[index] ?? []) === letterIdOf(rows[from] ?? [])) continue;
    yield [letterOf(rows.slice(from, index)), isEnd];
    from = index;
  }
}
