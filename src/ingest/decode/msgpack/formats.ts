/**
 * First bytes of MessagePack values, and how long what they stand for is. The whole format is in
 * these tables; everything that reads a body goes by them.
 */

export const nil = 0xc0;
export const boolFalse = 0xc2;
export const boolTrue = 0xc3;
export const bin8 = 0xc4;
export const bin32 = 0xc6;
export const ext8 = 0xc7;
export const ext16 = 0xc8;
export const ext32 = 0xc9;
export const float32 = 0xca;
export const float64 = 0xcb;
export const uint8 = 0xcc;
export const uint16 = 0xcd;
export const uint32 = 0xce;
export const uint64 = 0xcf;
export const int8 = 0xd0;
export const int16 = 0xd1;
export const int32 = 0xd2;
export const int64 = 0xd3;
export const fixext4 = 0xd6;
export const fixext8 = 0xd7;
export const str8 = 0xd9;
export const str16 = 0xda;
export const str32 = 0xdb;
export const array16 = 0xdc;
export const array32 = 0xdd;
export const map16 = 0xde;
export const map32 = 0xdf;
export const negativeFixint = 0xe0;

/** The extension that stands for a timestamp, as the unsigned byte in the body. */
export const timestampType = 0xff;

/** What a value is, by its first byte; 0 is a byte that begins no value. */
export const valueClasses = {
  nil: 1,
  boolean: 2,
  integer: 3,
  double: 4,
  string: 5,
  extension: 6,
  array: 7,
  map: 8,
} as const;

/** `plainSizes` of a first byte that does not say the value's size. */
export const sizeOpen = 255;

/** Classes by first byte. Binary counts as a string: which of them a sender writes says little. */
export const classOf: Uint8Array = makeClasses();

/**
 * Bytes of a value behind its first byte, if that says it alone; 255 if it does not. Containers
 * have their children besides.
 */
export const plainSizes: Uint8Array = makeSizes();

function makeClasses(): Uint8Array {
  const classes = new Uint8Array(256);
  const { nil: isNil, boolean, integer, double, string, extension, array, map } = valueClasses;
  classes.fill(integer, 0, 0x80).fill(map, 0x80, 0x90).fill(array, 0x90, 0xa0);
  classes.fill(string, 0xa0, 0xc0);
  classes[nil] = isNil;
  classes.fill(boolean, boolFalse, boolTrue + 1).fill(string, bin8, bin32 + 1);
  classes.fill(extension, ext8, ext32 + 1).fill(double, float32, float64 + 1);
  classes.fill(integer, uint8, int64 + 1).fill(extension, 0xd4, 0xd9);
  classes.fill(string, str8, str32 + 1).fill(array, array16, array32 + 1);
  classes.fill(map, map16, map32 + 1).fill(integer, negativeFixint, 256);
  return classes;
}

function makeSizes(): Uint8Array {
  const sizes = new Uint8Array(256).fill(sizeOpen);
  sizes.fill(0, 0, 0xa0);
  for (let length = 0; length < 32; length += 1) sizes[0xa0 + length] = length;
  sizes[nil] = 0;
  sizes.fill(0, boolFalse, boolTrue + 1).fill(0, negativeFixint, 256);
  sizes[float32] = 4;
  sizes[float64] = 8;
  for (let power = 0; power < 4; power += 1) {
    sizes[uint8 + power] = 2 ** power;
    sizes[int8 + power] = 2 ** power;
  }
  // Fixed extensions: their type, then 1, 2, 4, 8 or 16 bytes.
  for (let power = 0; power < 5; power += 1) sizes[0xd4 + power] = 1 + 2 ** power;
  return sizes;
}
