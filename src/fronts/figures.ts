/**
 * The figures of a running gateway for its status report: what the parts keep anyway, read when
 * somebody asks, and the few sums over commits that no part needs for itself. Main thread.
 */
import type { Alarms } from '../base/telemetry/alarms.ts';
import { internalDatabase } from '../base/model/schema.ts';
import type { Commit } from '../base/model/commit.ts';
import type { Admission } from '../ingest/admission.ts';
import type { Flusher } from '../ingest/buffer/flusher.ts';
import type { HotChunks } from '../ingest/buffer/hot-chunks.ts';
import type { MeasurementBuffers } from '../ingest/buffer/measurement-buffers.ts';
import type { RequestKeys } from '../ingest/keys/request-keys.ts';
import type { ReservedFiles } from '../ingest/letters/reserved-files.ts';
import type { CommitClient } from '../log/journal/commit-client.ts';
import type { WalClient } from '../log/wal/wal-client.ts';
import type { Queries } from '../query/queries.ts';
import { deadLetters } from '../storage/catalog/reserved-tables.ts';
import type { SpaceWatch } from '../system/space.ts';
import type { GatewayPhase, RecoveryFigures, StatusSources } from './status.ts';

export interface FigureParts {
  readonly gatewayId: string;
  readonly memoryBytesMax: number;
  readonly alarms: Alarms;
  readonly space: SpaceWatch;
  readonly commits: CommitClient;
  readonly buffers: MeasurementBuffers;
  readonly hot: HotChunks;
  readonly flusher: Flusher;
  readonly admission: Admission;
  readonly keys: Pick<RequestKeys, 'figures'>;
  readonly reservedFiles: Pick<ReservedFiles, 'letterFigures'>;
  readonly queries: Queries;
  /** Undefined until the log is read. */
  wal(): WalClient | undefined;
  phase(): GatewayPhase;
  recovery(): RecoveryFigures;
}

export class Figures {
  readonly #parts: FigureParts;
  readonly #filed = { rowsFiled: 0, flushes: 0, filesFiled: 0, bytesFiled: 0 };
  #commits = 0;

  constructor(parts: FigureParts) {
    this.#parts = parts;
  }

  /** Called for every commit. */
  committed(commit: Commit): void {
    this.#commits++;
    if (commit.kind !== 'flush') return;
    this.#filed.flushes++;
    for (const { rows, bytes } of commit.adds ?? []) {
      this.#filed.rowsFiled += rows;
      this.#filed.bytesFiled += bytes;
      this.#filed.filesFiled++;
    }
  }

  sources(): StatusSources {
    const { gatewayId, alarms, space, commits, queries, admission } = this.#parts;
    return {
      gatewayId: () => gatewayId,
      phase: () => this.#parts.phase(),
      recovery: () => this.#parts.recovery(),
      refusal: () => admission.refusal(),
      buffers: () => this.#buffers(),
      wal: () => this.#wal(),
      walSyncs: () => this.#parts.wal()?.syncLatency.counts(),
      catalog: () => {
        const { files, fileBytes: bytes, indexRebuilds, ...journal } = commits.figures;
        const { visibleCommit } = commits;
        return { visibleCommit, commits: this.#commits, files, bytes, indexRebuilds, journal };
      },
      queries: () => {
        const { running, waiting, engine } = queries.status();
        return { active: running, queued: waiting, engineRestarts: engine.restarts };
      },
      disk: () => space.figures,
      keys: () => this.#parts.keys.figures,
      deadLetters: () => {
        const { buffers, reservedFiles } = this.#parts;
        const rowsHeld = buffers.sizes()[`${internalDatabase}.${deadLetters.name}`] ?? 0;
        return { ...reservedFiles.letterFigures, rowsHeld };
      },
      alarms: () => alarms.active(),
    };
  }

  #buffers(): ReturnType<StatusSources['buffers']> {
    const { buffers, hot, flusher, memoryBytesMax } = this.#parts;
    return {
      ...this.#filed,
      rowsEntered: this.#filed.rowsFiled + buffers.rows,
      rowsHeld: buffers.rows,
      rowsRepeated: buffers.repeatedRows,
      rowsUnmerged: buffers.unmergedRows,
      flushFailures: flusher.failures,
      bytes: buffers.bytes + hot.bytes,
      bytesMax: memoryBytesMax,
      oldestAgeMs: buffers.oldestAgeMs(),
      sizes: buffers.sizes(),
    };
  }

  #wal(): ReturnType<StatusSources['wal']> {
    const wal = this.#parts.wal();
    if (wal === undefined) return undefined;
    const { syncedTo, bytesLive, failure, ...status } = wal.status();
    return {
      ...status,
      ...(failure === undefined ? {} : { failure: failure.message }),
      syncedLsn: syncedTo,
      liveBytes: bytesLive,
      syncLatency: wal.syncLatency.summary(),
    };
  }
}
