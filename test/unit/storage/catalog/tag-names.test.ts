/**
 * Naming tags against a log that is still being read: what it holds comes first.
 */
import t from 'tap';
import { GatewayError } from '../../../../src/base/errors/gateway-error.ts';
import type { CommitProposal } from '../../../../src/base/model/commit.ts';
import { firstMeasurementId } from '../../../../src/base/model/schema.ts';
import { SchemaRegistry } from '../../../../src/storage/catalog/schema-registry.ts';
import { TagNames } from '../../../../src/storage/catalog/tag-names.ts';
import { columnRef, columnValues } from '../../../support/row-sets.ts';

const options = {
  columnsMax: 100,
  measurementsMax: 20,
  databasesMax: 4,
  nameBytesMax: 65_535,
  createDatabases: true,
};

t.test('no tags are named while the log is read, so its rows keep their measurement', async (t) => {
  const registry = new SchemaRegistry(options);
  const committed: CommitProposal[] = [];
  const sealed: (readonly number[])[] = [];
  let recovering = true;
  const tagNames = new TagNames({
    registry,
    commits: {
      commit: (proposal) => {
        committed.push(proposal);
        return Promise.resolve(1);
      },
    },
    admit: () => {
      if (recovering) throw new GatewayError('HF_RECOVERING', 'the log is being read');
    },
    seal: (ids) => {
      sealed.push(ids);
    },
  });
  await t.rejects(tagNames.name('other', 'fresh', ['host']), { code: 'HF_RECOVERING' });
  t.same([sealed, committed], [[], []]);
  const column = columnRef(-1, 'field', 'int64', 'v');
  const batch = {
    measurementId: firstMeasurementId,
    database: 'plant',
    measurement: 'pumps',
    hasIdentity: true,
    rowCount: 1,
    times: BigInt64Array.of(1n),
    columns: [columnValues({ column, values: [1n] })],
  };
  registry.adopt({ batches: [batch], serverTimeUs: 0, clockTrusted: true });
  t.equal(registry.find('plant', 'pumps')?.id, firstMeasurementId);

  recovering = false;
  t.same(await tagNames.name('other', 'fresh', ['host']), ['host']);
  t.same(sealed, [[firstMeasurementId + 1]]);
  t.same(
    committed.map(({ identified }) => identified),
    [[firstMeasurementId + 1]],
  );
});
