/**
 * `holdfast status`: the figures of a running gateway, for people or as JSON.
 */
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { clientFlags, exitCodes, type Verb } from './command.ts';
import { GatewayClient } from './gateway-client.ts';

interface StatusJson {
  readonly gateway: { id: string; version: string; phase: string; uptime_seconds: number };
  readonly writes: { accepted: boolean; reason?: string };
  readonly recovery: { share: number };
  readonly buffers: { rows_held?: number; bytes?: number; oldest_age_ms?: number };
  readonly wal: { synced_lsn?: number; live_bytes?: number };
  readonly catalog: { visible_commit?: number; files?: number; bytes?: number };
  readonly disk: { free_bytes?: number; total_bytes?: number };
  /** Absent from gateways of other versions. */
  readonly keys?: { count: number; count_max: number; bytes: number; bytes_max: number };
  readonly dead_letters?: {
    rows: number;
    rows_held: number;
    rows_max: number;
    bytes: number;
    bytes_max: number;
    dropped_rows: number;
  };
  readonly alarms: readonly { severity: string; text: string; remedy: string; detail: string }[];
}

function size(bytes: number | undefined): string {
  if (bytes === undefined) return '?';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1);
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power] ?? ''}`;
}

function kept({ keys, dead_letters: letters }: StatusJson): [string, string][] {
  const rows: [string, string][] = [];
  if (letters !== undefined) {
    const { rows: filed, rows_held: held, dropped_rows: dropped } = letters;
    const room = `${size(letters.bytes)} of ${size(letters.bytes_max)}`;
    const gone = dropped === 0 ? '' : `, ${dropped} dropped`;
    rows.push(['letters', `${filed + held} of ${letters.rows_max} dead rows, ${room}${gone}`]);
  }
  if (keys !== undefined) {
    const room = `${size(keys.bytes)} of ${size(keys.bytes_max)}`;
    rows.push(['keys', `${keys.count} of ${keys.count_max} remembered, ${room}`]);
  }
  return rows;
}

/** The two largest units that it has: "2 d 5 h", "41 min 7 s". */
function duration(secondsExact: number): string {
  const seconds = Math.floor(secondsExact);
  const units = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = units.findIndex(([count]) => count > 0);
  const shown = first < 0 ? units.slice(-1) : units.slice(first, first + 2);
  return shown.map(([count, unit]) => `${count} ${unit}`).join(' ');
}

function summary(status: StatusJson): string {
  const { gateway, writes, recovery, buffers, wal, catalog, disk, alarms } = status;
  const progress = gateway.phase === 'recovering' ? ` (${Math.floor(100 * recovery.share)} %)` : '';
  const rows: [string, string][] = [
    [
      'gateway',
      `${gateway.id}, version ${gateway.version}, up ${duration(gateway.uptime_seconds)}`,
    ],
    ['state', `${gateway.phase}${progress}`],
    ['writes', writes.accepted ? 'accepted' : `refused: ${writes.reason ?? 'no reason given'}`],
    ['in memory', `${buffers.rows_held ?? 0} rows, ${size(buffers.bytes ?? 0)}`],
    ['log', `${size(wal.live_bytes)} live, synced to ${wal.synced_lsn ?? '?'}`],
    [
      'files',
      `${catalog.files ?? '?'}, ${size(catalog.bytes)}, commit ${catalog.visible_commit ?? '?'}`,
    ],
    ...kept(status),
    ['disk', `${size(disk.free_bytes)} free of ${size(disk.total_bytes)}`],
    ...alarms.map(({ severity, text, detail, remedy }): [string, string] => {
      return [severity, `${text} ${detail === '' ? '' : `(${detail}) `}${remedy}`];
    }),
  ];
  return rows.map(([name, text]) => `${name.padEnd(10)} ${text}\n`).join('');
}

export const status: Verb = {
  usage: '',
  summary: 'show what a running gateway does',
  text: '  --json           print everything as JSON',
  flags: clientFlags,
  async run(words, context) {
    const extra = words.operands[0];
    if (extra !== undefined) throw new GatewayError('HF_USAGE', `one word too many: '${extra}'`);
    const text = await new GatewayClient(words, context).get('/api/v1/status');
    const asJson = words.values.get('json') === 'true';
    context.out.write(asJson ? `${text.trimEnd()}\n` : summary(JSON.parse(text) as StatusJson));
    return exitCodes.ok;
  },
};
