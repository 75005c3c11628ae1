/** Tags of a whole database, and what a naming leaves of columns and rows that were there. */
import t from 'tap';
import type { ColumnBatch } from '../../../../src/base/model/column-batch.ts';
import type { ColumnRef } from '../../../../src/base/model/schema.ts';
import { emptyState, LiveState } from '../../../../src/log/journal/live-state.ts';
import type { MeasurementEntry } from '../../../../src/storage/catalog/measurement-entry.ts';
import type { ValueForm } from '../../../../src/storage/catalog/number-parts.ts';
import { SchemaRegistry } from '../../../../src/storage/catalog/schema-registry.ts';

const options = {
  columnsMax: 100,
  measurementsMax: 10,
  databasesMax: 3,
  nameBytesMax: 100,
  createDatabases: true,
};

function opened(registry: SchemaRegistry, name: string): MeasurementEntry {
  const entry = registry.measurement('d', name);
  if ('reason' in entry) throw new Error(entry.reason);
  return entry;
}

/** Kind of the column that a value of a dialect without kinds goes to, or why it goes nowhere. */
function placed(entry: MeasurementEntry, spelling: string, form: ValueForm = 'string'): string {
  const ref = entry.column({ kind: 'unknown', spelling, form });
  return 'reason' in ref ? ref.reason : ref.kind;
}

/** What all that the registry knows would be after a restart. */
function restarted(registry: SchemaRegistry, ids: readonly number[]): SchemaRegistry {
  const state = new LiveState(emptyState);
  state.apply({ number: 1, kind: 'schema', ...registry.takeChanges(ids) });
  const again = new SchemaRegistry(options);
  again.load(state.toState());
  return again;
}

t.test('a database has its tags in measurements that are there and that come', (t) => {
  const registry = new SchemaRegistry(options);
  const old = opened(registry, 'old');
  placed(old, 'host');
  const named = registry.nameDatabaseTags('d', ['host', 'region']);
  t.same(named, [old.id]);
  for (const each of [registry, restarted(registry, [old.id])]) {
    const [known, fresh] = [opened(each, 'old'), opened(each, 'fresh')];
    t.ok(known.identified && fresh.identified);
    t.same(known.tags, ['host', 'region']);
    t.same(fresh.tags, ['host', 'region'], 'before its first row');
    t.same(fresh.schema.columns, [], 'no column stands for nothing');
    t.equal(placed(known, 'host'), 'tag', 'the column that was there');
    t.equal(placed(fresh, 'region'), 'tag', 'a column that comes');
    t.match(placed(fresh, 'host', 'double'), /field type conflict.*"host".*exists as type string/);
    t.match(placed(fresh, 'region', 'integer'), /field type conflict/, 'a number is no tag');
    t.equal(placed(fresh, 'load', 'double'), 'unknown');
    t.equal(known.namings + fresh.namings, 0, 'no row with identity had them as fields');
  }
  t.notOk(registry.measurement('other', 'm') instanceof Error);
  const other = registry.measurement('other', 'm');
  t.equal('reason' in other ? undefined : other.identified, false, 'another database');
  t.end();
});

t.test('tags of a database are named all or none', (t) => {
  const registry = new SchemaRegistry(options);
  const entry = opened(registry, 'm');
  placed(entry, 'load', 'double');
  placed(entry, 'host');
  entry.column({ kind: 'field', spelling: 'note', form: 'string' });
  const refused = (...tags: readonly string[]) => registry.nameDatabaseTags('d', tags);
  t.match(refused('host', 'load'), { reason: /measurement "m": column "load" holds double/ });
  t.match(refused('host', 'note'), { reason: /measurement "m": column "note" is a field/ });
  t.match(refused('Host'), { reason: /spelt "host"/ });
  t.match(refused('host', 'time'), { reason: /invalid tag key/ });
  t.match(refused('host', ''), { reason: /missing tag key/ });
  t.match(registry.nameDatabaseTags('_internal', ['a']), { reason: /reserved/ });
  t.equal(entry.identified, false);
  t.equal(registry.takeChanges([]).databaseTags, undefined);
  t.same(registry.nameDatabaseTags('fresh', ['a']), [], 'a database without measurements');
  t.same(registry.databases(), ['d', 'fresh']);
  t.end();
});

t.test('naming again changes nothing, and a commit takes what is pending', (t) => {
  const registry = new SchemaRegistry(options);
  registry.nameDatabaseTags('d', ['host']);
  const changes = registry.takeChanges([]);
  t.same(changes.databaseTags, [{ database: 'd', tags: ['host'] }]);
  registry.nameDatabaseTags('d', ['host']);
  t.same(registry.takeChanges([]).databaseTags, changes.databaseTags, 'until a commit has it');
  registry.confirm({ number: 1, kind: 'schema', ...changes });
  registry.nameDatabaseTags('d', ['host']);
  t.equal(registry.takeChanges([]).databaseTags, undefined);
  registry.nameDatabaseTags('d', ['host', 'rack']);
  t.same(registry.takeChanges([]).databaseTags, [{ database: 'd', tags: ['rack'] }]);
  t.end();
});

t.test('a column beside a tag that holds numbers of columnar rows is in the way of a name', (t) => {
  const registry = new SchemaRegistry(options);
  const entry = opened(registry, 'm');
  placed(entry, 'rack', 'integer');
  entry.column({ kind: 'tag', spelling: 'rack', form: 'string' });
  t.match(registry.nameTags('d', 'm', ['rack']), { reason: /"rack" holds int64 values/ });
  t.equal(entry.identified, false);
  t.end();
});

t.test('a naming is counted where rows with identity may have the column as a field', (t) => {
  const registry = new SchemaRegistry(options);
  const entry = opened(registry, 'm');
  for (const spelling of ['host', 'region', 'zone']) placed(entry, spelling);
  registry.nameTags('d', 'm', ['host']);
  t.equal(entry.namings, 0, 'rows without identity are never merged');
  registry.nameTags('d', 'm', ['region']);
  t.equal(entry.namings, 1);
  entry.column({ kind: 'tag', spelling: 'zone', form: 'string' });
  t.equal(entry.namings, 2, 'also if a sender names it');
  entry.column({ kind: 'tag', spelling: 'brand new', form: 'string' });
  registry.nameTags('d', 'm', ['host', 'never seen']);
  t.equal(entry.namings, 2, 'a new tag takes nothing from any row');
  const again = opened(restarted(registry, [entry.id]), 'm');
  t.equal(again.namings, 2);
  t.same(
    again.schema.columns.map(({ tagSince }) => tagSince),
    [undefined, 1, 2, undefined, undefined],
  );
  t.end();
});

/** A row of the measurement as its record in the log has it. */
function recordOf(columns: readonly ColumnRef[], namings: number): ColumnBatch {
  return {
    measurementId: 16,
    database: 'd',
    measurement: 'm',
    hasIdentity: true,
    ...(namings > 0 && { namings }),
    rowCount: 1,
    times: new BigInt64Array(1),
    columns: columns.map((column) => {
      const physical = { ...column.physical, id: -1 };
      const dictionary = { count: 1, bytes: new Uint8Array(1), offsets: Uint32Array.of(0, 1) };
      return {
        column: { ...column, physical },
        values: new Uint32Array(1),
        rows: undefined,
        dictionary,
      };
    }),
  };
}

t.test('rows of before a naming keep what they knew when they are read again', (t) => {
  const column = (kind: 'tag' | 'unknown', spelling: string): ColumnRef => {
    return {
      kind,
      spelling,
      sqlName: spelling,
      physical: { id: -1, name: spelling, type: 'string' },
    };
  };
  const kinds = (registry: SchemaRegistry, batch: ColumnBatch) => {
    const request = { batches: [batch], serverTimeUs: 0, clockTrusted: true };
    const [adopted] = registry.adopt(request).batches;
    return adopted?.columns.map((each) => each.column.kind);
  };
  const earlier = recordOf([column('tag', 'host'), column('unknown', 'region')], 0);
  const later = recordOf([column('tag', 'host'), column('tag', 'region')], 1);
  const latest = recordOf([column('tag', 'region'), column('tag', 'zone')], 2);
  for (const order of [
    [earlier, later, latest],
    [later, earlier, latest],
    [latest, later, earlier],
  ]) {
    const registry = new SchemaRegistry(options);
    const found = new Map(order.map((batch) => [batch, kinds(registry, batch)]));
    t.same(found.get(earlier), ['tag', 'unknown']);
    t.same(found.get(later), ['tag', 'tag']);
    t.same(found.get(latest), ['tag', 'tag']);
    const entry = registry.peek('d', 'm');
    t.match(entry, { identified: true, namings: 2 }, 'as such rows prove');
    const region = entry?.schema.columns.find(({ spelling }) => spelling === 'region');
    t.equal(region?.tagSince, 1);
  }
  t.end();
});
