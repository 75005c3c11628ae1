import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';

const topLevel = new Set([
  ...['package.json', 'package-lock.json', 'tsconfig.json', 'src', 'image', 'systemd'],
  ...['provisioning', 'test', 'bench', 'docs', 'README.md', 'LICENSE', 'CHANGELOG.md'],
]);
const wings = new Set([
  ...['base', 'log', 'storage', 'ingest', 'query', 'replication', 'access', 'system', 'fronts'],
]);
const tracked = spawnSync('git', ['ls-files'], { encoding: 'utf8' }).stdout.trim().split('\n');

t.test('the top level holds what the README maps and dotfiles, nothing else', (t) => {
  const names = new Set(tracked.map((path) => path.split('/', 1)[0] ?? ''));
  const strange = [...names].filter((name) => !name.startsWith('.') && !topLevel.has(name));
  t.same(strange, [], 'put it into one of the folders of the map in README.md');
  t.end();
});

t.test('src holds main.ts, gateway.ts and the nine wings', (t) => {
  const strange = readdirSync('src').filter((name) => !wings.has(name));
  t.same(strange.sort(), ['gateway.ts', 'main.ts'], 'put the file into the wing that owns it');
  t.end();
});

const bannedFileWords = /(^|[-/.])(manager|helper|helpers|util|utils|common|misc|stuff)([-/.]|$)/;

t.test('file names are nouns in kebab-case without drawer words', (t) => {
  const sources = tracked.filter((path) => /^(src|test|bench)\/.*\.(ts|mjs)$/.test(path));
  for (const path of sources) {
    const plain = /^[a-z0-9./-]+$/.test(path) && !bannedFileWords.test(path);
    if (!plain) t.fail(`${path}: name the one concept that the file owns`);
  }
  t.ok(sources.length > 20, 'sources were found');
  t.end();
});

t.test('each source file says first what it owns', (t) => {
  const sources = globSync('src/**/*.ts');
  for (const path of sources) {
    const starts = readFileSync(path, 'utf8').startsWith('/**');
    if (!starts) t.fail(`${path}: start with a header comment (docs/CONTRIBUTING.md, Comments)`);
  }
  t.ok(sources.length > 20, 'sources were found');
  t.end();
});

t.test('only base/config reads the environment', (t) => {
  for (const path of globSync('src/**/*.ts')) {
    if (path.startsWith('src/base/config/') || path === 'src/main.ts') continue;
    const reads = /\bprocess\.env\b/.test(readFileSync(path, 'utf8'));
    if (reads) t.fail(`${path}: take the value through the constructor instead of process.env`);
  }
  t.pass('looked at every file');
  t.end();
});

t.test('links between documents lead somewhere', (t) => {
  const pages = ['README.md', 'CHANGELOG.md', ...globSync('docs/**/*.md')];
  let links = 0;
  for (const page of pages) {
    const text = readFileSync(page, 'utf8');
    for (const [, target = ''] of text.matchAll(/\]\(([^)#]+?)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      links++;
      if (!existsSync(join(dirname(page), target))) t.fail(`${page}: dead link to ${target}`);
    }
  }
  t.ok(links > 5, 'links were found');
  t.end();
});

t.test('files named in code comments and documents exist', (t) => {
  for (const path of [...globSync('src/**/*.ts'), ...globSync('docs/**/*.md'), 'README.md']) {
    const text = readFileSync(path, 'utf8');
    for (const [named] of text.matchAll(/\b(?:docs|src|test|bench)\/[\w./-]+\.(?:md|ts)\b/g)) {
      if (!existsSync(named)) t.fail(`${path} names ${named}, which does not exist`);
    }
  }
  t.pass('looked at every file');
  t.end();
});
