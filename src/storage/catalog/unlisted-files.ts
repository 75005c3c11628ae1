/**
 * Data files that no commit names, found at a start (commit-protocol, section 9). Most were left by
 * a crash between a file's rename and its commit; their rows are in the log or in a later file.
 * Nothing is deleted unless that is proven. Commit thread, before writes open.
 *
 * I1. A temporary file is ours and unfinished: deleted.
 * I2. A flush file wholly at or below its measurement's position is deleted: its rows were filed
 *     under another id. So is one whose LSNs replay gave again. Everything else goes to `orphans/`.
 * I3. If the journal lost records, nothing but temporary files is deleted.
 * I4. A file that cannot be judged or moved stays where it is, with an alarm; queries never see it.
 */
import type { Files } from '../../base/disk/files.ts';
import { asGatewayError } from '../../base/errors/gateway-error.ts';
import type { JournalAlarm } from '../../log/journal/commit-messages.ts';
import type { UnlistedFiles } from '../../log/journal/commit-worker.ts';

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
  /** Last LSN of the measurement whose rows are all filed. */
  position(measurementId: number): number;
  readonly damaged: boolean;
  alarm(alarm: JournalAlarm): void;
}

const fileName = /_([0-9a-f]{16})\.parquet$/;
const temporaryPrefix = '.tmp-';

class Unlisted implements UnlistedFiles {
  readonly #deps: UnlistedDeps;
  /** Above their positions: the log decides. */
  #undecided: { readonly path: string; readonly lsns: readonly [number, number] }[] = [];
  highestId = 0;

  constructor(deps: UnlistedDeps) {
    this.#deps = deps;
    this.#walk('');
  }

  replayed(firstLsn: number, lastLsn: number): void {
    for (const { path, lsns } of this.#undecided.splice(0)) {
      const again = lsns[0] >= firstLsn && lsns[1] <= lastLsn;
      if (again) this.#delete(path);
      else this.#toOrphans(path, 'its rows are in no log and no listed file');
    }
  }

  /** `folder` relative to the data folder, with a slash at its end unless it is empty. */
  #walk(folder: string): void {
    const { files, dataDirectory } = this.#deps;
    for (const name of files.list(`${dataDirectory}/${folder}`)) {
      const path = `${folder}${name}`;
      if (name.startsWith(temporaryPrefix)) this.#delete(path);
      else if (name.endsWith('.parquet')) this.#look(path);
      else this.#walk(`${path}/`);
    }
  }

  #look(path: string): void {
    const id = fileName.exec(path)?.[1];
    if (id !== undefined) this.highestId = Math.max(this.highestId, Number.parseInt(id, 16));
    if (this.#deps.isListed(path)) return;
    try {
      this.#judge(path);
    } catch (error) {
      this.#toOrphans(path, asGatewayError(error).message);
    }
  }

  #judge(path: string): void {
    const { footerOf, dataDirectory, damaged, position } = this.#deps;
    const { measurementId, lsns, supersedes } = footerOf(`${dataDirectory}/${path}`);
    if (damaged || supersedes.length > 0) {
      this.#toOrphans(path, 'the journal may have lost the commit that named it');
      return;
    }
    const filed = position(measurementId);
    if (lsns[1] <= filed) this.#delete(path);
    else if (lsns[0] > filed) this.#undecided.push({ path, lsns });
    else this.#toOrphans(path, `its rows were filed in part, up to ${filed}`);
  }

  #delete(path: string): void {
    const { files, dataDirectory } = this.#deps;
    this.#guarded(path, () => {
      files.unlink(`${dataDirectory}/${path}`);
    });
  }

  #toOrphans(path: string, reason: string): void {
    const { files, dataDirectory, orphans, alarm } = this.#deps;
    const name = path.replaceAll('/', '__');
    this.#guarded(path, () => {
      files.rename(`${dataDirectory}/${path}`, `${orphans}/${name}`);
      files.syncDirectory(orphans);
      const message = `${path} was moved to orphans/${name}: ${reason}`;
      alarm({ kind: 'file-orphaned', message, details: { path } });
    });
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

/** Finds and judges them; those above their position wait for `replayed`. */
export function findUnlisted(deps: UnlistedDeps): UnlistedFiles {
  return new Unlisted(deps);
}
