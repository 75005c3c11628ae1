import { readFileSync } from 'node:fs';
import t from 'tap';
import { configurationMarkdown, serveHelp } from '../../../../src/base/config/document.ts';
import { environmentName, flagNames, optionNames } from '../../../../src/base/config/options.ts';

t.test('--help reads as its kept copy', (t) => {
  const kept = readFileSync('test/fixtures/serve-help.txt', 'utf8');
  t.equal(
    serveHelp(),
    kept,
    'after a wanted change: holdfast serve --help > test/fixtures/serve-help.txt',
  );
  for (const line of serveHelp().split('\n')) {
    if (line.length > 100) t.fail(`too long for a terminal: ${line}`);
  }
  t.end();
});

t.test('each option is in the help and the document under all its names', (t) => {
  for (const name of optionNames) {
    t.ok(configurationMarkdown().includes(`\`${name}\``), name);
    t.ok(configurationMarkdown().includes(environmentName(name)), environmentName(name));
    for (const flag of flagNames(name)) t.ok(serveHelp().includes(`--${flag}`), flag);
  }
  t.end();
});

t.test('no two options share a flag or an environment name', (t) => {
  const flags = optionNames.flatMap(flagNames);
  t.equal(new Set(flags).size, flags.length);
  t.equal(new Set(optionNames.map(environmentName)).size, optionNames.length);
  t.end();
});
