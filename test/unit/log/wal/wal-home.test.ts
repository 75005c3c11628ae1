/** Where the write-ahead log is, and that no start loses sight of it. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { nodeFiles, type Files } from '../../../../src/base/disk/files.ts';
import { GatewayError } from '../../../../src/base/errors/gateway-error.ts';
import { systemClock } from '../../../../src/base/lib/clock.ts';
import { encodeCommit } from '../../../../src/log/journal/commit-record.ts';
import { journalNaming } from '../../../../src/log/journal/journal-naming.ts';
import { openLog } from '../../../../src/log/open-log.ts';
import { encodeRequest } from '../../../../src/log/wal/request-record.ts';
import { claimWalHome } from '../../../../src/log/wal/wal-home.ts';
import { walNaming } from '../../../../src/log/wal/wal-naming.ts';
import { interceptFiles } from '../../../support/intercept-files.ts';
import { iotRequest } from '../../../support/request-batches.ts';

type Naming = typeof walNaming | typeof journalNaming;

class Box {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-home-'));
  readonly root = join(this.folder, 'data');
  gatewayId = 'mine';
  #filed = 0;

  constructor(t: Test) {
    for (const name of ['data', 'data/wal', 'data/journal']) mkdirSync(this.at(name));
    t.teardown(() => {
      rmSync(this.folder, { recursive: true });
    });
  }

  at(name: string): string {
    return join(this.folder, name);
  }

  /** A start that looks for the log in `wal`. */
  start(wal: string, files: Files = nodeFiles): void {
    if (files.size(this.at(wal)) === undefined) mkdirSync(this.at(wal));
    const { root, gatewayId } = this;
    claimWalHome({ files, root, journal: join(root, 'journal'), wal: this.at(wal), gatewayId });
  }

  refuses(t: Test, wal: string, words: RegExp, code = 'HF_WAL_LEFT'): void {
    const before = this.listing();
    t.throws(
      () => {
        this.start(wal);
      },
      { code, message: words },
    );
    t.strictSame(this.listing(), before, 'nothing was changed');
  }

  listing(): readonly (readonly [string, string])[] {
    return readdirSync(this.folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name))
      .map((path) => [path, readFileSync(path, 'latin1')] as const);
  }

  /** A request of three rows in the log; returns its last LSN. */
  write(wal: string): number {
    const payload = encodeRequest(iotRequest(3));
    return (this.#append(wal, walNaming, payload, 3) ?? 0) + 2;
  }

  /** A commit that files all up to `lsn`. */
  file(lsn: number): void {
    const payload = encodeCommit({ kind: 'flush', positions: [[16, lsn]], lowWater: lsn });
    this.#append('data/journal', journalNaming, payload, 1);
    this.#filed = lsn;
  }

  #append(directory: string, naming: Naming, payload: Uint8Array, count: number) {
    const { log } = openLog(
      {
        ...naming,
        files: nodeFiles,
        directory: this.at(directory),
        quarantine: this.folder,
        segmentBytes: 1 << 16,
        segmentAgeMs: Infinity,
        syncMode: 'fdatasync',
        preallocate: false,
        clock: systemClock,
        randomSalt: () => 7,
      },
      { lowWater: 0, floor: () => this.#filed, onRecord: () => undefined },
    );
    const [number] = log.append([{ payload, count }]);
    log.close();
    return number;
  }
}

t.test('the first start names the place, later ones at it write nothing', (t) => {
  const box = new Box(t);
  box.start('data/wal');
  const before = box.listing();
  t.equal(before.length, 2);
  box.write('data/wal');
  const used = box.listing();
  box.start('data/wal');
  t.strictSame(box.listing(), used);
  t.end();
});

t.test('a log of before these files is taken as it is', (t) => {
  const box = new Box(t);
  box.write('data/wal');
  box.start('data/wal');
  box.refuses(t, 'other', /1 records/);
  t.end();
});

t.test('another place is refused while unfiled rows are at the old one', (t) => {
  const box = new Box(t);
  box.start('old');
  const lsn = box.write('old');
  box.refuses(t, 'new', /the log was in .*\/old .* wal\.dir is .*\/new .*1 records/);
  box.file(lsn - 3);
  box.refuses(t, 'new', /1 records/);
  box.file(lsn);
  box.start('new');
  t.pass('all are filed: it may go on elsewhere');
  box.write('new');
  box.refuses(t, 'old', /1 records/);
  box.start('new');
  t.end();
});

t.test('a log that was moved is found, whole or by its segments', (t) => {
  const box = new Box(t);
  box.start('data/wal');
  box.write('data/wal');
  renameSync(box.at('data/wal'), box.at('b'));
  box.start('b');
  mkdirSync(box.at('c'));
  for (const name of readdirSync(box.at('b'))) {
    if (name.endsWith('.wal')) renameSync(box.at(`b/${name}`), box.at(`c/${name}`));
  }
  box.start('c');
  box.start('c');
  t.end();
});

t.test('a data directory that was moved takes its log along', (t) => {
  const box = new Box(t);
  box.start('data/wal');
  box.write('data/wal');
  const moved = new Box(t);
  cpSync(box.root, moved.root, { recursive: true });
  rmSync(box.root, { recursive: true });
  moved.start('data/wal');
  t.end();
});

t.test('another name for the same directory is the same place', (t) => {
  const box = new Box(t);
  box.start('old');
  box.write('old');
  symlinkSync(box.at('old'), box.at('link'));
  box.start('link');
  t.notOk(readdirSync(box.at('old')).includes('.alias-test'));
  t.end();
});

t.test('a copy that stayed behind is not taken for the log later', (t) => {
  const box = new Box(t);
  box.start('a');
  const lsn = box.write('a');
  cpSync(box.at('a'), box.at('b'), { recursive: true });
  box.refuses(t, 'b', /1 records/);
  renameSync(box.at('a'), box.at('kept'));
  box.start('b');
  box.write('b');
  renameSync(box.at('b'), box.at('unmounted'));
  renameSync(box.at('kept'), box.at('a'));
  box.file(lsn);
  box.refuses(t, 'a', /in neither of them/);
  renameSync(box.at('unmounted'), box.at('b'));
  box.start('b');
  t.end();
});

t.test('a place that cannot be looked at may hold unfiled rows', (t) => {
  const box = new Box(t);
  box.start('old');
  box.write('old');
  const files = interceptFiles(nodeFiles, {
    before: ({ path }) => {
      if (path.includes('/old/')) throw new GatewayError('HF_IO', `${path}: EACCES`);
      return undefined;
    },
  });
  t.throws(
    () => {
      box.start('new', files);
    },
    { code: 'HF_WAL_LEFT', message: /old.*EACCES/ },
  );
  renameSync(box.at('old'), box.at('away'));
  box.refuses(t, 'new', /in neither of them/);
  t.end();
});

t.test('a disk that is not mounted is not an empty log', (t) => {
  const box = new Box(t);
  box.start('mount');
  box.write('mount');
  renameSync(box.at('mount'), box.at('disk'));
  mkdirSync(box.at('mount'));
  box.refuses(t, 'mount', /is empty.*mounted\?/);
  rmSync(box.at('mount'), { recursive: true });
  renameSync(box.at('disk'), box.at('mount'));
  box.start('mount');
  rmSync(box.at('mount/wal.id'));
  box.start('mount');
  t.ok(readdirSync(box.at('mount')).includes('wal.id'), 'a log that lost its id gets it back');
  t.end();
});

t.test('what was emptied below the data directory starts anew', (t) => {
  const box = new Box(t);
  box.start('data/wal');
  rmSync(box.at('data/wal'), { recursive: true });
  box.start('data/wal');
  t.ok(readdirSync(box.at('data/wal')).includes('wal.id'));
  t.end();
});

t.test('the log of another gateway is refused', (t) => {
  const box = new Box(t);
  box.start('shared');
  const other = new Box(t);
  other.gatewayId = 'other';
  other.start('data/wal');
  renameSync(box.at('shared'), other.at('shared'));
  other.refuses(t, 'shared', /another gateway/, 'HF_WAL_FOREIGN');
  t.end();
});

t.test('a crash at any call of a claim leaves a place that the next start settles', (t) => {
  for (let calls = 1; ; calls += 1) {
    const box = new Box(t);
    box.start('old');
    box.write('old');
    renameSync(box.at('old'), box.at('new'));
    let left = calls;
    const files = interceptFiles(nodeFiles, {
      before: ({ kind }) => {
        if (kind === 'size' || kind === 'read' || kind === 'list') return undefined;
        left -= 1;
        if (left === 0) throw new Error('crash');
        return undefined;
      },
    });
    try {
      box.start('new', files);
      t.ok(calls > 10, `${calls - 1} calls`);
      break;
    } catch (error) {
      t.match(error, { message: 'crash' });
    }
    box.start('new');
    const before = box.listing();
    box.start('new');
    t.strictSame(box.listing(), before, `settled after a crash at call ${calls}`);
  }
  t.end();
});

t.test('spoilt files say nothing', (t) => {
  const box = new Box(t);
  box.start('old');
  writeFileSync(box.at('data/wal-place'), '{');
  writeFileSync(box.at('old/wal.id'), '[]');
  box.start('old');
  box.write('old');
  box.refuses(t, 'new', /1 records/);
  t.end();
});
