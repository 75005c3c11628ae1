/** Any bytes come to an end, and any cut of a stream keeps the batches before it. */
import fc from 'fast-check';
import t from 'tap';
import { GatewayError } from '../../../../src/base/errors/gateway-error.ts';
import type { Decoded } from '../../../../src/ingest/decode/types.ts';
import { newArrowDecoder, pyarrowStream, pyarrowStreams } from '../../../support/arrow-decoder.ts';
import { plainRows, rowsOf } from '../../../support/decoded-rows.ts';
import { newMessageDecoder } from '../../../support/msgpack-decoder.ts';

const streams = [...pyarrowStreams().values()];

/** The outcome, which is well formed; undefined if nothing could be read. */
async function outcome(body: Uint8Array): Promise<Decoded | undefined> {
  const { decode } = newArrowDecoder({ columnsMax: 1000, measurementsMax: 1000 });
  try {
    const decoded = await decode(body);
    let rows = 0;
    for (const list of plainRows(decoded.batches).values()) rows += list.length;
    if (rows !== decoded.rows) throw new Error('count of rows');
    const lines = decoded.rejected.reduce((sum, { count }) => sum + count, 0);
    if (lines !== decoded.rejectedLines) throw new Error('count of rejections');
    return decoded;
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'HF_BODY_UNREADABLE') return undefined;
    throw error;
  }
}

void t.test('streams with some bytes changed come to an end', async () => {
  const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
  const changed = fc.tuple(
    fc.constantFrom(...streams),
    fc.array(change, { minLength: 1, maxLength: 6 }),
  );
  await fc.assert(
    fc.asyncProperty(changed, async ([stream, changes]) => {
      const body = Uint8Array.from(stream);
      for (const [at, value] of changes) body[at % body.length] = value;
      await outcome(body);
    }),
    { numRuns: 3000 },
  );
});

void t.test('each bit of the metadata may flip', async (t) => {
  const stream = pyarrowStream('every type');
  let readable = 0;
  for (let bit = 0; bit < 8 * Math.min(stream.length, 6000); bit += 7) {
    const body = Uint8Array.from(stream);
    body[bit >>> 3] = (body[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
    if ((await outcome(body)) !== undefined) readable += 1;
  }
  t.ok(readable > 100, `${readable} of them can be read`);
});

void t.test(
  'wherever a stream is cut, the batches before it are kept and the rest is told',
  async (t) => {
    const stream = pyarrowStream('several batches');
    const whole = rowsOf(await newArrowDecoder().decode(stream))['m'] ?? [];
    const seen = new Set<number>();
    for (let length = 1; length < stream.length; length += 1) {
      const decoded = await outcome(stream.subarray(0, length));
      if (decoded === undefined) continue;
      const rows = decoded.rows === 0 ? [] : (rowsOf(decoded)['m'] ?? []);
      seen.add(rows.length);
      if (JSON.stringify(rows, text) !== JSON.stringify(whole.slice(0, rows.length), text)) {
        t.fail(`cut at ${length}`);
      }
      // At the very end of a message nothing shows that there was more.
      if (decoded.rejectedLines > 1) t.fail(`${decoded.rejectedLines} rejections at ${length}`);
    }
    t.same([...seen].sort(), [0, 1, 2, 3]);
  },
);

const text = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value);

void t.test('what is refused and sent again as it was kept gives the same rows', async (t) => {
  const named = ['every type', 'several batches', 'replaced dictionaries', 'as InfluxDB 3 answers'];
  for (const name of named) {
    const stream = pyarrowStream(name);
    const wanted = rowsOf(await newArrowDecoder().decode(stream));
    const { rejected } = await newArrowDecoder().decode(stream, undefined, { cellsMax: 0 });
    const raw = Buffer.concat(rejected.map((each) => each.raw ?? new Uint8Array(0)));
    t.same(rowsOf(await newMessageDecoder().decode(raw)), wanted, name);
  }
});

void t.test('what is remembered of texts changes nothing, whatever comes between', async (t) => {
  const columns = { columnsMax: 1000, measurementsMax: 1000 };
  // One decoder for all; each stream goes into a measurement of its own.
  const { decode } = newArrowDecoder(columns);
  const shown = (decoded: Decoded) => Object.values(rowsOf(decoded));
  const last = new Map<string, unknown[]>();
  for (const round of [1, 2, 3]) {
    for (const [name, stream] of pyarrowStreams()) {
      try {
        const rows = shown(await decode(stream, { measurement: name }));
        if (round > 1) t.same(rows, last.get(name), `${name}, round ${round}`);
        last.set(name, rows);
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
      }
    }
  }
  t.ok(last.size > 20, `${last.size} streams`);
});
