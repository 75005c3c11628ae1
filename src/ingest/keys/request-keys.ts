/**
 * Idempotency keys: a request that comes again with its key is answered as the first time, and
 * nothing of it is written again (commit-protocol P2). Main thread.
 *
 * K1. A key is held from the tick in which it was looked up: who comes with it and the same body
 *     meanwhile waits and gets the same answer or error.
 * K2. It is remembered in the tick in which its record is in the log, in LSN order, and forgotten
 *     if the record was refused: then a later try is a first one.
 * K3. The same key with another body is a request of its own; the newest counts from then on. A
 *     sender that gives all its requests one key loses nothing, and a person is told.
 * K4. Requests with a key wait outside until the keys of log and files are known; others do not.
 * K5. Keys age by a time of their own (key-time.ts), which no jump of the wall clock moves.
 */
import { createHash, hash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../base/lib/clock.ts';
import { asGatewayError, GatewayError } from '../../base/errors/gateway-error.ts';
import type { ColumnBatch } from '../../base/model/column-batch.ts';
import type { AlarmRecorder } from '../../base/telemetry/alarms.ts';
import type { CounterRecorder, Metrics } from '../../base/telemetry/metrics.ts';
import { idempotencyKeys } from '../../storage/catalog/reserved-tables.ts';
import type { SchemaRegistry } from '../../storage/catalog/schema-registry.ts';
import { AlarmSubjects } from '../alarm-subjects.ts';
import { reservedBatch, textsOf } from '../decode/reserved-rows.ts';
import { senderText, type WriteOutcome, type WriteRequest } from '../door-types.ts';
import { answerText, readAnswer } from './answer-text.ts';
import type { KeyTime } from './key-time.ts';
import { KeyTable, type KeyTableOptions } from './key-table.ts';

/** A key as a row says it. */
export interface KeyRow {
  /** Of the scale of key-time.ts. */
  readonly timeUs: number;
  readonly scope: string;
  readonly database: string;
  readonly key: string;
  /** 64 hex digits. */
  readonly body: string;
  readonly answer: string | undefined;
}

/** The key of a request under way. */
export interface HeldKey {
  /** Its row, for the record of the request that came at the wall time `nowUs`. */
  row(nowUs: number, outcome: WriteOutcome): ColumnBatch;
  /** The record with that row is in the log. */
  kept(): void;
}

export interface KeyFigures {
  /** False until the keys of log and files are known. */
  readonly loaded: boolean;
  readonly count: number;
  readonly countMax: number;
  /** In memory. */
  readonly bytes: number;
  readonly bytesMax: number;
  /** Forgotten before their time, to stay within the limits. */
  readonly dropped: number;
}

export interface RequestKeysDeps {
  readonly registry: SchemaRegistry;
  readonly clock: Clock;
  readonly time: KeyTime;
  readonly alarms: AlarmRecorder;
  readonly metrics: Metrics;
  yieldNow(): Promise<void>;
  /** Random text that nobody else knows: senders must not choose where keys stand in the table. */
  readonly salt: string;
}

export interface RequestKeysOptions extends KeyTableOptions {
  readonly retryMsMin: number;
  readonly retryMsMax: number;
}

interface Pending {
  readonly body: string;
  readonly outcome: Promise<WriteOutcome>;
}

/** Of a body, hashed without giving way. */
const hashStepBytes = 1024 * 1024;

const quietMs = 3_600_000;

/** Until there are tokens all senders share one scope. */
const openScope = '';

export class RequestKeys {
  readonly #deps: RequestKeysDeps;
  readonly #options: RequestKeysOptions;
  readonly #subjects: AlarmSubjects;
  readonly #repeats: CounterRecorder<'holdfast_ingest_key_repeats_total'>;
  readonly #reused: CounterRecorder<'holdfast_ingest_keys_reused_total'>;
  /** By key digest in hex: the newest request that is under way. */
  readonly #pending = new Map<string, Pending>();
  #table: KeyTable;
  #isLoaded = false;
  #isStopped = false;

  constructor(deps: RequestKeysDeps, options: RequestKeysOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#table = new KeyTable(options);
    this.#subjects = new AlarmSubjects(deps.clock, quietMs, 'other senders');
    const { metrics } = deps;
    this.#repeats = metrics.counter('holdfast_ingest_key_repeats_total');
    this.#reused = metrics.counter('holdfast_ingest_keys_reused_total');
    metrics.read('holdfast_ingest_keys', () => this.#table.size);
    metrics.read('holdfast_ingest_keys_memory_bytes', () => this.#table.bytes);
    metrics.read('holdfast_ingest_keys_dropped_total', () => this.#table.dropped);
  }

  /** What is remembered, and its limits. */
  get figures(): KeyFigures {
    const { size, bytes, dropped } = this.#table;
    const { entriesMax, bytesMax } = this.#options;
    return { loaded: this.#isLoaded, count: size, countMax: entriesMax, bytes, bytesMax, dropped };
  }

  /** @throws HF_KEYS_LOADING until the keys of log and files are known */
  check(): void {
    if (this.#isLoaded) return;
    throw new GatewayError('HF_KEYS_LOADING', 'the idempotency keys are being read');
  }

  /** Learns the keys in a record of the log; called in LSN order, before `load`. */
  learn(batch: ColumnBatch): void {
    if (batch.measurementId !== idempotencyKeys.id) return;
    const columns = ['scope', 'database', 'key', 'body', 'answer'] as const;
    const [scopes, databases, keys, bodies, answers] = columns.map((name) => textsOf(batch, name));
    for (let row = 0; row < batch.rowCount; row += 1) {
      const timeUs = Number(batch.times[row]);
      this.#deps.time.passed(timeUs);
      this.#put(this.#table, {
        timeUs,
        scope: scopes?.[row] ?? '',
        database: databases?.[row] ?? '',
        key: keys?.[row] ?? '',
        body: bodies?.[row] ?? '',
        answer: answers?.[row],
      });
    }
  }

  /**
   * Reads the keys of files, which are all older than those of the log, and lets requests with a
   * key in. Tries again until it succeeds, under an alarm.
   * @param filed keys in order of age; called for each attempt; undefined if no file has any
   */
  async load(filed: (() => AsyncIterable<readonly KeyRow[]>) | undefined): Promise<void> {
    const { alarms } = this.#deps;
    for (let attempt = 0; filed !== undefined && !this.#isStopped; attempt += 1) {
      try {
        const table = new KeyTable(this.#options);
        for await (const rows of filed()) for (const row of rows) this.#put(table, row);
        table.append(this.#table);
        this.#table = table;
        break;
      } catch (error) {
        if (this.#isStopped) return;
        alarms.raise('keys_unread', asGatewayError(error).message);
        const { retryMsMin, retryMsMax } = this.#options;
        await delay(Math.min(retryMsMax, retryMsMin * 2 ** attempt), undefined, { ref: false });
      }
    }
    alarms.clear('keys_unread');
    this.#isLoaded = !this.#isStopped;
  }

  /** `load` gives up. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * What `run` comes to, or what it came to for an earlier request with this key and body.
   * @throws HF_KEYS_LOADING; as `run`, also to those who waited for it
   */
  async once(
    request: WriteRequest,
    key: string,
    run: (held: HeldKey) => Promise<WriteOutcome>,
  ): Promise<WriteOutcome> {
    this.check();
    const body = await this.#bodyDigest(request);
    // From here to `pending.set` in one tick (K1).
    const digest = this.#keyDigest(openScope, request.database, key);
    const name = digest.toString('hex', 0, 16);
    const known = this.#known(name, digest, body, request);
    if (known !== undefined) {
      this.#repeats.add(1, { dialect: request.dialect });
      return { ...(await known), isRepeat: true };
    }
    const held: Pending = { body, outcome: run(this.#hold(request, key, body)) };
    this.#pending.set(name, held);
    try {
      return await held.outcome;
    } finally {
      if (this.#pending.get(name) === held) this.#pending.delete(name);
    }
  }

  #known(
    name: string,
    digest: Buffer,
    body: string,
    request: WriteRequest,
  ): Promise<WriteOutcome> | WriteOutcome | undefined {
    const pending = this.#pending.get(name);
    if (pending?.body === body) return pending.outcome;
    const found = this.#table.find(digest, Buffer.from(body, 'hex'), this.#deps.time.nowUs());
    if (pending === undefined && found?.isSame === true) return readAnswer(found.answer);
    if (pending !== undefined || found !== undefined) this.#noteReuse(request);
    return undefined;
  }

  #hold(request: WriteRequest, key: string, body: string): HeldKey {
    const { database } = request;
    let row: KeyRow | undefined;
    return {
      row: (nowUs, outcome) => {
        const answer = answerText(outcome);
        const timeUs = this.#deps.time.nowUs();
        row = { timeUs, scope: openScope, database, key, body, answer };
        return reservedBatch(
          this.#deps.registry,
          idempotencyKeys,
          { nowUs: timeUs, rowCount: 1 },
          {
            scope: [openScope],
            database: [database],
            key: [key],
            body: [body],
            answer: [answer],
            server_time: [Math.floor(nowUs)],
          },
        );
      },
      kept: () => {
        if (row !== undefined) this.#put(this.#table, row);
      },
    };
  }

  #put(table: KeyTable, { timeUs, scope, database, key, body, answer }: KeyRow): void {
    const digest = this.#keyDigest(scope, database, key);
    const bodyDigest = Buffer.from(body, 'hex');
    // A row that says no digest can match no request.
    if (bodyDigest.length >= 16) table.put(digest, bodyDigest, timeUs, answer);
  }

  #keyDigest(scope: string, database: string, key: string): Buffer {
    const parts = JSON.stringify([this.#deps.salt, scope, database, key]);
    return hash('sha256', parts, 'buffer');
  }

  /** Of the bytes and of all that changes the rows they mean, as hex digits. */
  async #bodyDigest(request: WriteRequest): Promise<string> {
    const { format, precision, acceptPartial, table, body } = request;
    const digest = createHash('sha256');
    const terms = [format ?? 'line', precision, acceptPartial];
    digest.update(JSON.stringify(table === undefined ? terms : [...terms, table]));
    for (let from = 0; from < body.length; from += hashStepBytes) {
      if (from > 0) await this.#deps.yieldNow();
      digest.update(body.subarray(from, from + hashStepBytes));
    }
    return digest.digest('hex');
  }

  #noteReuse(request: WriteRequest): void {
    const sender = senderText(request);
    this.#reused.add(1, { dialect: request.dialect });
    const detail = `${sender} sent a key of database ${request.database} again with another body`;
    this.#deps.alarms.raise('key_reused', detail, this.#subjects.subject(sender), quietMs);
  }
}
