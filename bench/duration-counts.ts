/** Histograms of durations as the gateway's metrics show them: of a phase, not since the start. */

/** Count of durations at or below each bound, in seconds ascending; the last is infinite. */
export type DurationCounts = readonly (readonly [upToSeconds: number, count: number])[];

/** The histogram `name` in the text of `/metrics`. */
export function durationCounts(text: string, name: string): DurationCounts {
  const lines = text.matchAll(new RegExp(`^${name}_bucket\\{le="([^"]+)"\\} (\\d+)$`, 'gmu'));
  return Array.from(lines, ([, bound, count]) => [
    bound === '+Inf' ? Infinity : Number(bound),
    Number(count),
  ]);
}

/**
 * Milliseconds that a share `quantile` (0 to 1) of the durations between two readings did not pass,
 * taking those of one bucket as spread evenly over it; NaN if there are none.
 */
export function quantileMs(
  before: DurationCounts,
  after: DurationCounts,
  quantile: number,
): number {
  const counts = after.map(([bound, count], index) => {
    return [bound, count - (before[index]?.[1] ?? 0)] as const;
  });
  const wanted = quantile * (counts.at(-1)?.[1] ?? 0);
  if (wanted === 0) return NaN;
  let [from, below] = [0, 0];
  for (const [bound, count] of counts) {
    if (count >= wanted && bound !== Infinity) {
      return 1000 * (from + ((bound - from) * (wanted - below)) / (count - below));
    }
    [from, below] = [bound, count];
  }
  return Infinity;
}
