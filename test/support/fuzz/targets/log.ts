/**
 * The readers of the write-ahead log and of the commit journal, over segments that were damaged in
 * any way: they come to an end, every record that they give is one that was written, in order, and
 * what is written afterwards is found by the next start.
 *
 * An input is a list of damages of twelve bytes each, to the files of one and the same history.
 */
import { crc32 } from 'node:zlib';
import { lastNumberOf, type LogKind, type LogOptions } from '../../../../src/log/log-types.ts';
import { openLog } from '../../../../src/log/open-log.ts';
import { seededRandom } from '../../random.ts';
import { noFaults, SimulatedDisk } from '../../simulated-disk.ts';
import { Broken, expectedCode, type FuzzTarget } from '../target.ts';

type Open = typeof openLog;

const directory = '/data/log';
const fileBytesMax = 262_144;
const pageBytes = 4096;

function optionsOf(kind: LogKind, disk: SimulatedDisk, seed: number): LogOptions {
  const random = seededRandom(seed);
  return {
    files: disk,
    directory,
    quarantine: '/data/quarantine',
    prefix: 'log-',
    suffix: '.log',
    kind,
    segmentBytes: 4 * pageBytes,
    segmentAgeMs: 60_000,
    syncMode: 'fdatasync',
    preallocate: false,
    clock: { wallUs: () => 0, monotonicMs: () => 0 },
    randomSalt: () => 1 + random.below(2 ** 32 - 1),
  };
}

type Written = Map<number, string>;

const shown = (record: { count: number; payload: Uint8Array; snapshot?: boolean }) =>
  `${record.count} ${String(record.snapshot === true)} ${Buffer.from(record.payload).toString('hex')}`;

/** Three lives of a log: the files as they stand, and all that was written. */
function history(kind: LogKind): {
  readonly files: Map<string, Uint8Array>;
  readonly written: Written;
} {
  const disk = new SimulatedDisk(seededRandom(3));
  const random = seededRandom(4);
  const written: Written = new Map();
  for (let life = 0; life < 3; life += 1) {
    const { log } = openLog(optionsOf(kind, disk, life), {
      lowWater: 0,
      floor: () => 0,
      onRecord: () => undefined,
    });
    for (let group = 0; group < 12; group += 1) {
      const records = Array.from({ length: 1 + random.below(3) }, (_, at) => ({
        count: kind === 'wal' ? 1 + random.below(9) : 1,
        payload: Buffer.alloc(random.pick([0, 8, 100, 3000]), `${life} ${group} ${at} `),
        snapshot: kind === 'journal' && random.chance(0.2),
      }));
      log.append(records).forEach((number, index) => {
        written.set(number, shown(records[index] as (typeof records)[number]));
      });
    }
    if (life < 2) log.close();
  }
  const names = disk.list(directory);
  return {
    files: new Map(names.map((name) => [name, disk.bytesOf(`${directory}/${name}`)])),
    written,
  };
}

const damageBytes = 12;

/** The files of the history with the damages of `input`. */
function damaged(files: ReadonlyMap<string, Uint8Array>, input: Uint8Array): Map<string, Buffer> {
  const result = new Map([...files].map(([name, bytes]) => [name, Buffer.from(bytes)]));
  const script = Buffer.from(input);
  for (
    let at = 0;
    at + damageBytes <= Math.min(script.length, 40 * damageBytes);
    at += damageBytes
  ) {
    const names = [...result.keys()];
    if (names.length === 0) break;
    const name = names[script.readUInt8(at + 1) % names.length] ?? '';
    const other = names[script.readUInt8(at + 2) % names.length] ?? '';
    damage(result, script.subarray(at, at + damageBytes), name, other);
  }
  return result;
}

function damage(files: Map<string, Buffer>, step: Buffer, name: string, other: string): void {
  const bytes = files.get(name) ?? Buffer.alloc(0);
  const value = step.readUInt8(3);
  // Most places are words, many are pages: that is where the format's parts begin.
  const grain = [1, 4, 8, pageBytes][value & 3] ?? 1;
  const from = placeIn(bytes, step.readUInt32LE(4), grain);
  const length = step.readUInt32LE(8) % (value & 16 ? 64 : 2 * pageBytes);
  const to = Math.min(bytes.length, from + length);
  switch (step.readUInt8(0) % 9) {
    case 0:
      if (from < bytes.length) bytes[from] = (bytes[from] ?? 0) ^ (1 << (value >> 5));
      break;
    case 1:
      bytes.fill(value & 4 ? 0 : value, from, to);
      break;
    case 2:
      files.set(name, bytes.subarray(0, from));
      break;
    case 3: {
      const source = files.get(other) ?? bytes;
      source.copy(bytes, from, placeIn(source, step.readUInt32LE(8), grain));
      break;
    }
    case 4:
      files.delete(name);
      break;
    case 5: {
      const source = files.get(other) ?? bytes;
      files.set(name, source);
      files.set(other, bytes);
      break;
    }
    case 6:
      files.set(`log-${String(value).padStart(20, '0')}.log`, Buffer.from(bytes));
      break;
    case 7:
      if (bytes.length + length < fileBytesMax) {
        files.set(name, Buffer.concat([bytes, Buffer.alloc(length, value & 4 ? 0 : value)]));
      }
      break;
    case 8:
      changeHeader(bytes, value, step.readUInt32LE(8));
      break;
  }
}

function placeIn(bytes: Buffer, number: number, grain: number): number {
  const places = Math.floor(bytes.length / grain) + 1;
  return Math.min(bytes.length, (number % places) * grain);
}

/** Another number in a segment's header, under checksums that hold. */
function changeHeader(bytes: Buffer, field: number, number: number): void {
  if (bytes.length < pageBytes) return;
  bytes.writeUInt32LE(number, 8 + 4 * (field % 24));
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12);
  const used = 72 + 24 * Math.min(bytes.readUInt32LE(60), 100);
  bytes.writeUInt32LE(crc32(bytes.subarray(20, Math.min(bytes.length, used))), 16);
}

function seedsOf(): Uint8Array[] {
  const random = seededRandom(11);
  return Array.from({ length: 40 }, () =>
    Uint8Array.from({ length: damageBytes * (1 + random.below(4)) }, () => random.below(256)),
  );
}

/**
 * Opens a log over `disk` and checks each record. As from the journal, it knows the highest number
 * that was given: of a log that lost all of its headers nothing else does (L3).
 */
function start(kind: LogKind, disk: SimulatedDisk, written: Written, open: Open, seed: number) {
  let last = 0;
  const found: number[] = [];
  const opened = open(optionsOf(kind, disk, seed), {
    lowWater: 0,
    floor: () => Math.max(...written.keys()),
    onRecord: (record) => {
      if (record.number <= last) throw new Broken(`${record.number} came after ${last}`);
      last = lastNumberOf(record);
      found.push(record.number);
      const was = written.get(record.number);
      if (was === undefined) throw new Broken(`${record.number} was never written`);
      if (was !== shown(record)) throw new Broken(`${record.number} came back changed`);
    },
  });
  return { ...opened, found };
}

export function logTarget(kind: LogKind, open: Open = openLog): FuzzTarget {
  const { files, written } = history(kind);
  return {
    seeds: seedsOf(),
    words: [],
    run(input) {
      const disk = new SimulatedDisk(seededRandom(5));
      disk.faults = noFaults;
      for (const [name, bytes] of damaged(files, input)) {
        const file = disk.open(`${directory}/${name}`, 'create');
        file.write([bytes], 0);
        file.close();
      }
      try {
        const known: Written = new Map(written);
        const first = start(kind, disk, known, open, 77);
        const alarms = first.report.alarms.map((alarm) => alarm.kind);
        if (first.log.state === 'open') {
          const record = { count: 1, payload: Buffer.from('new'), snapshot: kind === 'journal' };
          const [number = 0] = first.log.append([record]);
          if (known.has(number)) throw new Broken(`number ${number} was given twice`);
          known.set(number, shown(record));
          first.log.close();
          const second = start(kind, disk, known, open, 78);
          if (!second.found.includes(number)) throw new Broken('a synced record is missing');
        }
        return `${first.log.state} ${first.found.length} ${[...new Set(alarms)].sort().join()}`;
      } catch (error) {
        return expectedCode(error, ['HF_FORMAT_NEWER', 'HF_FORMAT_OLD', 'HF_IO']);
      }
    },
  };
}
