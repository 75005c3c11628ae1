/**
 * Line protocol of any length in blocks that end where a line ends, so that each can be sent as a
 * request of its own. A newline inside a quoted string does not end a line.
 */

export interface LineBlock {
  readonly body: Uint8Array<ArrayBuffer>;
  /** Line of the whole text, from 1, at which the block begins. */
  readonly firstLine: number;
  /** Lines that are neither blank nor comments. */
  readonly lines: number;
}

const newline = 0x0a;
const space = 0x20;
const hash = 0x23;
const quote = 0x22;
const equals = 0x3d;
const backslash = 0x5c;

type Place = 'start' | 'comment' | 'key' | 'fields' | 'string';

/** Follows line protocol byte by byte, across chunks. */
class LineFollower {
  #place: Place = 'start';
  /** Lines begun that are neither blank nor comments. */
  lines = 0;
  #escaped = false;
  #previous = 0;

  /** True if `byte` ends a line. */
  take(byte: number): boolean {
    const escaped = this.#escaped;
    const previous = this.#previous;
    this.#previous = byte;
    this.#escaped = false;
    if (this.#place === 'start') {
      if (byte === newline) return true;
      if (byte === space || byte === 0x09 || byte === 0x0d) return false;
      this.#place = byte === hash ? 'comment' : 'key';
      if (this.#place === 'key') this.lines += 1;
    }
    if (escaped) return false;
    if (byte === backslash && this.#place !== 'comment') {
      this.#escaped = true;
      return false;
    }
    if (this.#place === 'string') {
      if (byte === quote) this.#place = 'fields';
      return false;
    }
    if (byte === newline) {
      this.#place = 'start';
      return true;
    }
    if (this.#place === 'key' && byte === space) this.#place = 'fields';
    else if (this.#place === 'fields' && byte === quote && previous === equals) {
      this.#place = 'string';
    }
    return false;
  }
}

function newlinesIn(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) count += 1;
  return count;
}

/**
 * Blocks of about `bytesMin` bytes: each ends at the first end of a line after that many, so a
 * block is larger by what is left of that line.
 */
export async function* lineBlocks(
  source: AsyncIterable<Uint8Array>,
  bytesMin: number,
): AsyncGenerator<LineBlock> {
  const follower = new LineFollower();
  let parts: Uint8Array[] = [];
  let size = 0;
  let firstLine = 1;
  const take = (): LineBlock => {
    const body = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      body.set(part, at);
      at += part.length;
    }
    const block = { body, firstLine, lines: follower.lines };
    follower.lines = 0;
    firstLine += newlinesIn(body);
    parts = [];
    size = 0;
    return block;
  };
  for await (const chunk of source) {
    let from = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      if (!follower.take(chunk[at] ?? 0) || size + at + 1 - from < bytesMin) continue;
      parts.push(chunk.subarray(from, at + 1));
      size += at + 1 - from;
      from = at + 1;
      yield take();
    }
    if (from < chunk.length) {
      // The source may use its memory again for the next chunk.
      parts.push(chunk.slice(from));
      size += chunk.length - from;
    }
  }
  if (size > 0) yield take();
}
