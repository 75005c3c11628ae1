import fc from 'fast-check';
import t from 'tap';
import {
  encodeGroup,
  recordBytes,
  recordHeaderBytes,
  RecordScanner,
} from '../../../src/log/record.ts';
import type { LogRecord } from '../../../src/log/log-types.ts';

const salt = 0xc0ffee;
const start = 4096;

const recordInputs = fc.array(
  fc.record({
    payload: fc.uint8Array({ maxLength: 300 }),
    count: fc.integer({ min: 1, max: 1_000_000 }),
    snapshot: fc.boolean(),
  }),
  { minLength: 1, maxLength: 6 },
);

function numbered(inputs: readonly Omit<LogRecord, 'number'>[]): LogRecord[] {
  let number = 2 ** 40;
  return inputs.map((input) => {
    const record = { ...input, number };
    number += input.count;
    return record;
  });
}

/** A segment whose first page is zero and whose first group holds `records`. */
function segmentOf(records: readonly LogRecord[]): Uint8Array {
  const parts = encodeGroup(records, salt, (record) => record.number - 1, 0);
  const bytes = Buffer.concat(parts);
  const segment = new Uint8Array(new SharedArrayBuffer(start + bytes.length));
  segment.set(bytes, start);
  return segment;
}

function scan(segment: Uint8Array, from = start, with_: number | undefined = salt): LogRecord[] {
  const scanner = new RecordScanner(segment, from, with_);
  const found = [];
  for (let record = scanner.next(); record !== undefined; record = scanner.next()) {
    const { number, count, snapshot, payload } = record;
    found.push({ number, count, snapshot, payload: Uint8Array.from(payload) });
  }
  return found;
}

function plain(records: readonly LogRecord[]): LogRecord[] {
  return records.map(({ number, count, snapshot, payload }) => ({
    number,
    count,
    snapshot,
    payload: Uint8Array.from(payload),
  }));
}

t.test('records come back as they were written, payloads on multiples of 8', (t) => {
  fc.assert(
    fc.property(recordInputs, (inputs) => {
      const records = numbered(inputs);
      const segment = segmentOf(records);
      t.same(scan(segment), plain(records));
      const scanner = new RecordScanner(segment, start, salt);
      for (let found = scanner.next(); found !== undefined; found = scanner.next()) {
        if (found.payload.byteOffset % 8 !== 0 || found.mark !== found.number - 1) return false;
      }
      return true;
    }),
    { numRuns: 100 },
  );
  t.end();
});

t.test('any cut leaves a prefix of whole records', (t) => {
  fc.assert(
    fc.property(recordInputs, fc.nat(), (inputs, at) => {
      const records = numbered(inputs);
      const segment = segmentOf(records);
      const cut = start + (at % (segment.length - start));
      const whole = scan(segment.slice(0, cut));
      return JSON.stringify(whole) === JSON.stringify(plain(records).slice(0, whole.length));
    }),
    { numRuns: 200 },
  );
  t.end();
});

t.test('any flipped bit takes at most the record that it is in', (t) => {
  fc.assert(
    fc.property(recordInputs, fc.nat(), fc.integer({ min: 0, max: 7 }), (inputs, at, bit) => {
      const records = numbered(inputs);
      const segment = segmentOf(records);
      const position = start + (at % (segment.length - start));
      segment[position] = (segment[position] ?? 0) ^ (1 << bit);
      let end = start;
      const others = records.filter((record) => {
        const from = end;
        end += recordBytes(record.payload.length);
        // A flip in the padding harms nothing.
        const used = from + recordHeaderBytes + record.payload.length;
        return position < from || position >= used;
      });
      return JSON.stringify(scan(segment)) === JSON.stringify(plain(others));
    }),
    { numRuns: 300 },
  );
  t.end();
});

t.test('records of another salt are not seen, unless any salt is asked for', (t) => {
  const records = numbered([{ payload: new Uint8Array(20), count: 1, snapshot: false }]);
  t.same(scan(segmentOf(records), start, salt + 1), []);
  t.equal(new RecordScanner(segmentOf(records), start, undefined).next()?.salt, salt);
  t.end();
});
