/**
 * A whole gateway on what a power cut left: what it shows by SQL, and what becomes of requests with
 * a key that are sent to it once more.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { GatewayClient, type WriteAnswer } from '../gateway-client.ts';
import { GatewayProcess } from '../gateway-process.ts';
import type { KeyedRequest } from '../mixed-load.ts';
import type { PlainRow } from '../plain-row.ts';
import { loadPlaces, smallGatewayFlags } from './drive.ts';
import { planEnvironment, type GatewayPlan } from './plan.ts';

export interface AskOptions {
  /** With their first answers. */
  readonly keyed: ReadonlyMap<KeyedRequest, WriteAnswer | undefined>;
  /** Requests that must be there. */
  readonly promised: ReadonlySet<number>;
  readonly plan: GatewayPlan;
}

export interface Asked {
  /** What it shows after its start, and after all keyed requests were sent once more. */
  readonly rows: readonly PlainRow[];
  readonly rowsSentAgain: readonly PlainRow[];
  /** Wrong answers, and bad rows that are no dead letter, or not just one. */
  readonly wrong: readonly string[];
}

const entry = fileURLToPath(new URL('entry.ts', import.meta.url));
const lanes = 4;

export async function askGateway(dataDirectory: string, options: AskOptions): Promise<Asked> {
  const { bug } = options.plan;
  const gateway = GatewayProcess.start({
    dataDirectory,
    flags: smallGatewayFlags,
    ...(bug !== undefined && { entry, environment: planEnvironment({ bug }) }),
  });
  try {
    const client = new GatewayClient(await gateway.ready());
    const rows = await client.allRows(loadPlaces);
    const wrong: string[] = [];
    const left = [...options.keyed];
    const lane = async () => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const [request, first] = next;
        const found = answerProblem(request, first, await sendAgain(client, request), options);
        if (found !== undefined) wrong.push(found);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    wrong.push(...(await letterProblems(client, [...options.keyed.keys()])));
    return { rows, rowsSentAgain: await client.allRows(loadPlaces), wrong };
  } finally {
    await gateway.stop();
  }
}

async function sendAgain(client: GatewayClient, request: KeyedRequest): Promise<WriteAnswer> {
  for (;;) {
    const answer = await client.deliver(request);
    if (answer === undefined) throw new Error('the gateway ended');
    if (answer.status !== 503) return answer;
    await sleep(20);
  }
}

function answerProblem(
  request: KeyedRequest,
  first: WriteAnswer | undefined,
  again: WriteAnswer,
  { promised }: AskOptions,
): string | undefined {
  const { number, status } = request;
  const name = `request ${number}, sent again`;
  if (again.status !== status) return `${name}: ${again.status} ${again.text}`;
  if (first !== undefined && again.text !== first.text) return `${name}: another answer`;
  if (promised.has(number) && !again.isRepeat) return `${name}: its key was forgotten`;
  return undefined;
}

async function letterProblems(
  client: GatewayClient,
  keyed: readonly KeyedRequest[],
): Promise<readonly string[]> {
  const found = new Map<string, number>();
  const { rows } = await client.query(
    `SELECT regexp_extract("text", 'bad-\\d+'), count(*) FROM _internal.dead_letters GROUP BY 1`,
  );
  for (const [text, count] of rows) {
    if (typeof count === 'object' && count !== null) found.set(String(text), Number(count.text));
  }
  const bad = keyed.flatMap(({ bad: text }) => text ?? []);
  return bad
    .filter((text) => found.get(text) !== 1)
    .map((text) => `${found.get(text) ?? 0} dead letters of ${text}`);
}
