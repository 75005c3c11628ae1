/** The bound on the heap's growth is one that this Node's collector knows. */
import { spawnSync } from 'node:child_process';
import t from 'tap';

const source = new URL('../../../src/system/heap.ts', import.meta.url).href;

/** What a process says whose first act is `program`: V8 complains of what it does not know. */
function saidBy(program: string): string {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  return stdout + stderr;
}

t.test('the collector takes the bound, and would complain of a flag that is gone', (test) => {
  const bound = `(await import(${JSON.stringify(source)})).boundHeapGrowth();`;
  test.equal(saidBy(`${bound} console.log('bound');`), 'bound\n');
  const gone = `(await import('node:v8')).setFlagsFromString('--heap-growing-gone=50');`;
  test.match(saidBy(gone), 'heap-growing-gone');
  test.end();
});
