import fc from 'fast-check';
import t from 'tap';
import { LatencyHistogram } from '../../../../src/base/lib/latency-histogram.ts';

t.test('an empty histogram says zero', (t) => {
  const histogram = new LatencyHistogram();
  t.strictSame(histogram.summary(), { count: 0, sumMs: 0, maxMs: 0, p50Ms: 0, p99Ms: 0 });
  t.end();
});

t.test('every quantile is at most a fifth too high and never too low', (t) => {
  const durations = fc.array(fc.double({ min: 0.03, max: 80_000, noNaN: true }), { minLength: 1 });
  fc.assert(
    fc.property(durations, fc.double({ min: 0, max: 1, noNaN: true }), (values, quantile) => {
      const histogram = new LatencyHistogram();
      for (const value of values) histogram.add(value);
      const sorted = values.toSorted((a, b) => a - b);
      const exact = sorted[Math.max(0, Math.ceil(values.length * quantile) - 1)] ?? 0;
      const found = histogram.quantile(quantile);
      return found >= exact * 0.999 && found <= exact * 1.2;
    }),
  );
  t.pass('100 histograms');
  t.end();
});

t.test('durations beyond the last bound and of zero are counted', (t) => {
  const histogram = new LatencyHistogram();
  histogram.add(0);
  histogram.add(1e9);
  t.equal(histogram.summary().count, 2);
  t.equal(histogram.quantile(1), 1e9);
  const { cumulative, sumMs } = histogram.counts();
  t.equal(sumMs, 1e9);
  t.equal(cumulative[0]?.[1], 1);
  t.strictSame(cumulative.at(-1), [Infinity, 2]);
  t.end();
});
