/**
 * Which phase of the gateway's work a file call belongs to, told from the thread, the path, and the
 * method of the log that is running.
 */
import type { FileCall } from '../intercept-files.ts';
import type { ThreadName } from './plan.ts';

/** All phases over which power cuts and kills are spread. */
export const gatewayPhases = [
  'replay',
  'append',
  'rotate',
  'recycle',
  'spare',
  'Parquet sync',
  'rename',
  'directory sync',
  'journal append',
  'journal rotate',
  'journal compaction',
] as const;

export type GatewayPhase = (typeof gatewayPhases)[number];

const changing = new Set([
  'open',
  'write',
  'sync',
  'rename',
  'unlink',
  'truncate',
  'syncDirectory',
]);

export class PhaseReader {
  /** True while a log is being opened on this thread. */
  replaying = false;
  readonly #thread: ThreadName;
  #method = '';
  #hasSnapshot = false;
  /** A fresh segment was begun and its directory is not synced yet. */
  #isFresh = false;

  constructor(thread: ThreadName) {
    this.#thread = thread;
  }

  /** Told of each call of a method of the log on this thread. */
  logCall(method: string, args: readonly unknown[]): void {
    this.#method = method;
    this.#hasSnapshot = method === 'rotate' && args[0] !== undefined;
    this.#isFresh = false;
  }

  phaseOf(call: FileCall): GatewayPhase | undefined {
    if (!changing.has(call.kind) || (call.kind === 'open' && call.mode !== 'create')) {
      return undefined;
    }
    if (this.replaying) return 'replay';
    switch (this.#thread) {
      case 'wal':
        return this.#walPhase(call);
      case 'commit':
        return this.#journalPhase(call);
      case 'spare':
        return 'spare';
      case 'encoder':
        return encoderPhase(call);
    }
  }

  #walPhase(call: FileCall): GatewayPhase {
    if (this.#method === 'release') return 'recycle';
    return this.#freshness(call) ? 'rotate' : 'append';
  }

  #journalPhase(call: FileCall): GatewayPhase | undefined {
    if (!/\/journal(\/|$)/.test(call.path)) return undefined;
    if (this.#hasSnapshot || this.#method === 'release') return 'journal compaction';
    return this.#freshness(call) ? 'journal rotate' : 'journal append';
  }

  /** True from the making of a fresh segment to the sync of its directory, both included. */
  #freshness(call: FileCall): boolean {
    if (call.kind === 'rename' || call.kind === 'open' || call.path.endsWith('.spare')) {
      this.#isFresh = true;
    }
    const isFresh = this.#isFresh;
    if (call.kind === 'syncDirectory') this.#isFresh = false;
    return isFresh;
  }
}

/** Of hot chunks, on the disk and in memory. */
const hotChunk = /\/hot\/|^\/dev\/shm\/holdfast-[0-9a-f-]{36}-/;

function encoderPhase(call: FileCall): GatewayPhase | undefined {
  if (hotChunk.test(call.path)) return undefined;
  if (call.kind === 'rename') return 'rename';
  return call.kind === 'syncDirectory' ? 'directory sync' : 'Parquet sync';
}
