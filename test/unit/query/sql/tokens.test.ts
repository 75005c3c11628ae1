import t from 'tap';
import fc from 'fast-check';
import {
  fromByteString,
  plainSpaces,
  quotedDefault,
  quoteName,
  toByteString,
  tokenize,
} from '../../../../src/query/sql/tokens.ts';

const kinds = (sql: string) => tokenize(sql).map(({ kind, text }) => `${kind} ${text}`);

await t.test('tokens by the rules of the SQL parser', (t) => {
  t.same(kinds('SELECT a."b ""c""" FROM x'), [
    'word SELECT',
    'word a',
    'symbol .',
    'quoted b "c"',
    'word FROM',
    'word x',
  ]);
  t.same(kinds("'it''s' e'\\'' E'a' $$x'$$ $t$ $$ $t$ $1 1.5e3"), [
    "string 'it''s'",
    "string e'\\''",
    "string E'a'",
    "string $$x'$$",
    'string $t$ $$ $t$',
    'parameter $1',
    'number 1',
    'symbol .',
    'number 5e3',
  ]);
  t.same(kinds("a /* 'x /* y */ z */ -- 'q\n b"), ['word a', 'word b']);
  t.same(kinds('"open'), ['quoted ope']);
  t.same(kinds("'open"), ["string 'open"]);
  t.same(kinds('/* open'), []);
  t.same(kinds('Tür温'), ['word Tür温']);
  t.end();
});

await t.test('any text is cut into tokens in order, in bytes as in characters', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (sql) => {
      let at = 0;
      for (const { start, end } of tokenize(sql)) {
        if (start < at || end <= start || end > sql.length) return false;
        at = end;
      }
      return true;
    }),
  );
  t.end();
});

await t.test('quoted names are read back', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
      const [token, ...rest] = tokenize(toByteString(quoteName(name)));
      return rest.length === 0 && fromByteString(token?.text ?? '') === name;
    }),
  );
  t.end();
});

await t.test('odd spaces become plain ones outside of quotes', (t) => {
  t.equal(
    plainSpaces('a\u00a0b \u3000\'\u00a0\' "\u00a0" $$\u00a0$$'),
    'a b  \'\u00a0\' "\u00a0" $$\u00a0$$',
  );
  t.equal(plainSpaces('plain'), 'plain');
  t.end();
});

await t.test('the database default may stand without quotes', (t) => {
  t.equal(quotedDefault('FROM default.cpu, Default . x'), 'FROM "default".cpu, "Default" . x');
  t.equal(
    quotedDefault('SELECT \'default.x\', "default".x, default'),
    'SELECT \'default.x\', "default".x, default',
  );
  t.end();
});
