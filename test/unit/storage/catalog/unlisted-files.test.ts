import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { nodeFiles } from '../../../../src/base/disk/files.ts';
import { GatewayError } from '../../../../src/base/errors/gateway-error.ts';
import type { JournalAlarm } from '../../../../src/log/journal/commit-messages.ts';
import { fileIdEpoch } from '../../../../src/log/journal/file-ids.ts';
import {
  findUnlisted,
  type FlushFacts,
  type UnlistedDeps,
} from '../../../../src/storage/catalog/unlisted-files.ts';
import { directoryTree } from '../../../support/directory-tree.ts';

/** Measurement 16 is filed up to 500, nothing else above 300; files 1 to 3 are known. */
const filedTo = (id: number): number => (id === 16 ? 500 : 300);

interface Fixture {
  readonly root: string;
  readonly alarms: JournalAlarm[];
  readonly deps: UnlistedDeps;
  /** Names below data/ and orphans/. */
  left(): readonly string[];
}

/** A data folder with `paths`; what their footers say is in `facts`, by path. */
function fixture(
  t: { teardown(call: () => void): unknown },
  paths: readonly string[],
  facts: Readonly<Record<string, Partial<FlushFacts>>> = {},
  over: Partial<UnlistedDeps> = {},
): Fixture {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-unlisted-'));
  t.teardown(() => {
    rmSync(root, { recursive: true });
  });
  const [dataDirectory, orphans] = [join(root, 'data'), join(root, 'orphans')];
  mkdirSync(dataDirectory);
  mkdirSync(orphans);
  for (const path of paths) {
    mkdirSync(dirname(join(dataDirectory, path)), { recursive: true });
    writeFileSync(join(dataDirectory, path), path);
  }
  const alarms: JournalAlarm[] = [];
  const deps: UnlistedDeps = {
    files: nodeFiles,
    dataDirectory,
    orphans,
    footerOf: (path) => {
      const said = facts[path.slice(dataDirectory.length + 1)];
      if (said === undefined) throw new GatewayError('HF_PARQUET_FOOTER', 'damaged');
      const whole = { fileId: fileIdEpoch + 9, measurementId: 16, supersedes: [], lsns: [1, 1] };
      return { ...whole, ...said } as FlushFacts;
    },
    isListed: (path) => path.includes('listed'),
    isKnown: (id) => id <= 3,
    filedTo,
    epoch: 1,
    damaged: false,
    alarm: (alarm) => alarms.push(alarm),
    ...over,
  };
  const left = () => {
    const entries = Object.entries(directoryTree(root));
    return entries.flatMap(([name, digest]) => (digest === '' ? [] : [name])).sort();
  };
  return { root, alarms, deps, left };
}

const path = 'd/m/2026/01/04/17/m_20260104_170000_9_0000010000000009.parquet';
const orphan = `orphans/${path.replaceAll('/', '__')}`;
const other = { fileId: fileIdEpoch * 2 + 9 };

/** What the footer says, and where the file is after the walk and after a replay of 301 to 900. */
const cases: Readonly<
  Record<string, readonly [facts: Partial<FlushFacts>, walked: Verdict, replayed: Verdict]>
> = {
  'wholly at its position': [{ lsns: [400, 500] }, 'deleted', 'deleted'],
  'of a measurement without position, below the low-water mark': [
    { lsns: [200, 300], measurementId: 17 },
    'deleted',
    'deleted',
  ],
  'of another epoch, wholly filed': [{ lsns: [400, 500], ...other }, 'deleted', 'deleted'],
  'above its position, in the replayed log': [{ lsns: [501, 900] }, 'stays', 'deleted'],
  'filed in part, the rest in the replayed log': [{ lsns: [400, 600] }, 'stays', 'deleted'],
  'filed below the mark, the rest in the log': [
    { lsns: [250, 350], measurementId: 17 },
    'stays',
    'deleted',
  ],
  'above its position, beyond the end of the log': [{ lsns: [501, 901] }, 'stays', 'orphan'],
  'in the replayed log, of another epoch': [{ lsns: [501, 900], ...other }, 'stays', 'orphan'],
  'of a job whose inputs are all known': [
    { lsns: [1, 9], supersedes: [1, 3] },
    'deleted',
    'deleted',
  ],
  'of a job with an unknown input': [{ lsns: [1, 9], supersedes: [1, 4] }, 'orphan', 'orphan'],
};

type Verdict = 'deleted' | 'stays' | 'orphan';

function verdictOf(left: readonly string[]): Verdict | undefined {
  if (left.includes(`data/${path}`)) return 'stays';
  if (left.includes(orphan)) return 'orphan';
  return left.some((name) => name.endsWith('.parquet')) ? undefined : 'deleted';
}

for (const [what, [facts, walked, replayed]] of Object.entries(cases)) {
  t.test(`a file that no commit names, ${what}: ${walked}, then ${replayed}`, (t) => {
    const { deps, alarms, left } = fixture(t, [path], { [path]: facts });
    const unlisted = findUnlisted(deps);
    t.equal(verdictOf(left()), walked);
    unlisted.replayed(301, 900);
    t.equal(verdictOf(left()), replayed);
    t.same(
      alarms.map(({ kind }) => kind),
      replayed === 'orphan' ? ['file-orphaned'] : [],
    );
    t.end();
  });
}

t.test('a file in a part of the log that rotted is kept', (t) => {
  const gaps = { 'in it': [700, 700], 'before it': [1, 550], 'after it': [901, 1000] } as const;
  for (const [where, [firstNumber, lastNumber]] of Object.entries(gaps)) {
    const { deps, left } = fixture(t, [path], { [path]: { lsns: [600, 900] } });
    findUnlisted(deps).replayed(301, 900, [{ firstNumber, lastNumber }]);
    t.equal(verdictOf(left()), where === 'in it' ? 'orphan' : 'deleted', where);
  }
  t.end();
});

t.test('with a damaged journal only temporary files are deleted', (t) => {
  const temporary = path.replace('m_2026', '.tmp-m_2026');
  const facts = { [path]: { lsns: [400, 500] } } as const;
  const { deps, left } = fixture(t, [path, temporary], facts, { damaged: true });
  findUnlisted(deps).replayed(1, 900);
  t.same(left(), [orphan]);
  t.end();
});

t.test('listed files are not even opened; the highest id of all names is found', (t) => {
  const listed = 'd/listed/x_1_0000010000000aaa.parquet';
  const { deps, left } = fixture(t, [listed, path], { [path]: { lsns: [1, 2] } }, {});
  writeFileSync(join(deps.orphans, 'y_1_0000010000000bbb.parquet'), '');
  const unlisted = findUnlisted(deps);
  t.equal(unlisted.highestId, 0x10000000bbb, 'one in orphans/ counts too');
  t.ok(left().includes(`data/${listed}`));
  t.end();
});

t.test('a name above what boxes give is nobody’s id', (t) => {
  const names = ['ffffffffffffffff', '001fffffffffffff', '0010000000000000', '00000000000000ff'];
  const { deps } = fixture(
    t,
    names.map((name) => `d/x_1_${name}.parquet`),
  );
  t.equal(findUnlisted(deps).highestId, 255);
  t.end();
});

t.test('strangers in the data folder go to orphans and stop no start', (t) => {
  const { deps, alarms, left } = fixture(t, ['README', 'd/notes.txt', 'd/broken.parquet']);
  t.doesNotThrow(() => findUnlisted(deps));
  t.same(left(), ['orphans/README', 'orphans/d__broken.parquet', 'orphans/d__notes.txt']);
  t.same(new Set(alarms.map(({ kind }) => kind)), new Set(['file-orphaned']));
  t.end();
});

t.test('a folder that cannot be read is told and passed over', (t) => {
  const files = {
    ...nodeFiles,
    list: (directory: string) => {
      if (directory.endsWith('/a')) {
        throw new GatewayError('HF_IO', 'EACCES', { details: { errno: 'EACCES' } });
      }
      return nodeFiles.list(directory);
    },
  };
  const { deps, alarms, left } = fixture(t, ['a/x', path], { [path]: { lsns: [1, 2] } }, { files });
  findUnlisted(deps);
  t.match(alarms, [{ kind: 'file-unlisted', details: { path: 'a' } }]);
  t.same(left(), ['data/a/x'], 'the others are judged');
  t.end();
});

t.test('an orphan never takes the place of another one', (t) => {
  const { deps, left } = fixture(t, ['x.parquet']);
  writeFileSync(join(deps.orphans, 'x.parquet'), 'older');
  writeFileSync(join(deps.orphans, '2-x.parquet'), 'old');
  findUnlisted(deps);
  t.same(left(), ['orphans/2-x.parquet', 'orphans/3-x.parquet', 'orphans/x.parquet']);
  t.end();
});

t.test('a path that is too long for one name keeps its last part', (t) => {
  const long = `${'d'.repeat(120)}/${'m'.repeat(120)}/2026/${'m'.repeat(120)}_1_00000000000000ff.parquet`;
  const { deps, left } = fixture(t, [long]);
  findUnlisted(deps);
  t.same(left(), [`orphans/${long.slice(long.lastIndexOf('/') + 1)}`]);
  t.end();
});

t.test('a file that cannot be deleted or moved stays, with an alarm', (t) => {
  const refuse = () => {
    throw new GatewayError('HF_IO', 'EROFS');
  };
  const files = { ...nodeFiles, unlink: refuse, rename: refuse };
  const { deps, alarms } = fixture(t, [path, 'x'], { [path]: { lsns: [1, 2] } }, { files });
  findUnlisted(deps);
  t.same(
    alarms.map(({ kind }) => kind),
    ['file-unlisted', 'file-unlisted'],
  );
  t.same(readdirSync(deps.dataDirectory).sort(), ['d', 'x']);
  t.end();
});

t.test('a data folder that is not there yet holds nothing', (t) => {
  const { deps, alarms } = fixture(t, []);
  rmSync(deps.dataDirectory, { recursive: true });
  t.equal(findUnlisted(deps).highestId, 0);
  t.same(alarms, []);
  t.end();
});
