/** A directory in memory: private, never one that somebody else made, gone with its start. */
import t from 'tap';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  makeMemoryDirectory,
  removeMemoryDirectory,
} from '../../../../src/base/disk/memory-directory.ts';

const isTmpfs = (path: string) => existsSync(path) && statfsSync(path).type === 0x01021994;

/** A data directory on a disk, and a place in memory that is the test's own. */
function places(test: { teardown(call: () => void): unknown }) {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-memory-'));
  const parent = mkdtempSync('/dev/shm/test-');
  test.teardown(() => {
    rmSync(root, { recursive: true });
    rmSync(parent, { recursive: true });
  });
  return { dataDirectory: root, parent, gatewayId: 'a-b-c', bytes: 4096 };
}

const canRun = isTmpfs('/dev/shm') && !isTmpfs(tmpdir());
const skip = canRun ? false : 'needs memory in /dev/shm and a disk below the temporary folder';

t.test('it is new, empty and nobody else can read it', { skip }, (test) => {
  const options = places(test);
  const path = makeMemoryDirectory(options) ?? '';
  test.match(path, /\/holdfast-a-b-c-[0-9]+-[0-9]+-[0-9a-f]{16}$/);
  test.equal(statSync(path).mode & 0o777, 0o700);
  test.same(readdirSync(path), []);
  test.end();
});

t.test('the next start removes what the last one left, and nothing else', { skip }, (test) => {
  const options = places(test);
  const left = makeMemoryDirectory(options) ?? '';
  writeFileSync(join(left, '16-1.parquet'), 'rows');
  const clone = mkdtempSync(join(tmpdir(), 'holdfast-memory-'));
  test.teardown(() => {
    rmSync(clone, { recursive: true });
  });
  const ofClone = makeMemoryDirectory({ ...options, dataDirectory: clone }) ?? '';
  const ofOther = makeMemoryDirectory({ ...options, gatewayId: 'a' }) ?? '';
  const target = join(options.parent, 'target');
  mkdirSync(target);
  symlinkSync(target, `${left}-link`);
  const next = makeMemoryDirectory(options) ?? '';
  test.notOk(existsSync(left));
  test.ok(existsSync(next) && next !== left);
  test.ok(existsSync(ofClone), 'a copy of the data directory has the same id and may run');
  test.ok(existsSync(ofOther));
  test.ok(existsSync(target), 'nothing is followed');
  removeMemoryDirectory(next);
  removeMemoryDirectory(next);
  test.notOk(existsSync(next));
  test.end();
});

t.test('none where memory is short, absent, or no better than the disk', { skip }, (test) => {
  const options = places(test);
  const { bavail, bsize } = statfsSync('/dev/shm');
  const none = (over: Partial<typeof options>, why: string) => {
    test.equal(makeMemoryDirectory({ ...options, ...over }), undefined, why);
  };
  none({ bytes: 2 * bavail * bsize }, 'short');
  none({ parent: '/nowhere' }, 'absent');
  none({ parent: tmpdir() }, 'a disk');
  none({ dataDirectory: options.parent }, 'the data directory lies in memory');
  none({ dataDirectory: '/nowhere' }, 'no data directory');
  test.same(readdirSync(options.parent), [], 'nothing was made');
  test.end();
});
