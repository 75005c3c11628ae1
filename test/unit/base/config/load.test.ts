import t from 'tap';
import {
  type ConfigFiles,
  loadConfig,
  systemFile,
  systemFolder,
} from '../../../../src/base/config/load.ts';

/** Files by path; folders are the prefixes of paths. */
function filesOf(contents: Record<string, string> = {}): ConfigFiles {
  const paths = Object.keys(contents);
  return {
    exists: (path) => paths.some((each) => each === path || each.startsWith(`${path}/`)),
    list: (path) =>
      paths
        .filter((each) => each.startsWith(`${path}/`))
        .map((each) => each.slice(path.length + 1))
        .sort(),
    read: (path) => contents[path] ?? '',
  };
}

function load(
  options: { words?: string[]; environment?: Record<string, string>; files?: ConfigFiles } = {},
) {
  return loadConfig({
    words: options.words ?? [],
    environment: options.environment ?? {},
    files: options.files ?? filesOf(),
  }).raw;
}

t.test('defaults stand where no layer says otherwise', (t) => {
  const raw = load();
  t.equal(raw['server.listen'], '127.0.0.1:8086');
  t.equal(raw['server.max_body'], 32 * 1024 * 1024);
  t.equal(raw['ingest.buffer_age'], 5000);
  t.equal(raw['wal.segment_age'], 3_600_000);
  t.same(raw['storage.soft_free'], { share: 0.15, bytes: 2 * 1024 ** 3 });
  t.same(raw['ingest.memory'], { share: undefined, bytes: undefined });
  t.equal(raw['query.threads'], undefined, 'auto');
  t.end();
});

t.test('each layer wins over the one before', (t) => {
  const files = filesOf({
    [systemFile]: '[query]\npool_size = 2\nqueue_max = 2\ntimeout = "2s"\nthreads = 2\n',
    [`${systemFolder}/10-a.toml`]: '[query]\nqueue_max = 3\ntimeout = "3s"\nthreads = 3\n',
    [`${systemFolder}/20-b.toml`]: 'query.timeout = "4s"\nquery.threads = 4\n',
    [`${systemFolder}/notes.txt`]: 'not read',
  });
  const raw = load({
    files,
    environment: { DUCKDB_THREADS: '5', HOLDFAST_QUERY_THREADS: '6' },
    words: ['--query-threads', '7', '--query-threads=8'],
  });
  t.equal(raw['query.pool_size'], 2, 'main file');
  t.equal(raw['query.queue_max'], 3, 'first of conf.d');
  t.equal(raw['query.timeout'], 4000, 'second of conf.d');
  t.equal(raw['query.threads'], 8, 'last flag');
  t.equal(load({ files, environment: { DUCKDB_THREADS: '5' } })['query.threads'], 5, 'alias');
  const both = { DUCKDB_THREADS: '5', HOLDFAST_QUERY_THREADS: '6' };
  t.equal(load({ files, environment: both })['query.threads'], 6, 'own name before the alias');
  t.end();
});

t.test('--config takes the place of the system files', (t) => {
  const files = filesOf({
    [systemFile]: '[query]\npool_size = 2\n',
    '/own.toml': '[query]\nqueue_max = 9\n',
  });
  const raw = load({ files, words: ['--config', '/own.toml'] });
  t.equal(raw['query.pool_size'], 5);
  t.equal(raw['query.queue_max'], 9);
  t.throws(() => load({ words: ['--config=/none.toml'] }), { code: 'HF_CONFIG' });
  t.end();
});

t.test('names of the seed and of Arc keep their units', (t) => {
  const raw = load({
    environment: {
      WRITE_BUFFER_SIZE: '123',
      WRITE_BUFFER_AGE: '7',
      WAL_MAX_SIZE_MB: '100',
      WAL_MAX_AGE_SECONDS: '60',
      WAL_SYNC_MODE: 'fsync',
      WAL_ENABLED: 'false',
      DUCKDB_MEMORY_LIMIT: '16GB',
    },
  });
  t.equal(raw['ingest.buffer_rows'], 123);
  t.equal(raw['ingest.buffer_age'], 7000);
  t.equal(raw['wal.segment_size'], 100 * 1024 * 1024);
  t.equal(raw['wal.segment_age'], 60_000);
  t.equal(raw['wal.sync_mode'], 'fsync');
  t.equal(raw['wal.enabled'], false);
  t.same(raw['query.memory'], { share: undefined, bytes: 16e9 });
  t.equal(load({ environment: { ARC_INGEST_MAX_BUFFER_AGE_MS: '100' } })['ingest.buffer_age'], 100);
  t.end();
});

t.test('an unknown name anywhere stops the start with the nearest known one', (t) => {
  const unknown: [Parameters<typeof load>[0], string, RegExp][] = [
    [{ words: ['--listne', 'x'] }, 'HF_USAGE', /--listne; did you mean --listen\?/],
    [{ words: ['--wal-sync-modes=x'] }, 'HF_USAGE', /did you mean --wal-sync-mode\?/],
    [{ words: ['--toString'] }, 'HF_USAGE', /unknown flag/],
    [{ words: ['extra'] }, 'HF_USAGE', /no operand: 'extra'/],
    [
      { environment: { HOLDFAST_SERVER_LISTN: 'x' } },
      'HF_CONFIG',
      /HOLDFAST_SERVER_LISTN.*nearest known name is 'HOLDFAST_SERVER_LISTEN'/,
    ],
    [
      { files: filesOf({ [systemFile]: '[wal]\nsync_mod = "x"\n' }) },
      'HF_CONFIG',
      /holdfast\.toml: unknown option 'wal\.sync_mod'.*'wal\.sync_mode'/,
    ],
    [{ files: filesOf({ [systemFile]: 'walls = 3\n' }) }, 'HF_CONFIG', /unknown option 'walls'/],
    [{ files: filesOf({ [systemFile]: '[query.deep]\nx = 1\n' }) }, 'HF_CONFIG', /query\.deep/],
    [{ files: filesOf({ [systemFile]: '[query\n' }) }, 'HF_CONFIG', /holdfast\.toml/],
  ];
  for (const [sources, code, message] of unknown) {
    t.throws(() => load(sources), { code, message }, message.source);
  }
  t.end();
});

t.test('names of the client verbs are no options and no error', (t) => {
  t.doesNotThrow(() =>
    load({ environment: { HOLDFAST_TOKEN: 't', HOLDFAST_URL: 'u', HOLDFAST_MINIO_BINARY: 'm' } }),
  );
  t.end();
});

t.test('values that cannot be read say where they stand and what would do', (t) => {
  const bad: [string[], RegExp][] = [
    [['--server-max-body', 'lots'], /--server-max-body: 'lots' is not valid; expected a size/],
    [['--server-max-body', '1KiB'], /expected at least 65536 bytes/],
    [['--query-timeout', '5 parsecs'], /expected a duration/],
    [['--query-pool-size', '-1'], /expected a whole number/],
    [['--query-pool-size', '0'], /expected at least 1/],
    [['--wal-sync-mode', 'never'], /auto, fdatasync, fsync, dsync, async/],
    [['--wal-enabled=maybe'], /expected true or false/],
    [['--storage-hard-free', '150%'], /a share from 0% to 100%/],
    [['--storage-hard-free', '5% (much)'], /a size such as 64MiB/],
    [['--listen'], /--listen needs a value/],
    [['--listen', '--data-dir', 'x'], /--listen needs a value/],
  ];
  for (const [words, message] of bad) t.throws(() => load({ words }), { message }, words.join(' '));
  t.end();
});

t.test('switches may stand alone or carry a word', (t) => {
  t.equal(load({ words: ['--ingest-create-databases', 'no'] })['ingest.create_databases'], false);
  t.equal(load({ words: ['--wal-enabled', '--listen', '127.0.0.1:1'] })['wal.enabled'], true);
  t.end();
});

t.test('--help is answered before anything else is read', (t) => {
  const loaded = loadConfig({
    words: ['--help'],
    environment: { HOLDFAST_NONSENSE: '1' },
    files: filesOf({ [systemFile]: 'nonsense = 1' }),
  });
  t.equal(loaded.helpWanted, true);
  t.end();
});
