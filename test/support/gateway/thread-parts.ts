/**
 * The file layer and the log of one thread of a test's gateway, as the plan wants them.
 */
import { appendFileSync } from 'node:fs';
import { nodeFiles, type Files } from '../../../src/base/disk/files.ts';
import type { AppendLog, OpenLog } from '../../../src/log/log-types.ts';
import { openLog as productOpenLog } from '../../../src/log/open-log.ts';
import { decodeRequest } from '../../../src/log/wal/request-record.ts';
import { interceptFiles, together, type Interceptor } from '../intercept-files.ts';
import { MarkWriter } from '../rig/device-marks.ts';
import { phaseMarks } from '../rig/phase-marks.ts';
import { bugs, type Bug } from './bugs.ts';
import { callRecord } from './call-record.ts';
import { killAtCall } from './kill-at-call.ts';
import { PhaseReader } from './phases.ts';
import { readPlan, type ThreadName } from './plan.ts';

export interface ThreadParts {
  readonly files: Files;
  readonly openLog: OpenLog;
  readonly bug: Bug;
}

/** Calls `before` ahead of every call of one of the log's methods. */
export function watchLog(
  log: AppendLog,
  before: (method: string, args: readonly unknown[]) => void,
): AppendLog {
  return new Proxy(log, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        before(String(name), args);
        return Reflect.apply(value, target, args);
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
    const opened = productOpenLog(options, replay);
    phases.replaying = false;
    const log = watchLog(opened.log, (method, args) => {
      phases.logCall(method, args);
      if (plan.orderFile !== undefined && thread === 'wal' && method === 'append') {
        appendFileSync(plan.orderFile, orderLine(args[0] as readonly { payload: Uint8Array }[]));
      }
    });
    return { ...opened, log: bug.log?.[thread]?.(log) ?? log };
  };
  return { files, openLog, bug };
}

/** The requests of a group by the number that each of their rows carries. */
function orderLine(group: readonly { readonly payload: Uint8Array }[]): string {
  const requests = group.map(({ payload }) => {
    for (const { columns } of decodeRequest(payload).batches) {
      const numbers = columns.find(({ column }) => column.spelling === 'request');
      if (numbers !== undefined) return Number(numbers.values[0]);
    }
    return 0;
  });
  return `${JSON.stringify(requests)}\n`;
}
