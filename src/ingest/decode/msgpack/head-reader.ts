/** Reads the head of one value: what it is, where its content begins and how long that is. */
import type { ByteSpace } from '../bytes.ts';
import { classOf, plainSizes, sizeOpen, valueClasses } from './formats.ts';
import { lengthBytesOf, readLength } from './value-skipper.ts';

export class HeadReader {
  /** Of the value last read: its first byte. */
  first = 0;
  /** One of `valueClasses`, or 0. */
  kind = 0;
  /** Where its content begins; of an extension, its type. */
  start = 0;
  /** Bytes of its content (of an extension without its type), or values, or pairs of a map. */
  length = 0;
  readonly #space: ByteSpace;
  readonly #end: number;

  constructor(space: ByteSpace) {
    this.#space = space;
    this.#end = space.bytes.length;
  }

  /** Behind the value, if it is no array and no map. */
  get end(): number {
    const isExtension = classOf[this.first] === valueClasses.extension;
    return this.start + this.length + (isExtension ? 1 : 0);
  }

  /** One of `valueClasses`; 0 if there is no whole value (of containers: no whole head). */
  read(at: number): number {
    this.kind = 0;
    if (at >= this.#end) return 0;
    const first = this.#space.bytes[at] ?? 0;
    const kind = classOf[first] ?? 0;
    const size = plainSizes[first] ?? 0;
    this.first = first;
    this.start = at + 1;
    if (size === sizeOpen) {
      const lengthBytes = lengthBytesOf(first);
      if (lengthBytes === 0 || at + 1 + lengthBytes > this.#end) return 0;
      this.length = readLength(this.#space.view, at + 1, lengthBytes);
      this.start += lengthBytes;
    } else if (kind === valueClasses.extension) {
      this.length = size - 1;
    } else {
      this.length = size;
    }
    if (kind === valueClasses.map || kind === valueClasses.array) {
      if (size !== sizeOpen) this.length = first & 15;
    } else if (this.end > this.#end) {
      return 0;
    }
    this.kind = kind;
    return kind;
  }
}
