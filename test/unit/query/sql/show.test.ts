import t from 'tap';
import { readShow } from '../../../../src/query/sql/show.ts';

t.same(readShow('SHOW DATABASES'), { kind: 'databases' });
t.same(readShow(' show /* all */ databases ; ;'), { kind: 'databases' });
t.same(readShow('SHOW TABLES'), { kind: 'tables', database: undefined });
t.same(readShow('SHOW TABLES FROM x'), { kind: 'tables', database: 'x' });
t.same(readShow('show measurements in "a.b"'), { kind: 'tables', database: 'a.b' });
const columns = { kind: 'columns', database: undefined, measurement: 'cpu' };
t.same(readShow('DESCRIBE cpu'), columns);
t.same(readShow('desc table cpu;'), columns);
t.same(readShow('SHOW COLUMNS FROM cpu'), columns);
t.same(readShow('DESCRIBE "a b"."c""d"'), {
  kind: 'columns',
  database: 'a b',
  measurement: 'c"d',
});
for (const sql of [
  '',
  'SELECT 1',
  'SHOW',
  'SHOW ALL TABLES',
  'SHOW TABLES FROM',
  'SHOW TABLES FROM a.b',
  'SHOW DATABASES x',
  'DESCRIBE SELECT 1',
  'DESCRIBE a.b.c',
  'SELECT 1; SHOW DATABASES',
]) {
  t.equal(readShow(sql), undefined, sql);
}
