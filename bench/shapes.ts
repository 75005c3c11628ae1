/**
 * Request bodies of the benches, seeded. `iot`: time, host, 3 floats. `cpu`: 10 tags, 8 float and 2
 * integer fields, about 370 bytes a line. Two more are hard on memory: `many` spreads its rows over
 * 500 measurements, `text` has a different string of 200 bytes in each row. No (series, time) comes
 * twice, however long a run is. `iot` and `cpu` come in MessagePack too, columnar or as rows, and
 * in Arrow IPC, texts plain or coded by a dictionary.
 */
import { arrowBody } from './arrow-bodies.ts';
import { columnarBody, rowsBody, type BenchRow } from './msgpack-bodies.ts';

export interface Shape {
  readonly name: 'iot' | 'cpu' | 'many' | 'text';
  readonly hosts: number;
  /** Line protocol if it is not given. */
  readonly format?: 'columnar' | 'rows' | 'arrow' | 'arrow-coded';
}

/** Where bodies of a shape are sent. */
export function pathOf({ name, format }: Shape): string {
  if (format === undefined) return '/write?db=bench&precision=ns';
  return format.startsWith('arrow')
    ? `/api/v1/write/arrow?db=bench&measurement=${name}`
    : '/api/v1/write/msgpack?db=bench';
}

/** Small fast generator of uniform numbers in [0, 1); the same seed gives the same numbers. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const regions = ['eu-west-1', 'eu-central-1', 'us-east-1', 'us-west-2', 'ap-south-1'];
const floatFields = [
  ...['usage_user', 'usage_system', 'usage_idle', 'usage_nice'],
  ...['usage_iowait', 'usage_irq', 'usage_softirq', 'usage_steal'],
];

const measurementsOfMany = 500;
const wordsOfText = 25;

/** Tag sets of `cpu`, one per host. */
function cpuTags(host: number): [string, string][] {
  const region = regions[host % regions.length] ?? '';
  return [
    ['hostname', `host_${host}`],
    ['region', region],
    ['datacenter', `${region}${'abc'.charAt(host % 3)}`],
    ['rack', `${host % 97}`],
    ['os', `Ubuntu16.${host % 2 === 0 ? '04' : '10'}LTS`],
    ['arch', `x${host % 2 === 0 ? '64' : '86'}`],
    ['team', ['SF', 'NYC', 'LON', 'CHI'][host % 4] ?? ''],
    ['service', `${host % 19}`],
    ['service_version', `${host % 2}`],
    ['service_environment', ['production', 'staging', 'test'][host % 3] ?? ''],
  ];
}

/** Line without its time; `random` gives the values. */
function lineOf(shape: Shape, host: number, random: () => number): string {
  const float = () => (random() * 100).toFixed(4);
  if (shape.name === 'iot' || shape.name === 'many') {
    const name = shape.name === 'iot' ? 'iot' : `many_${host % measurementsOfMany}`;
    return `${name},host=server_${host} value=${float()},cpu_idle=${float()},cpu_user=${float()}`;
  }
  if (shape.name === 'text') {
    const word = () => Math.floor(random() * 2 ** 32).toString(16);
    const message = Array.from({ length: wordsOfText }, word).join(' ');
    return `text,host=server_${host} level="info",message="${message}"`;
  }
  const floats = floatFields.map((field) => `${field}=${float()}`).join(',');
  const ints = `requests=${Math.floor(random() * 1e6)}i,errors=${Math.floor(random() * 100)}i`;
  const tags = cpuTags(host).map(([key, value]) => `${key}=${value}`);
  return `cpu,${tags.join(',')} ${floats},${ints}`;
}

/** The same row as `lineOf` makes, for MessagePack. */
function rowOf(shape: Shape, host: number, random: () => number): BenchRow {
  const float = (name: string) => [name, { float: Number((random() * 100).toFixed(4)) }] as const;
  if (shape.name === 'iot') {
    const fields = ['value', 'cpu_idle', 'cpu_user'].map(float);
    return { tags: [['host', `server_${host}`]], fields };
  }
  const requests = ['requests', Math.floor(random() * 1e6)] as const;
  const errors = ['errors', Math.floor(random() * 100)] as const;
  return { tags: cpuTags(host), fields: [...floatFields.map(float), requests, errors] };
}

/** Time of the first row, in seconds since 1970. */
export const firstSecond = 1_700_000_000;
const secondsDigits = 10;
const nanoseconds = '000000000';

/** One body and where the time of each of its rows stands: seconds as text, or microseconds. */
interface Template {
  readonly body: Buffer;
  readonly timesAt: Uint32Array;
}

/**
 * Bodies without end: every host in turn, one second between its rows. The values of `distinct`
 * bodies come again and again, their times go on. All bodies together are whole rounds of hosts.
 */
export class BodySource {
  readonly #shape: Shape;
  readonly #rowsPerBody: number;
  readonly #templates: readonly Template[];
  #next = 0;

  constructor(shape: Shape, distinct: number, rowsPerBody: number) {
    if ((distinct * rowsPerBody) % shape.hosts !== 0) throw new Error('no whole rounds of hosts');
    this.#shape = shape;
    this.#rowsPerBody = rowsPerBody;
    const random = seeded(shape.hosts * 7919 + distinct);
    this.#templates = Array.from({ length: distinct }, (_, body) =>
      template(shape, body * rowsPerBody, rowsPerBody, random),
    );
  }

  /** The next body, in memory of its own. */
  next(): Buffer {
    const { body, timesAt } = this.#templates[this.#next % this.#templates.length] as Template;
    const firstRow = this.#next * this.#rowsPerBody;
    const bytes = Buffer.from(body);
    const { format } = this.#shape;
    const isText = format === undefined;
    const time = Buffer.alloc(isText ? secondsDigits : 8);
    let written = -1;
    for (let row = 0; row < timesAt.length; row++) {
      const seconds = firstSecond + Math.floor((firstRow + row) / this.#shape.hosts);
      if (seconds !== written) {
        if (isText) time.write(String(seconds), 'latin1');
        else if (format.startsWith('arrow')) time.writeBigUInt64LE(BigInt(seconds) * 1_000_000n);
        else time.writeBigUInt64BE(BigInt(seconds) * 1_000_000n);
      }
      written = seconds;
      bytes.set(time, timesAt[row] as number);
    }
    this.#next++;
    return bytes;
  }
}

function template(shape: Shape, firstRow: number, rows: number, random: () => number): Template {
  if (shape.format !== undefined) {
    const all = Array.from({ length: rows }, (_, row) =>
      rowOf(shape, (firstRow + row) % shape.hosts, random),
    );
    if (shape.format.startsWith('arrow')) return arrowBody(all, shape.format === 'arrow-coded');
    return shape.format === 'rows' ? rowsBody(shape.name, all) : columnarBody(shape.name, all);
  }
  const timesAt = new Uint32Array(rows);
  let text = '';
  for (let line = 0; line < rows; line++) {
    const row = firstRow + line;
    text += `${lineOf(shape, row % shape.hosts, random)} `;
    timesAt[line] = text.length;
    text += `${firstSecond}${nanoseconds}\n`;
  }
  return { body: Buffer.from(text, 'latin1'), timesAt };
}
