import fc from 'fast-check';
import t from 'tap';
import {
  ColumnNames,
  foldName,
  hasControlCharacter,
  matchName,
  nameProblem,
} from '../../../../src/base/model/names.ts';

t.test('names equal but for case share a key, in every script', (t) => {
  const pairs: readonly (readonly [string, string])[] = [
    ['temp', 'TEMP'],
    ['Tür', 'tÜR'],
    ['straße', 'STRASSE'],
    ['ΟΔΟΣ', 'οδος'],
    ['οδος', 'οδοσ'],
    ['K', 'k'],
    ['ſ', 's'],
    ['İ', 'i̇'],
    ['Ω', 'ω'],
    ['ǅ', 'ǆ'],
    ['𐐀', '𐐨'],
  ];
  for (const [a, b] of pairs) t.equal(foldName(a), foldName(b), `${a} ${b}`);
  t.not(foldName('温度'), foldName('湿度'));
  t.not(foldName('é'), foldName('e'));
  t.end();
});

t.test('what upper and lower case of any character join, the key joins', (t) => {
  const failed: string[] = [];
  for (let code = 0; code < 0x20000; code += 1) {
    if (code >= 0xd800 && code < 0xe000) continue;
    const character = String.fromCodePoint(code);
    for (const other of [character.toLowerCase(), character.toUpperCase()]) {
      if (foldName(character) !== foldName(other)) failed.push(`${character} ${other}`);
    }
  }
  t.same(failed, []);
  t.end();
});

t.test('a key is its own key', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      t.equal(foldName(foldName(name)), foldName(name));
    }),
    { numRuns: 200 },
  );
  t.end();
});

t.test('a new name takes the first that is free, reserved names included', (t) => {
  const names = new ColumnNames();
  t.equal(names.takeFree('temp'), 'temp');
  t.equal(names.takeFree('Temp'), 'Temp__2');
  t.equal(names.takeFree('TEMP__2'), 'TEMP__2__2');
  t.equal(names.takeFree('temp'), 'temp__3');
  t.equal(names.takeFree('Time'), 'Time__2');
  t.equal(names.takeFree('utc_date'), 'utc_date__2');
  t.equal(names.takeFree('_SEQ'), '_SEQ__2');
  t.end();
});

t.test('a name is refused when empty, too long, not UTF-8 or with control characters', (t) => {
  t.equal(nameProblem('measurement', '', 10), 'missing measurement');
  t.equal(nameProblem('measurement', 'a'.repeat(10), 10), undefined);
  t.match(nameProblem('measurement', 'a'.repeat(11), 10), 'max measurement length exceeded');
  t.match(nameProblem('tag key', '温温温温', 11), '12 > 11');
  t.match(nameProblem('field key', 'a\u0000b', 99), 'control character');
  t.match(nameProblem('field key', '\ud800', 99), 'invalid UTF-8');
  t.ok(hasControlCharacter('a\u007f'));
  t.notOk(hasControlCharacter('Tür "x", y=1 温度 \u00a0'));
  t.end();
});

t.test('an exact spelling is found first, then the only one equal but for case', (t) => {
  const known = new Map([
    ['cpu', 1],
    ['CPU', 2],
    ['Disk', 3],
  ]);
  t.same(matchName(known, 'CPU'), { found: 2 });
  t.same(matchName(known, 'disk'), { found: 3 });
  t.same(matchName(known, 'Cpu'), { found: undefined, candidates: ['cpu', 'CPU'] });
  t.same(matchName(known, 'net'), { found: undefined, candidates: [] });
  t.end();
});
