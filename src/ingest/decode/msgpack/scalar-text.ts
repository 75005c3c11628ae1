/** Scalars of an item as text: names, hosts, values of tags. */
import { isUtf8 } from 'node:buffer';
import type { ByteSpace } from '../bytes.ts';
import { parseFault, tokenFault, type Fault } from '../series-parser.ts';
import { smallInteger } from './column-stage.ts';
import * as format from './formats.ts';
import type { HeadReader } from './head-reader.ts';

const { valueClasses } = format;

/** True if none of the bytes is beyond ASCII. */
export function isAscii({ bytes, view }: ByteSpace, start: number, length: number): boolean {
  let index = 0;
  let all = 0;
  for (; index + 4 <= length; index += 4) all |= view.getInt32(start + index, true) & 0x8080_8080;
  for (; index < length; index += 1) all |= (bytes[start + index] ?? 0) & 0x80;
  return all === 0;
}

/** A name: a string, or an integer behind `prefix`, as Arc reads them; else undefined. */
export function nameAt(
  space: ByteSpace,
  head: HeadReader,
  at: number,
  prefix: string,
): Uint8Array | undefined {
  const kind = head.read(at);
  if (kind === valueClasses.string) return space.bytes.subarray(head.start, head.end);
  if (kind !== valueClasses.integer) return undefined;
  const text = new TextDecoder().decode(scalarText(space, head, at));
  return new TextEncoder().encode(`${prefix}${text}`);
}

/** A scalar as text; empty for null, undefined for what is none. */
export function scalarText(space: ByteSpace, head: HeadReader, at: number): Uint8Array | undefined {
  const { view, bytes } = space;
  const encode = (text: string | number | bigint | boolean) =>
    new TextEncoder().encode(String(text));
  switch (head.read(at)) {
    case valueClasses.string:
      return bytes.subarray(head.start, head.end);
    case valueClasses.nil:
      return new Uint8Array(0);
    case valueClasses.boolean:
      return encode(head.first === format.boolTrue);
    case valueClasses.double:
      return encode(
        head.first === format.float32 ? view.getFloat32(at + 1) : view.getFloat64(at + 1),
      );
    case valueClasses.integer:
      if (head.first === format.uint64) return encode(view.getBigUint64(at + 1));
      if (head.first === format.int64) return encode(view.getBigInt64(at + 1));
      return encode(smallInteger(head.first, view, at));
    default:
      return undefined;
  }
}

export interface TokenLimits {
  readonly nameBytesMax: number;
  readonly columnsMax: number;
}

/** Why a measurement, a key or a tag value is none; undefined if it is one. */
export function tokenProblem(
  what: string,
  token: Uint8Array,
  { nameBytesMax, columnsMax }: TokenLimits,
): Fault | undefined {
  const control = token.some((byte) => byte < 32 || byte === 127);
  const fault = tokenFault(what, token, control, { nameBytesMax, tagsMax: columnsMax });
  if (fault !== undefined) return fault;
  return isUtf8(token) ? undefined : parseFault(`invalid UTF-8 in ${what}`);
}
