/** Rows in hundreds, for tests that ask only whether all of them are there, each once. */
import type { Test } from 'tap';
import { RealGateway } from './real-gateway.ts';

/** Line protocol of a hundred rows over three hours, with the values from `from` on. */
export function hundred(from: number): string {
  return Array.from(
    { length: 100 },
    (_, row) => `m,h=a v=${from + row}i ${1_700_000_000_000_000 + (from + row) * 108_000_000}`,
  ).join('\n');
}

export async function expectRows(t: Test, gateway: RealGateway, count: number, when: string) {
  t.same(
    await gateway.select('SELECT count(*), count(DISTINCT v) FROM d.m'),
    [[BigInt(count), BigInt(count)]],
    when,
  );
}

/** A gateway on a directory with `count` hundreds of rows in files, stopped. */
export async function filedDirectory(t: Test, count: number): Promise<RealGateway> {
  const gateway = await RealGateway.start(t);
  for (let index = 0; index < count; index += 1) await gateway.write(hundred(index * 100));
  t.equal(await gateway.stop(), 0);
  return gateway;
}
