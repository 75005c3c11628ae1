/** What the written documents name must be there: options, error codes, metrics, tests. */
import { globSync, readFileSync } from 'node:fs';
import t from 'tap';
import { optionNames } from '../../src/base/config/options.ts';
import { errorCodes } from '../../src/base/errors/codes.ts';
import { metricTable } from '../../src/base/telemetry/metric-table.ts';

const pages = ['README.md', 'CHANGELOG.md', ...globSync('docs/**/*.md')];
const sections = [...new Set(optionNames.map((name) => name.split('.', 1)[0] ?? ''))];

/** Written like options: a file of the log, a call of a client. */
const otherNames = ['wal.id', 'query.query'];

const known: readonly (readonly [kind: string, mention: RegExp, names: ReadonlySet<string>])[] = [
  [
    'option',
    new RegExp(`(?<=\`)(?:${sections.join('|')})\\.[a-z_]+(?=\`| = )`, 'gu'),
    new Set<string>([...optionNames, ...otherNames]),
  ],
  ['error code', /\bHF_[A-Z_]+\b/gu, new Set(Object.keys(errorCodes))],
  ['metric', /\bholdfast_[a-z_]+\b/gu, new Set(Object.keys(metricTable))],
];

for (const [kind, mention, names] of known) {
  t.test(`each ${kind} that a document names exists`, (t) => {
    let count = 0;
    for (const page of pages) {
      for (const [name] of readFileSync(page, 'utf8').matchAll(mention)) {
        count += 1;
        const plain = kind === 'metric' ? name.replace(/_(bucket|sum|count)$/u, '') : name;
        if (!names.has(name) && !names.has(plain)) {
          t.fail(`${page}: there is no ${kind} ${name}; correct its name, or take it out`);
        }
      }
    }
    t.ok(count > 5, 'mentions were found');
    t.end();
  });
}

t.test('each test that docs/DURABILITY.md says to show a promise exists', (t) => {
  const shownBy = /`((?:unit|fault|integration|conformance|fuzz)\/[\w/-]+)`/gu;
  const paths = [...readFileSync('docs/DURABILITY.md', 'utf8').matchAll(shownBy)];
  for (const [, path = ''] of paths) {
    const files = globSync([`test/${path}.test.ts`, `test/${path}/**/*.test.ts`]);
    if (files.length === 0) t.fail(`docs/DURABILITY.md names ${path}: name the test that shows it`);
  }
  t.ok(paths.length > 20, 'tests are named');
  t.end();
});
