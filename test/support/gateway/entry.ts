/**
 * A gateway as a process, composed like the product's but with the threads of this folder, which
 * do what the plan says. Takes the words of `serve`.
 */
import process from 'node:process';
import { deriveConfig, type Config } from '../../../src/base/config/derive.ts';
import { hostFacts } from '../../../src/base/config/host.ts';
import { loadConfig, nodeConfigFiles } from '../../../src/base/config/load.ts';
import { nodeFiles } from '../../../src/base/disk/files.ts';
import { systemClock } from '../../../src/base/lib/clock.ts';
import { openLog } from '../../../src/base/telemetry/log.ts';
import { productThreads, startGateway } from '../../../src/gateway.ts';
import { bugs } from './bugs.ts';
import { readPlan } from './plan.ts';

const plan = readPlan();
const sources = { words: process.argv.slice(3), environment: {}, files: nodeConfigFiles };
const decided = deriveConfig(loadConfig(sources).raw, hostFacts());
const segmentBytes = plan.journalSegmentBytes ?? decided.journal.segmentBytes;
const config: Config = { ...decided, journal: { ...decided.journal, segmentBytes } };
const commitOrder = plan.bug === undefined ? undefined : bugs[plan.bug].commitOrder;

const shiftUs = (plan.wallShiftMs ?? 0) * 1000;
const clock = { ...systemClock, wallUs: () => systemClock.wallUs() + shiftUs };

const { logger, close } = openLog(config.log.level);
const gateway = await startGateway(config, logger, {
  threads: {
    ...productThreads,
    wal: new URL('wal-thread.ts', import.meta.url),
    spare: new URL('spare-thread.ts', import.meta.url),
    commit: new URL('commit-thread.ts', import.meta.url),
    encoder: new URL('encoder-thread.ts', import.meta.url),
  },
  files: nodeFiles,
  clock,
  ...(commitOrder === undefined ? {} : { commitOrder }),
});
const stop = new Promise((resolve) => process.on('SIGTERM', resolve));
await Promise.race([stop, gateway.failed]);
await gateway.close();
close();
process.exit(0);
