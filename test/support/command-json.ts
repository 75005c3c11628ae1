/** The JSON that a client verb prints. */
import type { RealGateway } from './real-gateway.ts';

/** Runs `words` against `gateway`; exit code 65 (some input was bad) is no failure. */
export async function readCommand<T>(gateway: RealGateway, words: readonly string[]): Promise<T> {
  const { code, out, err } = await gateway.command(words);
  if (code !== 0 && code !== 65) throw new Error(`${words.join(' ')}: ${code} ${err}`);
  return JSON.parse(out) as T;
}
