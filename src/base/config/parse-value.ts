/**
 * Text to value, one parser per option type. Every layer (default, file, environment, flag) goes
 * through it, so `5s` means the same everywhere. Errors say what would have been accepted.
 */
import { GatewayError } from '../errors/gateway-error.ts';
import type { OptionEntry, ShareOrSize } from './options.ts';

const sizeUnits: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kb: 1000,
  kib: 1024,
  m: 1024 ** 2,
  mb: 1000 ** 2,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1000 ** 3,
  gib: 1024 ** 3,
  t: 1024 ** 4,
  tb: 1000 ** 4,
  tib: 1024 ** 4,
};

/** A bare number is seconds, as in the seed's names. */
const durationUnits: Readonly<Record<string, number>> = {
  '': 1000,
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

export type ParsedValue = number | boolean | string | ShareOrSize | readonly string[] | undefined;

class ValueProblem extends Error {}

function withUnit(text: string, units: Readonly<Record<string, number>>, expected: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const factor = units[(match?.[2] ?? '?').toLowerCase()];
  if (match === null || factor === undefined) throw new ValueProblem(expected);
  const value = Math.round(Number(match[1]) * factor);
  if (!Number.isSafeInteger(value)) throw new ValueProblem('a smaller number');
  return value;
}

function size(text: string): number {
  return withUnit(text, sizeUnits, 'a size such as 64MiB');
}

function integer(text: string): number {
  const trimmed = text.trim().replaceAll('_', '');
  if (!/^\d+$/.test(trimmed) || !Number.isSafeInteger(Number(trimmed))) {
    throw new ValueProblem('a whole number');
  }
  return Number(trimmed);
}

function boolean(text: string): boolean {
  const lower = text.trim().toLowerCase();
  if (['true', 'yes', 'on', '1'].includes(lower)) return true;
  if (['false', 'no', 'off', '0'].includes(lower)) return false;
  throw new ValueProblem('true or false');
}

function share(text: string): number {
  const value = Number(text.slice(0, -1).trim());
  if (!(value > 0 && value <= 100)) throw new ValueProblem('a share from 0% to 100%');
  return value / 100;
}

function shareOrSize(text: string): ShareOrSize {
  const trimmed = text.trim();
  if (trimmed.toLowerCase() === 'auto') return { share: undefined, bytes: undefined };
  const both = /^([\d.]+\s*%)\s*\(([^)]+)\)$/.exec(trimmed);
  if (both !== null) return { share: share(both[1] ?? ''), bytes: size(both[2] ?? '') };
  if (trimmed.endsWith('%')) return { share: share(trimmed), bytes: undefined };
  return { share: undefined, bytes: withUnit(trimmed, sizeUnits, 'a share (10%) or size (2GiB)') };
}

function list(text: string): readonly string[] {
  const parts = text.split(',').map((part) => part.trim());
  return parts.filter((part) => part !== '');
}

function parse(entry: OptionEntry, text: string): ParsedValue {
  switch (entry.type) {
    case 'size':
      return size(text);
    case 'duration':
      return withUnit(text, durationUnits, 'a duration such as 500ms, 5s, 2m or 1h');
    case 'integer':
      return integer(text);
    case 'auto-integer':
      return text.trim().toLowerCase() === 'auto' ? undefined : integer(text);
    case 'boolean':
      return boolean(text);
    case 'string':
      return text;
    case 'share-or-size':
      return shareOrSize(text);
    case 'list':
      return list(text);
    case 'enum': {
      const lower = text.trim().toLowerCase();
      if (!entry.values.includes(lower)) throw new ValueProblem(entry.values.join(', '));
      return lower;
    }
  }
}

function outside(entry: OptionEntry, value: number): string | undefined {
  const unit = { size: ' bytes', duration: ' ms', 'share-or-size': ' bytes' };
  const suffix = unit[entry.type as keyof typeof unit] ?? '';
  if (entry.min !== undefined && value < entry.min) return `at least ${entry.min}${suffix}`;
  if (entry.max !== undefined && value > entry.max) return `at most ${entry.max}${suffix}`;
  return undefined;
}

/**
 * The value of `text` for an option.
 * @param where names the layer and key for the message, such as `--server-listen`.
 * @throws HF_CONFIG if it cannot be read or lies outside the option's range.
 */
export function parseValue(entry: OptionEntry, text: string, where: string): ParsedValue {
  let expected: string | undefined;
  let value: ParsedValue;
  try {
    value = parse(entry, text);
    const amount = typeof value === 'object' && 'bytes' in value ? value.bytes : value;
    if (typeof amount === 'number') expected = outside(entry, amount);
  } catch (error) {
    if (!(error instanceof ValueProblem)) throw error;
    expected = error.message;
  }
  if (expected === undefined) return value;
  throw new GatewayError('HF_CONFIG', `${where}: '${text}' is not valid; expected ${expected}`);
}
