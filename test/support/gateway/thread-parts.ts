/**
 * The file layer and the log of one thread of a test's gateway, as the plan wants them.
 */
import { appendFileSync } from 'node:fs';
import { nodeFiles, type Files } from '../../../src/base/disk/files.ts';
import { decodePayload } from '../../../src/log/journal/commit-record.ts';
import type { AppendLog, OpenLog, RecordInput } from '../../../src/log/log-types.ts';
import { openLog as productOpenLog } from '../../../src/log/open-log.ts';
import { decodeRequest } from '../../../src/log/wal/request-record.ts';
import { interceptFiles, together, type Interceptor } from '../intercept-files.ts';
import { MarkWriter } from '../rig/device-marks.ts';
import { phaseMarks } from '../rig/phase-marks.ts';
import { bugs, type Bug } from './bugs.ts';
import { appendRecord, callRecord } from './call-record.ts';
import { killAtCall } from './kill-at-call.ts';
import { PhaseReader } from './phases.ts';
import { readPlan, type GatewayPlan, type ThreadName } from './plan.ts';

export interface ThreadParts {
  readonly files: Files;
  readonly openLog: OpenLog;
  readonly bug: Bug;
}

export interface LogWatch {
  before?(method: string, args: readonly unknown[]): void;
  /** Not called if the method threw. */
  after?(method: string, args: readonly unknown[], result: unknown): void;
}

/** Shows every call of one of the log's methods. */
export function watchLog(log: AppendLog, watch: LogWatch): AppendLog {
  return new Proxy(log, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        watch.before?.(String(name), args);
        const result: unknown = Reflect.apply(value, target, args);
        watch.after?.(String(name), args, result);
        return result;
      };
    },
  });
}

/** What this thread is made of; called once per thread. */
export function threadParts(thread: ThreadName): ThreadParts {
  const plan = readPlan();
  const bug: Bug = plan.bug === undefined ? {} : bugs[plan.bug];
  const phases = new PhaseReader(thread);
  const interceptors: Interceptor[] = [];
  if (plan.callFile !== undefined) interceptors.push(callRecord(plan.callFile, thread));
  if (plan.marks !== undefined) {
    const marks = new MarkWriter(plan.marks);
    interceptors.push(phaseMarks(marks, thread, (call) => phases.phaseOf(call)));
  }
  if (plan.kill?.thread === thread) interceptors.push(killAtCall(plan.kill));
  const planted = bug.files?.[thread];
  if (planted !== undefined) interceptors.push(planted());
  const files = interceptFiles(nodeFiles, together(interceptors));
  const openLog: OpenLog = (options, replay) => {
    phases.replaying = true;
    const spoil = thread === 'wal' ? bug.replayed : undefined;
    const opened = productOpenLog(options, {
      ...replay,
      onRecord(record, ...rest) {
        spoil?.(record);
        replay.onRecord(record, ...rest);
      },
    });
    phases.replaying = false;
    const log = watchLog(opened.log, {
      before(method, args) {
        phases.logCall(method, args);
        if (method === 'append') noteAppend(plan, thread, args[0] as Group);
      },
      after(method, args, result) {
        noteDone(plan, thread, method, args, result);
      },
    });
    return { ...opened, log: bug.log?.[thread]?.(log) ?? log };
  };
  return { files, openLog, bug };
}

type Group = readonly RecordInput[];

/** Before the log takes a group: the order of requests, and what a commit will name. */
function noteAppend(plan: GatewayPlan, thread: ThreadName, group: Group): void {
  if (thread === 'wal' && plan.orderFile !== undefined) {
    appendFileSync(plan.orderFile, `${JSON.stringify(requestsOf(group))}\n`);
  }
  if (thread !== 'commit' || plan.callFile === undefined) return;
  for (const { payload } of group) {
    const decoded = decodePayload(payload);
    if (decoded.type !== 'commit') continue;
    const { adds = [], lowWater } = decoded.proposal;
    const paths = adds.map(({ path }) => path);
    appendRecord(plan.callFile, { at: 'committing', paths, lowWater });
  }
}

function noteDone(
  plan: GatewayPlan,
  thread: ThreadName,
  method: string,
  args: readonly unknown[],
  result: unknown,
): void {
  if (plan.callFile === undefined) return;
  if (thread === 'wal' && method === 'append') {
    const group = args[0] as Group;
    const firsts = result as readonly number[];
    const lastLsn = (firsts.at(-1) ?? 0) + (group.at(-1)?.count ?? 1) - 1;
    appendRecord(plan.callFile, { at: 'appended', requests: requestsOf(group), lastLsn });
  }
  if (thread === 'commit' && method === 'rotate' && args[0] !== undefined) {
    appendRecord(plan.callFile, { at: 'snapshot' });
  }
}

/** The requests of a group by the number that rows of points carry which come once; 0 without. */
function requestsOf(group: Group): readonly number[] {
  return group.map(({ payload }) => {
    for (const { columns } of decodeRequest(payload).batches) {
      const numbers = columns.find(({ column }) => column.spelling === 'request');
      if (numbers !== undefined) return Number(numbers.values[0]);
    }
    return 0;
  });
}
