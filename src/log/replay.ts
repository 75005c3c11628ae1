/**
 * Reads a log after a start (L5): which records count, where the log ends, what is rotten, and
 * what the fresh segment must carry. Changes nothing but `quarantine/`.
 *
 * I1 A record counts if it holds by salt and checksum, is above the last that counted, and not
 *    beyond its segment's cut.
 * I2 Where numbers are missing at or below a later mark, that is rot, and replay goes on; above all
 *    marks it is the end of the log, and nothing behind it counts.
 * I3 Records above the last mark, up to that end, are carried: the disk may not have them.
 * I4 One segment is in memory at a time, and the one before it (and those that payloads given away
 *    still hold), but for the newest and later ones, whose marks must all be known first.
 */
import { headerBytes, markOfHeader, type SegmentHeader } from './segment-header.ts';
import type { OlderSegment, SegmentSurvey } from './live-segments.ts';
import { pageBytes, type LogRules } from './log-rules.ts';
import { lastNumberOf, type LogOptions, type LogRecord, type RecordPlace } from './log-types.ts';
import { recordHeaderBytes, RecordScanner, type FoundRecord } from './record.ts';
import { RotFindings } from './rot.ts';
import { SegmentMemory } from './segment-memory.ts';
import type { SegmentFiles } from './segment-files.ts';

/** A segment that lives on, as the next header lists it. */
export interface LiveSegment {
  readonly name: string;
  readonly sequence: number;
  readonly salt: number;
  readonly bytes: number;
  readonly lastNumber: number;
}

/** What replay leaves to the writer of the log. */
export interface Replayed {
  readonly live: readonly LiveSegment[];
  /** Segments in which nothing counts any more. */
  readonly dead: readonly string[];
  readonly carried: readonly LogRecord[];
  /** Last number that counts, 0 in an empty log. */
  readonly lastNumber: number;
  /** Last number that counts and is not carried. */
  readonly keptTo: number;
  /** Highest mark found. */
  readonly mark: number;
  /** Highest number seen anywhere, counting or not. */
  readonly highest: number;
  readonly snapshot: number | undefined;
  readonly records: number;
  readonly bytes: number;
  readonly tornRecords: number;
}

export interface ReplayTargets {
  /** False leaves `quarantine` alone too. */
  readonly copies: boolean;
  readonly lowWater: number;
  /** True: no payload is used after `onRecord` has returned. */
  readonly payloadsPass?: boolean;
  onRecord(record: LogRecord, place: RecordPlace): void;
  onSynced?(number: number): void;
  onProgress?(bytes: number, bytesTotal: number): void;
}

interface LoadedSegment {
  readonly name: string;
  readonly sequence: number;
  readonly salt: number;
  readonly bytes: Uint8Array;
  readonly header: SegmentHeader | undefined;
  /** True if a valid header tells where it stands in the log: its own, or a later one. */
  readonly listed: boolean;
}

export class Replay {
  readonly rot: RotFindings;
  readonly #options: LogOptions;
  readonly #names: SegmentFiles;
  readonly #rules: LogRules;
  readonly #targets: ReplayTargets;
  readonly #survey: SegmentSurvey;
  /** Of older segments. What the latest hold may be carried, so they have memory of their own. */
  readonly #memory: SegmentMemory;
  readonly #live: LiveSegment[] = [];
  readonly #dead: string[];
  readonly #tail: LogRecord[] = [];
  /** Numbers up to here are accounted for; `#lastNumber` is the last that a record took. */
  #settled = 0;
  #lastNumber = 0;
  #keptTo = 0;
  #mark = 0;
  #highest: number;
  #ended = false;
  #snapshot: number | undefined;
  #records = 0;
  #tornRecords = 0;
  #bytesRead = 0;
  #bytesTotal = 0;
  /** Where the records read last ended: the range that is bad if the next ones do not follow. */
  #trail: { segment: string; bytes: Uint8Array | undefined; position: number } | undefined;
  /** Where a record stands that directly follows the last one, or the header; -1: not known. */
  #following = -1;
  /** Last number of the rot found last. */
  #rottenTo = 0;

  constructor(
    options: LogOptions,
    names: SegmentFiles,
    rules: LogRules,
    survey: SegmentSurvey,
    targets: ReplayTargets,
  ) {
    this.#options = options;
    this.#names = names;
    this.#rules = rules;
    this.#survey = survey;
    this.#targets = targets;
    this.#memory = new SegmentMemory(targets.payloadsPass === true);
    this.rot = new RotFindings(options, targets.copies);
    this.#dead = [...survey.dead];
    this.#highest = Math.max(survey.highest, targets.lowWater);
  }

  /** Gives all records that count to the targets, in log order. */
  run(): Replayed {
    const { older, newest, unlisted } = this.#survey;
    const latest = [...(newest === undefined ? [] : [newest]), ...unlisted].map(({ name }) => name);
    const files = [...older.map(({ name }) => name), ...latest];
    this.#bytesTotal = files.reduce((sum, name) => sum + this.#sizeOf(name), 0);
    if (newest !== undefined) this.#targets.onSynced?.(markOfHeader(newest.header));
    for (const segment of older) this.#replayOlder(segment);
    this.#replayLatest();
    this.#trail = undefined;
    this.#memory.free();
    return {
      live: this.#live,
      dead: this.#dead,
      carried: this.#tail,
      lastNumber: this.#lastNumber,
      keptTo: this.#keptTo,
      mark: this.#mark,
      highest: this.#highest,
      snapshot: this.#snapshot,
      records: this.#records,
      bytes: this.#bytesRead,
      tornRecords: this.#tornRecords,
    };
  }

  /** A segment that is listed: all numbers up to its cut were synced, so each gap is rot. */
  #replayOlder(segment: OlderSegment): void {
    const { name, sequence, salt, cut, state, header } = segment;
    this.#highest = Math.max(this.#highest, cut);
    this.#keptTo = Math.max(this.#keptTo, cut);
    if (cut <= this.#targets.lowWater) {
      // All filed. What still stands is kept and listed until its owner releases it (L6).
      const bytes = this.#sizeOf(name);
      if (state === 'valid') this.#live.push({ name, sequence, salt, bytes, lastNumber: cut });
      else if (state !== 'missing') this.#dead.push(name);
      this.#settle(Math.max(cut, header === undefined ? 0 : header.next - 1));
      this.#progress(bytes);
      return;
    }
    if (state === 'missing') {
      this.rot.alarm('segment-missing', name, `${name} is gone; its last number was ${cut}`);
      this.#trail = { segment: name, bytes: undefined, position: 0 };
      this.#expect(cut);
      return;
    }
    if (state !== 'valid') {
      this.rot.alarm(
        'segment-header-bad',
        name,
        `${name} has a ${state} header; its records count`,
      );
    }
    const bytes = this.#load(name, this.#memory);
    const loaded = { name, sequence, salt, header, bytes, listed: true };
    this.#enter(loaded);
    const scanner = new RecordScanner(loaded.bytes, dataStart(header), salt);
    for (let found = scanner.next(); found !== undefined; found = scanner.next()) {
      this.#highest = Math.max(this.#highest, lastNumberOf(found));
      if (lastNumberOf(found) <= cut) this.#take(found, loaded, cut);
    }
    this.#expect(cut);
    this.#live.push({ name, sequence, salt, bytes: loaded.bytes.length, lastNumber: cut });
    this.#progress(loaded.bytes.length);
  }

  /** The newest segment and unlisted later ones: here the log ends, and only marks tell how. */
  #replayLatest(): void {
    const { newest, unlisted } = this.#survey;
    const loaded: { segment: LoadedSegment; found: readonly FoundRecord[] }[] = [];
    let floor = this.#settled;
    if (newest !== undefined) {
      const { name, header } = newest;
      const { sequence, salt } = header;
      const bytes = this.#load(name);
      const segment = { name, sequence, salt, header, bytes, listed: true };
      const found = findAll(segment);
      this.#mark = Math.max(this.#mark, markOfHeader(header));
      this.#keptTo = Math.max(this.#keptTo, header.end);
      floor = highestOf(found, header.next - 1);
      loaded.push({ segment, found });
    }
    for (const { name, sequence, headerWritten } of unlisted) {
      // Where no header is valid at all, the first segment is the first of the log.
      const listed = newest === undefined && loaded.length === 0;
      const bytes = this.#load(name);
      // What it carries begins at the newest header's `next`, if that header was not its own.
      const first = loaded.length === 1 ? newest?.header.next : undefined;
      const salt = commonSalt(bytes, headerWritten && first !== undefined ? first - 1 : floor);
      if (salt === undefined) {
        this.#dead.push(name);
        this.#progress(bytes.length);
        continue;
      }
      const segment = { name, sequence, salt, header: undefined, bytes, listed };
      const found = findAll(segment);
      floor = highestOf(found, floor);
      if (headerWritten) cutBefore(loaded, found[0]?.number ?? Infinity);
      loaded.push({ segment, found });
      this.rot.alarm('segment-unlisted', name, `${name} has a bad header; its records count`);
    }
    const marks = loaded.flatMap(({ found }) => found.map((record) => record.mark));
    for (let index = marks.length - 2; index >= 0; index -= 1) {
      marks[index] = Math.max(marks[index] ?? 0, marks[index + 1] ?? 0);
    }
    this.#mark = Math.max(this.#mark, marks[0] ?? 0);
    this.#highest = Math.max(this.#highest, floor);
    this.#targets.onSynced?.(this.#mark);
    let index = 0;
    for (const { segment, found } of loaded) {
      this.#takeLatest(segment, found, marks.slice(index, index + found.length));
      index += found.length;
    }
  }

  #takeLatest(
    segment: LoadedSegment,
    found: readonly FoundRecord[],
    marks: readonly number[],
  ): void {
    const { name, sequence, salt, header, bytes } = segment;
    this.#enter(segment);
    this.#rottenTo = 0;
    let lastKept = 0;
    for (const [index, record] of found.entries()) {
      const mark = Math.max(marks[index] ?? 0, header === undefined ? 0 : markOfHeader(header));
      if (!this.#take(record, segment, mark)) continue;
      if (this.#rules.carries(record.number, this.#mark)) this.#tail.push(keep(record));
      else lastKept = lastNumberOf(record);
    }
    // The end of the header's promise: carried records that are missing at the end are rot too.
    if (header !== undefined && !this.#ended) {
      this.#expect(markOfHeader(header));
      this.#settle(header.next - 1);
    }
    if (!this.#ended && this.#begunBehind(segment)) this.#tornRecords += 1;
    // Listed as if it were there, rot is found again and told again by the next start.
    lastKept = Math.max(lastKept, this.#rottenTo);
    this.#keptTo = Math.max(this.#keptTo, lastKept);
    if (lastKept > 0) {
      this.#live.push({ name, sequence, salt, bytes: bytes.length, lastNumber: lastKept });
    } else this.#dead.push(name);
    this.#progress(bytes.length);
  }

  /** Goes into a segment: all older numbers must have been there. */
  #enter(segment: LoadedSegment): void {
    const { header, name, bytes } = segment;
    if (header !== undefined) this.#expect(header.end);
    this.#trail = { segment: name, bytes, position: dataStart(header) };
    // Of an unlisted segment it is not known whether all before it was there.
    this.#following = segment.listed ? dataStart(header) : -1;
  }

  /** True if `record` counts; gives it to the owner if so. `mark`: highest in or after it. */
  #take(record: FoundRecord, segment: LoadedSegment, mark: number): boolean {
    if (this.#ended) {
      if (record.number > this.#settled) this.#tornRecords += 1;
      return false;
    }
    const { header } = segment;
    if (header !== undefined && record.number >= header.next) {
      this.#expect(markOfHeader(header));
      this.#settle(header.next - 1);
    }
    // No record can be missing where no byte is: numbers left out among carried ones are void.
    const carried = header === undefined || record.number < header.next;
    if (carried && record.position === this.#following) this.#settle(record.number - 1);
    if (record.number <= this.#settled) {
      this.#leave(record);
      return false;
    }
    if (!this.#rules.counts(record.number, this.#settled, mark)) {
      // What is missing up to the mark was synced and is rotten; only from there on it is torn.
      this.#expect(mark, record.position);
      this.#ended = true;
      this.#tornRecords += 1;
      return false;
    }
    this.#expect(record.number - 1, record.position);
    this.#leave(record);
    this.#settled = lastNumberOf(record);
    this.#lastNumber = this.#settled;
    if (record.snapshot) this.#snapshot = record.number;
    if (this.#settled > this.#targets.lowWater) {
      this.#records += 1;
      const position = record.position + recordHeaderBytes;
      this.#targets.onRecord(keep(record), { sequence: segment.sequence, position });
    }
    return true;
  }

  #leave(record: FoundRecord): void {
    if (this.#trail !== undefined) this.#trail.position = record.end;
    this.#following = record.end;
  }

  /** All numbers up to `number` must have been seen by now: else they are rotten. */
  #expect(number: number, until?: number): void {
    if (this.#settled >= number) return;
    const first = Math.max(this.#settled, this.#targets.lowWater) + 1;
    const trail = this.#trail;
    if (number >= first && trail !== undefined) {
      this.#rottenTo = number;
      const { segment, bytes, position } = trail;
      this.rot.add(first, number, {
        segment,
        bytes,
        from: position,
        to: until ?? bytes?.length ?? 0,
      });
    }
    this.#settle(number);
  }

  #settle(number: number): void {
    this.#settled = Math.max(this.#settled, number);
  }

  /** True if behind the last record that counts another was begun and is not whole. */
  #begunBehind({ bytes, salt }: LoadedSegment): boolean {
    const position = this.#trail?.position ?? 0;
    const scanner = new RecordScanner(bytes, 0, salt);
    const page = Math.ceil(position / pageBytes) * pageBytes;
    return scanner.begunAt(position) || scanner.begunAt(page);
  }

  #sizeOf(name: string): number {
    return this.#options.files.size(this.#names.path(name)) ?? 0;
  }

  /** The whole file; payloads are views of it. */
  #load(name: string, memory = new SegmentMemory(false)): Uint8Array {
    const file = this.#options.files.open(this.#names.path(name), 'read');
    try {
      const bytes = memory.take(file.size());
      return bytes.subarray(0, file.read(bytes, 0));
    } finally {
      file.close();
    }
  }

  #progress(bytes: number): void {
    this.#bytesRead += bytes;
    this.#targets.onProgress?.(this.#bytesRead, this.#bytesTotal);
  }
}

/** Where records may begin: behind the header, or on the second page if it cannot be read. */
function dataStart(header: SegmentHeader | undefined): number {
  return header === undefined ? pageBytes : headerBytes(header.older.length);
}

function findAll({ bytes, header, salt }: LoadedSegment): FoundRecord[] {
  const scanner = new RecordScanner(bytes, dataStart(header), salt);
  const all: FoundRecord[] = [];
  for (let found = scanner.next(); found !== undefined; found = scanner.next()) all.push(found);
  return all;
}

/**
 * What a segment carries was synced before its header was written: it stands for what older ones
 * hold from there on, as the cut in that header would have said.
 */
function cutBefore(older: { found: readonly FoundRecord[] }[], number: number): void {
  for (const segment of older) {
    segment.found = segment.found.filter((record) => record.number < number);
  }
}

function highestOf(records: readonly FoundRecord[], floor: number): number {
  return records.reduce((highest, record) => Math.max(highest, lastNumberOf(record)), floor);
}

/** Salt of the first record above `floor` in a segment whose own header is lost. */
function commonSalt(bytes: Uint8Array, floor: number): number | undefined {
  const scanner = new RecordScanner(bytes, pageBytes, undefined);
  for (let found = scanner.next(); found !== undefined; found = scanner.next()) {
    if (found.number > floor) return found.salt;
  }
  return undefined;
}

function keep({ number, count, payload, snapshot }: FoundRecord): LogRecord {
  return { number, count, payload, snapshot };
}
