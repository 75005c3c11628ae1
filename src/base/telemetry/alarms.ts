/**
 * Alarms: states that a person should act on, raised and cleared by the parts, shown in
 * `/api/v1/status`, `/health` and as metric `holdfast_alarms_active`. One table, so that the page,
 * the documents and the code speak of the same things. An alarm may stand for several subjects
 * (measurements, files); each subject is raised and cleared by itself.
 */
import type { Clock } from '../lib/clock.ts';
import type { Logger } from './log.ts';

export type AlarmSeverity = 'warning' | 'critical';

interface AlarmEntry {
  readonly severity: AlarmSeverity;
  readonly text: string;
  readonly remedy: string;
}

export const alarmTable = {
  disk_soft: {
    severity: 'warning',
    text: 'Free space is below the soft watermark (storage.soft_free).',
    remedy: 'Free space or enlarge the disk before the hard watermark refuses writes.',
  },
  disk_hard: {
    severity: 'critical',
    text: 'Free space is below the hard watermark (storage.hard_free): writes are refused.',
    remedy: 'Free space or enlarge the disk; writes are accepted again by themselves.',
  },
  disk_unknown: {
    severity: 'warning',
    text: 'The free space of the data directory cannot be read.',
    remedy: 'Check the mount of the data directory.',
  },
  wal_failed: {
    severity: 'critical',
    text: 'The write-ahead log cannot be written: writes are refused, queries go on.',
    remedy: 'Check the disk (`dmesg`, SMART, free space, read-only mount).',
  },
  wal_rot: {
    severity: 'critical',
    text: 'A damaged range of the write-ahead log was copied to quarantine/ and passed over.',
    remedy: 'Rows may be missing. Check the disk; keep quarantine/ for an examination.',
  },
  journal_failed: {
    severity: 'critical',
    text: 'The commit journal cannot be written: nothing is filed, unlinked or recycled.',
    remedy: 'Check the disk (`dmesg`, SMART, free space, read-only mount).',
  },
  journal_rot: {
    severity: 'critical',
    text: 'A damaged range of the commit journal was copied to quarantine/ and passed over.',
    remedy: 'Check the disk; keep quarantine/ for an examination.',
  },
  flush_failing: {
    severity: 'critical',
    text: 'A flush keeps failing; its rows stay in memory and in the log, and are tried again.',
    remedy: 'Look at the reason in the log; writes are refused when the log is full.',
  },
  orphan_files: {
    severity: 'warning',
    text: 'Data files that no commit names were moved to orphans/.',
    remedy: 'Keep them until `holdfast catalog verify` is clean.',
  },
  future_rows: {
    severity: 'warning',
    text: 'Rows came that are dated further ahead than ingest.future_limit; they are kept.',
    remedy:
      'Check the clock of the sender and the unit of its times (precision), and the clock here.',
  },
  key_reused: {
    severity: 'warning',
    text: 'A sender uses one Idempotency-Key for requests with different bodies; all are kept.',
    remedy: 'Let it take a new key for each request, and the same one only when it tries again.',
  },
  keys_unread: {
    severity: 'warning',
    text: 'The idempotency keys of earlier requests cannot be read: requests with one get 503.',
    remedy: 'Look at the reason; requests without a key are taken, and it is tried again.',
  },
  dead_letters_dropped: {
    severity: 'warning',
    text: 'Dead letters reached their limit, and the oldest were removed.',
    remedy:
      'Export or replay those that count (docs/DEAD-LETTERS.md), or raise deadletter.size_max.',
  },
  udp_dropped: {
    severity: 'warning',
    text: 'Datagrams of line protocol could not be taken and are lost: UDP has no answer.',
    remedy: 'Look at the reason; let senders whose rows must not be lost write over HTTP.',
  },
  query_engine_down: {
    severity: 'warning',
    text: 'The query engine ended and is being started again.',
    remedy: 'If it stays, lower query.memory or look at the queries in the log.',
  },
} as const satisfies Record<string, AlarmEntry>;

export type AlarmId = keyof typeof alarmTable;

export const alarmIds = Object.keys(alarmTable) as readonly AlarmId[];

export interface ActiveAlarm {
  readonly id: AlarmId;
  readonly severity: AlarmSeverity;
  readonly text: string;
  readonly remedy: string;
  /** What it is about, such as a measurement; empty if there is only one. */
  readonly subject: string;
  /** What was last said about it, such as an error message. */
  readonly detail: string;
  /** Wall time at which it was raised, microseconds. */
  readonly sinceUs: number;
}

interface StandingAlarm {
  readonly alarm: ActiveAlarm;
  /** Monotonic milliseconds at which it goes by itself. */
  readonly untilMs: number;
}

/** What parts get: they raise and clear, and never look. */
export interface AlarmRecorder {
  /** Without `standsMs` it stands until it is cleared, else it goes so long after the last one. */
  raise(id: AlarmId, detail?: string, subject?: string, standsMs?: number): void;
  clear(id: AlarmId, subject?: string): void;
}

export class Alarms implements AlarmRecorder {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #active = new Map<string, StandingAlarm>();

  constructor(deps: { readonly clock: Clock; readonly logger: Logger }) {
    this.#clock = deps.clock;
    this.#logger = deps.logger;
  }

  /** Raised again, an alarm keeps its time and takes the new detail without another log line. */
  raise(id: AlarmId, detail = '', subject = '', standsMs = Number.POSITIVE_INFINITY): void {
    this.#clearOld();
    const key = `${id}\0${subject}`;
    const sinceUs = this.#active.get(key)?.alarm.sinceUs;
    const named = { id, ...alarmTable[id], subject, detail };
    const alarm = { ...named, sinceUs: sinceUs ?? this.#clock.wallUs() };
    this.#active.set(key, { alarm, untilMs: this.#clock.monotonicMs() + standsMs });
    if (sinceUs !== undefined) return;
    const fields = { alarm: id, subject, detail, remedy: alarm.remedy };
    if (alarm.severity === 'critical') this.#logger.error(fields, alarm.text);
    else this.#logger.warn(fields, alarm.text);
  }

  clear(id: AlarmId, subject = ''): void {
    if (!this.#active.delete(`${id}\0${subject}`)) return;
    this.#logger.info({ alarm: id, subject }, 'alarm cleared');
  }

  /** Those that stand, oldest first. */
  active(): readonly ActiveAlarm[] {
    this.#clearOld();
    return Array.from(this.#active.values(), ({ alarm }) => alarm);
  }

  #clearOld(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const { alarm, untilMs } of this.#active.values()) {
      if (untilMs <= nowMs) this.clear(alarm.id, alarm.subject);
    }
  }
}
