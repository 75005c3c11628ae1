/**
 * What the HTTP front is given by gateway.ts: the few calls that its routes make into other wings.
 */
import type { Durability } from '../../base/config/derive.ts';
import type { Clock } from '../../base/lib/clock.ts';
import type { MeasurementSchema } from '../../base/model/schema.ts';
import type { Logger } from '../../base/telemetry/log.ts';
import type { Metrics } from '../../base/telemetry/metrics.ts';
import type { WriteDoor } from '../../ingest/door-types.ts';
import type { DeadLetters } from '../../ingest/letters/dead-letters.ts';
import type { QueryAnswer, QueryPatience, QueryRequest } from '../../query/queries.ts';
import type { StatusReport } from '../status.ts';
import type { Decompress } from './read-body.ts';

/** The queries as the routes see them (query/queries.ts). */
export interface QueryDoor {
  /** @throws GatewayError before the first byte; a later error destroys the body. */
  execute(request: QueryRequest): Promise<QueryAnswer>;
  /** Resolves when nothing of the log is left to read. @throws HF_RECOVERING */
  replayed(request: QueryPatience): Promise<void>;
}

export interface DatabaseDoor {
  /** Names that senders may see, without `_internal`. */
  list(): readonly string[];
  /** Measurements of a database; none if there is no such database. */
  measurements(database: string): readonly MeasurementSchema[];
  /** Resolves when the database exists; one that was there already is no error. */
  create(name: string): Promise<void>;
}

/** Tags that the owner names (storage/catalog/tag-names.ts). */
export interface TagDoor {
  /** Resolves with all tags of the measurement once the named ones are durable (P17). */
  name(database: string, measurement: string, tags: readonly string[]): Promise<readonly string[]>;
  /** Resolves with all tags named for the database once these are durable. */
  nameForAll(database: string, tags: readonly string[]): Promise<readonly string[]>;
  /** Tags of a measurement, or those named for all measurements of the database. */
  list(database: string, measurement?: string): readonly string[];
}

/** The dead letters as the routes see them (ingest/letters/dead-letters.ts). */
export type LetterDoor = Pick<DeadLetters, 'list' | 'letters' | 'replay' | 'drop'>;

export interface HttpFrontDeps {
  readonly door: WriteDoor;
  readonly letters: LetterDoor;
  readonly queries: QueryDoor;
  readonly databases: DatabaseDoor;
  readonly tagNames: TagDoor;
  readonly status: StatusReport;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly decompress: Decompress;
}

export interface HttpFrontOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly maxBodyBytes: number;
  readonly requestTimeoutMs: number;
  readonly queryTimeoutMs: number;
  readonly durability: Durability;
  /** Between two looks for requests that are too slow; 1 s unless a test wants less. */
  readonly slownessCheckMs?: number;
}
