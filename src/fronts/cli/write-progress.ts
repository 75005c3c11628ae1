/**
 * The line that a terminal shows while `holdfast write` sends: a bar where the size is known,
 * bytes, rows, their rate and the time left. Nothing is shown in the first second, nor off a
 * terminal.
 */
import type { CommandContext } from './command.ts';

export interface WriteFigures {
  readonly bytes: number;
  /** Of the whole file; undefined for standard input. */
  readonly bytesTotal: number | undefined;
  readonly rows: number;
  readonly elapsedMs: number;
}

const barCells = 20;
const shownAfterMs = 1000;
const redrawMs = 200;

function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}

function grouped(count: number): string {
  return String(Math.round(count)).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}

function minutes(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  const [hours, rest] = [Math.floor(seconds / 3600), seconds % 3600];
  const text = `${Math.floor(rest / 60)}:${String(rest % 60).padStart(2, '0')}`;
  return hours === 0 ? text : `${hours}:${text.padStart(5, '0')}`;
}

/** One line of at most 80 characters or so, such as `[####      ] 40 %  4.0 of 10.0 MiB ...`. */
export function progressLine({ bytes, bytesTotal, rows, elapsedMs }: WriteFigures): string {
  const rate = `${grouped(rows)} rows, ${grouped((rows * 1000) / Math.max(elapsedMs, 1))}/s`;
  if (bytesTotal === undefined) return `${mebibytes(bytes)} MiB, ${rate}`;
  // A file may have grown since it was opened.
  const share = Math.min(bytes / Math.max(bytesTotal, 1), 1);
  const full = Math.floor(share * barCells);
  const bar = `[${'#'.repeat(full).padEnd(barCells)}] ${Math.floor(share * 100)} %`;
  const left = share > 0 ? `, ${minutes((elapsedMs * (1 - share)) / share)} left` : '';
  return `${bar}  ${mebibytes(bytes)} of ${mebibytes(bytesTotal)} MiB, ${rate}${left}`;
}

export class WriteProgress {
  readonly #context: CommandContext;
  readonly #bytesTotal: number | undefined;
  readonly #startedMs: number;
  #drawnMs = -Infinity;
  #isShown = false;

  constructor(context: CommandContext, bytesTotal: number | undefined) {
    this.#context = context;
    this.#bytesTotal = bytesTotal;
    this.#startedMs = context.monotonicMs();
  }

  get elapsedMs(): number {
    return this.#context.monotonicMs() - this.#startedMs;
  }

  /** Shows how far it is. `waitingFor`: why nothing is sent just now. */
  show(bytes: number, rows: number, waitingFor?: string): void {
    const { elapsedMs } = this;
    const isSoon = elapsedMs < shownAfterMs || elapsedMs - this.#drawnMs < redrawMs;
    if (this.#context.err.isTTY !== true || (isSoon && waitingFor === undefined)) return;
    const line = progressLine({ bytes, bytesTotal: this.#bytesTotal, rows, elapsedMs });
    const waits = waitingFor === undefined ? '' : `  waiting: ${waitingFor.slice(0, 80)}`;
    this.#context.err.write(`\r\x1b[K${line}${waits}`);
    this.#drawnMs = elapsedMs;
    this.#isShown = true;
  }

  /** Takes the line away, so that other text can be written; the next `show` brings it back. */
  clear(): void {
    if (this.#isShown) this.#context.err.write('\r\x1b[K');
    this.#drawnMs = -Infinity;
  }

  /** Leaves the sum behind where the line was shown. */
  end(bytes: number, rows: number): void {
    if (!this.#isShown) return;
    this.clear();
    const seconds = (this.elapsedMs / 1000).toFixed(1);
    this.#context.err.write(`${grouped(rows)} rows, ${mebibytes(bytes)} MiB in ${seconds} s\n`);
  }
}
