/**
 * Any body that Arc's shapes allow gives the rows that a second, plain reading gives; and whatever
 * is done to a body, the items before the damage are kept and the decoder comes to an end.
 */
import fc from 'fast-check';
import t from 'tap';
import { GatewayError } from '../../../../src/base/errors/gateway-error.ts';
import type { Decoded } from '../../../../src/ingest/decode/types.ts';
import { plainRows } from '../../../support/decoded-rows.ts';
import {
  bin,
  ext,
  Float,
  int64,
  packed,
  Pairs,
  Raw,
  rawString,
  timestamp,
  uint64,
} from '../../../support/msgpack-bytes.ts';
import { newMessageDecoder, nowUs } from '../../../support/msgpack-decoder.ts';
import { Reader, referenceRows, type ReferenceRow } from '../../../support/msgpack-reference.ts';

const integers = fc.oneof(
  fc.integer({ min: -200, max: 300 }),
  fc.integer(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(int64),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(uint64),
  fc.constantFrom(2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n, 0n).map(uint64),
);
const floats = fc.oneof(
  fc.double().map((value) => new Float(value)),
  fc.float().map((value) => new Float(value, 32)),
);
const numbers = fc.oneof(integers, floats);
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.constantFrom('', 'é', 'x'.repeat(40), 'y'.repeat(300)),
  fc.constantFrom('a', '日本').map((each) => bin([...new TextEncoder().encode(each)])),
);
const bad = fc.constantFrom<unknown>(
  ext(3, [1]),
  [1],
  { a: 1 },
  rawString([0xff]),
  bin([0xc3]),
  timestamp(1n, 0, 4),
);

/** Mostly `good`, at times something that belongs nowhere. */
const mostly = (good: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 60, arbitrary: good }, { weight: 1, arbitrary: bad });

/** Values by the name of a field, so that no types conflict: that is for the registry to say. */
const valuesOf: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  n1: numbers,
  n2: integers,
  n3: floats,
  s1: text,
  s2: text,
  b1: fc.boolean(),
  'n é': numbers,
};

const times = fc.oneof(
  fc.integer({ min: -1000, max: 2_000_000_000 }),
  fc.integer({ min: 1_600_000_000_000, max: 1_800_000_000_000 }),
  fc.bigInt({ min: 16n * 10n ** 14n, max: 18n * 10n ** 14n }),
  fc.bigInt({ min: 16n * 10n ** 17n, max: 18n * 10n ** 17n }),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(uint64),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(int64),
  fc.double({ min: -1e11, max: 1e18, noNaN: true }).map((value) => new Float(value)),
  fc
    .tuple(
      fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }),
      fc.nat(999_999_999),
      fc.constantFrom(4, 8, 12),
    )
    .map(([seconds, rest, size]) => timestamp(seconds, rest, size as 4 | 8 | 12)),
);

const optional = (arbitrary: fc.Arbitrary<unknown>) => fc.option(arbitrary, { nil: null, freq: 4 });

const fieldMap = fc
  .subarray(Object.keys(valuesOf), { minLength: 1 })
  .chain((names) =>
    fc.tuple(
      ...names.map((name) =>
        mostly(optional(valuesOf[name] ?? numbers)).map((value) => [name, value] as const),
      ),
    ),
  )
  .map((pairs) => new Pairs(pairs));

const tagMap = fc
  .subarray(['t1', 't2', 'host', 't é'])
  .chain((names) =>
    fc.tuple(
      ...names.map((name) =>
        mostly(
          fc.oneof(
            optional(fc.constantFrom('a', 'b', 'ü', '')),
            fc.integer({ min: 0, max: 3 }),
            fc.boolean(),
          ),
        ).map((value) => [name, value] as const),
      ),
    ),
  )
  .map((pairs) => new Pairs(pairs));

/** Rows and columnar items have their own measurements: where they meet is not the matter here. */
const rowItem = fc
  .record(
    {
      m: fc.constantFrom<unknown>('r1', 'r2', 7, bin([0x72])),
      t: optional(times),
      h: optional(fc.constantFrom<unknown>('h1', 'h2', 5, '')),
      fields: fieldMap,
      f: fc.array(optional(numbers), { minLength: 1, maxLength: 4 }),
      tags: optional(tagMap),
      other: fc.constantFrom<unknown>(1, [[1], { a: [2] }], 'x'),
    },
    { requiredKeys: [] },
  )
  .map((parts) => new Pairs(Object.entries(parts)));

const columnarItem = fc
  .tuple(
    fc.oneof(
      { weight: 8, arbitrary: fc.nat(6) },
      { weight: 1, arbitrary: fc.constantFrom(256, 300) },
    ),
    fc.subarray(Object.keys(valuesOf), { minLength: 1 }),
    fc.boolean(),
    fc.constantFrom<unknown>('c1', 'c2', 9),
  )
  .chain(([count, names, hasTimes, name]) => {
    const length = { minLength: count, maxLength: count };
    // Many rows of a few values: shrinking them is quick.
    const list = (arbitrary: fc.Arbitrary<unknown>) =>
      count < 10
        ? fc.array(arbitrary, length)
        : fc
            .array(arbitrary, { minLength: 3, maxLength: 3 })
            .map((some) => Array.from({ length: count }, (_, row) => some[row % 3]));
    const columns = names.map((each) =>
      list(mostly(optional(valuesOf[each] ?? numbers))).map((values) => [each, values] as const),
    );
    const timeList = list(times).map((values) => ['time', values] as const);
    return fc
      .tuple(fc.tuple(...columns), timeList, fc.boolean())
      .map(([pairs, timePair, nameFirst]) => {
        const all = new Pairs(hasTimes ? [timePair, ...pairs] : pairs);
        return new Pairs(
          nameFirst
            ? [
                ['m', name],
                ['columns', all],
              ]
            : [
                ['columns', all],
                ['m', name],
              ],
        );
      });
  });

const item = fc.oneof(rowItem, columnarItem, { weight: 1, arbitrary: bad });

const { nested } = fc.letrec((tie) => ({
  nested: fc.oneof(
    { maxDepth: 3 },
    item,
    fc.array(tie('nested'), { maxLength: 5 }),
    fc.array(tie('nested'), { maxLength: 5 }).map((items) => ({ batch: items })),
  ),
}));

const body = fc.oneof(
  fc.array(nested, { maxLength: 6 }),
  fc.array(nested, { maxLength: 6 }).map((batch) => ({ batch })),
  rowItem,
  columnarItem,
);

const registryRoom = { columnsMax: 200, measurementsMax: 50 };

const textOf = (
  name: string,
  timeUs: bigint,
  tags: ReadonlyMap<string, string>,
  fields: ReadonlyMap<string, string>,
) => JSON.stringify([name, String(timeUs), [...tags].sort(), [...fields].sort()]);

function found(decoded: Decoded): string[] {
  const rows = [...plainRows(decoded.batches)].flatMap(([name, list]) =>
    list.map(({ timeUs, tags, fields }) => textOf(name, timeUs, tags, fields)),
  );
  return rows.sort();
}

const wanted = (rows: readonly ReferenceRow[]) =>
  rows
    .map(({ measurement, timeUs, tags, fields }) => textOf(measurement, timeUs, tags, fields))
    .sort();

const runs = { numRuns: 400 };

t.test('a body gives the rows of a second reading, and as many bad items', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(body, { minLength: 1, maxLength: 3 }), async (bodies) => {
      const { decode } = newMessageDecoder(registryRoom);
      for (const each of bodies) {
        const bytes = packed(each);
        const expected = referenceRows(new Reader(bytes).value(), BigInt(nowUs));
        const decoded = await decode(bytes);
        const reasons = decoded.rejected.map(({ reason }) => reason).join('; ');
        t.strictSame(found(decoded), wanted(expected.rows), reasons);
        if (decoded.rejectedLines !== expected.bad)
          throw new Error(`${expected.bad} bad: ${reasons}`);
        if (decoded.rows !== expected.rows.length) throw new Error('count of rows');
        decoded.free();
      }
    }),
    runs,
  );
});

/** Decodes; undefined if nothing of the body could be read. */
async function tried(bytes: Uint8Array): Promise<Decoded | undefined> {
  try {
    return await newMessageDecoder(registryRoom).decode(bytes);
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'HF_BODY_UNREADABLE') return undefined;
    throw error;
  }
}

/** Rows of the items of a list that end at or before `end`, and where each item ends. */
function rowsBefore(items: readonly Uint8Array[], start: number, end: number): ReferenceRow[] {
  const rows: ReferenceRow[] = [];
  let at = start;
  for (const each of items) {
    at += each.length;
    if (at > end) break;
    rows.push(...referenceRows(new Reader(each).value(), BigInt(nowUs)).rows);
  }
  return rows;
}

const listOf = (items: readonly Uint8Array[]) => packed(items.map((bytes) => new Raw([...bytes])));

const items = fc.array(fc.oneof(rowItem, columnarItem).map(packed), { minLength: 1, maxLength: 8 });

t.test('a body cut anywhere keeps every item before the cut, and the rest as one', async (t) => {
  await fc.assert(
    fc.asyncProperty(items, fc.nat(), async (list, where) => {
      const whole = listOf(list);
      const cut = where % whole.length;
      const decoded = await tried(whole.subarray(0, cut));
      const expected = rowsBefore(list, 1, cut);
      if (decoded === undefined) {
        t.ok(cut <= (list[0]?.length ?? 0), 'it breaks off within the first item');
        return;
      }
      t.strictSame(found(decoded), wanted(expected));
      if (cut === 0) return;
      const rest = decoded.rejected.at(-1);
      t.match(rest?.reason, /breaks off/);
      const kept = decoded.rejected.reduce((sum, { raw }) => sum + (raw?.length ?? 0), 0);
      t.ok(kept < cut);
    }),
    runs,
  );
});

t.test('a bit flipped anywhere costs no item before it', async (t) => {
  await fc.assert(
    fc.asyncProperty(items, fc.nat(), fc.nat(7), async (list, where, bit) => {
      const bytes = listOf(list);
      const place = where % bytes.length;
      bytes[place] = (bytes[place] ?? 0) ^ (1 << bit);
      const decoded = await tried(bytes);
      if (decoded === undefined) {
        t.ok(place <= (list[0]?.length ?? 0), 'it broke the list or the first item');
        return;
      }
      const all = found(decoded);
      if (place === 0) return;
      for (const row of wanted(rowsBefore(list, 1, place))) {
        const index = all.indexOf(row);
        if (index < 0) throw new Error(`lost: ${row}`);
        all.splice(index, 1);
      }
    }),
    runs,
  );
});

t.test('any bytes come to an end, and what comes out is well formed', async (t) => {
  const heads = fc.constantFrom(
    [0x93],
    [0xdc, 0, 9],
    [0x82, 0xa1, 0x6d],
    [0xdf, 0, 0, 0, 4],
    [0x81, 0xa5, 0x62, 0x61, 0x74, 0x63, 0x68],
  );
  await fc.assert(
    fc.asyncProperty(heads, fc.uint8Array({ maxLength: 200 }), async (head, rest) => {
      const decoded = await tried(Uint8Array.of(...head, ...rest));
      if (decoded === undefined) return;
      const rows = found(decoded).length;
      if (rows !== decoded.rows) throw new Error('count of rows');
      for (const { text: shown, raw } of decoded.rejected) {
        if (shown.length > 20_000 || raw === undefined) throw new Error('rejection');
      }
    }),
    { numRuns: 2000 },
  );
  t.pass('no crash');
});
