/**
 * The table of options as text: `holdfast serve --help` and docs/CONFIGURATION.md. Both are
 * compared with their committed copies by tests, so neither can fall behind the table.
 */
import {
  environmentName,
  flagNames,
  type OptionEntry,
  type OptionName,
  optionEntry,
  optionNames,
} from './options.ts';

const helpColumns = 78;

/** `text` in lines of at most `columns`, each after `indent` spaces. */
function wrapped(text: string, columns: number, indent: number): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => ' '.repeat(indent) + each).join('\n');
}

function valueHint(entry: OptionEntry): string {
  switch (entry.type) {
    case 'size':
      return 'SIZE';
    case 'duration':
      return 'TIME';
    case 'integer':
      return 'NUMBER';
    case 'auto-integer':
      return 'NUMBER|auto';
    case 'boolean':
      return 'true|false';
    case 'share-or-size':
      return 'SHARE|SIZE';
    case 'enum':
      return entry.values.join('|');
    case 'list':
      return 'A,B,...';
    case 'string':
      return 'TEXT';
  }
}

/** What `holdfast serve --help` prints. */
export function serveHelp(): string {
  const intro = [
    'holdfast serve [--config FILE] [--SECTION-KEY VALUE ...]',
    '',
    'Runs the gateway until SIGTERM. Each option below is also section.key in',
    '/etc/holdfast/holdfast.toml (+ conf.d/*.toml, or --config FILE) and',
    'HOLDFAST_SECTION_KEY in the environment; flags win over the environment, that',
    'over files. SIZE as in 64MiB, TIME as in 500ms, 5s, 1h, SHARE as in 15%.',
    '',
  ];
  const entries = optionNames.map((name) => {
    const entry = optionEntry(name);
    const flags = flagNames(name).map((flag) => `--${flag}`);
    const preset = entry.default === '' ? '' : ` [${entry.default}]`;
    return `  ${flags.join(', ')} ${valueHint(entry)}${preset}\n${wrapped(entry.text, helpColumns, 6)}`;
  });
  return [...intro, ...entries, ''].join('\n');
}

function aliasText(entry: OptionEntry): string {
  const aliases = entry.aliases ?? [];
  const shown = aliases.map(({ name, unit }) => {
    return unit === undefined ? `\`${name}\`` : `\`${name}\` (${unit})`;
  });
  return shown.join(', ');
}

function row(name: OptionName): string {
  const entry = optionEntry(name);
  const preset = entry.default === '' ? '' : `\`${entry.default}\``;
  const values = entry.type === 'enum' ? ` One of ${entry.values.join(', ')}.` : '';
  const aliases = aliasText(entry);
  const also = aliases === '' ? '' : ` Also read: ${aliases}.`;
  return `| \`${name}\` | ${preset} | \`${environmentName(name)}\` | ${entry.text}${values}${also} |`;
}

/** The whole of docs/CONFIGURATION.md. */
export function configurationMarkdown(): string {
  const sections = [...new Set(optionNames.map((name) => name.split('.', 1)[0] ?? ''))];
  const tables = sections.flatMap((section) => [
    `## ${section}`,
    '',
    '| option | default | environment | what it does |',
    '| --- | --- | --- | --- |',
    ...optionNames.filter((name) => name.startsWith(`${section}.`)).map(row),
    '',
  ]);
  const intro = [
    '# Configuration',
    '',
    'Generated from `src/base/config/options.ts` by `npm run docs:generate`; do not edit.',
    '',
    'Order, later wins: default, `/etc/holdfast/holdfast.toml` and `conf.d/*.toml` in the order of',
    'their names (or only the file of `--config FILE`), environment, flag. `section.key` is',
    '`HOLDFAST_SECTION_KEY` in the environment and `--section-key` as a flag; `server.listen` and',
    '`storage.data_dir` are also `--listen` and `--data-dir`. An unknown name anywhere stops the',
    'start and names the nearest known one. `HOLDFAST_URL` and `HOLDFAST_TOKEN` are for the client',
    'commands and `HOLDFAST_MINIO_BINARY` is for the set-up; the gateway ignores them.',
    '',
    'Sizes: `64MiB`, `1GB`, or bytes. Durations: `500ms`, `5s`, `2m`, `1h`, `1d`, or seconds.',
    'Shares: `15%`. Where a value contradicts another, it is corrected and the log says so at start.',
    '',
  ];
  return [...intro, ...tables].join('\n');
}
