/**
 * SIGKILL at the n-th write, sync, rename or unlink of each thread, at any moment of the gateway's
 * life, recovery included. After each kill the gateway is started again on the same data, is killed
 * again in the middle of that recovery, and at last runs to the end: everything that was answered
 * must be there, once, in each directory that a kill left behind and at the end, by SQL too. What
 * has a key is sent again after the kill until it is answered.
 * Between two lives the derived index is dropped or spoilt at random.
 */
import { cpSync, existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { DurabilityModel, describeProblems } from '../support/checker.ts';
import { driveGateway, smallJournalSegmentBytes } from '../support/gateway/drive.ts';
import type { KillPlan, ThreadName } from '../support/gateway/plan.ts';
import { LoadMaker } from '../support/load.ts';
import { MixedLoad } from '../support/mixed-load.ts';
import { chosenSeed, isLongRun, seededRandom, type Random } from '../support/random.ts';
import { ContentReader } from '../support/recovered-content.ts';

/** Calls of a kind that a thread makes within the first seconds, about; later ones are not met. */
const reach: readonly (readonly [ThreadName, KillPlan['kind'], number])[] = [
  ['wal', 'write', 60],
  ['wal', 'sync', 60],
  ['wal', 'open', 8],
  ['wal', 'rename', 3],
  ['wal', 'syncDirectory', 3],
  ['spare', 'write', 3],
  ['spare', 'rename', 3],
  ['encoder', 'write', 30],
  ['encoder', 'sync', 30],
  ['encoder', 'rename', 30],
  ['encoder', 'syncDirectory', 30],
  ['commit', 'write', 20],
  ['commit', 'sync', 20],
  ['commit', 'open', 8],
  ['commit', 'unlink', 3],
  ['commit', 'syncDirectory', 4],
];

const moments: readonly KillPlan['moment'][] = ['before', 'half', 'after'];

function drawKill(random: Random, spot: (typeof reach)[number], isRecovery: boolean): KillPlan {
  const [thread, kind, most] = spot;
  const nth = 1 + random.below(isRecovery ? Math.ceil(most / 10) : most);
  return { thread, kind, nth, moment: random.pick(moments) };
}

/** The index is derived: it may be gone, empty, garbage, or older than the journal at any start. */
function spoilIndex(random: Random, dataDirectory: string): void {
  const files = ['index.db', 'index.db-wal', 'index.db-shm'].map((name) =>
    join(dataDirectory, name),
  );
  const fate = random.pick(['kept', 'gone', 'empty', 'garbage', 'older'] as const);
  for (const file of files.filter((path) => existsSync(path))) {
    if (fate === 'gone') rmSync(file);
    if (fate === 'empty') truncateSync(file);
    if (fate === 'garbage') writeFileSync(file, Buffer.alloc(5000, random.below(256)));
    // Without what SQLite has not copied over yet, the index is that of some time ago.
    if (fate === 'older' && !file.endsWith('.db')) rmSync(file);
  }
}

t.setTimeout(isLongRun() ? 3_600_000 : 300_000);
const seed = chosenSeed();
const random = seededRandom(seed);
t.comment(`seed ${seed}`);

void t.test('a kill at any call loses, doubles and breaks nothing', async (t) => {
  const reader = await ContentReader.open();
  const counts = { lives: 0, kills: 0, missed: 0, requests: 0 };
  const spots = isLongRun()
    ? Array.from({ length: 6 }, () => random.shuffled(reach)).flat()
    : random.shuffled(reach).slice(0, 10);
  for (const spot of spots) {
    const scratch = mkdtempSync('/dev/shm/holdfast-kill-');
    const first = drawKill(random, spot, false);
    const second = drawKill(random, random.pick(reach), true);
    const model = new DurabilityModel();
    const promised = new Set<number>();
    const wrong: string[] = [];
    const dataDirectory = join(scratch, 'data');
    const run = await driveGateway({
      dataDirectory,
      scratch,
      model,
      maker: new MixedLoad(random, new LoadMaker(random, { rowsMax: 12, paddingBytes: 600 })),
      lives: [[60, 60], [30], [30]],
      askAtEnd: true,
      roundMs: 1300,
      lanes: 4,
      queryEvery: 15,
      plan: (life) => {
        const kill = [first, second][life];
        return {
          journalSegmentBytes: smallJournalSegmentBytes,
          ...(kill === undefined ? {} : { kill }),
        };
      },
      acknowledged: (request) => promised.add(request),
      seen: (request) => promised.add(request),
      ended: async (life) => {
        // A copy, because reading recovers: the next life must find what the kill left.
        const copy = join(scratch, `copy-${life}`);
        cpSync(dataDirectory, copy, { recursive: true, filter: (path) => !path.endsWith('.sock') });
        const { rows, damage } = await reader.read(copy);
        const problems = model.check(rows, { promised });
        if (problems.length > 0) wrong.push(`life ${life}: ${describeProblems(problems)}`);
        wrong.push(...damage);
        rmSync(copy, { recursive: true });
        if (life === 1) spoilIndex(random, dataDirectory);
      },
    });
    const asked = model.check(run.rowsAtEnd, { promised });
    if (asked.length > 0) wrong.push(`by SQL: ${describeProblems(asked)}`);
    const { rows } = await reader.read(dataDirectory);
    const problems = model.check(rows, { promised, order: run.order });
    if (problems.length > 0) wrong.push(describeProblems(problems));
    rmSync(scratch, { recursive: true });
    counts.lives += 3;
    counts.kills += run.died;
    counts.missed += 2 - run.died;
    counts.requests += run.sent;
    const name = `${JSON.stringify(first)} then ${JSON.stringify(second)}`;
    t.same(wrong.slice(0, 2), [], `${name}: ${run.died} kills, ${run.acknowledged} acknowledged`);
  }
  t.comment(JSON.stringify(counts));
  t.ok(counts.kills >= spots.length / 2, 'most kills were met');
});
