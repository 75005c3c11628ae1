import { globSync, readFileSync } from 'node:fs';
import t from 'tap';
import { optionNames } from '../../src/base/config/options.ts';
import { errorCodes } from '../../src/base/errors/codes.ts';
import { alarmIds } from '../../src/base/telemetry/alarms.ts';
import { metricTable } from '../../src/base/telemetry/metric-table.ts';
import { generatedDocuments } from '../support/generated-documents.ts';

t.test('documents made from tables read as the tables say', (t) => {
  for (const [path, text] of Object.entries(generatedDocuments())) {
    if (readFileSync(path, 'utf8') !== text) t.fail(`${path}: run \`npm run docs:generate\``);
  }
  t.pass('compared');
  t.end();
});

const tables = ['options.ts', 'codes.ts', 'metric-table.ts', 'alarms.ts'];
const code = globSync('src/**/*.ts')
  .filter((path) => !tables.some((table) => path.endsWith(`/${table}`)))
  .map((path) => readFileSync(path, 'utf8'))
  .join('\n');

t.test('nothing stands in a table that the code does not use', (t) => {
  const used = (name: string) => code.includes(`'${name}'`);
  const kinds: [string, readonly string[]][] = [
    ['option', optionNames],
    ['error code', Object.keys(errorCodes)],
    ['metric', Object.keys(metricTable)],
    ['alarm', alarmIds],
  ];
  for (const [kind, names] of kinds) {
    const unused = names.filter((name) => !used(name));
    t.same(unused, [], `take the ${kind} out of its table, or use it`);
  }
  t.end();
});
