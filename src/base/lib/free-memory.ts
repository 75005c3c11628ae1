/**
 * Memory given back at once. The collector finds arrays that nobody uses any more only when it
 * comes round, and what it counts until then makes it come round often: at full load a fifth of the
 * CPU. Who owns a large array and knows that it is done with says so here.
 */

/** Freeing takes a microsecond, for which the collector gets rid of many small arrays. */
const worthwhileBytes = 1024;

/**
 * Frees the memory behind `bytes` if they are all of it; the array is empty afterwards. Does
 * nothing to views of larger memory, such as small Buffers of the common pool, nor to shared
 * memory, nor to less than a kibibyte.
 */
export function freeMemory(bytes: ArrayBufferView): void {
  const { byteLength } = bytes;
  // Asking a small array for its buffer would make one.
  if (byteLength < worthwhileBytes) return;
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
