/**
 * The writer of a log: appends, syncs, rotates, recycles (L1-L4, L6). One object per log, on its
 * owner's thread, not reentrant. Made by `openLog`.
 *
 * I1 A number is given once; a refused group's numbers are spent (L3).
 * I2 Bytes are only ever appended to a segment, each group on a page of its own (L2).
 * I3 After a failed or short write or sync the descriptor is closed and never synced again; the
 *    segment is cut at its last synced record, and the next group goes to a fresh one (L4, W5).
 * I4 What was appended and not synced (mode async, or a start's tail) is kept in `#unsynced` until
 *    it is on the device, and each fresh segment begins with it.
 * I5 A segment that no header lists any more, or that is released, is given back only while the
 *    segment that replaces it stands (L6).
 */
import { assert } from '../base/lib/assert.ts';
import { GatewayError } from '../base/errors/gateway-error.ts';
import { groupBytes, makeFreshSegment, type OpenSegment } from './fresh-segment.ts';
import type { LogRules } from './log-rules.ts';
import {
  lastNumberOf,
  type AppendLog,
  type LogOptions,
  type LogRecord,
  type LogState,
  type RecordInput,
  type SegmentSummary,
  type SpareRequest,
} from './log-types.ts';
import { encodeGroup, RecordScanner } from './record.ts';
import { Recycler } from './recycler.ts';
import type { LiveSegment } from './replay.ts';
import { headerBytes } from './segment-header.ts';
import type { SegmentFiles } from './segment-files.ts';
import { syncBarrier, syncsGroups } from './sync-mode.ts';

/** Where a start begins to write. */
export interface LogStart {
  readonly live: readonly LiveSegment[];
  readonly dead: readonly string[];
  /** Records to carry over into the fresh segment. */
  readonly carried: readonly LogRecord[];
  /** Last number that counts and is not carried. */
  readonly keptTo: number;
  /** Highest mark found. */
  readonly mark: number;
  /** First number of this start. */
  readonly next: number;
  /** Highest sequence in use. */
  readonly sequence: number;
}

interface ActiveSegment extends OpenSegment {
  position: number;
  /** Last number on the device in it, 0 if none. */
  syncedTo: number;
  readonly openedMs: number;
  /** True once a group was written behind what was carried. */
  hasGroups: boolean;
}

const unsyncedBytesMaxDefault = 8 << 20;

export class Log implements AppendLog {
  readonly #options: LogOptions;
  readonly #names: SegmentFiles;
  readonly #rules: LogRules;
  readonly #recycler: Recycler;
  #live: LiveSegment[];
  /** Names of live segments that this process made and on which no call failed. */
  readonly #sound = new Set<string>();
  #active: ActiveSegment | undefined;
  #unsynced: LogRecord[];
  #unsyncedBytes = 0;
  #sequence: number;
  #next: number;
  /** Last number that a record on the device has; `#settledTo` also covers void numbers. */
  #keptTo: number;
  #settledTo: number;
  #writtenTo: number;
  /** 0 until a fresh segment stands: what a start finds may be in the page cache only. */
  #mark = 0;
  readonly #foundMark: number;
  /** False until the names that this start found are known to be on the device. */
  #namesSynced = false;
  #state: LogState = 'failed';
  #failure: GatewayError | undefined;

  /** In state `failed` until `retryFresh` made the fresh segment of this start. */
  constructor(options: LogOptions, names: SegmentFiles, rules: LogRules, start: LogStart) {
    this.#options = options;
    this.#names = names;
    this.#rules = rules;
    this.#recycler = new Recycler(options, names);
    for (const name of start.dead) this.#recycler.add(name, 'unlink');
    this.#live = [...start.live];
    this.#unsynced = [...start.carried];
    this.#sequence = start.sequence;
    this.#next = start.next;
    this.#keptTo = start.keptTo;
    this.#settledTo = start.mark;
    this.#foundMark = start.mark;
    const lastCarried = start.carried.at(-1);
    this.#writtenTo = lastCarried === undefined ? start.keptTo : lastNumberOf(lastCarried);
  }

  get state(): LogState {
    return this.#state;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  get syncedTo(): number {
    return this.#settledTo;
  }

  get writtenTo(): number {
    return this.#writtenTo;
  }

  get mark(): number {
    return this.#mark;
  }

  get nextNumber(): number {
    return this.#next;
  }

  append(group: readonly RecordInput[]): readonly number[] {
    assert(group.length > 0 && this.#state !== 'closed', 'group of an open log');
    const bytes = groupBytes(group);
    this.#makeRoom(bytes);
    const active = this.#activeOrThrow();
    const records = group.map((input) => this.#numbered(input));
    this.#write(active, records, bytes);
    return records.map((record) => record.number);
  }

  sync(): void {
    const active = this.#activeOrThrow();
    if (this.#unsynced.length === 0) return;
    try {
      this.#syncActive(active);
    } catch (error) {
      this.#replaceFailed(active, error);
      this.#activeOrThrow();
    }
  }

  rotate(first?: RecordInput): number | undefined {
    this.#rotateActive(this.#activeOrThrow());
    this.#activeOrThrow();
    return first === undefined ? undefined : this.append([first])[0];
  }

  readBack(number: number): LogRecord | undefined {
    const holders = this.segments().filter((segment) => (segment.lastNumber ?? 0) >= number);
    const holder = holders[0];
    if (holder === undefined) return undefined;
    const salt =
      this.#active?.sequence === holder.sequence
        ? this.#active.salt
        : this.#live.find((segment) => segment.sequence === holder.sequence)?.salt;
    const file = this.#options.files.open(this.#names.path(holder.name), 'read');
    try {
      const bytes = new Uint8Array(new SharedArrayBuffer(file.size()));
      file.read(bytes, 0);
      const scanner = new RecordScanner(bytes, headerBytes(0), salt);
      for (let found = scanner.next(); found !== undefined; found = scanner.next()) {
        const { count, payload, snapshot } = found;
        if (found.number === number) return { number, count, payload, snapshot };
      }
      return undefined;
    } finally {
      file.close();
    }
  }

  release(lowWater: number): void {
    if (this.#active === undefined) return;
    let count = 0;
    while ((this.#live[count]?.lastNumber ?? Infinity) <= lowWater) count += 1;
    for (const { name } of this.#live.splice(0, count)) {
      this.#recycler.add(name, this.#sound.delete(name) ? 'recycle' : 'unlink');
    }
    this.#recycler.run();
  }

  retryFresh(): boolean {
    if (this.#state === 'failed') this.#makeFresh();
    return this.#state === 'open';
  }

  spareWanted(): SpareRequest | undefined {
    if (this.#state !== 'open' || !this.#recycler.wantsSpare()) return undefined;
    this.#sequence += 1;
    return this.#recycler.requestSpare(this.#sequence);
  }

  close(): void {
    const active = this.#active;
    this.#active = undefined;
    this.#state = 'closed';
    if (active === undefined) return;
    try {
      if (this.#unsynced.length > 0) syncBarrier(active.file, this.#options.syncMode);
      active.file.close();
    } catch (error) {
      // Nothing can be answered any more; the next start decides by what it finds.
      this.#options.observer?.failed(ownError(error));
    }
  }

  bytesLive(): number {
    return this.segments().reduce((sum, segment) => sum + segment.bytes, 0);
  }

  segments(): readonly SegmentSummary[] {
    const summaries: SegmentSummary[] = this.#live.map(({ name, sequence, bytes, lastNumber }) => ({
      name,
      sequence,
      bytes,
      lastNumber,
      active: false,
    }));
    const active = this.#active;
    if (active !== undefined) {
      const { name, sequence, position } = active;
      const lastNumber = this.#unsynced.length > 0 ? this.#writtenTo : active.syncedTo;
      summaries.push({
        name,
        sequence,
        bytes: position,
        lastNumber: lastNumber === 0 ? undefined : lastNumber,
        active: true,
      });
    }
    return summaries;
  }

  #activeOrThrow(): ActiveSegment {
    if (this.#active === undefined) throw refused(this.#failure);
    return this.#active;
  }

  #numbered(input: RecordInput): LogRecord {
    assert(input.count >= 1, 'log record takes a number');
    const number = this.#next;
    this.#next += input.count;
    assert(Number.isSafeInteger(this.#next), 'log numbers stay below 2^53');
    const { count, payload, snapshot } = input;
    return { number, count, payload, snapshot: snapshot ?? false };
  }

  /** Before numbers are given: rotates a full or old segment, bounds what is unsynced. */
  #makeRoom(bytes: number): void {
    const active = this.#activeOrThrow();
    const { segmentBytes, segmentAgeMs, clock, unsyncedBytesMax } = this.#options;
    const full = active.position + bytes > segmentBytes;
    const old = clock.monotonicMs() - active.openedMs >= segmentAgeMs;
    if (active.hasGroups && (full || old)) this.#rotateActive(active);
    else if (this.#unsyncedBytes + bytes > (unsyncedBytesMax ?? unsyncedBytesMaxDefault)) {
      this.sync();
    }
  }

  #write(active: ActiveSegment, records: readonly LogRecord[], bytes: number): void {
    const { position, salt, file } = active;
    const end = this.#rules.groupStart(position + bytes);
    const mark = this.#settledTo;
    const { clock, syncMode } = this.#options;
    let startedMs = 0;
    try {
      const pad = end - position - bytes;
      const parts = encodeGroup(records, salt, () => mark, pad);
      if (syncMode === 'dsync') startedMs = clock.monotonicMs();
      file.write(parts, position);
      if (syncMode !== 'dsync') startedMs = clock.monotonicMs();
      if (syncsGroups(syncMode)) syncBarrier(file, syncMode);
    } catch (error) {
      this.#replaceFailed(active, error);
      throw refused(error);
    }
    active.position = end;
    active.hasGroups = true;
    this.#writtenTo = this.#next - 1;
    if (syncsGroups(syncMode)) {
      this.#mark = Math.max(this.#mark, mark);
      this.#settle(active, startedMs, bytes);
    } else {
      this.#unsynced.push(...records);
      this.#unsyncedBytes += bytes;
    }
  }

  /** Mode async, or before a rotation. The marks of the groups synced now are those of before. */
  #syncActive(active: ActiveSegment): void {
    const startedMs = this.#options.clock.monotonicMs();
    syncBarrier(active.file, this.#options.syncMode);
    if (this.#unsynced.length === 0) return;
    this.#mark = Math.max(this.#mark, this.#settledTo);
    this.#settle(active, startedMs, this.#unsyncedBytes);
  }

  /** All that was written to the active segment is on the device. */
  #settle(active: ActiveSegment, startedMs: number, bytes: number): void {
    active.syncedTo = this.#writtenTo;
    this.#keptTo = this.#writtenTo;
    this.#settledTo = this.#writtenTo;
    this.#unsynced = [];
    this.#unsyncedBytes = 0;
    this.#options.observer?.synced(this.#options.clock.monotonicMs() - startedMs, bytes);
  }

  /** The old segment is synced first, in every mode; if that fails it is a failure (L4). */
  #rotateActive(active: ActiveSegment): void {
    try {
      this.#syncActive(active);
    } catch (error) {
      this.#replaceFailed(active, error);
      return;
    }
    this.#retireActive(active, 'sound');
    this.#makeFresh();
  }

  #replaceFailed(active: ActiveSegment, error: unknown): void {
    if (!(error instanceof GatewayError)) throw error;
    this.#options.observer?.failed(error);
    this.#retireActive(active, 'failed');
    this.#makeFresh();
  }

  /** Closes the active segment, which lives on up to its last synced record. */
  #retireActive(active: ActiveSegment, state: 'sound' | 'failed'): void {
    this.#active = undefined;
    const { name, sequence, salt, position, syncedTo } = active;
    let isSound = state === 'sound';
    try {
      active.file.close();
    } catch (error) {
      // The descriptor is gone either way, and all that counts in the segment was synced.
      this.#options.observer?.failed(ownError(error));
      isSound = false;
    }
    if (syncedTo === 0) {
      this.#recycler.add(name, isSound ? 'recycle' : 'unlink');
      return;
    }
    this.#live.push({ name, sequence, salt, bytes: position, lastNumber: syncedTo });
    if (isSound) this.#sound.add(name);
  }

  /** Leaves state `open` with a fresh segment, or `failed` with the cause in `failure`. */
  #makeFresh(): void {
    this.#sequence += 1;
    const plan = {
      sequence: this.#sequence,
      older: this.#live,
      end: this.#keptTo,
      next: this.#next,
      carried: this.#unsynced,
    };
    try {
      // A segment known to the cache only must not be listed by a header that stays.
      if (!this.#namesSynced) this.#options.files.syncDirectory(this.#options.directory);
      this.#namesSynced = true;
      const fresh = makeFreshSegment(this.#options, this.#names, this.#rules, plan);
      this.#use(fresh);
    } catch (error) {
      this.#failure = ownError(error);
      this.#state = 'failed';
      this.#options.observer?.failed(this.#failure);
      return;
    }
    this.#recycler.run();
  }

  #use(fresh: OpenSegment): void {
    const lastCarried = this.#unsynced.at(-1);
    const syncedTo = lastCarried === undefined ? 0 : lastNumberOf(lastCarried);
    const openedMs = this.#options.clock.monotonicMs();
    this.#active = { ...fresh, syncedTo, openedMs, hasGroups: false };
    this.#keptTo = Math.max(this.#keptTo, syncedTo);
    this.#mark = Math.max(this.#mark, this.#foundMark, this.#keptTo);
    // Numbers between the last record and `next` are void from here on, by the header.
    this.#settledTo = this.#next - 1;
    this.#writtenTo = Math.max(this.#writtenTo, this.#settledTo);
    this.#unsynced = [];
    this.#unsyncedBytes = 0;
    this.#state = 'open';
    this.#failure = undefined;
    this.#recycler.sparesChanged();
  }
}

/** `error` as a GatewayError; whatever else is thrown goes on up: it is not the disk's doing. */
function ownError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  throw error;
}

function refused(cause: unknown): GatewayError {
  const reason = cause instanceof Error ? `: ${cause.message}` : '';
  return new GatewayError('HF_LOG_APPEND', `append refused${reason}`, { cause });
}
