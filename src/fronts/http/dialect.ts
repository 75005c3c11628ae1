/**
 * Which dialect a path speaks, and whether it takes rows. Errors that arise before any route runs
 * (unknown path, wrong method, not local, stopping) are answered in the right words by this alone.
 */
import type { WriteDialect } from '../../ingest/door-types.ts';

export type Dialect = WriteDialect;

/** Every path that takes line protocol; the last three are Arc's, the older ones included. */
export const lineProtocolPaths: readonly { readonly path: string; readonly dialect: Dialect }[] = [
  { path: '/write', dialect: 'v1' },
  { path: '/api/v2/write', dialect: 'v2' },
  { path: '/api/v3/write_lp', dialect: 'v3' },
  { path: '/api/v1/write/line-protocol', dialect: 'arc' },
  { path: '/api/v1/write/influxdb', dialect: 'arc' },
  { path: '/api/v1/write', dialect: 'arc' },
];

/** Every path that takes MessagePack; the second is what Arc was first asked for. */
export const messagePackPaths: readonly string[] = ['/api/v1/write/msgpack', '/write/v2/msgpack'];

export const arrowPath = '/api/v1/write/arrow';

const writePaths = new Set([
  ...lineProtocolPaths.map(({ path }) => path),
  ...messagePackPaths,
  arrowPath,
]);
const firstPaths = new Set(['/write', '/query', '/ping']);

/**
 * The path of a request target as the router finds it: without query and without a slash at the
 * end, whole addresses and percent signs undone.
 */
export function pathOf(target: string): string {
  const end = target.search(/[?#]/);
  let path = end < 0 ? target : target.slice(0, end);
  if (!path.startsWith('/')) path = path.replace(/^https?:\/\/[^/]*/i, '');
  if (path.includes('%')) path = decoded(path);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

export function isWritePath(path: string): boolean {
  return writePaths.has(path);
}

export function dialectOf(path: string): Dialect {
  if (firstPaths.has(path)) return 'v1';
  if (path.startsWith('/api/v2/')) return 'v2';
  if (path.startsWith('/api/v3/')) return 'v3';
  return 'arc';
}
