/** The order of calls that makes a file durable under its name (commit-protocol P9). */
import t from 'tap';
import type { Files } from '../../../../src/base/disk/files.ts';
import { FileWriter } from '../../../../src/storage/parquet/file-writer.ts';

/** A file layer of names only, which writes down every call; `fails` names the call to refuse. */
function recording(directories: readonly string[] = []) {
  const calls: string[] = [];
  const present = new Set(['/data', ...directories]);
  let refused = '';
  const call = (text: string) => {
    calls.push(text);
    if (refused !== '' && text.startsWith(refused)) throw new Error(`refused ${text}`);
  };
  const files = {
    open(path: string, mode: string) {
      call(`open ${mode} ${path}`);
      return {
        write(parts: readonly Uint8Array[]) {
          call(`write ${parts.length}`);
        },
        sync(kind: string) {
          call(`${kind} ${path}`);
        },
        close() {
          call('close');
        },
      };
    },
    makeDirectory(path: string) {
      if (present.has(path)) return false;
      present.add(path);
      call(`mkdir ${path}`);
      return true;
    },
    rename(from: string, to: string) {
      call(`rename ${from} ${to}`);
    },
    syncDirectory(path: string) {
      call(`sync ${path}`);
    },
    unlink(path: string) {
      call(`unlink ${path}`);
    },
  } as unknown as Files;
  return {
    files,
    calls,
    refuse: (what: string) => {
      refused = what;
    },
  };
}

const bytes = [Uint8Array.of(1)];
const put = (path: string, temporary: string) => [
  `open create ${temporary}`,
  'write 1',
  `fdatasync ${temporary}`,
  'close',
  `rename ${temporary} ${path}`,
];

t.test('each new directory is made durable in its parent, the file before its name', (test) => {
  const { files, calls } = recording();
  const writer = new FileWriter(files, '/data');
  writer.put('db/m/f.parquet', bytes);
  writer.settle();
  test.strictSame(calls, [
    'mkdir /data/db',
    'sync /data',
    'mkdir /data/db/m',
    'sync /data/db',
    ...put('/data/db/m/f.parquet', '/data/db/m/.tmp-f.parquet'),
    'sync /data/db/m',
  ]);
  test.end();
});

t.test(
  'a directory that was there is synced once all the same: who made it may have died',
  (test) => {
    const { files, calls } = recording(['/data/db', '/data/db/m']);
    const writer = new FileWriter(files, '/data');
    writer.put('db/m/f.parquet', bytes);
    test.strictSame(calls.splice(0).slice(0, 2), ['sync /data', 'sync /data/db']);
    writer.put('db/m/g.parquet', bytes);
    test.strictSame(calls.splice(0), put('/data/db/m/g.parquet', '/data/db/m/.tmp-g.parquet'));
    writer.settle();
    test.strictSame(calls, ['sync /data/db/m'], 'one sync for both names');
    test.end();
  },
);

t.test('a directory whose sync failed is synced again', (test) => {
  const { files, calls, refuse } = recording();
  const writer = new FileWriter(files, '/data');
  refuse('sync /data/db');
  test.throws(() => {
    writer.put('db/m/f.parquet', bytes);
  });
  writer.abandon();
  refuse('');
  calls.length = 0;
  writer.put('db/m/f.parquet', bytes);
  test.equal(calls[0], 'sync /data/db');
  test.end();
});

t.test('after a failure neither the temporary file nor earlier files of the flush stay', (test) => {
  const { files, calls, refuse } = recording();
  const writer = new FileWriter(files, '/data');
  writer.put('db/a.parquet', bytes);
  refuse('fdatasync /data/db/.tmp-b');
  calls.length = 0;
  test.throws(() => {
    writer.put('db/b.parquet', bytes);
  }, /refused/);
  test.strictSame(calls.slice(-2), ['close', 'unlink /data/db/.tmp-b.parquet']);
  writer.abandon();
  test.equal(calls.at(-1), 'unlink /data/db/a.parquet');
  calls.length = 0;
  writer.settle();
  test.strictSame(calls, [], 'nothing is left to make durable');
  test.end();
});
