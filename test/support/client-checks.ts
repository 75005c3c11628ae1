/**
 * What holds for every real client after its script: what it wrote is served exactly, and what it
 * was told of each write is true.
 */
import type { Test } from 'tap';
import {
  drive,
  instant,
  manyFromUs,
  manyPoints,
  sentAndServed,
  sentAndServedTypes,
  type ClientPoint,
  type Outcome,
} from './client-driver.ts';
import { quoted } from './gateway-client.ts';
import type { RealGateway } from './real-gateway.ts';

export type Outcomes = Readonly<Record<string, Outcome>>;

/** The parts of a client's work that were done, by the names of its script's steps. */
export class ClientChecks {
  readonly #t: Test;
  readonly #gateway: RealGateway;
  readonly database: string;
  readonly outcomes: Outcomes;

  constructor(t: Test, gateway: RealGateway, database: string, outcomes: Outcomes) {
    this.#t = t;
    this.#gateway = gateway;
    this.database = database;
    this.outcomes = outcomes;
  }

  /** Runs the script and looks at nothing yet. */
  static async run(
    t: Test,
    gateway: RealGateway,
    call: {
      readonly program: string;
      readonly script: string;
      readonly folder: string;
      readonly relay: string;
      readonly points: readonly ClientPoint[];
    },
  ): Promise<ClientChecks> {
    const database = `db of ${call.script}`;
    const { relay, points } = call;
    const job = { relay, database, points };
    const outcomes = await drive(call.program, call.script, job, call.folder);
    return new ClientChecks(t, gateway, database, outcomes);
  }

  outcome(step: string): Outcome {
    const outcome = this.outcomes[step];
    if (outcome === undefined) throw new Error(`the script has no step ${step}`);
    return outcome;
  }

  /** Steps that the client itself takes for done. */
  done(...steps: readonly string[]): void {
    for (const step of steps) {
      const { ok, error, text } = this.outcome(step);
      this.#t.ok(ok, `${step}: ${error ?? ''} ${text ?? ''}`);
    }
  }

  /** A step that the client reports as failed, in words that say why. */
  failed(step: string, words: RegExp): void {
    const { ok, text = '' } = this.outcome(step);
    this.#t.notOk(ok, `${step} fails`);
    this.#t.match(text, words, step);
  }

  value(step: string, pattern: unknown): void {
    const { ok, value } = this.outcome(step);
    this.#t.match({ ok, value }, { ok: true, value: pattern }, step);
  }

  /** The points are served as they were sent, values and types. */
  async exact(points: readonly ClientPoint[], prefix = ''): Promise<void> {
    const rows = await sentAndServed(this.#gateway, this.database, points, prefix);
    this.#t.strictSame(rows.served, rows.sent, 'rows are served as they were sent');
    const types = await sentAndServedTypes(this.#gateway, this.database, points, prefix);
    this.#t.strictSame(types.served, types.sent, 'types too');
  }

  /** One point was written in each unit, cut to it. */
  async precisions(units: Readonly<Record<string, bigint>>): Promise<void> {
    for (const [unit, size] of Object.entries(units)) {
      const us = ((instant / size) * size) / 1000n;
      const sql = `SELECT epoch_us("time") FROM ${this.table(`at_${unit}`)}`;
      this.#t.strictSame(await this.#gateway.select(sql), [[us]], `in ${unit}`);
    }
  }

  /** The batches are there, each point once. */
  async batch(): Promise<void> {
    const sql =
      'SELECT count(*), count(DISTINCT h), count(DISTINCT i), sum(i), ' +
      `epoch_us(min("time")), epoch_us(max("time")) FROM ${this.table('many')}`;
    const sum = (manyPoints * (manyPoints - 1)) / 2;
    const numbers = [manyPoints, 10, manyPoints, sum, manyFromUs, manyFromUs + manyPoints - 1];
    const row = (await this.#gateway.select(sql))[0]?.map(Number);
    this.#t.strictSame(row, numbers, 'every point of the batches, once');
  }

  /** Rows of a measurement; 0 if there is none. */
  async count(measurement: string, expected: number): Promise<void> {
    const tables = await this.#gateway.select(`SHOW TABLES FROM ${quoted(this.database)}`);
    const known = tables.some(([, name]) => name === measurement);
    const count = known ? await this.#gateway.count(this.table(measurement)) : 0;
    this.#t.equal(count, expected, `rows of ${measurement}`);
  }

  table(measurement: string): string {
    return `${quoted(this.database)}.${quoted(measurement)}`;
  }
}
