/**
 * Judges the order of a gateway's file calls, recorded over all its threads:
 *
 * - a request is answered only after its group was written and then synced;
 * - a file is renamed into place only after its last write was synced;
 * - a commit is written only when the names of its files, and of every folder made for them, are
 *   synced;
 * - a WAL segment is recycled only when a synced commit's low-water mark covers it and a later
 *   record of the journal was synced after that commit;
 * - a journal segment is unlinked only when a snapshot stands and a later record was synced.
 */
import { dirname } from 'node:path';
import type { RecordedCall, RecordedLine } from './call-record.ts';

export interface AuditReport {
  readonly problems: readonly string[];
  /** How often each rule was put to the test. */
  readonly checked: Readonly<Record<string, number>>;
}

class Audit {
  readonly problems: string[] = [];
  readonly checked: Record<string, number> = {};
  readonly #dataDirectory: string;
  /** Paths written and not synced since. */
  readonly #dirty = new Set<string>();
  readonly #durableRequests = new Set<number>();
  /** Names given or folders made whose directory was not synced since. */
  readonly #unsyncedNames = new Set<string>();
  readonly #knownFolders = new Set<string>();
  #walSegment = '';
  #walSynced = true;
  readonly #lastLsnOf = new Map<string, number>();
  /** Low-water marks of commits: being written, synced, and proven by a later sync. */
  #writing = 0;
  #synced = 0;
  #proven = 0;
  #syncsAfterSnapshot: number | undefined;

  constructor(dataDirectory: string) {
    this.#dataDirectory = dataDirectory;
  }

  read(line: RecordedLine): void {
    switch (line.at) {
      case 'answered':
        this.#rule('answer after its sync', this.#durableRequests.has(line.request), line.request);
        return;
      case 'appended':
        this.#lastLsnOf.set(this.#walSegment, line.lastLsn);
        if (this.#walSynced) for (const one of line.requests) this.#durableRequests.add(one);
        return;
      case 'committing':
        this.#writing = Math.max(this.#writing, line.lowWater ?? 0);
        for (const path of line.paths) this.#commitNames(`${this.#dataDirectory}/${path}`);
        return;
      case 'snapshot':
        this.#syncsAfterSnapshot = 0;
        return;
      case 'begin':
        this.#begin(line);
        return;
      case 'end':
        this.#end(line);
    }
  }

  #rule(name: string, holds: boolean, what: string | number): void {
    this.checked[name] = (this.checked[name] ?? 0) + 1;
    if (!holds) this.problems.push(`${name}: ${what}`);
  }

  #commitNames(path: string): void {
    let name = path;
    let missing = '';
    while (name.length > this.#dataDirectory.length) {
      if (this.#unsyncedNames.has(name)) missing = name;
      name = dirname(name);
    }
    this.#rule('commit after the directory', missing === '', missing);
  }

  #begin({ kind, path, to = '', position }: RecordedCall): void {
    if (kind === 'rename' && to.endsWith('.parquet')) {
      this.#rule('rename after the sync', !this.#dirty.has(path), to);
    }
    // A segment that holds rows goes by its header being zeroed, before it gets another name.
    const isZeroed = kind === 'write' && position === 0 && this.#lastLsnOf.has(path);
    if ((isZeroed || kind === 'unlink' || kind === 'rename') && path.endsWith('.wal')) {
      const last = this.#lastLsnOf.get(path) ?? 0;
      this.#rule('recycling after a proven commit', last <= this.#proven, `${path} to ${last}`);
    }
    if (kind === 'unlink' && path.endsWith('.journal')) {
      const proven = (this.#syncsAfterSnapshot ?? 0) > 0;
      this.#rule('journal goes after a proven snapshot', proven, path);
    }
  }

  #end({ kind, path, to = '', thread }: RecordedCall): void {
    switch (kind) {
      case 'write':
        this.#dirty.add(path);
        if (path.endsWith('.wal')) {
          this.#walSegment = path;
          this.#walSynced = false;
        }
        return;
      case 'sync':
        this.#dirty.delete(path);
        if (path === this.#walSegment) this.#walSynced = true;
        if (thread === 'commit' && path.endsWith('.journal')) this.#journalSynced();
        return;
      case 'rename':
        if (to.endsWith('.parquet')) this.#unsyncedNames.add(to);
        return;
      case 'makeDirectory':
        if (!this.#knownFolders.has(path)) this.#unsyncedNames.add(path);
        this.#knownFolders.add(path);
        return;
      case 'syncDirectory':
        for (const name of this.#unsyncedNames) {
          if (dirname(name) === path) this.#unsyncedNames.delete(name);
        }
        return;
      default:
        return;
    }
  }

  #journalSynced(): void {
    this.#proven = this.#synced;
    this.#synced = this.#writing;
    if (this.#syncsAfterSnapshot !== undefined) this.#syncsAfterSnapshot += 1;
  }
}

export function auditCalls(lines: readonly RecordedLine[], dataDirectory: string): AuditReport {
  const audit = new Audit(dataDirectory);
  for (const line of lines) audit.read(line);
  return { problems: audit.problems, checked: audit.checked };
}
