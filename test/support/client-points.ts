/**
 * The points that every real client is told to write: each kind of field at its ends, names and
 * texts that need escapes, letters of several scripts.
 */
import type { ClientPoint } from './client-driver.ts';

export interface ClientAbility {
  /** Largest and smallest integer that the client sends exactly. */
  readonly integers: readonly [least: string, most: string];
  /** Largest unsigned integer that it sends exactly, if it has any. */
  readonly unsigned?: string;
  /** False if it writes names of measurements as they are. */
  readonly escapesMeasurement: boolean;
  /** False if it sends a new line in a text as a backslash and an n. */
  readonly newLines: boolean;
}

export function clientPoints(ability: ClientAbility): readonly ClientPoint[] {
  const { integers, unsigned, escapesMeasurement, newLines } = ability;
  const odd = escapesMeasurement ? 'odd name, ünïcode ☂' : 'odd-name.ünïcode☂';
  return [
    {
      measurement: odd,
      tags: { 'a tag, 1': 'b c,d=e', größe: 'é 😀 "q"', plain: 'x' },
      fields: {
        'a field, 1': ['float', '0.1'],
        text: ['string', `quo"te, back\\slash = ünï 😀${newLines ? '\nsecond line' : ''}\ttab`],
        ok: ['boolean', 'true'],
        count: ['integer', '-1'],
      },
      time: '1700000000123456000',
    },
    ...['1e300', '-2.5e-300', '5e-324', '1.7976931348623157e308', '0.30000000000000004'].map(
      (float, index): ClientPoint => ({
        measurement: 'ends',
        tags: { n: String(index) },
        fields: { f: ['float', float], whole: ['float', '3'] },
        time: '1600000000000001000',
      }),
    ),
    ...integers.map(
      (integer, index): ClientPoint => ({
        measurement: 'ends',
        tags: { n: `i${index}` },
        fields: { i: ['integer', integer], no: ['boolean', 'false'] },
        time: String(4_102_444_800_000_000_000n + BigInt(index) * 1000n),
      }),
    ),
    ...(unsigned !== undefined
      ? [
          {
            measurement: 'ends',
            tags: {},
            fields: { u: ['unsigned', unsigned] },
            time: '1600000000000002000',
          } as const,
        ]
      : []),
    { measurement: 'empty', tags: {}, fields: { s: ['string', ''] }, time: '1600000000000003000' },
  ];
}
