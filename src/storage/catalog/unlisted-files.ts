/**
 * Data files that no commit names, found at a start (commit-protocol, section 9). Most were left by
 * a crash between a file's rename and its commit; their rows are in the log or in a later file.
 * Nothing is deleted unless that is proven. Commit thread, before writes open.
 *
 * I1. A temporary file is ours and unfinished: deleted.
 * I2. A flush file is deleted if each of its rows was filed under another id (at or below its
 *     measurement's position or the low-water mark) or was given by replay again, and the file is
 *     of the box's present epoch. A job's file is deleted if all that it replaces is known: its
 *     rows are there. Everything else goes to `orphans/`.
 * I3. If the journal lost records, nothing but temporary files is deleted; if the write-ahead log
 *     did, no file that touches the lost numbers.
 * I4. A file that cannot be judged or moved stays where it is, with an alarm; queries never see it.
 *     Nothing that lies in the data folder makes a start fail.
 */
import type { Files } from '../../base/disk/files.ts';
import { asGatewayError } from '../../base/errors/gateway-error.ts';
import type { JournalAlarm, LostNumbers } from '../../log/journal/commit-messages.ts';
import type { UnlistedFiles } from '../../log/journal/commit-worker.ts';
import { epochOf, fileIdLimit } from '../../log/journal/file-ids.ts';

/** What a file's footer says of it. */
export interface FlushFacts {
  readonly fileId: number;
  readonly measurementId: number;
  readonly lsns: readonly [number, number];
  readonly supersedes: readonly number[];
}

export interface UnlistedDeps {
  readonly files: Files;
  /** `<data_dir>/data` and `<data_dir>/orphans`. */
  readonly dataDirectory: string;
  readonly orphans: string;
  /** @throws if the footer cannot be read */
  footerOf(path: string): FlushFacts;
  /** True if a live or removed file of the catalog has this path, relative to the data folder. */
  isListed(path: string): boolean;
  /** True if a live or removed file of the catalog has this id. */
  isKnown(fileId: number): boolean;
  /** Last LSN up to which all rows of the measurement are filed, by position or low-water mark. */
  filedTo(measurementId: number): number;
  /** Epoch of the box (file-ids.ts). */
  readonly epoch: number;
  readonly damaged: boolean;
  alarm(alarm: JournalAlarm): void;
}

const fileName = /_([0-9a-f]{16})\.parquet$/;
const temporaryPrefix = '.tmp-';
/** Bytes of a name that every file system takes. */
const nameBytesMax = 255;

interface Undecided {
  readonly path: string;
  /** LSNs of its rows that are not filed elsewhere. */
  readonly unfiled: readonly [first: number, last: number];
  readonly epoch: number;
}

class Unlisted implements UnlistedFiles {
  readonly #deps: UnlistedDeps;
  /** Above what is filed: the log decides. */
  #undecided: Undecided[] = [];
  highestId = 0;

  constructor(deps: UnlistedDeps) {
    this.#deps = deps;
    this.#guarded('', () => {
      for (const name of deps.files.list(deps.orphans)) this.#noteId(name);
      this.#walk('');
    });
  }

  replayed(firstLsn: number, lastLsn: number, lost: readonly LostNumbers[] = []): void {
    const { epoch } = this.#deps;
    for (const { path, unfiled, epoch: epochThen } of this.#undecided.splice(0)) {
      const [first, last] = unfiled;
      const isWhole = !lost.some((gap) => gap.firstNumber <= last && gap.lastNumber >= first);
      const again = first >= firstLsn && last <= lastLsn && isWhole && epochThen === epoch;
      if (again) this.#delete(path);
      else this.#toOrphans(path, 'its rows are in no log and no listed file');
    }
  }

  /** `folder` relative to the data folder, with a slash at its end unless it is empty. */
  #walk(folder: string): void {
    const { files, dataDirectory } = this.#deps;
    for (const name of files.list(`${dataDirectory}/${folder}`.replace(/\/$/, ''))) {
      const path = `${folder}${name}`;
      if (name.startsWith(temporaryPrefix)) this.#delete(path);
      else if (name.endsWith('.parquet')) this.#look(path);
      else this.#enter(path);
    }
  }

  /** Something that is no Parquet file by its name: a folder, or a stranger. */
  #enter(path: string): void {
    try {
      this.#walk(`${path}/`);
    } catch (error) {
      const { message, details } = asGatewayError(error);
      if (details['errno'] === 'ENOTDIR') this.#toOrphans(path, 'it is no data file');
      else this.#deps.alarm({ kind: 'file-unlisted', message, details: { path } });
    }
  }

  #look(path: string): void {
    this.#noteId(path);
    if (this.#deps.isListed(path)) return;
    try {
      this.#judge(path);
    } catch (error) {
      this.#toOrphans(path, asGatewayError(error).message);
    }
  }

  #noteId(name: string): void {
    const digits = fileName.exec(name)?.[1];
    const id = digits === undefined ? 0 : Number.parseInt(digits, 16);
    // A larger one was never given by a box: somebody else's file.
    if (id < fileIdLimit) this.highestId = Math.max(this.highestId, id);
  }

  #judge(path: string): void {
    const { footerOf, dataDirectory, damaged, filedTo, isKnown } = this.#deps;
    const { fileId, measurementId, lsns, supersedes } = footerOf(`${dataDirectory}/${path}`);
    if (damaged) {
      this.#toOrphans(path, 'the journal may have lost the commit that named it');
    } else if (supersedes.length > 0) {
      if (supersedes.every((id) => isKnown(id))) this.#delete(path);
      else this.#toOrphans(path, 'files that it replaces are not known');
    } else {
      const first = Math.max(lsns[0], filedTo(measurementId) + 1);
      if (lsns[1] < first) this.#delete(path);
      else this.#undecided.push({ path, unfiled: [first, lsns[1]], epoch: epochOf(fileId) });
    }
  }

  #delete(path: string): void {
    const { files, dataDirectory } = this.#deps;
    this.#guarded(path, () => {
      files.unlink(`${dataDirectory}/${path}`);
    });
  }

  #toOrphans(path: string, reason: string): void {
    const { files, dataDirectory, orphans, alarm } = this.#deps;
    this.#guarded(path, () => {
      const name = this.#freeName(path);
      files.rename(`${dataDirectory}/${path}`, `${orphans}/${name}`);
      files.syncDirectory(orphans);
      const message = `${path} was moved to orphans/${name}: ${reason}`;
      alarm({ kind: 'file-orphaned', message, details: { path } });
    });
  }

  /** The path in one name, or its last part if that is too long; never a name that is taken. */
  #freeName(path: string): string {
    const { files, orphans } = this.#deps;
    const flat = path.replaceAll('/', '__');
    const digitsMax = 8;
    const isShort = Buffer.byteLength(flat) <= nameBytesMax - digitsMax;
    const name = isShort ? flat : path.slice(path.lastIndexOf('/') + 1);
    let free = name;
    for (let count = 2; files.size(`${orphans}/${free}`) !== undefined; count += 1) {
      free = `${count}-${name}`;
    }
    return free;
  }

  #guarded(path: string, call: () => void): void {
    try {
      call();
    } catch (error) {
      const { message } = asGatewayError(error);
      this.#deps.alarm({ kind: 'file-unlisted', message, details: { path } });
    }
  }
}

/** Finds and judges them; those whose rows are not all filed wait for `replayed`. */
export function findUnlisted(deps: UnlistedDeps): UnlistedFiles {
  return new Unlisted(deps);
}
