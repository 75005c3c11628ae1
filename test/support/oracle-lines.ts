/**
 * Seeded line protocol that InfluxDB 1.6 and the gateway both take, in every form that either may
 * write: escapes, odd names, all spellings of numbers and booleans, newlines in strings, comments.
 *
 * Left out is what the two are known to read differently or what breaks that server: text that is
 * not UTF-8 and control characters (they poison its shards), the suffix `u`, CRLF, fields and tags
 * named time, integers in a field of floats, and a backslash before a quote or an equals sign in
 * names (that server drops it). No two lines share a measurement and a time.
 */
import type { Random } from './random.ts';

export type OracleType = 'float' | 'integer' | 'string' | 'boolean';

interface OracleMeasurement {
  readonly name: string;
  readonly tags: readonly string[];
  readonly fields: readonly { readonly key: string; readonly type: OracleType }[];
}

export interface OracleGroup {
  readonly precision: string;
  readonly measurements: readonly string[];
  readonly body: string;
  readonly lines: number;
}

const letters = ['a', 'B', '7', 'é', 'ß', '日本', '🔥', '/', '.', '-', '_', ':', '(', '%'] as const;
const special = ['"', ' ', ',', '#', '\\d', "'", '='] as const;

/** A name that differs from all others by its end, whatever the case of its letters. */
function oddName(random: Random, end: string, allowed: readonly string[]): string {
  const parts = [random.pick(['p', 'Q', 'é', '日'])];
  const count = random.below(6);
  for (let part = 0; part < count; part += 1) {
    parts.push(random.chance(0.7) ? random.pick(letters) : random.pick(allowed));
  }
  return parts.join('') + end;
}

function measurementOf(random: Random, number: number): OracleMeasurement {
  const types: readonly OracleType[] = ['float', 'integer', 'string', 'boolean'];
  const tags = Array.from({ length: random.below(4) }, (_, index) =>
    oddName(random, `t${index}`, special),
  );
  const fields = Array.from({ length: 1 + random.below(4) }, (_, index) => ({
    key: oddName(random, `f${index}`, special),
    type: random.pick(types),
  }));
  // An equals sign needs no escape in the name of a measurement; it would keep its backslash.
  const allowed = special.filter((each) => each !== '=');
  return { name: oddName(random, `m${number}`, allowed), tags, fields };
}

const escaped = (name: string): string => name.replace(/[,= ]/g, '\\$&');

const floats = [
  ...['0', '-0', '1', '-1', '1.', '.5', '-.5', '0.1', '01.50', '1e10', '1E-5', '1.5e+3', '-2e-0'],
  ...['5e-324', '1.7976931348623157e308', '2.2250738585072014e-308', '123456789012345678901'],
  ...['0.30000000000000004', '9007199254740993', '1.0000000000000002', '4.35', '1e23'],
];
const integers = [
  ...['0i', '-0i', '1i', '-1i', '007i', '9223372036854775807i', '-9223372036854775808i'],
  ...['9007199254740993i', '-9007199254740993i'],
];
const booleans = ['t', 'T', 'true', 'True', 'TRUE', 'f', 'F', 'false', 'False', 'FALSE'];
const stringParts = [
  ...['', 'plain', ' ', 'line\nbreak', '\\"', '\\\\', 'C:\\dir', '\\n', 'Größe', '日本 🔥'],
  ...[',', '=', '#', "'", '\n\n# no comment\n', 'm f=1 1'],
];

function value(random: Random, type: OracleType): string {
  switch (type) {
    case 'float': {
      if (random.chance(0.5)) return random.pick(floats);
      const size = 10 ** (random.below(40) - 20);
      return String((random.next() - 0.5) * size);
    }
    case 'integer':
      return random.chance(0.5) ? random.pick(integers) : `${random.below(2 ** 31)}i`;
    case 'boolean':
      return random.pick(booleans);
    case 'string': {
      const parts = Array.from({ length: random.below(4) }, () => random.pick(stringParts));
      // Two parts must not make an escape that neither of them is.
      return `"${parts.map((part) => `${part}|`).join('')}"`;
    }
  }
}

const tagParts = [...letters, '"', '\\ ', '\\,', '\\=', '#', '\\d', "'"] as const;

function tagValue(random: Random): string {
  const parts = Array.from({ length: 1 + random.below(5) }, () => random.pick(tagParts));
  return `${parts.join('')}.`;
}

function line(random: Random, of: OracleMeasurement, time: bigint): string {
  const some = <T>(list: readonly T[]): T[] => list.filter(() => random.chance(0.7));
  const tags = random
    .shuffled(some(of.tags))
    .map((key) => `,${escaped(key)}=${tagValue(random)}`)
    .join('');
  const fields = some(of.fields);
  const [first] = of.fields;
  if (fields.length === 0 && first !== undefined) fields.push(first);
  // A field that stands twice: the last one counts.
  if (random.chance(0.1)) fields.push(random.pick(fields));
  const pairs = fields.map(({ key, type }) => `${escaped(key)}=${value(random, type)}`);
  const gap = () => ' '.repeat(random.chance(0.9) ? 1 : 1 + random.below(3));
  const name = of.name.replace(/[, ]/g, '\\$&');
  const before = random.chance(0.1) ? '  ' : '';
  const after = random.chance(0.1) ? ' ' : '';
  return `${before}${name}${tags}${gap()}${pairs.join(',')}${gap()}${time}${after}`;
}

const nanosecondsPer: Readonly<Record<string, bigint>> = {
  n: 1n,
  u: 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** Starts of the times of a group: today's, before 1970, and the ends of the range. */
const starts = [1_700_000_000_000_000_000n, -86_400_000_000_000n, 0n, -9_223_300_000_000_000_000n];

/** One body, for a database of its own. */
export function oracleGroup(random: Random): OracleGroup {
  const precision = random.pick(Object.keys(nanosecondsPer));
  const unit = nanosecondsPer[precision] ?? 1n;
  const measurements = Array.from({ length: 1 + random.below(3) }, (_, number) =>
    measurementOf(random, number),
  );
  const start = random.pick(starts) / unit;
  // In nanoseconds, rows are microseconds apart and have digits below them.
  const step = unit === 1n ? 1000n : 1n;
  const lines: string[] = [];
  const count = 10 + random.below(10);
  for (let index = 0; index < count; index += 1) {
    const fine = unit === 1n ? BigInt(random.below(1000)) : 0n;
    const base = (start / step) * step + BigInt(index) * step;
    lines.push(line(random, random.pick(measurements), base + fine));
    if (random.chance(0.1)) lines.push(random.pick(['', '# note "=', '  ', '#']));
  }
  const body = `${random.shuffled(lines).join('\n')}${random.chance(0.5) ? '\n' : ''}`;
  return { precision, measurements: measurements.map(({ name }) => name), body, lines: count };
}
