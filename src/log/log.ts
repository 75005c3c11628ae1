/**
 * The writer of a log (commit-protocol L1-L4, L6): appends groups, rotates, recycles, and goes on
 * in a fresh segment when the device refuses. Owned by one thread; not reentrant.
 *
 * I1 What `append` returned for is on the device (mode `async`: kept in memory until it is).
 * I2 A number that was given is never given again, also when its group was refused.
 * I3 After a failed write or sync the file is closed and never written or synced again (W5). Its
 *    records above `syncedTo` are void, or carried further, once a fresh segment stands.
 * I4 A page that holds a synced record is never written again.
 */
import { asGatewayError, GatewayError } from '../base/errors/gateway-error.ts';
import { assert, present } from '../base/lib/assert.ts';
import { groupBytes, makeFreshSegment, zeroHeader, type OpenSegment } from './fresh-segment.ts';
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
import type { LiveSegment, Replayed } from './replay.ts';
import { headerBytes } from './segment-header.ts';
import type { SegmentFiles } from './segment-files.ts';
import { syncBarrier, syncsGroups } from './sync-mode.ts';

const unsyncedBytesMaxDefault = 64 * 1024 * 1024;

/** Spares kept beside the one that the next rotation takes: more would only hold disk space. */
const sparesMax = 2;

/** Where the writer starts: what replay found, and the first number of this start. */
export interface LogStart {
  readonly replayed: Replayed;
  readonly sequence: number;
  readonly next: number;
}

/** The segment that is written to, with the numbers that are in it. */
interface Active {
  readonly segment: OpenSegment;
  readonly createdMs: number;
  /** End of data: the next group starts here. */
  position: number;
  first: number | undefined;
  last: number;
}

export class Log implements AppendLog {
  readonly #options: LogOptions;
  readonly #names: SegmentFiles;
  readonly #rules: LogRules;
  /** Older live segments, oldest first. */
  #older: LiveSegment[];
  #active: Active | undefined;
  #sequence: number;
  #next: number;
  #syncedTo: number;
  #writtenTo: number;
  #mark: number;
  /** Mode `async`, or the tail of the last life: records that may not be on the device. */
  #unsynced: LogRecord[];
  #unsyncedBytes = 0;
  #failure: GatewayError | undefined;
  /** Files in which nothing counts; they go once a fresh segment's header says so too. */
  #emptied: string[] = [];
  #spareAsked = false;
  #closed = false;

  /** Makes the fresh segment of this start; if the disk refuses, the state is `failed`. */
  constructor(options: LogOptions, names: SegmentFiles, rules: LogRules, start: LogStart) {
    const { replayed, sequence, next } = start;
    this.#options = options;
    this.#names = names;
    this.#rules = rules;
    this.#older = [...replayed.live];
    this.#sequence = sequence;
    this.#next = next;
    this.#syncedTo = replayed.mark;
    this.#mark = replayed.mark;
    this.#writtenTo = Math.max(replayed.mark, replayed.lastNumber);
    this.#unsynced = [...replayed.carried];
    this.#fresh();
  }

  get state(): LogState {
    if (this.#closed) return 'closed';
    return this.#active === undefined ? 'failed' : 'open';
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  get syncedTo(): number {
    return this.#syncedTo;
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
    assert(group.length > 0, 'a group has records');
    const records = group.map((input) => this.#numbered(input));
    const bytes = groupBytes(records);
    this.#rotateIfDue(bytes);
    const active = this.#writable();
    try {
      this.#write(active, records, bytes);
    } catch (error) {
      throw this.#refuse(error);
    }
    if (this.#unsyncedBytes > (this.#options.unsyncedBytesMax ?? unsyncedBytesMaxDefault)) {
      this.#syncCarrying();
    }
    return records.map(({ number }) => number);
  }

  sync(): void {
    const active = this.#writable();
    if (this.#unsynced.length === 0) return;
    try {
      this.#timedSync(active, this.#unsyncedBytes);
    } catch (error) {
      throw this.#refuse(error);
    }
    this.#settleSynced();
  }

  /** A failure gives up nothing that was appended: it is carried, now or by `retryFresh`. */
  #syncCarrying(): void {
    try {
      this.sync();
    } catch (error) {
      if (asGatewayError(error).kind === 'bug') throw error;
    }
  }

  rotate(first?: RecordInput): number | undefined {
    this.sync();
    this.#seal();
    if (!this.#fresh()) throw this.#appendError(this.#failure);
    if (first === undefined) return undefined;
    const number = this.append([first])[0];
    if (!syncsGroups(this.#options.syncMode)) this.sync();
    return number;
  }

  readBack(number: number): LogRecord | undefined {
    const active = this.#active;
    const own = active?.first !== undefined && number >= active.first ? active.segment : undefined;
    const segment = own ?? this.#older.find(({ lastNumber }) => number <= lastNumber);
    if (segment === undefined) return undefined;
    const { files } = this.#options;
    const path = this.#names.path(segment.name);
    if (files.size(path) === undefined) return undefined;
    const file = files.open(path, 'read');
    try {
      const bytes = new Uint8Array(new SharedArrayBuffer(file.size()));
      file.read(bytes, 0);
      const scanner = new RecordScanner(bytes, 0, segment.salt);
      for (let found = scanner.next(); found !== undefined; found = scanner.next()) {
        if (found.number === number) return found;
      }
      return undefined;
    } finally {
      file.close();
    }
  }

  release(lowWater: number): void {
    while (this.#older[0] !== undefined && this.#older[0].lastNumber <= lowWater) {
      if (!this.#retire(this.#older[0].name)) return;
      this.#older.shift();
    }
  }

  retryFresh(): boolean {
    if (this.state !== 'failed') return this.state === 'open';
    return this.#fresh();
  }

  spareWanted(): SpareRequest | undefined {
    if (!this.#options.preallocate || this.#spareAsked || this.state !== 'open') return undefined;
    this.#spareAsked = true;
    if (this.#names.list().spares.length > 0) return undefined;
    this.#sequence += 1;
    const name = this.#names.spareName(this.#sequence);
    return { directory: this.#options.directory, name, bytes: this.#options.segmentBytes };
  }

  close(): void {
    if (this.#closed) return;
    try {
      if (this.#active !== undefined) this.sync();
      this.#active?.segment.file.close();
    } catch (error) {
      // The next start decides by what it finds; nothing was acknowledged that it cannot find.
      asGatewayError(error);
    }
    this.#active = undefined;
    this.#closed = true;
  }

  bytesLive(): number {
    return this.segments().reduce((sum, { bytes }) => sum + bytes, 0);
  }

  segments(): readonly SegmentSummary[] {
    const older = this.#older.map(({ name, sequence, bytes, lastNumber }) => {
      return { name, sequence, bytes, lastNumber, active: false };
    });
    const active = this.#active;
    if (active === undefined) return older;
    const { name, sequence } = active.segment;
    const lastNumber = active.first === undefined ? undefined : active.last;
    return [...older, { name, sequence, bytes: active.position, lastNumber, active: true }];
  }

  #numbered({ count, payload, snapshot = false }: RecordInput): LogRecord {
    assert(count >= 1, 'a log record takes a number');
    const record = { number: this.#next, count, payload, snapshot };
    this.#next += count;
    assert(Number.isSafeInteger(this.#next), 'log numbers stay below 2^53');
    return record;
  }

  #writable(): Active {
    if (this.#active === undefined) throw this.#appendError(this.#failure);
    return this.#active;
  }

  #write(active: Active, records: readonly LogRecord[], bytes: number): void {
    const { syncMode } = this.#options;
    const end = this.#rules.groupStart(active.position + bytes);
    const mark = this.#syncedTo;
    const pad = end - active.position - bytes;
    const parts = encodeGroup(records, active.segment.salt, () => mark, pad);
    active.segment.file.write(parts, active.position);
    if (syncsGroups(syncMode)) this.#timedSync(active, bytes);
    const first = present(records[0], 'first record of a group');
    const last = lastNumberOf(present(records.at(-1), 'last record of a group'));
    active.position = end;
    active.first ??= first.number;
    active.last = last;
    this.#writtenTo = last;
    if (syncsGroups(syncMode)) {
      this.#syncedTo = last;
      this.#mark = mark;
    } else {
      this.#unsynced.push(...records);
      this.#unsyncedBytes += bytes;
    }
  }

  #timedSync(active: Active, bytes: number): void {
    const { clock, syncMode, observer } = this.#options;
    const startMs = clock.monotonicMs();
    syncBarrier(active.segment.file, syncMode);
    observer?.synced(clock.monotonicMs() - startMs, bytes);
  }

  #settleSynced(): void {
    this.#syncedTo = this.#writtenTo;
    this.#unsynced = [];
    this.#unsyncedBytes = 0;
  }

  #rotateIfDue(bytes: number): void {
    const active = this.#active;
    if (active?.first === undefined) return;
    const { segmentBytes, segmentAgeMs, clock } = this.#options;
    const full = active.position + bytes > segmentBytes;
    if (full || clock.monotonicMs() - active.createdMs >= segmentAgeMs) this.rotate();
  }

  /** After a device refused: the file is given up, and a fresh segment tried (L4). */
  #refuse(error: unknown): GatewayError {
    const cause = asGatewayError(error);
    if (cause.kind === 'bug') throw cause;
    this.#options.observer?.failed(cause);
    this.#seal();
    this.#fresh();
    return this.#appendError(cause);
  }

  #appendError(cause: unknown): GatewayError {
    const where = `${this.#options.directory}/${this.#options.prefix}*`;
    return new GatewayError('HF_LOG_APPEND', `the log ${where} refused a group`, { cause });
  }

  /** The active segment becomes an older one, cut at the last number that is synced. */
  #seal(): void {
    const active = this.#active;
    if (active === undefined) return;
    this.#active = undefined;
    const { file, name, sequence, salt } = active.segment;
    try {
      file.close();
    } catch (error) {
      // A descriptor that cannot be closed is not used again either.
      asGatewayError(error);
    }
    if (active.first === undefined || active.first > this.#syncedTo) {
      this.#emptied.push(name);
      return;
    }
    const lastNumber = Math.min(active.last, this.#syncedTo);
    this.#older.push({ name, sequence, salt, bytes: active.position, lastNumber });
  }

  #fresh(): boolean {
    this.#sequence += 1;
    const carried = this.#unsynced;
    const older = this.#older.map(({ sequence, salt, lastNumber }) => {
      return { sequence, salt, lastNumber };
    });
    const plan = {
      sequence: this.#sequence,
      older,
      end: this.#syncedTo,
      next: this.#next,
      carried,
    };
    try {
      const segment = makeFreshSegment(this.#options, this.#names, this.#rules, plan);
      this.#activate(segment, carried);
      return true;
    } catch (error) {
      const failure = asGatewayError(error);
      if (failure.kind === 'bug') throw failure;
      this.#failure = failure;
      this.#options.observer?.failed(failure);
      return false;
    }
  }

  #activate(segment: OpenSegment, carried: readonly LogRecord[]): void {
    const last = carried.at(-1);
    if (last !== undefined) this.#syncedTo = Math.max(this.#syncedTo, lastNumberOf(last));
    this.#active = {
      segment,
      createdMs: this.#options.clock.monotonicMs(),
      position: segment.position,
      first: carried[0]?.number,
      last: last === undefined ? 0 : lastNumberOf(last),
    };
    this.#writtenTo = Math.max(this.#writtenTo, this.#syncedTo);
    this.#mark = this.#syncedTo;
    this.#unsynced = [];
    this.#unsyncedBytes = 0;
    this.#failure = undefined;
    this.#spareAsked = false;
    for (const name of this.#emptied.splice(0)) this.#retire(name);
    assert(segment.position >= headerBytes(this.#older.length), 'a group starts behind the header');
  }

  /** Makes a spare of the file, or unlinks it. False if the disk refuses: it stays. */
  #retire(name: string): boolean {
    const { files, preallocate, segmentBytes } = this.#options;
    const path = this.#names.path(name);
    try {
      const size = files.size(path);
      if (size === undefined) return true;
      const spares = preallocate ? this.#names.list().spares.length : sparesMax;
      if (size !== segmentBytes || spares >= sparesMax) {
        files.unlink(path);
        return true;
      }
      zeroHeader(this.#options, path);
      this.#sequence += 1;
      files.rename(path, this.#names.path(this.#names.spareName(this.#sequence)));
      return true;
    } catch (error) {
      if (asGatewayError(error).kind === 'bug') throw error;
      return false;
    }
  }
}
