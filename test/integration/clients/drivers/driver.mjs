// What the JavaScript clients are asked to do, read from standard input; each step's outcome goes
// out as JSON. A client's own words for a failure are kept: the test looks at them.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

export const job = JSON.parse(await text(process.stdin));

/** A package of the set that the test names. */
export const load = createRequire(join(process.env.CLIENT_FOLDER, 'any.js'));

export const units = { n: 1n, u: 1_000n, ms: 1_000_000n, s: 1_000_000_000n };

/** Points that differ in their times, for batches. */
export function many() {
  return Array.from({ length: job.many }, (_, number) => {
    return { h: `host${number % 10}`, i: number, time: job.from_us + number };
  });
}

const outcomes = {};

export async function step(name, call) {
  try {
    outcomes[name] = { ok: true, value: await call() };
  } catch (error) {
    outcomes[name] = { ok: false, error: error.constructor.name, text: String(error.message) };
  }
}

async function tell(writes) {
  await (await fetch(`${job.relay}/refuse?writes=${writes}`)).arrayBuffer();
}

/** The call while the relay lets that many writes be refused. */
export async function refused(writes, call) {
  await tell(writes);
  try {
    return await call();
  } finally {
    await tell(0);
  }
}

export function finish() {
  process.stdout.write(JSON.stringify(outcomes));
}
