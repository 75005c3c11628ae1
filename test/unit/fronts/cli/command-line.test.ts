/** The command as a process: which Node runs it, and how it ends. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { version } from '../../../../src/base/lib/version.ts';

const bin = new URL('../../../../src/fronts/cli/bin.mjs', import.meta.url).pathname;

const compileCacheModule = new URL('compile-cache.mjs', `file://${bin}`).href;

function holdfast(
  words: string[],
  environment: Record<string, string> = {},
  node = process.execPath,
) {
  const env = { PATH: process.env['PATH'] ?? '', ...environment };
  const { status, stdout, stderr } = spawnSync(node, [bin, ...words], { env, encoding: 'utf8' });
  return { status, stdout, stderr };
}

t.test('the version is the one of package.json', (t) => {
  const { version: packaged } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    version: string;
  };
  t.equal(version, packaged);
  const { status, stdout } = holdfast(['version']);
  t.equal(status, 0);
  t.equal(stdout, `holdfast ${packaged}\n`);
  t.end();
});

t.test('compiled code is kept where it can be, and nowhere else', (t) => {
  const root = t.testdir({ packages: {}, file: 'no directory' });
  const program = `import { compileCache } from ${JSON.stringify(compileCacheModule)};
    for (const parent of process.argv.slice(1)) console.log(compileCache(parent) ?? 'nowhere');`;
  const parents = [`${root}/packages`, `${root}/packages`, `${root}/absent`, `${root}/file`];
  const words = ['--input-type=module', '--eval', program, ...parents, '/proc/nowhere'];
  const { stdout } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  const place = `${root}/packages/.cache/holdfast`;
  t.strictSame(stdout.trim().split('\n'), [place, place, 'nowhere', 'nowhere', 'nowhere']);
  const { status, stderr } = holdfast(['version'], { NODE_COMPILE_CACHE: place });
  t.strictSame([status, stderr], [0, '']);
  t.not(readdirSync(place).length, 0, 'the next start takes it from there');
  t.end();
});

const olderNode = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => {
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  const major = Number(/^v(\d+)/.exec(stdout ?? '')?.[1] ?? 0);
  return major >= 18 && major < 24;
});
const noOlderNode = olderNode === undefined && 'no Node older than 24 is here';

t.test('an older Node hands over to the pinned one', { skip: noOlderNode }, (t) => {
  const { status, stdout } = holdfast(['version', '--json'], {}, olderNode);
  t.equal(status, 0);
  t.match(JSON.parse(stdout), { node: /^v24\./ });
  t.equal(holdfast(['qerry'], {}, olderNode).status, 64, 'with its exit code');
  t.end();
});

t.test('serve does not start on a configuration that is wrong', (t) => {
  const cases: [string[], Record<string, string>, number, RegExp][] = [
    [['--listen', '0.0.0.0:8086'], {}, 78, /not a loopback address.*no tokens yet/],
    [['--config', '/none.toml'], {}, 78, /no such file/],
    [['--wal-sync-mode', 'never'], {}, 78, /auto, fdatasync/],
    [[], { HOLDFAST_SERVER_LISTN: 'x' }, 78, /HOLDFAST_SERVER_LISTEN/],
    [['--lisen', 'x'], {}, 64, /did you mean --listen/],
  ];
  for (const [words, environment, code, text] of cases) {
    const { status, stderr, stdout } = holdfast(['serve', ...words], environment);
    t.equal(status, code, words.join(' '));
    t.match(stderr, text);
    t.equal(stdout, '');
  }
  t.end();
});

t.test('serve --help prints the options and ends', (t) => {
  const { status, stdout } = holdfast(['serve', '--help']);
  t.equal(status, 0);
  t.match(stdout, /--listen, --server-listen/);
  t.end();
});
