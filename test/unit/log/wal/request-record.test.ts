import { deepStrictEqual, match, strictEqual } from 'node:assert';
import fc from 'fast-check';
import t from 'tap';
import { GatewayError } from '../../../../src/base/errors/gateway-error.ts';
import type { ColumnBatch, RequestBatch } from '../../../../src/base/model/column-batch.ts';
import {
  decodeRequest,
  encodeRequest,
  encodingRequest,
  isLargeRequest,
  requestNumbers,
} from '../../../../src/log/wal/request-record.ts';
import { columnOf, iotRequest, plain, requestArbitrary } from '../../../support/request-batches.ts';

const request = (batches: readonly ColumnBatch[]): RequestBatch => ({
  batches,
  serverTimeUs: 1,
  clockTrusted: false,
});

const codeOf = (run: () => unknown): string => {
  try {
    run();
    return 'none';
  } catch (error) {
    return error instanceof GatewayError ? error.code : String(error);
  }
};

t.test('any request comes back value for value', async (t) => {
  fc.assert(
    fc.property(requestArbitrary, (original) => {
      const payload = encodeRequest(original);
      if (payload.length % 8 !== 0) throw new Error('length is no multiple of eight');
      deepStrictEqual(plain(decodeRequest(payload)), plain(original));
    }),
    { numRuns: 300 },
  );
  t.pass('300 requests');
});

t.test('a decoded request stands in the memory of its payload, shared memory included', (t) => {
  const original = iotRequest(1000);
  const encoded = encodeRequest(original);
  const shared = new Uint8Array(new SharedArrayBuffer(encoded.length + 64), 64);
  shared.set(encoded);
  const decoded = decodeRequest(shared);
  t.strictSame(plain(decoded), plain(original));
  for (const { values, dictionary } of decoded.batches[0]?.columns ?? []) {
    t.equal(values.buffer, shared.buffer);
    if (dictionary !== undefined) t.equal(dictionary.bytes.buffer, shared.buffer);
  }
  t.end();
});

t.test('cut off at any byte, a record is refused', async (t) => {
  fc.assert(
    fc.property(requestArbitrary, fc.nat(), (original, position) => {
      const payload = encodeRequest(original);
      const cut = payload.subarray(0, position % payload.length);
      const code = codeOf(() => decodeRequest(cut));
      strictEqual(code, 'HF_WAL_RECORD_BAD');
    }),
    { numRuns: 300 },
  );
  t.pass('300 cuts');
});

/** Touches every value, so that a view out of range would throw. */
function readAll(decoded: RequestBatch): void {
  for (const { columns, rowCount } of decoded.batches) {
    for (const { values, rows, dictionary } of columns) {
      if (values.length !== (rows?.length ?? rowCount)) throw new Error('count of values');
      for (const row of rows ?? []) if (row >= rowCount) throw new Error('row out of range');
      if (dictionary === undefined) continue;
      for (const code of values) {
        const from = dictionary.offsets[Number(code)];
        const to = dictionary.offsets[Number(code) + 1];
        if (from === undefined || to === undefined || from > to) throw new Error('bad code');
        if (to > dictionary.bytes.length) throw new Error('string out of range');
      }
    }
  }
}

t.test('with any bits flipped, a record is refused or reads within its bounds', async (t) => {
  const flips = fc.array(fc.record({ byte: fc.nat(), bit: fc.nat(7) }), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(requestArbitrary, flips, (original, changes) => {
      const payload = encodeRequest(original);
      for (const { byte, bit } of changes) {
        const at = byte % payload.length;
        payload[at] = (payload[at] as number) ^ (1 << bit);
      }
      const code = codeOf(() => {
        readAll(decodeRequest(payload));
      });
      match(code, /^(none|HF_WAL_RECORD_BAD|HF_FORMAT_NEWER)$/);
    }),
    { numRuns: 1000 },
  );
  t.pass('1000 records');
});

t.test('every single bit flip in the descriptors of a small record is survived', (t) => {
  const payload = encodeRequest(iotRequest(3));
  const outcomes = new Map<string, number>();
  for (let bit = 0; bit < Math.min(payload.length, 240) * 8; bit++) {
    const copy = payload.slice();
    copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
    const code = codeOf(() => {
      readAll(decodeRequest(copy));
    });
    outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
  }
  t.strictSame([...outcomes.keys()].sort(), ['HF_FORMAT_NEWER', 'HF_WAL_RECORD_BAD', 'none']);
  t.end();
});

t.test('random bytes are refused', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
      const payload = random.slice();
      payload[0] = 0;
      const code = codeOf(() => decodeRequest(payload));
      strictEqual(code, 'HF_WAL_RECORD_BAD');
    }),
  );
  t.pass('100 payloads');
});

t.test('a record of a later version is refused as such', (t) => {
  const payload = encodeRequest(iotRequest(1));
  payload[0] = 2;
  t.equal(
    codeOf(() => decodeRequest(payload)),
    'HF_FORMAT_NEWER',
  );
  payload[0] = 0;
  t.equal(
    codeOf(() => decodeRequest(payload)),
    'HF_WAL_RECORD_BAD',
    'one from before the first release was never in a log of this version',
  );
  t.end();
});

t.test('empty strings and strings of a megabyte come back', (t) => {
  const strings = ['', 'ü'.repeat(512 * 1024), 'x'];
  const column = columnOf({
    type: 'string',
    spelling: 'message',
    values: Uint32Array.from([1, 0, 2, 1]),
    strings,
  });
  const original = request([
    {
      measurementId: 16,
      database: 'db',
      measurement: 'm',
      hasIdentity: true,
      rowCount: 4,
      times: BigInt64Array.from([-(2n ** 63n), 0n, 2n ** 63n - 1n, -1n]),
      columns: [column],
    },
  ]);
  t.strictSame(plain(decodeRequest(encodeRequest(original))), plain(original));
  t.end();
});

t.test('2,000 columns of which each row has one stay sparse', (t) => {
  const columns = Array.from({ length: 2000 }, (_, index) =>
    columnOf({
      type: 'int64',
      spelling: `field_${index}`,
      name: `field_${index}__int64`,
      values: BigInt64Array.of(BigInt(index)),
      rows: Uint32Array.of(index),
    }),
  );
  const original = request([
    {
      measurementId: 99,
      database: 'db',
      measurement: 'wide',
      hasIdentity: false,
      rowCount: 2000,
      times: new BigInt64Array(2000),
      columns,
    },
  ]);
  const payload = encodeRequest(original);
  t.ok(payload.length < 2000 * 80, `${payload.length} bytes`);
  t.strictSame(plain(decodeRequest(payload)), plain(original));
  t.end();
});

t.test('dictionaries and arrays that are larger than what is used are written as used', (t) => {
  const [batch] = iotRequest(2).batches as [ColumnBatch];
  const [host, ...rest] = batch.columns;
  if (host?.dictionary === undefined) throw new Error('host is a string column');
  const roomy = {
    count: host.dictionary.count,
    bytes: Uint8Array.from([...host.dictionary.bytes, 1, 2, 3]),
    offsets: Uint32Array.from([...host.dictionary.offsets, 77, 99]),
  };
  const payload = encodeRequest(
    request([{ ...batch, columns: [{ ...host, dictionary: roomy }, ...rest] }]),
  );
  t.strictSame(payload, encodeRequest(request([batch])));
  t.end();
});

t.test('a one-row request of ten tags and ten fields takes less than 700 bytes', (t) => {
  const columns = Array.from({ length: 20 }, (_, index) =>
    index < 10
      ? columnOf({
          type: 'string',
          kind: 'tag',
          spelling: `tag_${index}`,
          values: Uint32Array.of(0),
          strings: [`value-${index}`],
        })
      : columnOf({ type: 'double', spelling: `field_${index}`, values: Float64Array.of(index) }),
  );
  const [batch] = iotRequest(1).batches as [ColumnBatch];
  const payload = encodeRequest(request([{ ...batch, columns }]));
  t.ok(payload.length < 700, `${payload.length} bytes`);
  t.end();
});

t.test('a record takes as many numbers as it has rows, and at least one', (t) => {
  t.equal(requestNumbers(request([])), 1);
  const [batch] = iotRequest(7).batches as [ColumnBatch];
  t.equal(requestNumbers(request([batch, batch])), 14);
  t.end();
});

t.test('a batch whose arrays do not fit its rows is a bug, not a record', (t) => {
  const [batch] = iotRequest(2).batches as [ColumnBatch];
  const short = { ...batch, times: batch.times.subarray(1) };
  t.equal(
    codeOf(() => encodeRequest(request([short]))),
    'HF_BUG',
  );
  t.equal(
    codeOf(() => encodeRequest(request([{ ...batch, rowCount: 0 }]))),
    'HF_BUG',
  );
  const wrong = columnOf({ type: 'int64', spelling: 'f', values: new Float64Array(2) });
  t.equal(
    codeOf(() => encodeRequest(request([{ ...batch, columns: [wrong] }]))),
    'HF_BUG',
  );
  t.end();
});

t.test('a large request is encoded in bounded pieces, to the same bytes', (t) => {
  const rows = 300_000;
  const sections = Array.from({ length: 300 }, (_, index) => iotRequest(3, index).batches).flat();
  const large = { ...iotRequest(rows), batches: [...iotRequest(rows).batches, ...sections] };
  t.ok(isLargeRequest(large));
  t.notOk(isLargeRequest(iotRequest(1000)), 'one of usual size is not');
  t.ok(isLargeRequest({ ...large, batches: sections }), 'nor is one of very many measurements');
  let pieces = 0;
  let payload: Uint8Array | undefined;
  for (const steps = encodingRequest(large); payload === undefined; pieces += 1) {
    const step = steps.next();
    if (step.done === true) payload = step.value;
  }
  t.ok(Buffer.compare(payload, encodeRequest(large)) === 0);
  t.equal(decodeRequest(payload).batches.length, large.batches.length);
  // Times and three columns of floats, each in pieces of a mebibyte, and each section apart.
  t.ok(pieces >= (4 * 8 * rows) / 2 ** 20 + 2 * sections.length, `${pieces} pieces`);
  t.end();
});
