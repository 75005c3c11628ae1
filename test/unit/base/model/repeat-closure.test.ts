import t from 'tap';
import fc from 'fast-check';
import type { HourSpan } from '../../../../src/base/model/commit.ts';
import { closeOverRepeats, type VersionSource } from '../../../../src/base/model/repeat-closure.ts';

const source = fc
  .record({
    luck: fc.nat(4),
    hours: fc.uniqueArray(fc.integer({ min: -2, max: 6 }), { minLength: 1, maxLength: 4 }),
    repeats: fc.boolean(),
  })
  .map(({ luck, hours, repeats }): VersionSource => {
    const hasIdentity = luck > 0;
    const spans = hours.toSorted((a, b) => a - b).map((hour): HourSpan => [hour, 0, 9]);
    return { hasIdentity, hours: spans, repeatHours: hasIdentity && repeats ? hours : [] };
  });

/** Straight from the rule: look at every pair until nothing is added. */
function bruteForce(seeds: readonly VersionSource[], all: readonly VersionSource[]) {
  const belong = (a: VersionSource, b: VersionSource) =>
    a.hasIdentity &&
    b.hasIdentity &&
    a.hours.some(
      ([hour]) =>
        b.hours.some(([other]) => other === hour) &&
        (a.repeatHours.includes(hour) || b.repeatHours.includes(hour)),
    );
  let closed = new Set(seeds);
  for (;;) {
    const next = all.filter((one) => closed.has(one) || [...closed].some((s) => belong(s, one)));
    if (next.length === closed.size) return next;
    closed = new Set(next);
  }
}

await t.test('the closure is the smallest one, whatever the order', (t) => {
  fc.assert(
    fc.property(fc.array(source, { maxLength: 12 }), fc.array(fc.nat(11)), (all, picks) => {
      const seeds = all.filter((_, index) => picks.includes(index));
      const closed = closeOverRepeats(seeds, all);
      const expected = bruteForce(seeds, all);
      return closed.length === expected.length && closed.every((one, i) => one === expected[i]);
    }),
    { numRuns: 1000 },
  );
  t.end();
});

await t.test('files of one hour without repeats stand for themselves', (t) => {
  const file = (hour: number, repeats: boolean): VersionSource => {
    return { hasIdentity: true, hours: [[hour, 0, 9]], repeatHours: repeats ? [hour] : [] };
  };
  const [a, b, c, d] = [file(1, false), file(1, false), file(2, false), file(2, true)];
  t.same(closeOverRepeats([a], [a, b, c, d]), [a]);
  t.same(closeOverRepeats([c], [a, b, c, d]), [c, d]);
  t.end();
});
