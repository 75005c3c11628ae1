/**
 * The plain model of a log: what was given, answered, synced, released, and what may come back.
 * Used by log-model.ts, whose header lists the promises V1-V5 that are checked here.
 */
import {
  lastNumberOf,
  type AppendLog,
  type LogKind,
  type LogRecord,
  type RecoveryReport,
  type RecordInput,
} from '../../src/log/log-types.ts';

/** A promise of the log is broken. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

export interface LedgerRecord {
  readonly number: number;
  readonly count: number;
  readonly payload: Uint8Array;
  readonly snapshot: boolean;
  /** It must survive a kill. */
  acknowledged: boolean;
  /** It must survive a cut. */
  durable: boolean;
  /** It came back at this start, so it is carried into the first segment that stands. */
  cameBack: boolean;
  /** It may be missing: rotten, or once void and back since the header that cut it was lost. */
  ghost?: boolean;
}

/** What rot between two lives hit. */
export type RotHit =
  | { readonly what: 'record'; readonly number: number }
  | { readonly what: 'header' };

export class LogLedger {
  readonly #kind: LogKind;
  /** All up to here is filed (WAL) or in a proven snapshot (journal): it need not come back. */
  lowWater = 0;
  /** Highest `log.mark` of the lives so far. */
  mark = 0;
  /** Records that may or must come back, in log order. */
  #records: LedgerRecord[] = [];
  readonly #void = new Map<number, LedgerRecord>();
  #given = 0;
  #payloads = 0;
  #seen: LogRecord[] = [];
  readonly #rotten = new Set<number>();
  #headerRot = false;
  /** Old rot is found again at each start. */
  #rotEver = false;

  constructor(kind: LogKind) {
    this.#kind = kind;
  }

  /** Bytes that no other payload has (unless it is very short). */
  newPayload(length: number): Uint8Array {
    this.#payloads += 1;
    const payload = new Uint8Array(length);
    const seed = this.#payloads;
    for (let at = 0; at < length; at += 1) payload[at] = (seed >> (8 * (at % 3))) + 7 * at;
    return payload;
  }

  /** V4: the log is about to give `first` and the numbers after it to `group`. */
  give(first: number, group: readonly RecordInput[]): LedgerRecord[] {
    if (first <= this.#given) throw new Violation(`number ${first} was given before`);
    let number = first;
    const records = group.map(({ count, payload, snapshot }) => {
      const given = { number, count, payload, snapshot: snapshot ?? false };
      number += count;
      return { ...given, acknowledged: false, durable: false, cameBack: false };
    });
    this.#given = number - 1;
    this.#records.push(...records);
    return records;
  }

  acknowledge(records: readonly LedgerRecord[], log: AppendLog, synced: boolean): void {
    for (const record of records) {
      record.acknowledged = true;
      record.durable = synced;
    }
    if (log.writtenTo !== this.#given) throw new Violation('numbers are not those foretold');
  }

  /** A fresh segment that stands makes refused records void: its header cuts them. */
  refuse(records: readonly LedgerRecord[], log: AppendLog): void {
    this.#given = log.nextNumber - 1;
    const unspent = records.filter((record) => record.number > this.#given);
    this.#records = this.#records.filter((record) => !unspent.includes(record));
    if (log.state === 'open') this.freshStands(log);
  }

  freshStands(log: AppendLog): void {
    for (const record of this.#records) record.acknowledged ||= record.cameBack;
    this.synced(log.syncedTo);
    this.#keep((record) => record.acknowledged);
  }

  synced(number: number): void {
    for (const record of this.#records) {
      if (lastNumberOf(record) <= number && record.acknowledged) record.durable = true;
    }
  }

  /** Numbers up to which a WAL may be released: ends of durable records. */
  releasable(): number[] {
    const filed = this.#records.filter((record) => record.durable).map(lastNumberOf);
    return filed.filter((number) => number > this.lowWater);
  }

  newestSnapshot(): LedgerRecord | undefined {
    return this.#records.findLast((record) => record.snapshot && record.durable);
  }

  /** The plug was pulled: what was not synced may be gone. */
  cut(): void {
    for (const record of this.#records) record.acknowledged = record.durable;
  }

  rotten(hit: RotHit): void {
    this.#rotEver = true;
    if (hit.what === 'header') this.#headerRot = true;
    else this.#rotten.add(hit.number);
  }

  beginReplay(): void {
    this.#seen = [];
  }

  replayed(record: LogRecord): void {
    this.#seen.push(record);
  }

  endReplay(report: RecoveryReport, log: AppendLog): void {
    this.#checkSeen();
    const from = this.#kind === 'journal' ? this.#snapshotSeen() : this.lowWater + 1;
    this.#checkComplete(from);
    this.#checkRot(report, from);
    const seen = new Set(this.#seen.map((record) => record.number));
    const open = log.state === 'open';
    const back = (record: LedgerRecord): boolean => record.number < from || seen.has(record.number);
    // What is cut is cut by the header of a fresh segment, once one stands.
    if (open) this.#keep(back);
    for (const record of this.#records) {
      record.acknowledged &&= back(record);
      record.durable &&= back(record);
    }
    for (const record of this.#records) {
      record.cameBack = seen.has(record.number);
      // A journal that falls back to an older snapshot meets it again.
      if (this.#rotten.has(record.number)) record.ghost = true;
      if (open) record.durable = true;
      record.acknowledged ||= open;
    }
    // Rot may have taken the record that held the highest mark.
    this.mark = log.mark;
    this.#rotten.clear();
    this.#headerRot = false;
  }

  /** V3 and the bytes of V1: all that came back was given, as it came, in order. */
  #checkSeen(): void {
    if (this.#headerRot) this.#resurrect();
    const known = new Map(this.#records.map((record) => [record.number, record]));
    let last = 0;
    for (const { number, count, payload, snapshot } of this.#seen) {
      if (number <= last) throw new Violation(`number ${number} came after ${last}`);
      last = number + count - 1;
      const record = known.get(number);
      if (record === undefined) {
        throw new Violation(
          `number ${number} came back, ${this.#void.has(number) ? 'void' : 'never given'}`,
        );
      }
      const same = Buffer.compare(record.payload, payload) === 0;
      if (!same || record.count !== count || record.snapshot !== snapshot) {
        throw new Violation(`number ${number} came back changed`);
      }
      if (payload.byteOffset % 8 !== 0) throw new Violation(`payload of ${number} is not aligned`);
    }
  }

  /** A lost header takes its cuts with it: what they cut may come back, once and for all. */
  #resurrect(): void {
    for (const { number } of this.#seen) {
      const record = this.#void.get(number);
      if (record === undefined) continue;
      this.#void.delete(number);
      this.#records.push({ ...record, ghost: true });
    }
    this.#records.sort((a, b) => a.number - b.number);
  }

  /** Journal: where replay began, at or after the newest snapshot that must be there. */
  #snapshotSeen(): number {
    const whole = ({ number }: LedgerRecord): boolean =>
      !this.#rotten.has(number) && number > this.lowWater;
    const must = this.#records.findLast(
      (record) => record.snapshot && record.acknowledged && whole(record),
    );
    const [first] = this.#seen;
    if (must === undefined) return this.#fromSnapshot();
    if (first === undefined || !first.snapshot || first.number < must.number) {
      const lostTail = this.#rottenTail() <= must.number;
      if (!lostTail) throw new Violation(`replay did not begin at snapshot ${must.number}`);
    }
    return this.#fromSnapshot();
  }

  #fromSnapshot(): number {
    const [first] = this.#seen;
    return first?.snapshot === true ? first.number : this.lowWater + 1;
  }

  /** First rotten number beyond the mark: there the log may end. */
  #rottenTail(): number {
    return Math.min(Infinity, ...[...this.#rotten].filter((number) => number > this.mark));
  }

  /** V1, V2, V5 */
  #checkComplete(from: number): void {
    const seen = new Set(this.#seen.map((record) => record.number));
    const end = this.#rottenTail();
    let missing: number | undefined;
    for (const record of this.#records) {
      const { number, acknowledged } = record;
      if (lastNumberOf(record) < Math.max(from, this.lowWater + 1)) continue;
      if (seen.has(number)) {
        if (missing !== undefined && !this.#headerRot) {
          throw new Violation(`number ${number} came back behind ${missing}, which is missing`);
        }
        continue;
      }
      if (this.#rotten.has(number) || record.ghost === true) continue;
      if (acknowledged && number < end) throw new Violation(`acknowledged ${number} is missing`);
      missing ??= number;
    }
  }

  #checkRot(report: RecoveryReport, from: number): void {
    const seen = new Set(this.#seen.map((record) => record.number));
    if (!this.#rotEver && report.rot.length > 0) {
      throw new Violation(`rot was reported where there is none: ${JSON.stringify(report.rot)}`);
    }
    for (const record of this.#records) {
      const { number, acknowledged } = record;
      if (!this.#rotten.has(number) || number > this.mark || number < from) continue;
      if (seen.has(number) || !acknowledged) continue;
      const told = report.rot.some((rot) => rot.firstNumber <= number && number <= rot.lastNumber);
      if (!told) throw new Violation(`rot of ${number} is silent`);
    }
  }

  #keep(stays: (record: LedgerRecord) => boolean): void {
    for (const record of this.#records) if (!stays(record)) this.#void.set(record.number, record);
    this.#records = this.#records.filter(stays);
  }
}
