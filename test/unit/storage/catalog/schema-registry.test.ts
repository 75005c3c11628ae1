import t from 'tap';
import type { ColumnBatch, RequestBatch } from '../../../../src/base/model/column-batch.ts';
import { emptyState } from '../../../../src/log/journal/live-state.ts';
import type { CatalogState, Commit } from '../../../../src/base/model/commit.ts';
import { reservedMeasurements, type ColumnKind } from '../../../../src/base/model/schema.ts';
import type { ValueForm } from '../../../../src/storage/catalog/number-parts.ts';
import type { MeasurementEntry } from '../../../../src/storage/catalog/measurement-entry.ts';
import { SchemaRegistry } from '../../../../src/storage/catalog/schema-registry.ts';

const options = {
  columnsMax: 100,
  measurementsMax: 10,
  databasesMax: 3,
  nameBytesMax: 65_535,
  createDatabases: true,
};

function opened(registry: SchemaRegistry, database = 'd', name = 'm'): MeasurementEntry {
  const entry = registry.measurement(database, name);
  if ('reason' in entry) throw new Error(entry.reason);
  return entry;
}

/** `name type` of the physical column that a value goes to, or the reason why it goes nowhere. */
function stored(entry: MeasurementEntry, kind: ColumnKind, spelling: string, form: ValueForm) {
  const ref = entry.column({ kind, spelling, form });
  return 'reason' in ref ? ref.reason : `${ref.physical.name} ${ref.physical.type}`;
}

type Step = readonly [spelling: string, form: ValueForm, stored: string];

const numberTables: Readonly<Record<string, readonly Step[]>> = {
  'an integer column opens a double part for the first float': [
    ['f', 'integerExact', 'f int64'],
    ['f', 'double', 'f__double double'],
    ['f', 'integer', 'f int64'],
    ['f', 'hugeExact', 'f__uint64 uint64'],
    ['f', 'huge', 'f__uint64 uint64'],
  ],
  'a double column keeps integers that are exact as doubles': [
    ['f', 'double', 'f double'],
    ['f', 'integerExact', 'f double'],
    ['f', 'hugeExact', 'f double'],
    ['f', 'integer', 'f__int64 int64'],
    ['f', 'integerExact', 'f double'],
    ['f', 'huge', 'f__uint64 uint64'],
  ],
  'a first value beyond int64 leaves the plain name to the first that fits int64': [
    ['f', 'huge', 'f__uint64 uint64'],
    ['f', 'integerExact', 'f int64'],
    ['f', 'double', 'f__double double'],
  ],
  'a first value beyond int64 leaves the plain name to the first double': [
    ['f', 'hugeExact', 'f__uint64 uint64'],
    ['f', 'double', 'f double'],
    ['f', 'hugeExact', 'f double'],
    ['f', 'integer', 'f__int64 int64'],
  ],
  'part names avoid names that are taken': [
    ['f__double', 'string', 'f__double string'],
    ['f', 'integer', 'f int64'],
    ['f', 'double', 'f__double__2 double'],
    ['F', 'double', 'F__2 double'],
    ['F', 'integer', 'F__2__int64 int64'],
    ['time', 'double', 'time__2 double'],
    ['UTC_DATE', 'boolean', 'UTC_DATE__2 boolean'],
  ],
};

for (const [title, steps] of Object.entries(numberTables)) {
  t.test(title, (t) => {
    const entry = opened(new SchemaRegistry(options));
    for (const [spelling, form, expected] of steps) {
      t.equal(stored(entry, 'field', spelling, form), expected, `${spelling} ${form}`);
    }
    t.end();
  });
}

t.test('a tag and a field of one spelling are two columns', (t) => {
  const entry = opened(new SchemaRegistry(options));
  t.equal(stored(entry, 'tag', 'temp', 'string'), 'temp string');
  t.equal(stored(entry, 'field', 'temp', 'double'), 'temp__2 double');
  t.equal(stored(entry, 'field', 'temp', 'integer'), 'temp__2__int64 int64');
  t.same(
    entry.schema.columns.map(({ kind, spelling, sqlName }) => [kind, spelling, sqlName]),
    [
      ['tag', 'temp', 'temp'],
      ['field', 'temp', 'temp__2'],
    ],
  );
  t.end();
});

t.test('another type of value is refused in the words of InfluxDB', (t) => {
  const entry = opened(new SchemaRegistry(options), 'd', 'm1');
  stored(entry, 'field', 'f', 'double');
  stored(entry, 'field', 's', 'string');
  t.equal(
    stored(entry, 'field', 'f', 'string'),
    'field type conflict: input field "f" on measurement "m1" is type string, already exists as type float',
  );
  t.equal(
    stored(entry, 'field', 's', 'integer'),
    'field type conflict: input field "s" on measurement "m1" is type integer, already exists as type string',
  );
  t.equal(entry.columnCount, 2);
  t.end();
});

t.test('an unknown column becomes the tag or field that first asks for it and can be it', (t) => {
  const registry = new SchemaRegistry(options);
  const entry = opened(registry);
  t.equal(stored(entry, 'unknown', 'host', 'string'), 'host string');
  t.equal(stored(entry, 'unknown', 'load', 'integer'), 'load int64');
  t.equal(stored(entry, 'tag', 'load', 'string'), 'load__2 string', 'a number is no tag');
  t.equal(stored(entry, 'tag', 'host', 'string'), 'host string');
  t.equal(stored(entry, 'field', 'host', 'string'), 'host__2 string');
  t.equal(stored(entry, 'field', 'load', 'double'), 'load__double double');
  t.same(
    entry.schema.columns.map(({ kind, sqlName }) => [sqlName, kind]),
    [
      ['host', 'tag'],
      ['load', 'field'],
      ['load__2', 'tag'],
      ['host__2', 'field'],
    ],
  );
  t.same(registry.takeChanges([entry.id]).kinds, [
    { measurementId: entry.id, logical: 0, kind: 'tag', columnar: true },
    { measurementId: entry.id, logical: 1, kind: 'field', columnar: true },
  ]);
  t.end();
});

t.test('a column of no kind stays where it went first', (t) => {
  const entry = opened(new SchemaRegistry(options));
  stored(entry, 'field', 'v', 'double');
  t.equal(stored(entry, 'unknown', 'v', 'double'), 'v double');
  stored(entry, 'tag', 'v', 'string');
  t.equal(stored(entry, 'unknown', 'v', 'string'), 'v__2 string', 'the tag can hold it');
  t.equal(stored(entry, 'unknown', 'v', 'integer'), 'v__int64 int64');
  stored(entry, 'field', 'w', 'string');
  t.equal(stored(entry, 'unknown', 'w', 'string'), 'w string');
  stored(entry, 'tag', 'w', 'string');
  t.equal(stored(entry, 'unknown', 'w', 'string'), 'w string', 'a later tag does not draw it');
  t.match(stored(entry, 'unknown', 'w', 'boolean'), 'already exists as type string');
  t.end();
});

t.test('where a column of no kind went is known after a load, and after a replay', (t) => {
  const registry = new SchemaRegistry(options);
  const entry = opened(registry);
  stored(entry, 'field', 'w', 'string');
  stored(entry, 'unknown', 'w', 'string');
  stored(entry, 'unknown', 'n', 'integer');
  const before = recordOf(entry);
  stored(entry, 'tag', 'w', 'string');
  stored(entry, 'field', 'n', 'double');
  stored(entry, 'tag', 'x', 'string');
  const after = recordOf(entry);
  const loaded = new SchemaRegistry(options);
  loaded.load(applied(emptyState, registry.takeChanges([entry.id])));
  const replayed = new SchemaRegistry(options);
  replayed.adopt(before);
  replayed.adopt(after);
  for (const [title, each] of [
    ['loaded', loaded],
    ['replayed', replayed],
  ] as const) {
    const again = opened(each, entry.database, entry.name);
    const marks = (each: MeasurementEntry) =>
      each.schema.columns.map(({ sqlName, kind, columnar }) => [sqlName, kind, columnar]);
    t.same(marks(again), marks(entry), title);
    t.equal(stored(again, 'unknown', 'w', 'string'), 'w string', `${title}: not the later tag`);
    t.equal(stored(again, 'unknown', 'n', 'double'), 'n__double double', title);
    t.equal(stored(again, 'tag', 'n', 'string'), 'n__2 string', title);
  }
  t.end();
});

t.test('a refused row leaves nothing behind', (t) => {
  const registry = new SchemaRegistry({ ...options, columnsMax: 2 });
  const wish = (spelling: string, form: ValueForm, kind: ColumnKind = 'field') => ({
    kind,
    spelling,
    form,
  });
  const three = [wish('a', 'double'), wish('b', 'double'), wish('c', 'double')];
  t.match(registry.admit('d', 'm', three), { kind: 'cap' });
  t.equal(registry.find('d', 'm'), undefined);
  t.same(registry.databases(), []);
  t.match(registry.admit('d', 'm', [wish('a', 'double')]), { columns: [{ spelling: 'a' }] });
  t.match(registry.admit('d', 'm', [wish('b', 'double'), wish('a', 'string')]), {
    kind: 'conflict',
  });
  t.equal(registry.find('d', 'm')?.columns.length, 1);
  t.match(registry.admit('d', 'm', [wish('Time', 'string', 'tag')]), { kind: 'conflict' });
  t.match(registry.admit('d', 'm', [wish('a\nb', 'double')]), { kind: 'parse' });
  t.match(registry.admit('d', 'm', [wish('', 'double')]), { kind: 'parse' });
  t.equal(registry.find('d', 'm')?.columns.length, 1);
  t.end();
});

t.test('caps and names of databases and measurements are refused, `_internal` too', (t) => {
  const registry = new SchemaRegistry({ ...options, measurementsMax: 2 });
  t.match(registry.measurement('_internal', 'dead_letters'), { kind: 'parse' });
  t.match(registry.measurement('', 'm'), { kind: 'parse', reason: 'missing database' });
  t.match(registry.measurement('d', ''), { kind: 'parse', reason: 'missing measurement' });
  opened(registry, 'a', 'm');
  opened(registry, 'b', 'm');
  t.match(registry.measurement('c', 'm'), { kind: 'cap' });
  t.match(registry.createDatabase('c'), undefined);
  t.match(registry.createDatabase('d'), { kind: 'cap' });
  t.match(registry.createDatabase('_internal'), { kind: 'parse' });
  t.equal(opened(registry, 'a', 'm').id, 16);
  const closed = new SchemaRegistry({ ...options, createDatabases: false });
  t.match(closed.measurement('x', 'm'), { reason: 'database not found: "x"' });
  closed.createDatabase('x');
  t.equal(opened(closed, 'x', 'm').id, 16);
  t.end();
});

t.test('measurement and database names are exact; SQL may find them but for case', (t) => {
  const registry = new SchemaRegistry(options);
  const [upper, lower] = [opened(registry, 'd', 'CPU'), opened(registry, 'd', 'cpu')];
  opened(registry, 'd', 'Disk');
  t.not(upper.id, lower.id);
  t.match(registry.match('d', 'CPU'), { found: { id: upper.id } });
  t.match(registry.match('d', 'disk'), { found: { name: 'Disk' } });
  t.match(registry.match('d', 'Cpu'), { candidates: ['CPU', 'cpu'] });
  t.match(registry.matchDatabase('D'), { found: 'd' });
  t.end();
});

/** What replaying the commits would give. */
function applied(state: CatalogState, commit: Omit<Commit, 'number' | 'kind'>): CatalogState {
  const columns = [...state.columns, ...(commit.columns ?? [])];
  return {
    ...state,
    databases: [...state.databases, ...(commit.databases ?? [])],
    measurements: [...state.measurements, ...(commit.measurements ?? [])],
    identified: [...state.identified, ...(commit.identified ?? [])],
    databaseTags: [...state.databaseTags, ...(commit.databaseTags ?? [])],
    columns: columns.map((column) => {
      const change = commit.kinds?.find(
        (each) => each.measurementId === column.measurementId && each.logical === column.logical,
      );
      if (change === undefined) return column;
      const { measurementId, logical, ...decided } = change;
      return { ...column, ...decided, measurementId, logical };
    }),
  };
}

t.test(
  'changes are offered until a commit with them is confirmed, and load gives them back',
  (t) => {
    const registry = new SchemaRegistry(options);
    const one = opened(registry, 'd', 'one');
    const two = opened(registry, 'd', 'two');
    stored(one, 'unknown', 'a', 'string');
    stored(two, 'field', 'b', 'double');
    const first = registry.takeChanges([one.id]);
    t.same(registry.takeChanges([one.id]), first, 'a refused commit loses nothing');
    t.same(first.databases, ['_internal', 'd']);
    t.same(first.measurements, [{ id: one.id, database: 'd', name: 'one' }]);
    stored(one, 'tag', 'a', 'string');
    stored(one, 'field', 'c', 'integer');
    registry.confirm({ kind: 'flush', number: 1, ...first });
    const second = registry.takeChanges([one.id, two.id, one.id]);
    t.same(second.databases, undefined);
    t.same(
      second.columns?.map(({ name, columnId, logical }) => [name, columnId, logical]),
      [
        ['c', 1, 1],
        ['b', 0, 0],
      ],
    );
    t.same(second.kinds, [{ measurementId: one.id, logical: 0, kind: 'tag', columnar: true }]);
    registry.confirm({ kind: 'flush', number: 2, ...second });
    t.same(registry.takeChanges([one.id, two.id]), {});

    const loaded = new SchemaRegistry(options);
    loaded.load(applied(applied(emptyState, first), second));
    t.same(loaded.measurements('d'), registry.measurements('d'));
    t.same(loaded.takeChanges([one.id, two.id]), {}, 'nothing is pending after a load');
    t.equal(opened(loaded, 'd', 'three').id, two.id + 1);
    t.equal(stored(opened(loaded, 'd', 'one'), 'field', 'c', 'double'), 'c__double double');
    t.end();
  },
);

function recordOf(entry: MeasurementEntry): RequestBatch {
  const batch: ColumnBatch = {
    measurementId: entry.id,
    database: entry.database,
    measurement: entry.name,
    hasIdentity: entry.schema.columns.every(({ kind }) => kind !== 'unknown'),
    rowCount: 1,
    times: new BigInt64Array(1),
    columns: entry.schema.columns.flatMap(({ parts, ...column }) =>
      parts.map((part) => ({
        column: { ...column, physical: { ...part, id: -1 } },
        values: new Uint8Array(1),
        rows: undefined,
        dictionary: undefined,
      })),
    ),
  };
  return { batches: [batch], serverTimeUs: 0, clockTrusted: true };
}

t.test('replay learns from log records what no commit held', (t) => {
  const registry = new SchemaRegistry(options);
  const entry = opened(registry, 'd', 'm');
  stored(entry, 'unknown', 'host', 'string');
  stored(entry, 'field', 'temp', 'double');
  const earlier = recordOf(entry);
  stored(entry, 'field', 'TEMP', 'huge');
  stored(entry, 'field', 'temp', 'integer');
  stored(entry, 'tag', 'host', 'string');
  const later = recordOf(entry);

  const replayed = new SchemaRegistry({ ...options, columnsMax: 1, measurementsMax: 0 });
  replayed.load(emptyState);
  const [first] = replayed.adopt(earlier).batches;
  t.same(
    first?.columns.map(({ column }) => column.physical.id),
    [0, 1],
  );
  t.equal(first?.columns[0]?.column.kind, 'unknown');
  const [second] = replayed.adopt(later).batches;
  t.equal(second?.columns[0]?.column.kind, 'tag', 'the later record says what it became');
  t.same(second?.columns.map(({ column }) => column.physical.name).sort(), [
    'TEMP__2__uint64',
    'host',
    'temp',
    'temp__int64',
  ]);
  const strip = (each: SchemaRegistry) =>
    each.find('d', 'm')?.columns.map(({ kind, sqlName, parts }) => {
      return [kind, sqlName, ...parts.map((part) => part.name)];
    });
  t.same(strip(replayed), strip(registry));
  t.equal(replayed.find('d', 'm')?.id, entry.id);
  t.equal(replayed.takeChanges([entry.id]).columns?.length, 4);
  t.end();
});

t.test('records of before a commit meet the columns that the commit holds', (t) => {
  const registry = new SchemaRegistry(options);
  const entry = opened(registry, 'd', 'm');
  stored(entry, 'unknown', 'host', 'string');
  const record = recordOf(entry);
  stored(entry, 'tag', 'host', 'string');
  const state = applied(emptyState, registry.takeChanges([entry.id]));
  const replayed = new SchemaRegistry(options);
  replayed.load(state);
  const [batch] = replayed.adopt(record).batches;
  t.match(batch?.columns[0]?.column, { kind: 'tag', physical: { id: 0, name: 'host' } });
  t.same(replayed.takeChanges([entry.id]), {});
  t.end();
});

t.test('the reserved measurements stand from the start and are not listed', (t) => {
  const registry = new SchemaRegistry(options);
  const dead = registry.reserved(reservedMeasurements.deadLetters);
  t.equal(dead.database, '_internal');
  t.equal(stored(dead, 'field', 'line', 'integer'), 'line int64');
  t.same(registry.databases(), []);
  t.match(registry.takeChanges([dead.id]), {
    databases: ['_internal'],
    measurements: [{ id: 1 }],
    columns: [{ columnId: 0 }],
  });
  t.throws(() => registry.reserved(16));
  t.end();
});

t.test('named tags: all or none, unknown columns become tags, and it lasts', (t) => {
  const registry = new SchemaRegistry(options);
  const entry = opened(registry);
  stored(entry, 'unknown', 'host', 'string');
  stored(entry, 'unknown', 'load', 'double');
  stored(entry, 'field', 'note', 'string');
  t.match(registry.nameTags('d', 'm', ['host', 'load']), { kind: 'conflict', reason: /"load"/ });
  t.match(registry.nameTags('d', 'm', ['host', 'note']), { kind: 'conflict', reason: /"note"/ });
  t.match(registry.nameTags('d', 'm', ['host', '']), { kind: 'parse' });
  t.match(
    registry.nameTags('d', 'm', ['Host']),
    { kind: 'conflict', reason: 'there is no column "Host", but one is spelt "host"' },
    'rows have no such tag: all of one time would be one point',
  );
  t.equal(entry.identified, false);
  t.equal(entry.physical('host')?.kind, 'unknown', 'a refusal changes nothing');
  t.equal(registry.nameTags('d', 'm', ['host', 'rack']), entry);
  t.equal(entry.identified, true);
  t.equal(stored(entry, 'unknown', 'host', 'string'), 'host string', 'where it was');
  t.equal(stored(entry, 'unknown', 'rack', 'string'), 'rack string', 'the new tag');
  t.match(stored(entry, 'unknown', 'rack', 'double'), /rack/, 'numbers cannot go to a tag');
  const changes = registry.takeChanges([entry.id]);
  t.same(changes.identified, [entry.id]);
  registry.confirm({ number: 1, kind: 'schema', ...changes });
  t.equal(registry.takeChanges([entry.id]).identified, undefined);
  const again = new SchemaRegistry(options);
  again.load(applied(emptyState, changes));
  t.equal(opened(again).identified, true);
  t.equal(opened(again).physical('rack')?.kind, 'tag');
  t.equal(again.takeChanges([entry.id]).identified, undefined, 'nothing is pending');
  const fresh = again.nameTags('d', 'new one', ['a']);
  t.match(fresh, { identified: true, name: 'new one' }, 'before the first row');
  t.end();
});
