/**
 * The decoder of MessagePack. Each row that it gives is one that a second reading
 * (msgpack-reference.ts) finds in the bytes; where the body is whole, it gives all of them.
 */
import { plainRows } from '../../decoded-rows.ts';
import { Float, packed, Raw, timestamp, uint64 } from '../../msgpack-bytes.ts';
import { newMessageDecoder, nowUs } from '../../msgpack-decoder.ts';
import {
  Broken as BrokenBody,
  Reader,
  referenceRows,
  type ReferenceRow,
  type Value,
} from '../../msgpack-reference.ts';
import { Broken, expectedCode, type FuzzTarget } from '../target.ts';

type Decode = ReturnType<typeof newMessageDecoder>['decode'];

const us = 1_700_000_000_000_000n;
const row = { m: 'cpu', t: us, h: 'a', tags: { r: 'eu' }, fields: { v: 1, s: 'x', ok: true } };
const columnar = {
  m: 'c',
  columns: { time: [us, us + 1n], v: [1, new Float(2.5)], s: ['a', null] },
};

const seeds = [
  row,
  { ...columnar, tags: ['s'] },
  [row, { m: 7, t: 1_700_000_000, f: [1, 2.5, 'x'] }],
  columnar,
  { batch: [row, columnar, [row]] },
  [
    [[row]],
    { m: 'e', t: timestamp(1_700_000_000n, 5, 8), fields: { n: null, b: uint64(2n ** 64n - 1n) } },
  ],
  {
    m: 'wide',
    columns: { time: [1, 2, 3], a: [1, 2, 3], b: [-1, -200, -70_000], c: ['', 'é', 'x'] },
  },
];

const words = [
  ...[
    row,
    columnar,
    null,
    true,
    -1,
    -100,
    200,
    70_000,
    2.5,
    'm',
    't',
    'h',
    'f',
    'fields',
    'tags',
    'columns',
  ],
  ...['batch', 'time', '', new Raw([0xc1]), new Raw([0xd9, 1, 0xff]), new Raw([0xc7, 1, 5, 0])],
  ...[
    new Raw([0x81]),
    new Raw([0x91]),
    new Raw([0xdd, 0xff, 0xff, 0xff, 0xff]),
    new Raw([0xdf, 0, 0, 0, 9]),
  ],
].map((value) => packed(value));

const textOf = ({ measurement, timeUs, tags, fields }: ReferenceRow) =>
  JSON.stringify([measurement, String(timeUs), [...tags].sort(), [...fields].sort()]);

const itemKeys = new Set(['m', 't', 'h', 'f', 'fields', 'tags', 'columns', 'batch']);

/** Items without the keys that no shape has: nothing in them is read, whatever they are. */
function withoutIgnored(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value;
  if (value.kind === 'list') return { ...value, items: value.items.map(withoutIgnored) };
  if (value.kind !== 'map') return value;
  // The items of a batch are taken whatever stands behind them.
  const batch = value.pairs.find(([key]) => key === 'batch')?.[1];
  if (typeof batch === 'object' && batch?.kind === 'list') {
    return { ...value, pairs: [['batch', withoutIgnored(batch)]] };
  }
  const pairs = value.pairs
    .filter(([key]) => {
      if (typeof key === 'object' && key !== null) return key.kind !== 'bytes';
      return typeof key !== 'string' || itemKeys.has(key);
    })
    .map(([key, each]) => [key, key === 'batch' ? withoutIgnored(each) : each] as const);
  return { ...value, pairs };
}

/** What the second reading finds; `isWhole` if the body ends where a value does. */
function referenceOf(input: Uint8Array) {
  const rows: string[] = [];
  const reader = new Reader(input);
  let isWhole = true;
  try {
    while (!reader.isAtEnd) {
      const value = reader.value();
      const isItem = typeof value === 'object' && (value?.kind === 'list' || value?.kind === 'map');
      if (!isItem) throw new BrokenBody();
      rows.push(...referenceRows(withoutIgnored(value), BigInt(nowUs)).rows.map(textOf));
    }
  } catch (error) {
    if (!(error instanceof BrokenBody)) throw error;
    isWhole = false;
  }
  return { rows, isWhole };
}

export function messageTarget(
  decodeOf: (decode: Decode) => Decode = (decode) => decode,
): FuzzTarget {
  return {
    seeds: seeds.map((seed) => packed(seed)),
    words,
    async run(input) {
      const options = { columnsMax: 20_000, measurementsMax: 20_000 };
      const decode = decodeOf(newMessageDecoder(options).decode);
      let decoded;
      try {
        decoded = await decode(input);
      } catch (error) {
        return expectedCode(error, ['HF_BODY_UNREADABLE']);
      }
      const rows: string[] = [];
      for (const [measurement, list] of plainRows(decoded.batches)) {
        for (const each of list) rows.push(textOf({ measurement, ...each }));
      }
      if (rows.length !== decoded.rows) throw new Broken('count of rows');
      const reasons = [...new Set(decoded.rejected.map(({ reason }) => kindOf(reason)))].sort();
      const reference = referenceOf(input);
      if (reference.isWhole) compare(rows, reference.rows, decoded.rejectedLines, reasons.join());
      decoded.free();
      return `${rows.length > 0 ? 'rows ' : ''}${reasons.slice(0, 2).join()}`;
    },
  };
}

function compare(rows: string[], wanted: string[], bad: number, reasons: string): void {
  const left = new Map<string, number>();
  for (const each of wanted) left.set(each, (left.get(each) ?? 0) + 1);
  for (const each of rows) {
    const count = left.get(each) ?? 0;
    if (count === 0) throw new Broken(`invented: ${each}\n${wanted.join('\n')}\n${reasons}`);
    left.set(each, count - 1);
  }
  if (bad === 0 && rows.length !== wanted.length) throw new Broken('a row is missing untold');
}

const kindOf = (reason: string) => reason.replace(/[^A-Za-z -].*/s, '').slice(0, 24);
