/** Numbers by hash against a plain map; and that no single addition moves the rest of the table. */
import t from 'tap';
import fc from 'fast-check';
import { movedMax, SlotTable } from '../../../../src/base/lib/slot-table.ts';

/** All numbers with this hash, in no order. */
function found(table: SlotTable, hash: number): readonly number[] {
  const numbers: number[] = [];
  for (let at = table.first(hash); at >= 0; at = table.next(hash, at)) numbers.push(at);
  return numbers.sort((a, b) => a - b);
}

/** Hashes of all kinds: spread out, equal, equal in their low or in their high bits. */
const hash = fc.oneof(
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  fc.integer({ min: 0, max: 3 }),
  fc.integer({ min: 0, max: 255 }).map((high) => high << 24),
  fc.integer({ min: 0, max: 255 }).map((high) => (high << 12) | 0xabc),
);

t.test('a table holds the numbers that a map of lists holds', (test) => {
  fc.assert(
    fc.property(fc.array(hash, { maxLength: 300 }), fc.nat(100), (hashes, room) => {
      const table = new SlotTable(room);
      const model = new Map<number, number[]>();
      hashes.forEach((each, number) => {
        table.add(each, number);
        model.set(each, [...(model.get(each) ?? []), number]);
      });
      for (const [each, numbers] of model) {
        if (found(table, each).join() !== numbers.join()) throw new Error(`hash ${each}`);
        // Unsigned hashes are the same hashes.
        if (found(table, each >>> 0).join() !== numbers.join()) throw new Error('unsigned');
      }
      for (const other of [1234, -5, 0x7fff_ffff]) {
        if (!model.has(other) && table.first(other) !== -1) throw new Error('found one of none');
      }
    }),
    { numRuns: 300 },
  );
  test.pass('300 runs');
  test.end();
});

/** Well mixed, all different. */
function mixed(number: number): number {
  let hash = Math.imul(number ^ (number >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

t.test('adding one to a million moves no more than one segment', (test) => {
  const table = new SlotTable();
  let most = 0;
  for (let number = 0; number < 1_000_000; number += 1) {
    const before = table.moved;
    table.add(mixed(number), number);
    most = Math.max(most, table.moved - before);
  }
  test.ok(most > 0, 'some are moved');
  test.ok(most <= movedMax, `${most} moved at once`);
  test.ok(movedMax < 5000, 'which is little');
  let wrong = 0;
  for (let number = 0; number < 1_000_000; number += 1) {
    if (table.first(mixed(number)) !== number) wrong += 1;
  }
  test.equal(wrong, 0, 'all are found');
  test.equal(table.first(mixed(1_000_000)), -1);
  test.end();
});

t.test('numbers of one hash only are kept too, in one growing segment', (test) => {
  const table = new SlotTable();
  for (let number = 0; number < 5000; number += 1) table.add(7, number);
  test.equal(found(table, 7).length, 5000);
  test.equal(table.first(8), -1);
  test.end();
});

t.test('the bytes are those of the slots', (test) => {
  const table = new SlotTable();
  for (let number = 0; number < 100_000; number += 1) table.add(mixed(number), number);
  test.ok(table.bytes >= (8 * 100_000) / 0.75, `${table.bytes} bytes`);
  test.ok(table.bytes <= (8 * 100_000) / 0.3, `${table.bytes} bytes`);
  test.ok(new SlotTable().bytes <= 128, 'few at first');
  table.free();
  test.equal(table.bytes, 0);
  test.end();
});
