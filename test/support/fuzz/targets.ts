/** The targets by name, and those with a planted bug, which show what each fuzzer sees. */
import { planted } from './planted.ts';
import { arrowTarget } from './targets/arrow-ipc.ts';
import { commitTarget } from './targets/commit-record.ts';
import { configTarget } from './targets/config.ts';
import { decompressTarget } from './targets/decompress.ts';
import { footerTarget } from './targets/footer.ts';
import { lineTarget } from './targets/line-protocol.ts';
import { logTarget } from './targets/log.ts';
import { messageTarget } from './targets/message-pack.ts';
import { requestTarget } from './targets/request-record.ts';
import type { FuzzTarget } from './target.ts';

export const targets: Readonly<Record<string, () => FuzzTarget | Promise<FuzzTarget>>> = {
  'line-protocol': () => lineTarget(),
  'message-pack': () => messageTarget(),
  'arrow-ipc': () => arrowTarget(),
  decompress: () => decompressTarget(),
  'request-record': () => requestTarget(),
  'commit-record': () => commitTarget(),
  footer: () => footerTarget(),
  wal: () => logTarget('wal'),
  journal: () => logTarget('journal'),
  config: () => configTarget(),
};

/** @throws if there is none of that name */
export async function makeTarget(name: string): Promise<FuzzTarget> {
  const make = targets[name] ?? planted[name];
  if (make === undefined) throw new Error(`no target ${name}`);
  return make();
}
