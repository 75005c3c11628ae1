/**
 * Runs a script that drives one real client against a gateway, and holds what the gateway serves
 * afterwards against what the script was told to write.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { GatewayClient, quoted } from './gateway-client.ts';
import { rowText, type PlainRow, type PlainValue } from './plain-row.ts';
import type { RealGateway } from './real-gateway.ts';

export type FieldKind = 'float' | 'integer' | 'unsigned' | 'boolean' | 'string';

/** A point as a client is told to write it. */
export interface ClientPoint {
  readonly measurement: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, readonly [kind: FieldKind, text: string]>>;
  /** Nanoseconds, whole microseconds. */
  readonly time: string;
}

/** What a step of a script came to. */
export interface Outcome {
  readonly ok: boolean;
  readonly value?: unknown;
  /** The client's own class of error, and its words. */
  readonly error?: string;
  readonly text?: string;
}

export interface ClientJob {
  readonly relay: string;
  readonly database: string;
  readonly points: readonly ClientPoint[];
}

/** An instant with digits in every unit, in nanoseconds. */
export const instant = 1_700_000_000_123_456_789n;
export const manyPoints = 5000;
export const manyFromUs = 1_700_000_000_000_000;
const partialLines = 'kept v=1i 1\nbad line\nkept v=2i 2000';

const folder = fileURLToPath(new URL('../integration/clients/drivers/', import.meta.url));

/** Runs `script` with `program`. Throws what it wrote if it ends badly. */
export async function drive(
  program: string,
  script: string,
  job: ClientJob,
  clientFolder: string,
): Promise<Readonly<Record<string, Outcome>>> {
  const child = spawn(program, [folder + script], {
    env: { ...process.env, CLIENT_FOLDER: clientFolder, PYTHONDONTWRITEBYTECODE: '1' },
  });
  child.stdin.end(
    JSON.stringify({
      ...job,
      at: String(instant),
      many: manyPoints,
      from_us: manyFromUs,
      partial: partialLines,
    }),
  );
  const [out, err] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  if (child.exitCode !== 0) throw new Error(`${script} ended with ${child.exitCode}: ${err}`);
  return JSON.parse(out) as Record<string, Outcome>;
}

function plainValue([kind, text]: readonly [FieldKind, string]): PlainValue {
  if (kind === 'float') return Number(text);
  if (kind === 'boolean') return text === 'true';
  return kind === 'string' ? text : BigInt(text);
}

/** What DESCRIBE shows of a column that holds such a value. */
function shownType(field: readonly [FieldKind, string]): string {
  const value = plainValue(field);
  switch (typeof value) {
    case 'bigint':
      return value > 2n ** 63n - 1n ? 'DECIMAL(20,0)' : 'BIGINT';
    case 'number':
      return 'DOUBLE';
    case 'boolean':
      return 'BOOLEAN';
    default:
      return 'VARCHAR';
  }
}

function plainPoint(database: string, prefix: string, point: ClientPoint): PlainRow {
  return {
    database,
    measurement: prefix + point.measurement,
    tags: point.tags,
    time: BigInt(point.time) / 1000n,
    fields: Object.fromEntries(
      Object.entries(point.fields).map(([name, field]) => [name, plainValue(field)]),
    ),
  };
}

/** Rows of `points` as they were sent and as they are served, sorted texts. */
export async function sentAndServed(
  gateway: RealGateway,
  database: string,
  points: readonly ClientPoint[],
  prefix = '',
): Promise<{ readonly sent: readonly string[]; readonly served: readonly string[] }> {
  const client = new GatewayClient(gateway.url);
  const sent = points.map((point) => rowText(plainPoint(database, prefix, point)));
  const served: string[] = [];
  for (const [name, same] of Object.entries(
    Object.groupBy(points, ({ measurement }) => measurement),
  )) {
    const tags = [...new Set((same ?? []).flatMap((point) => Object.keys(point.tags)))];
    const place = { database, measurement: prefix + name, tags };
    served.push(...(await client.rows(place)).map(rowText));
  }
  return { sent: sent.sort(), served: served.sort() };
}

/** `measurement field type` of the fields of `points` as sent and as the gateway describes them. */
export async function sentAndServedTypes(
  gateway: RealGateway,
  database: string,
  points: readonly ClientPoint[],
  prefix = '',
): Promise<{ readonly sent: readonly string[]; readonly served: readonly string[] }> {
  const sent = new Set<string>();
  const served = new Set<string>();
  for (const { measurement, fields } of points) {
    const name = prefix + measurement;
    for (const [spelling, field] of Object.entries(fields)) {
      sent.add(`${name} ${spelling} ${shownType(field)}`);
    }
    const table = `${quoted(database)}.${quoted(name)}`;
    const described = await gateway.select(`DESCRIBE ${table}`);
    for (const [, type, kind, spelling] of described) {
      const isField = kind === 'field' || (kind === 'unknown' && String(spelling) in fields);
      if (isField) served.add(`${name} ${String(spelling)} ${String(type)}`);
    }
  }
  return { sent: [...sent].sort(), served: [...served].sort() };
}
