import t from 'tap';
import {
  deriveConfig,
  memoryShareMax,
  overheadBytes,
  watermarkBytes,
} from '../../../../src/base/config/derive.ts';
import { loadConfig, nodeConfigFiles } from '../../../../src/base/config/load.ts';

const mib = 1024 * 1024;
const gib = 1024 * mib;
const none = { ...nodeConfigFiles, exists: () => false };

function derive(words: string[] = [], host = { memoryBytes: 8 * gib, cores: 4 }) {
  const { raw } = loadConfig({ words, environment: {}, files: none });
  return deriveConfig(raw, { ...host, workingDirectory: '/srv/h' });
}

t.test('auto values follow the machine', (t) => {
  const config = derive();
  t.equal(config.ingest.memoryBytes, gib, 'an eighth');
  t.equal(derive([], { memoryBytes: 64 * gib, cores: 4 }).ingest.memoryBytes, gib, 'at most');
  t.equal(derive([], { memoryBytes: gib / 4, cores: 1 }).ingest.memoryBytes, 64 * mib, 'at least');
  t.equal(config.query.threads, 3);
  t.equal(derive([], { memoryBytes: gib, cores: 1 }).query.threads, 1);
  t.equal(config.storage.dataDirectory, '/srv/h/data');
  t.equal(config.wal.directory, '/srv/h/data/wal');
  t.equal(derive(['--wal-dir', '/fast']).wal.directory, '/fast');
  t.equal(config.wal.syncMode, 'fdatasync');
  t.ok(Object.isFrozen(config) && Object.isFrozen(config.storage.hardFree), 'frozen throughout');
  t.end();
});

t.test('a data directory that the query engine would read as a pattern is refused', (t) => {
  for (const path of ['/srv/a*', '/srv/what?', '/srv/x[1]/data', 'b[']) {
    t.throws(
      () => derive(['--data-dir', path]),
      {
        code: 'HF_CONFIG',
        message: /storage\.data_dir: '\/srv\/.*choose another/,
      },
      path,
    );
  }
  const taken = '/srv/it\'s a "{x,y}" 數據 $HOME ]';
  t.equal(derive(['--data-dir', taken]).storage.dataDirectory, taken);
  t.end();
});

t.test('no data directory at all is not taken for the current one', (t) => {
  for (const path of ['', ' ']) {
    const message = /storage\.data_dir is empty/;
    t.throws(() => derive([`--data-dir=${path}`]), { code: 'HF_CONFIG', message });
  }
  t.equal(derive(['--data-dir', '.']).storage.dataDirectory, '/srv/h');
  t.end();
});

t.test('a data directory whose sockets no one could reach is refused', (t) => {
  const deep = 'd'.repeat(60);
  t.equal(derive(['--data-dir', deep]).storage.dataDirectory, `/srv/h/${deep}`, 'from here');
  t.throws(() => derive(['--data-dir', `/other/${deep}/${deep}`]), {
    code: 'HF_CONFIG',
    message: /128 bytes, at most 75/,
  });
  t.end();
});

t.test('all processes fit a 2 GiB box with defaults', (t) => {
  const config = derive([], { memoryBytes: 2 * gib, cores: 2 });
  const sum =
    config.ingest.memoryBytes +
    config.query.memoryBytes +
    overheadBytes.gateway +
    overheadBytes.queryEngine;
  t.ok(sum <= 2 * gib * memoryShareMax, `${sum} bytes`);
  t.same(config.notices, [], 'without lowering anything');
  t.end();
});

t.test('what contradicts something else is corrected and said', (t) => {
  const small = derive(['--ingest-memory', '64MiB']);
  t.equal(small.server.maxBodyBytes, 16 * mib, 'a quarter of ingest.memory');
  t.match(small.notices, [/server\.max_body lowered to 16MiB/, /ingest\.cells_max lowered/]);
  const greedy = derive(['--query-memory', '100%'], { memoryBytes: 4 * gib, cores: 2 });
  t.ok(greedy.query.memoryBytes < 3 * gib);
  t.match(greedy.notices, [/query\.memory lowered/]);
  const old = derive(['--ingest-buffer-age', '2m']);
  t.equal(old.ingest.bufferAgeMaxMs, 120_000);
  t.match(old.notices, [/buffer_age_max raised/]);
  t.end();
});

t.test('watermarks are the smaller of share and size, raised to what a flush needs', (t) => {
  const { hardFree, softFree } = derive(['--ingest-memory', '64MiB']).storage;
  const floor = (64 + 16 + 64) * mib;
  t.equal(watermarkBytes(hardFree, 1000 * gib), 512 * mib, 'size');
  t.equal(watermarkBytes(hardFree, 5 * gib), Math.floor(0.05 * 5 * gib), 'share');
  t.equal(watermarkBytes(hardFree, gib), floor, 'raised');
  t.equal(watermarkBytes(softFree, gib), 1.5 * floor, 'raised to 1.5 of it');
  const sized = derive(['--storage-hard-free', '3GiB']).storage.hardFree;
  t.equal(watermarkBytes(sized, 1000 * gib), 3 * gib);
  t.end();
});

t.test('durability follows the log', (t) => {
  t.match(derive().wal, { durability: 'synced', syncMode: 'fdatasync', asyncIntervalMs: 100 });
  const async = derive(['--wal-sync-mode', 'async']);
  t.match(async.wal, { durability: 'async', syncMode: 'async', asyncIntervalMs: 100 });
  t.equal(async.journal.syncMode, 'fdatasync', 'commits are durable in any mode');
  const off = derive(['--wal-enabled=false']);
  t.match(off.wal, { durability: 'memory', syncMode: 'async', asyncIntervalMs: undefined });
  t.end();
});

t.test('only loopback listeners are accepted until there are tokens', (t) => {
  for (const listen of ['127.0.0.1:8086', '127.9.9.9:1', '[::1]:8086', 'localhost:0']) {
    t.doesNotThrow(() => derive(['--listen', listen]), listen);
  }
  t.equal(
    derive(['--listen', 'localhost:9']).server.host,
    '127.0.0.1',
    'the name is not looked up',
  );
  for (const listen of [
    '0.0.0.0:8086',
    '[::]:8086',
    '192.168.1.5:8086',
    'box:8086',
    '128.0.0.1:1',
  ]) {
    t.throws(
      () => derive(['--listen', listen]),
      { code: 'HF_CONFIG', message: /not a loopback address.*no tokens yet/ },
      listen,
    );
  }
  for (const listen of ['8086', '127.0.0.1', '127.0.0.1:99999', '::1:8086', '']) {
    t.throws(() => derive(['--listen', listen]), { code: 'HF_CONFIG' }, listen);
  }
  t.throws(() => derive(['--auth-mode', 'required']), { message: /needs tokens/ });
  t.doesNotThrow(() => derive(['--auth-mode', 'open']));
  t.end();
});
