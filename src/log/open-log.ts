/**
 * Opens a log: recovers it (L5), gives its records to the owner, and makes the fresh segment of
 * this start (L3, L4). Runs on the owner's thread.
 *
 * I1 A newer format is refused before anything is changed.
 * I2 The journal is read twice: first to find its newest valid snapshot, then from there on, so
 *    that segments which that snapshot made needless are not missed.
 */
import { asGatewayError } from '../base/errors/gateway-error.ts';
import { Log } from './log.ts';
import { surveySegments, type SegmentSurvey } from './live-segments.ts';
import { logRules, type LogRules } from './log-rules.ts';
import type { LogOptions, LogReplay, OpenedLog } from './log-types.ts';
import { Replay, type Replayed, type ReplayTargets } from './replay.ts';
import { SegmentFiles } from './segment-files.ts';
import type { RotFindings } from './rot.ts';

/**
 * The recovered log and what recovery found. A refusing disk does not make it throw: the log is
 * then in state `failed`.
 * @param rules other rules than the right ones are composed by tests that plant bugs
 * @throws HF_FORMAT_NEWER, having changed nothing; HF_IO if a segment cannot be read
 */
export function openLog(
  options: LogOptions,
  replay: LogReplay,
  rules: LogRules = logRules,
): OpenedLog {
  const names = new SegmentFiles(options.files, options.directory, options.prefix, options.suffix);
  const survey = surveySegments(options, names);
  const { replayed, rot } =
    options.kind === 'journal'
      ? fromSnapshot(options, names, rules, survey, replay)
      : read(options, names, rules, survey, replay);
  removeDead(options, names, [...replayed.dead, ...names.list().fillings.map(({ name }) => name)]);
  const next = rules.firstNumber(Math.max(replayed.highest, replay.floor()));
  const log = new Log(options, names, rules, { replayed, sequence: survey.sequence, next });
  const report = {
    segments: replayed.live.length,
    bytes: replayed.bytes,
    records: replayed.records,
    lastNumber: replayed.lastNumber,
    carried: replayed.carried.length,
    tornRecords: replayed.tornRecords,
    rot: rot.ranges,
    alarms: rot.alarms,
    failure: log.failure,
  };
  return { log, report };
}

interface ReadLog {
  readonly replayed: Replayed;
  readonly rot: RotFindings;
}

function read(
  options: LogOptions,
  names: SegmentFiles,
  rules: LogRules,
  survey: SegmentSurvey,
  targets: ReplayTargets,
): ReadLog {
  const replay = new Replay(options, names, rules, survey, targets);
  return { replayed: replay.run(), rot: replay.rot };
}

function fromSnapshot(
  options: LogOptions,
  names: SegmentFiles,
  rules: LogRules,
  survey: SegmentSurvey,
  replay: LogReplay,
): ReadLog {
  const first = read(options, names, rules, survey, { lowWater: 0, onRecord: () => undefined });
  const snapshot = first.replayed.snapshot ?? 1;
  return read(options, names, rules, survey, { ...replay, lowWater: snapshot - 1 });
}

/** Dead files hold nothing that counts; one that cannot be removed is dead at the next start too. */
function removeDead(options: LogOptions, names: SegmentFiles, dead: readonly string[]): void {
  for (const name of dead) {
    try {
      options.files.unlink(names.path(name));
    } catch (error) {
      if (asGatewayError(error).kind === 'bug') throw error;
    }
  }
}
