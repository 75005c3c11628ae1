/**
 * Partitions of time and the names they give to folders. A file never crosses a UTC day; folders
 * and files are named for people, the catalog says what a file is (docs/format/parquet.md).
 */
import { createHash } from 'node:crypto';

export const hourUs = 3_600_000_000n;

/** UTC hour since 1970 that holds `timeUs`; negative before 1970. */
export function hourOf(timeUs: bigint): number {
  const hour = timeUs / hourUs;
  return Number(timeUs < 0n && timeUs % hourUs !== 0n ? hour - 1n : hour);
}

/** UTC day since 1970 that holds UTC hour `hour`. */
export function dayOfHour(hour: number): number {
  return Math.floor(hour / 24);
}

const encodedBytesMax = 120;
const encodedBytesKept = 84;

/**
 * Folder name of a database or measurement: `A-Z a-z 0-9 _ - .` stay (not a leading dot), each
 * other byte is `_xHH`, a literal `_x` is `_x5Fx`. Over 120 bytes: the first 84, `_xh` and the
 * first 32 hex digits of the name's SHA-256. Never empty, injective up to hash collisions.
 */
export function encodePathName(name: string): string {
  let encoded = '';
  for (const byte of Buffer.from(name, 'utf8')) {
    const character = String.fromCharCode(byte);
    const plain = /[A-Za-z0-9_.-]/.test(character) && !(character === '.' && encoded === '');
    if (character === 'x' && encoded.endsWith('_')) encoded = `${encoded.slice(0, -1)}_x5Fx`;
    else encoded += plain ? character : `_x${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  if (encoded.length <= encodedBytesMax) return encoded;
  const digest = createHash('sha256').update(name, 'utf8').digest('hex');
  return `${encoded.slice(0, encodedBytesKept)}_xh${digest.slice(0, 32)}`;
}

/** Calendar parts of `timeUs` in UTC, zero-padded; years beyond four digits keep their sign. */
export interface CalendarParts {
  readonly year: string;
  readonly month: string;
  readonly day: string;
  readonly hour: string;
  readonly minute: string;
  readonly second: string;
}

export function calendarParts(timeUs: bigint): CalendarParts {
  const floorMs = Number(timeUs >= 0n ? timeUs / 1000n : (timeUs - 999n) / 1000n);
  const date = new Date(floorMs);
  const two = (value: number) => String(value).padStart(2, '0');
  return {
    year: String(date.getUTCFullYear()).padStart(4, '0'),
    month: two(date.getUTCMonth() + 1),
    day: two(date.getUTCDate()),
    hour: two(date.getUTCHours()),
    minute: two(date.getUTCMinutes()),
    second: two(date.getUTCSeconds()),
  };
}
