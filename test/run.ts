/**
 * Runs the suites and prints one closing line, `N passed, N failed, N skipped`. Each suite is a set
 * of tap files with a budget; suites that mostly wait run side by side.
 *
 * `node test/run.ts [suite ...] [--long] [--require-all] [--list]`
 * --long: whole fault suites instead of their seeded part. --require-all: a skip is a failure.
 */
import { spawn } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countTests, type Count } from './support/tap-count.ts';

interface Suite {
  readonly name: string;
  readonly files: string;
  /** Files of the suite that run at once. */
  readonly jobs: number;
  /** Seconds; a suite that needs more fails. The long run has ten times as much. */
  readonly budgetSeconds: number;
  /** Suites of the same lane run one after the other; lanes run side by side. */
  readonly lane: 'first' | 'cpu' | 'waiting';
}

const suites: readonly Suite[] = [
  { name: 'checks', files: 'test/tidy/*.test.ts', jobs: 1, budgetSeconds: 200, lane: 'first' },
  { name: 'unit', files: 'test/unit/**/*.test.ts', jobs: 2, budgetSeconds: 300, lane: 'first' },
  { name: 'faults', files: 'test/fault/*.test.ts', jobs: 1, budgetSeconds: 600, lane: 'cpu' },
  {
    name: 'integration',
    files: 'test/integration/{query,gateway}/*.test.ts',
    jobs: 1,
    budgetSeconds: 300,
    lane: 'cpu',
  },
  { name: 'fuzz', files: 'test/fuzz/*.test.ts', jobs: 1, budgetSeconds: 240, lane: 'cpu' },
  {
    name: 'conformance',
    files: 'test/conformance/*.test.ts',
    jobs: 1,
    budgetSeconds: 180,
    lane: 'waiting',
  },
  {
    name: 'clients',
    files: 'test/integration/{telegraf,clients}/*.test.ts',
    jobs: 1,
    budgetSeconds: 600,
    lane: 'waiting',
  },
];

const scratch = join(tmpdir(), `holdfast-suites-${process.pid}`);

/** Runs one suite; returns its counts, with a failure added for a suite that ended badly. */
async function runSuite(suite: Suite, long: boolean, requireAll: boolean): Promise<Count> {
  const files = globSync(suite.files).sort();
  if (files.length === 0)
    return { passed: 0, failed: 1, skipped: 0, skips: [], failures: ['no files'], notes: [] };
  const output = join(scratch, `${suite.name}.tap`);
  const startedMs = performance.now();
  const budgetSeconds = suite.budgetSeconds * (long ? 10 : 1);
  const args = [`--jobs=${suite.jobs}`, `--timeout=${budgetSeconds}`, `--output-file=${output}`];
  const testArgs = long ? ['--test-arg=--long'] : [];
  const child = spawn('tap', ['run', '-R', 'silent', ...args, ...testArgs, ...files], {
    stdio: ['ignore', 'inherit', 'inherit'],
    // A test that would skip says what is missing instead (test/support/requirements.ts).
    env: { ...process.env, ...(requireAll ? { HOLDFAST_TEST_REQUIRE: '1' } : {}) },
  });
  const code = await new Promise<number>((resolve) => {
    child.on('exit', (status) => {
      resolve(status ?? 1);
    });
  });
  const count = countTests(readFileSync(output, 'utf8'), code);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  const figures = `${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`;
  process.stdout.write(`suite ${suite.name}: ${figures} (${seconds} s)\n`);
  for (const skip of count.skips) process.stdout.write(`  skipped: ${skip}\n`);
  for (const note of count.notes) process.stdout.write(`  ${note}\n`);
  for (const failure of count.failures) process.stdout.write(`  failed: ${failure}\n`);
  return count;
}

async function runLane(
  lane: readonly Suite[],
  long: boolean,
  requireAll: boolean,
): Promise<readonly Count[]> {
  const counts: Count[] = [];
  for (const suite of lane) counts.push(await runSuite(suite, long, requireAll));
  return counts;
}

/** Returns the process exit code. */
async function main(args: readonly string[]): Promise<number> {
  const long = args.includes('--long');
  const requireAll = args.includes('--require-all');
  const named = args.filter((arg) => !arg.startsWith('--'));
  const unknown = named.filter((name) => !suites.some((suite) => suite.name === name));
  if (args.includes('--list') || unknown.length > 0) {
    process.stdout.write(`suites: ${suites.map((suite) => suite.name).join(' ')}\n`);
    return unknown.length > 0 ? 64 : 0;
  }
  const chosen = suites.filter((suite) => named.length === 0 || named.includes(suite.name));
  const run = (lane: Suite['lane']) => {
    const suitesOfLane = chosen.filter((suite) => suite.lane === lane);
    return runLane(suitesOfLane, long, requireAll);
  };
  mkdirSync(scratch, { recursive: true });
  try {
    const first = await run('first');
    const rest = await Promise.all([run('cpu'), run('waiting')]);
    const counts = [...first, ...rest.flat()];
    const sum = (pick: (count: Count) => number) =>
      counts.reduce((total, count) => total + pick(count), 0);
    const skipped = sum((count) => count.skipped);
    const skipsFail = requireAll ? skipped : 0;
    const failed = sum((count) => count.failed) + skipsFail;
    if (skipsFail > 0) process.stdout.write('every suite is required here: a skip is a failure\n');
    const passed = sum((count) => count.passed);
    process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
    return failed === 0 && passed > 0 ? 0 : 1;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

process.exitCode = await main(process.argv.slice(2));
