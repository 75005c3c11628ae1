/**
 * The text format of Prometheus, read strictly: a test fails on what a scraper would refuse.
 */

/** Samples of the text format by name and labels. Throws on a line that is none. */
export function parseMetrics(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const typed = new Set<string>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    if (line.startsWith('# TYPE ')) typed.add(line.split(' ')[2] ?? '');
    if (line.startsWith('#')) continue;
    const match = /^([a-z_:][a-z0-9_:]*)(\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})? (\S+)$/i.exec(
      line,
    );
    const [, name = '', labels = '', value = ''] = match ?? [];
    const number = Number(value.replace('Inf', 'Infinity'));
    if (match === null || Number.isNaN(number)) throw new Error(`no sample: ${line}`);
    const family = name.replace(/_(bucket|sum|count)$/, '');
    if (!typed.has(name) && !typed.has(family)) throw new Error(`${name} has no type`);
    if (samples.has(`${name}${labels}`)) throw new Error(`twice: ${line}`);
    samples.set(`${name}${labels}`, number);
  }
  return samples;
}

/** Sum over all labels. */
export const sum = (samples: ReadonlyMap<string, number>, name: string): number =>
  [...samples]
    .filter(([key]) => key === name || key.startsWith(`${name}{`))
    .reduce((total, [, value]) => total + value, 0);
