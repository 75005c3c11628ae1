/**
 * The fields of the line being read, by place in the line; used again for each line.
 */
import type { FieldSlot } from './layout.ts';

/** Fields of a line for which there is room at first. */
const roomFirst = 64;

export class FieldArrays {
  count = 0;
  /** How many of them a later field of the same key overruled. */
  duplicates = 0;
  readonly slots: (FieldSlot | undefined)[] = [];
  /** `...Form` constants. */
  forms = new Uint8Array(roomFirst);
  /** Doubles, integers that are exact as doubles, booleans as 0 or 1. */
  numbers = new Float64Array(roomFirst);
  /** Integers that are not exact as doubles, low half first. */
  words = new Int32Array(roomFirst * 2);
  /** The same memory as `words`. */
  wide = new BigInt64Array(this.words.buffer);
  /** Strings: position and length as written, and whether there are escapes in it. */
  starts = new Uint32Array(roomFirst);
  lengths = new Uint32Array(roomFirst);
  escapes = new Uint8Array(roomFirst);
  /** 1 for a field that a later one of the same key overruled. */
  overruled = new Uint8Array(roomFirst);
  room = roomFirst;

  clear(): void {
    this.count = 0;
    this.duplicates = 0;
  }

  /** Enters a number at the next place; `close` ends the field. */
  setNumber(form: number, value: number): void {
    this.forms[this.count] = form;
    this.numbers[this.count] = value;
  }

  setString(form: number, start: number, length: number, escaped: number): void {
    const place = this.count;
    this.forms[place] = form;
    this.starts[place] = start;
    this.lengths[place] = length;
    this.escapes[place] = escaped;
  }

  /** Ends the field at the next place; one of the same key before it is overruled. */
  close(slot: FieldSlot, lineSerial: number): void {
    const place = this.count;
    if (slot.seenInLine === lineSerial) {
      this.overruled[slot.seenAt] = 1;
      this.duplicates += 1;
    }
    slot.seenInLine = lineSerial;
    slot.seenAt = place;
    this.slots[place] = slot;
    this.overruled[place] = 0;
    this.count = place + 1;
  }

  grow(roomMax: number): void {
    const room = Math.min(roomMax, this.room * 2);
    this.forms = grown(this.forms, new Uint8Array(room));
    this.numbers = grown(this.numbers, new Float64Array(room));
    this.words = grown(this.words, new Int32Array(room * 2));
    this.wide = new BigInt64Array(this.words.buffer);
    this.starts = grown(this.starts, new Uint32Array(room));
    this.lengths = grown(this.lengths, new Uint32Array(room));
    this.escapes = grown(this.escapes, new Uint8Array(room));
    this.overruled = grown(this.overruled, new Uint8Array(room));
    this.room = room;
  }
}

function grown<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
