/**
 * A journal whose record of a measurement is rotten: what its files need is found in their footers,
 * what is not found keeps no registry from loading.
 */
import t from 'tap';
import type { ColumnAddition, Commit } from '../../../../src/base/model/commit.ts';
import type { ColumnRef } from '../../../../src/base/model/schema.ts';
import { LiveState } from '../../../../src/log/journal/live-state.ts';
import type { JournalAlarm } from '../../../../src/log/journal/commit-messages.ts';
import {
  restoreLostSchema,
  type FooterSchema,
} from '../../../../src/storage/catalog/lost-schema.ts';
import { SchemaRegistry } from '../../../../src/storage/catalog/schema-registry.ts';
import { fileFacts } from '../../../support/catalog-model.ts';

const fields = ['a', 'b', 'c', 'd'] as const;

const additionOf = (columnId: number): ColumnAddition => {
  const name = fields[columnId] ?? '';
  const where = { measurementId: 20, columnId, logical: columnId };
  return { ...where, kind: 'field', spelling: name, sqlName: name, name, type: 'int64' };
};

const refOf = (id: number): ColumnRef => {
  const { kind, spelling, sqlName, name, type } = additionOf(id);
  return { kind, spelling, sqlName, physical: { id, name, type } };
};

/** Two flushes of one measurement; the second brought column d. */
const first: Commit = {
  number: 1,
  kind: 'flush',
  databases: ['d'],
  measurements: [{ id: 20, database: 'd', name: 'm' }],
  columns: [0, 1, 2].map(additionOf),
  adds: [fileFacts(1, 20, [1, 9], { columns: [[0, 2]] })],
  positions: [[20, 9]],
};
const second: Commit = {
  number: 2,
  kind: 'flush',
  columns: [additionOf(3)],
  adds: [
    fileFacts(2, 20, [10, 19], {
      columns: [
        [0, 0],
        [2, 3],
      ],
    }),
  ],
  positions: [[20, 19]],
};

function stateOf(...commits: readonly Commit[]): LiveState {
  const state = new LiveState();
  for (const commit of commits) state.apply(commit);
  return state;
}

function registryOf(state: LiveState): SchemaRegistry {
  const registry = new SchemaRegistry({
    columnsMax: 100,
    measurementsMax: 10,
    databasesMax: 3,
    nameBytesMax: 255,
    createDatabases: true,
  });
  registry.load(state.toState());
  return registry;
}

/** Restores with that answer for every footer. */
function restored(state: LiveState, footer: FooterSchema | Error) {
  const alarms: JournalAlarm[] = [];
  const read: string[] = [];
  const footerOf = (path: string): FooterSchema => {
    read.push(path);
    if (footer instanceof Error) throw footer;
    return footer;
  };
  restoreLostSchema(state, footerOf, (alarm) => alarms.push(alarm));
  return { alarms, read };
}

const footer = { measurementId: 20, database: 'd', measurement: 'm' };
const ofSecond: FooterSchema = { ...footer, columns: [0, 2, 3].map(refOf) };

t.test('names that only the lost commit had come back from the footer of a file', (t) => {
  const state = stateOf(second);
  const { alarms, read } = restored(state, ofSecond);
  t.same(alarms, []);
  t.same(read, [fileFacts(2, 20, [0, 0]).path]);
  const schema = registryOf(state).find('d', 'm');
  t.match(schema, { id: 20, columns: { length: 3 } });
  const parts = schema?.columns.flatMap(({ sqlName, parts }) => [[sqlName, ...parts]]);
  t.match(parts?.sort(), [
    ['a', { id: 0, name: 'a', type: 'int64' }],
    ['c', { id: 2, name: 'c', type: 'int64' }],
    ['d', { id: 3, name: 'd', type: 'int64' }],
  ]);
  t.same(restored(state, ofSecond).read, [], 'and are not looked for again');
  t.end();
});

t.test('what the journal knows stands, and no footer is read for it', (t) => {
  const state = stateOf(first, second);
  const before = state.toState();
  t.same(restored(state, ofSecond).read, []);
  t.same(state.toState(), before);
  t.end();
});

t.test('a column that no file tells of is missing; its id and index are not given again', (t) => {
  const state = stateOf(second);
  restored(state, ofSecond);
  const registry = registryOf(state);
  const made = registry.admit('d', 'm', [{ kind: 'field', spelling: 'b', form: 'integer' }]);
  t.match(made, { columns: [{ sqlName: 'b', physical: { id: 4, name: 'b' } }] });
  const { columns = [] } = registry.takeChanges([20]);
  t.match(columns, [{ columnId: 4, sqlName: 'b' }]);
  state.check({ kind: 'schema', columns });
  const logicals = [...state.toState().columns, ...columns].map(({ logical }) => logical);
  t.equal(new Set(logicals).size, 4, 'one index for each');
  t.end();
});

t.test('without any footer the rest of the catalog loads, under an alarm', (t) => {
  const state = stateOf({ ...second, measurements: [{ id: 16, database: 'd', name: 'other' }] });
  const { alarms } = restored(state, new Error('no footer'));
  t.match(alarms, [{ kind: 'journal-damaged', message: /no footer/ }]);
  const registry = registryOf(state);
  t.match(registry.find('d', 'other'), { id: 16 });
  t.equal(registry.find('d', 'm'), undefined);
  const made = registry.measurement('d', 'm');
  t.match(made, { id: 21 }, 'files of the lost measurement never become those of another one');
  t.end();
});
