import { spawnSync } from 'node:child_process';
import t from 'tap';

/** What each tool guards, and what to do when it complains. */
const tools: readonly (readonly [title: string, command: string, args: readonly string[]])[] = [
  ['types hold', 'tsc', ['-p', '.']],
  [
    'no floating promise, banned call, long file or long function',
    'eslint',
    ['--config', '.config/eslint.mjs', '--max-warnings=0', 'src', 'test', 'bench'],
  ],
  [
    'imports go down the floors and never in a circle',
    'depcruise',
    ['--config', '.config/dependency-cruiser.cjs', '--output-type', 'err-long', 'src'],
  ],
  [
    'one formatting (mend with `npm run format`)',
    'prettier',
    ['--check', 'src', 'test', 'bench', '--log-level=warn'],
  ],
];

for (const [title, command, args] of tools) {
  t.test(title, (t) => {
    const done = spawnSync(command, args, { encoding: 'utf8' });
    const said = `${done.stdout}${done.stderr}`.trim();
    t.equal(done.status, 0, `${command} says:\n${said.slice(0, 8000)}`);
    t.end();
  });
}
