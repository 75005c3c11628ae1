/** Configuration files: a configuration, or HF_CONFIG that says where. */
import { deriveConfig } from '../../../../src/base/config/derive.ts';
import { loadConfig, systemFile } from '../../../../src/base/config/load.ts';
import { optionEntry, optionNames } from '../../../../src/base/config/options.ts';
import { Broken, expectedCode, text, type FuzzTarget } from '../target.ts';

const all = optionNames
  .filter((name) => optionEntry(name).default !== '')
  .map((name) => `${name} = ${JSON.stringify(optionEntry(name).default)}`)
  .join('\n');

const seeds = [
  '[server]\nlisten = "127.0.0.1:8086"\nmax_body = "32MiB"\n',
  '[ingest]\nbuffer_rows = 50_000\nmemory = 0.25\ncreate_databases = false\n# note\n',
  'storage.soft_free = "15%"\nwal.sync_mode = "fsync"\nquery.timeout = 300\n',
  '[log]\nlevel = """debug"""\n[query]\nthreads = [1, 2]\n[[x]]\ny = 1979-05-27T07:32:00Z\n',
  all,
];

const words = [
  ...[
    '[',
    ']',
    '[[',
    '=',
    '"',
    '"""',
    "'''",
    '\n',
    '#',
    '.',
    '{',
    '}',
    'inf',
    'nan',
    '-1',
    '1e999',
  ],
  ...[
    '0x7fffffffffffffff',
    '9223372036854775808',
    '"15%"',
    '"1e9GiB"',
    '"-5s"',
    'true',
    '__proto__',
  ],
  ...[
    'constructor',
    '\\u0000',
    '\\UFFFFFFFF',
    '99999999999999999999MiB',
    'x'.repeat(3000),
    '.'.repeat(99),
  ],
  ...optionNames,
];

export function configTarget(load: typeof loadConfig = loadConfig): FuzzTarget {
  return {
    seeds: seeds.map(text),
    words,
    run(input) {
      const files = {
        exists: (path: string) => path === systemFile,
        list: () => [],
        read: () => new TextDecoder().decode(input),
      };
      try {
        const { raw } = load({ words: [], environment: {}, files });
        const host = { memoryBytes: 2 ** 31, cores: 2, workingDirectory: '/srv/h' };
        const config = deriveConfig(raw, host);
        for (const value of Object.values(config.ingest)) {
          if (typeof value === 'number' && !(value >= 0)) throw new Broken('a number below zero');
        }
        return `config ${config.notices.length}`;
      } catch (error) {
        const code = expectedCode(error, ['HF_CONFIG']);
        const { message } = error as Error;
        if (!message.includes(':')) throw new Broken(`says not where: ${message}`);
        const said = message.replace(/^\S+: /, '').replaceAll(/['"0-9\n].*/gs, '');
        return `${code} ${said.slice(0, 30)}`;
      }
    },
  };
}
