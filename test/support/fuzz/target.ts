/** What a fuzzer of one reader is made of. */

export interface FuzzTarget {
  /** Good inputs to begin with, besides those that are kept in test/fixtures/fuzz. */
  readonly seeds: readonly Uint8Array[];
  /** Words of the format. */
  readonly words: readonly (string | Uint8Array)[];
  /**
   * Reads `input` and throws where the reader breaks a promise. Returns what kind of outcome it
   * was: inputs with an outcome that is new are mutated further.
   */
  run(input: Uint8Array): string | Promise<string>;
}

/** The verdict that a reader broke a promise. */
export class Broken extends Error {
  override readonly name = 'Broken';
}

/** The code of an error that a reader may throw; anything else is thrown on. */
export function expectedCode(error: unknown, codes: readonly string[]): string {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string' && codes.includes(code)) return code;
  throw error;
}

export const text = (words: string): Uint8Array => new TextEncoder().encode(words);
