/** Some rows of a columnar item as an item of their own, to be kept among the rejections. */
import type { ByteSpace } from '../bytes.ts';
import type { ColumnarItem } from './columnar-item.ts';
import { array32, map32 } from './formats.ts';
import { ValueSkipper } from './value-skipper.ts';

/** Rows between two chances for a pause. */
const stepRows = 8192;

/** The rows that `marks` has a 1 for, `count` in all; yields for pauses. */
export function* refusedItem(
  space: ByteSpace,
  item: ColumnarItem,
  marks: Uint8Array,
  count: number,
): Generator<undefined, Uint8Array> {
  const { bytes } = space;
  const parts: Uint8Array[] = [];
  const skipper = new ValueSkipper(space);
  const end = (at: number) => {
    skipper.begin(at);
    while (skipper.advance(stepRows) === 'going');
    return skipper.at;
  };
  const { nameAt, tagsAt } = item;
  parts.push(Uint8Array.of(tagsAt < 0 ? 0x82 : 0x83, 0xa1, 0x6d));
  parts.push(bytes.subarray(nameAt, end(nameAt)));
  if (tagsAt >= 0) parts.push(key('tags'), bytes.subarray(tagsAt, end(tagsAt)));
  parts.push(key('columns'));
  parts.push(head(map32, item.places.length));
  for (const { keyAt, keyEnd, valuesAt } of item.places) {
    parts.push(bytes.subarray(keyAt, keyEnd), head(array32, count));
    let at = valuesAt;
    for (let row = 0; row < item.rowCount; row += 1) {
      const next = end(at);
      if (marks[row] === 1) parts.push(bytes.subarray(at, next));
      at = next;
      if (row % stepRows === stepRows - 1) yield;
    }
  }
  return joined(parts);
}

/** A short string. */
function key(text: string): Uint8Array {
  return Uint8Array.of(0xa0 + text.length, ...new TextEncoder().encode(text));
}

function head(first: number, length: number): Uint8Array {
  const bytes = new Uint8Array(5);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, first);
  view.setUint32(1, length);
  return bytes;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
