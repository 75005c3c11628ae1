// Floors of the house (docs/ARCHITECTURE.md): a lower floor never imports a higher one, wings of one
// floor never import each other, and each package is used in its named places only.
const wing = (name) =>
  name === 'query' ? '^src/query/(?!sql/)' : `^src/${name}/`;
const allowed = {
  log: ['log'],
  'query/sql': ['query/sql'],
  system: ['system'],
  storage: ['log', 'storage'],
  ingest: ['log', 'storage', 'ingest'],
  query: ['log', 'storage', 'query', 'query/sql'],
  replication: ['log', 'storage', 'replication'],
  access: ['storage', 'access'],
  fronts: ['ingest', 'query', 'query/sql', 'storage', 'log', 'system', 'access', 'replication', 'fronts'],
};
const wingRules = Object.entries(allowed).map(([name, may]) => ({
  name: `floor-of-${name.replace('/', '-')}`,
  comment: `src/${name} may import src/base and ${may.map((m) => `src/${m}`).join(', ')} only. Move the type to base/model, or let gateway.ts hand the part in through an interface.`,
  severity: 'error',
  from: { path: wing(name) },
  to: { path: '^src/', pathNot: ['^src/base/', ...may.map(wing)] },
}));
const packagePlaces = {
  'better-sqlite3': '^src/storage/catalog/',
  '@duckdb/': '^src/(query/child|storage/compaction)/',
  'apache-arrow': '^src/(storage/parquet/|query/child/|ingest/decode/arrow-ipc)',
  'parquet-wasm': '^src/storage/parquet/',
  fastify: '^src/fronts/http/',
  pino: '^src/base/telemetry/',
  'prom-client': '^src/base/telemetry/',
  'smol-toml': '^src/base/config/',
};
const packageRules = Object.entries(packagePlaces).map(([name, place]) => ({
  name: `package-${name.replace(/[@/]/g, '')}`,
  comment: `${name} is imported only under ${place}. Ask the wing that owns it, through what it exports.`,
  severity: 'error',
  from: { path: '^src/', pathNot: place },
  to: { path: `node_modules/${name}` },
}));
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', comment: 'No import cycles: move what both need into a file below them.', from: {}, to: { circular: true } },
    {
      name: 'base-stands-alone', severity: 'error',
      comment: 'src/base knows nothing of the flow of the product: move the type to base/model, or the code up.',
      from: { path: '^src/base/' }, to: { path: '^src/', pathNot: '^src/base/' },
    },
    {
      name: 'no-tests-in-src', severity: 'error', comment: 'src never imports test or bench: move what both need to src, or compose it in the test.',
      from: { path: '^src/' }, to: { path: '^(test|bench)/' },
    },
    {
      name: 'gateway-is-the-only-root', severity: 'error',
      comment: 'Only main.ts starts the gateway; let gateway.ts hand in what is needed.',
      from: { path: '^src/', pathNot: '^src/main\\.ts$' }, to: { path: '^src/(gateway|main)\\.ts$' },
    },
    {
      name: 'one-file-layer', severity: 'error',
      comment: 'Only base/disk opens files: take a `Files` instead.',
      from: { path: '^src/', pathNot: '^src/(base/disk|base/config|fronts/cli|system|main\\.ts)' },
      to: { path: '^(node:)?fs(/promises)?$' },
    },
    ...wingRules,
    ...packageRules,
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.mjs'] },
  },
};
