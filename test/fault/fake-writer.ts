/**
 * A store of sixty lines that is right, over the product's file layer: requests are appended to a
 * log of checked records, every fourth one is published as a file of its own instead. The rig
 * proves itself on it before it is trusted with the real thing.
 */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Files, OpenFile } from '../../src/base/disk/files.ts';

/** Record: u32 payload bytes, u32 request, u32 CRC of both and the payload; then the payload. */
function encodeRecord(request: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(payload.length, 0);
  head.writeUInt32LE(request, 4);
  head.writeUInt32LE(crc32(payload, crc32(head.subarray(0, 8))), 8);
  return Buffer.concat([head, payload]);
}

/** Requests of the valid records at the start of `content`. */
function decodeRecords(content: Buffer): number[] {
  const requests: number[] = [];
  for (let at = 0; at + 12 <= content.length; ) {
    const bytes = content.readUInt32LE(at);
    const payload = content.subarray(at + 12, at + 12 + bytes);
    const crc = crc32(payload, crc32(content.subarray(at, at + 8)));
    if (bytes === 0 || payload.length < bytes || crc !== content.readUInt32LE(at + 8)) break;
    requests.push(content.readUInt32LE(at + 4));
    at += 12 + bytes;
  }
  return requests;
}

export class FakeWriter {
  readonly #files: Files;
  readonly #directory: string;
  readonly #log: OpenFile;
  #logBytes = 0;

  constructor(files: Files, directory: string) {
    this.#files = files;
    this.#directory = directory;
    this.#log = files.open(join(directory, 'log'), 'create');
    files.syncDirectory(directory);
  }

  /** Returns when the request is durable. */
  write(request: number, payload: Buffer): void {
    const record = encodeRecord(request, payload);
    if (request % 4 === 0) {
      this.#publish(request, record);
      return;
    }
    this.#log.write([record], this.#logBytes);
    this.#log.sync('fdatasync');
    this.#logBytes += record.length;
  }

  close(): void {
    this.#log.close();
  }

  #publish(request: number, record: Buffer): void {
    const temporary = join(this.#directory, 'new.temporary');
    const file = this.#files.open(temporary, 'create');
    file.write([record], 0);
    file.sync('fdatasync');
    file.close();
    this.#files.rename(temporary, join(this.#directory, `${request}.published`));
    this.#files.syncDirectory(this.#directory);
  }
}

/** Reads back what a store holds, and which of its published files are broken. */
export function readFakeStore(
  files: Files,
  directory: string,
): { readonly present: readonly number[]; readonly broken: readonly string[] } {
  const present: number[] = [];
  const broken: string[] = [];
  for (const name of files.list(directory)) {
    if (name !== 'log' && !name.endsWith('.published')) continue;
    const file = files.open(join(directory, name), 'read');
    const content = Buffer.alloc(file.size());
    file.read(content, 0);
    file.close();
    const requests = decodeRecords(content);
    if (name !== 'log' && requests.length !== 1) broken.push(name);
    present.push(...requests);
  }
  return { present, broken };
}
