import t from 'tap';
import { plainRows } from '../../../support/decoded-rows.ts';
import { newDecoder, nowUs, type DecodeSetup } from '../../../support/line-decoder.ts';

/** One line a row: `measurement tag=value field=value time`. */
async function rowsOf(body: string | Uint8Array, setup: DecodeSetup = {}) {
  const { batches } = await newDecoder().decode(body, setup);
  return [...plainRows(batches)].flatMap(([measurement, rows]) =>
    rows.map(({ tags, fields, timeUs }) => {
      const cells = [...tags, ...fields].map(([key, value]) => `${key}=${value}`);
      return [measurement, ...cells, timeUs === BigInt(nowUs) ? 'now' : String(timeUs)].join(' ');
    }),
  );
}

const accepted: Readonly<Record<string, readonly [body: string, ...rows: string[]]>> = {
  'a line without tags and time': ['m f=1', 'm f=number:1 now'],
  'CRLF line ends': ['m f=1 1000\r\nm f=2 2000\r\n', 'm f=number:1 1', 'm f=number:2 2'],
  'CR at the very end': ['m f=1 1000\r', 'm f=number:1 1'],
  'blank lines, leading spaces, comments': [
    '\n\n  # a="b\n  m   f=1   1000  \n#\n \t\n',
    'm f=number:1 1',
  ],
  'a comment as the whole body': ['# nothing'],
  'nothing at all': [''],
  'a newline inside a string': ['m f="a\nb\r\nc" 1000', 'm f=string:a\nb\r\nc 1'],
  'escaped quote and backslash in a string': ['m f="a\\"b\\\\"', 'm f=string:a"b\\ now'],
  'other escapes in a string kept': ['m f="a\\n\\,\\ "', 'm f=string:a\\n\\,\\  now'],
  'commas, equals signs, hashes in a string': ['m f=" ,=#"', 'm f=string: ,=# now'],
  'an empty string': ['m f=""', 'm f=string: now'],
  'a control character in a string': ['m f="\u0001\t"', 'm f=string:\u0001\t now'],
  'a quoted measurement': ['"m m",t=1 f=1'],
  'quotes as part of names': ['"m",t="x" f=1', '"m" t="x" f=number:1 now'],
  'escapes in names': [
    'm\\ \\,=\\=,t\\ \\,\\==\\ \\,\\= f\\ \\,\\==1',
    'm ,=\\= t ,== ,= f ,==number:1 now',
  ],
  'other backslashes in names kept': [
    'm\\x,t\\x=C:\\x f\\x=1',
    'm\\x t\\x=C:\\x f\\x=number:1 now',
  ],
  'two backslashes before a space': ['m,t=a\\\\ b f=1', 'm t=a\\ b f=number:1 now'],
  'a hash that is escaped or inside': [
    '\\#m f=1\nm#,t=# #f=2',
    '\\#m f=number:1 now',
    'm# t=# #f=number:2 now',
  ],
  'names beyond ASCII': ['温度,où=Zürich é=1', '温度 où=Zürich é=number:1 now'],
  'booleans in all spellings': [
    'm a=t,b=T,c=true,d=True,e=TRUE,f=f,g=F,h=false,i=False,j=FALSE',
    'm a=boolean:1 b=boolean:1 c=boolean:1 d=boolean:1 e=boolean:1 f=boolean:0 g=boolean:0 h=boolean:0 i=boolean:0 j=boolean:0 now',
  ],
  'floats in all forms': [
    'm a=1,b=1.,c=.5,d=-.5,e=1e3,f=1E-2,g=-1.5e+2,h=007.50,i=-0',
    'm a=number:1 b=number:1 c=number:0.5 d=number:-0.5 e=number:1000 f=number:0.01 g=number:-150 h=number:7.5 i=number:-0 now',
  ],
  'the ends of int64 and uint64': [
    'm a=9223372036854775807i,b=-9223372036854775808i,c=18446744073709551615u,d=-0i,e=00000000000000000000001i',
    'm a=number:9223372036854775807 b=number:-9223372036854775808 d=number:0 e=number:1 c=number:18446744073709551615 now',
  ],
  'a field that stands twice: the last value': ['m f=1,g=2,f=3', 'm g=number:2 f=number:3 now'],
  'a field that stands twice with two types': ['m f=1,f="x"', 'm f=string:x now'],
  'a field named time': ['m time=5,f=1', 'm time=number:5 f=number:1 now'],
  'a tag and a field of one name': ['m,a=x a=1', 'm a=x a=number:1 now'],
};

for (const [title, [body, ...rows]] of Object.entries(accepted)) {
  t.test(`takes ${title}`, async (t) => {
    const got = await rowsOf(body);
    // The order of cells in a row is that of the columns' ids, which is that of the line.
    t.same(
      new Set(got.map((row) => row.split(' ').sort().join(' '))),
      new Set(rows.map((row) => row.split(' ').sort().join(' '))),
    );
  });
}

const rejected: Readonly<
  Record<string, readonly [line: string | Buffer, reason: RegExp | string]>
> = {
  'no fields': ['bad', 'missing fields'],
  'no fields but tags': ['m,a=b', 'missing fields'],
  'nothing behind the space': ['m ', 'invalid field format'],
  'no fields and a tag without a value': ['m,a', 'missing tag value'],
  'no fields and an empty tag value': ['m,a=', 'missing tag value'],
  'no fields and a trailing comma': ['m,a=b,', 'missing tag key'],
  'no measurement': [',a=b f=1', 'missing measurement'],
  'an empty tag value': ['m,a= f=1', 'missing tag value'],
  'an empty tag value before another': ['m,a=,b=c f=1', 'missing tag value'],
  'a tag without a value': ['m,a f=1', 'missing tag value'],
  'an empty tag key': ['m,=b f=1', 'missing tag key'],
  'a trailing comma in the tags': ['m,a=b, f=1', 'missing tag key'],
  'an equals sign in a tag value': ['m,a=b=c=d f=1', 'invalid tag format'],
  'duplicate tags': ['m,a=b,c=d,a=e f=1', 'duplicate tags'],
  'duplicate tags with one value': ['m,a=b,a=b f=1', 'duplicate tags'],
  'a tag that ends in a backslash': ['m,a=b\\ f=1', 'invalid tag format'],
  'a tag named time': [
    'm,time=x f=1',
    'invalid tag key: input tag "time" on measurement "m" is invalid',
  ],
  'a tag named TIME': ['m,a=b,TIME=x f=1', /: input tag "TIME" on/],
  'tabs as separators': ['m\tf=1\t1', 'control character in measurement'],
  'a vertical tab in a tag': ['m,a=\u000b f=1', 'control character in tag value'],
  'a NUL in a tag': ['m,a=\0 f=1', 'control character in tag value'],
  'a control character in the measurement': ['m\u0001 f=1', 'control character in measurement'],
  'a control character in a tag key': ['m,a\u007f=b f=1', 'control character in tag key'],
  'a control character in a field key': ['m f\u0002=1', 'control character in field key'],
  'a NUL in a string': ['m f="a\0b"', 'NUL in line'],
  'invalid UTF-8 in a tag': [Buffer.from('m,a=\xff f=1', 'latin1'), 'invalid UTF-8'],
  'invalid UTF-8 in a string': [Buffer.from('m f="\xc3("', 'latin1'), 'invalid UTF-8'],
  'invalid UTF-8 in a field key': [Buffer.from('m f\xff=1', 'latin1'), 'invalid UTF-8'],
  'a half surrogate': [Buffer.from('m f="\xed\xa0\x80"', 'latin1'), 'invalid UTF-8'],
  'a field without a key': ['m =1', 'missing field key'],
  'a field without a value': ['m f=', 'missing field value'],
  'a field without a value before another': ['m f=,g=1', 'missing field value'],
  'a field without an equals sign': ['m f', 'invalid field format'],
  'a trailing comma in the fields': ['m f=1, 1', 'invalid field format'],
  'two commas between fields': ['m f=1,,g=2', 'invalid field format'],
  'a comma in a field key': ['m a,b=1', 'invalid field format'],
  NaN: ['m f=NaN', 'invalid number'],
  infinity: ['m f=+Inf', 'invalid boolean'],
  'a plus sign': ['m f=+1', 'invalid boolean'],
  'hexadecimal digits': ['m f=0x10', 'invalid number'],
  'a float beyond all doubles': ['m f=1e400', 'invalid float'],
  'a lone minus': ['m f=-', 'invalid number'],
  'a lone dot': ['m f=.', 'invalid number'],
  'an exponent without digits': ['m f=1e', 'invalid float'],
  'an exponent of a sign only': ['m f=1e+,g=1', 'invalid float'],
  'two exponents': ['m f=1ee5', 'invalid float'],
  'letters behind an exponent': ['m f=1ex', 'invalid number'],
  'two dots': ['m f=1.2.3', 'invalid number'],
  'a fraction with an i': ['m f=1.5i', 'invalid number'],
  'an i without digits': ['m f=i', 'invalid boolean'],
  'a minus and an i': ['m f=-i', 'invalid number'],
  'letters behind an i': ['m f=1ii', 'invalid number'],
  'a negative unsigned': ['m f=-1u', 'invalid number'],
  'int64 overflow': [
    'm f=9223372036854775808i',
    'unable to parse integer 9223372036854775808: ' +
      'strconv.ParseInt: parsing "9223372036854775808": value out of range',
  ],
  'int64 underflow': ['m f=-9223372036854775809i', /value out of range/],
  'uint64 overflow': [
    'm f=18446744073709551616u',
    'unable to parse unsigned 18446744073709551616: ' +
      'strconv.ParseUint: parsing "18446744073709551616": value out of range',
  ],
  'an integer of a million digits': [
    `m f=${'9'.repeat(1_000_000)}i`,
    /^unable to parse integer 9{40}:/,
  ],
  'a boolean misspelt': ['m f=tru', 'invalid boolean'],
  'a boolean with more behind it': ['m f=trueish', 'invalid boolean'],
  'a word without quotes': ['m f=abc', 'invalid boolean'],
  'a string that does not end': ['m f="abc', 'unbalanced quotes'],
  'a string that ends in an escaped quote': ['m f="abc\\"', 'unbalanced quotes'],
  'letters behind a string': ['m f="a"b', 'invalid field format'],
  'a time with a fraction': ['m f=1 1.5', 'bad timestamp'],
  'a time with letters': ['m f=1 12a', 'bad timestamp'],
  'two times': ['m f=1 1 2', 'point is invalid'],
  'a lone minus as a time': ['m f=1 -', 'strconv.ParseInt: parsing "-": invalid syntax'],
  'a minus before letters as a time': ['m f=1 -a', 'bad timestamp'],
  'a CR inside a line': ['m f=1\r 1', 'bad timestamp'],
  'a time at the end of int64': [
    'm f=1 9223372036854775807',
    'time outside range -9223372036854775806 - 9223372036854775806',
  ],
  'a time at the start of int64': ['m f=1 -9223372036854775807', /^time outside range/],
  'a time beyond int64': [
    'm f=1 9223372036854775808',
    'strconv.ParseInt: parsing "9223372036854775808": value out of range',
  ],
  'a time of many digits': [
    'm f=1 -123456789012345678901234567890',
    'strconv.ParseInt: parsing "-123456789012345678901234567890": value out of range',
  ],
  'a name of more than 64 KB': [
    `${'m'.repeat(65_536)} f=1`,
    'max measurement length exceeded: 65536 > 65535',
  ],
  'a tag value of more than 64 KB': [`m,a=${'v'.repeat(65_536)} f=1`, /^max tag value length/],
  'a field key of more than 64 KB': [`m ${'f'.repeat(65_536)}=1`, /^max field key length/],
  'a string of more than 1 MiB': [
    `m f="${'s'.repeat(1_048_577)}"`,
    'max string length exceeded: 1048577 > 1048576',
  ],
  'more fields than a measurement may have': [
    `m ${Array.from({ length: 101 }, (_, index) => `f${index}=1`).join(',')}`,
    'max columns per measurement exceeded: 100',
  ],
  'more tags than a measurement may have': [
    `m,${Array.from({ length: 101 }, (_, index) => `t${index}=1`).join(',')} f=1`,
    'max columns per measurement exceeded: 100',
  ],
  'one field very many times': [`m ${'f=1,'.repeat(500)}f=1`, /^max columns per measurement/],
};

for (const [title, [line, reason]] of Object.entries(rejected)) {
  t.test(`rejects ${title}, and keeps the lines around it`, async (t) => {
    const bad = Buffer.from(line);
    // What does not end draws in the rest of the body, so it is tried as the last line.
    const isLast = String(reason) === 'unbalanced quotes' || title.endsWith('behind the space');
    const body = Buffer.concat([
      Buffer.from('good f=1 1000\n'),
      bad,
      Buffer.from(isLast ? '' : '\ngood f=2 2000\n'),
    ]);
    const { registry, decode } = newDecoder();
    const decoded = await decode(body);
    t.equal(decoded.rejected.length, 1);
    t.match(decoded.rejected[0]?.reason, reason);
    t.equal(decoded.rejected[0]?.line, 2);
    const text = decoded.rejected[0]?.text ?? '';
    t.ok(bad.length > 65_536 ? text.length === 65_536 : text === bad.toString('utf8'));
    t.equal(decoded.rejectedLines, 1);
    t.equal(decoded.rows, isLast ? 1 : 2);
    t.equal(registry.measurements('d').length, 1, 'no measurement is left behind');
    t.equal(registry.find('d', 'good')?.columns.length, 1, 'no column is left behind');
  });
}
