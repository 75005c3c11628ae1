/**
 * Request bodies of the benches, seeded: `iot` (time, host, 3 floats) and `cpu` (10 tags, 8 float
 * and 2 integer fields, about 390 bytes a line). No (series, time) comes twice.
 */
export interface Shape {
  readonly name: 'iot' | 'cpu';
  readonly hosts: number;
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

/** Tag sets of `cpu`, one per host. */
function cpuTags(host: number): string {
  const region = regions[host % regions.length] ?? '';
  const tags = [
    `hostname=host_${host}`,
    `region=${region}`,
    `datacenter=${region}${'abc'.charAt(host % 3)}`,
    `rack=${host % 97}`,
    `os=Ubuntu16.${host % 2 === 0 ? '04' : '10'}LTS`,
    `arch=x${host % 2 === 0 ? '64' : '86'}`,
    `team=${['SF', 'NYC', 'LON', 'CHI'][host % 4] ?? ''}`,
    `service=${host % 19}`,
    `service_version=${host % 2}`,
    `service_environment=${['production', 'staging', 'test'][host % 3] ?? ''}`,
  ];
  return tags.join(',');
}

/** Line without its time; `random` gives the values. */
function lineOf(shape: Shape, host: number, random: () => number): string {
  const float = () => (random() * 100).toFixed(4);
  if (shape.name === 'iot') {
    return `iot,host=server_${host} value=${float()},cpu_idle=${float()},cpu_user=${float()}`;
  }
  const floats = floatFields.map((field) => `${field}=${float()}`).join(',');
  const ints = `requests=${Math.floor(random() * 1e6)}i,errors=${Math.floor(random() * 100)}i`;
  return `cpu,${cpuTags(host)} ${floats},${ints}`;
}

/**
 * Returns `count` bodies of `rowsPerBody` lines each: every host in turn, one second between its
 * rows, from `startSeconds` since 1970.
 */
export function bodies(
  shape: Shape,
  count: number,
  rowsPerBody: number,
  startSeconds: number,
): readonly Buffer[] {
  const random = seeded(shape.hosts * 7919 + count);
  let row = 0;
  return Array.from({ length: count }, () => {
    const lines: string[] = [];
    for (let line = 0; line < rowsPerBody; line++, row++) {
      const seconds = startSeconds + Math.floor(row / shape.hosts);
      lines.push(`${lineOf(shape, row % shape.hosts, random)} ${seconds}000000000`);
    }
    return Buffer.from(`${lines.join('\n')}\n`);
  });
}
