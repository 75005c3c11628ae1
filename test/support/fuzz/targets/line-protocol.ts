/**
 * The decoder of line protocol, against a second reading (line-reference.ts): the same rows, the
 * same bad lines, whole or as a request of which nothing bad is accepted.
 */
import { isDeepStrictEqual } from 'node:util';
import { plainRows } from '../../decoded-rows.ts';
import { newDecoder, nowUs } from '../../line-decoder.ts';
import { LineReference } from '../../line-reference.ts';
import { Broken, text, type FuzzTarget } from '../target.ts';

type Decode = ReturnType<typeof newDecoder>['decode'];

const seeds = [
  'm f=1\n',
  'cpu,host=a,region=eu\\ west usage=1.5,n=3i,u=4u,ok=t,s="a\\"b" 1700000000000000000\n',
  'm,a=b f="x\ny",g=2 -5\r\n# note\n\nm,a=c f="z" 9223372036854775806\n',
  'm\\,x,t\\=g=v\\ w f\\ k=1e5,h=-0,i=9223372036854775807i 12 \n  m2 a=F\n',
  'm f=1,f=2,f=3 1\nm f=NaN\nm f="\nbad\nm g=.5e-3,time=1\n',
];

const words = [
  ...['m', ',', '=', ' ', '\n', '\r\n', '"', '\\', '#', 'f=1', 'a=b', '1i', '2u', 'true', 'time=1'],
  ...[
    '\0',
    '\t',
    '\x7f',
    '="',
    '\\"',
    '\\\\',
    '\\ ',
    '\\,',
    '\\=',
    '\\\n',
    'é',
    '\ufeff',
    '🙂',
    '-',
    '.',
  ],
  ...[
    'e400',
    '9223372036854775808',
    '-9223372036854775808i',
    '18446744073709551615u',
    'NaN',
    '+Inf',
  ],
];

export function lineTarget(decodeOf: (decode: Decode) => Decode = (decode) => decode): FuzzTarget {
  return {
    seeds: seeds.map(text),
    words: [...words, Uint8Array.of(0xff), Uint8Array.of(0xed, 0xa0, 0x80)],
    async run(input) {
      const decode = decodeOf(newDecoder({ columnsMax: 20_000, measurementsMax: 20_000 }).decode);
      const reference = new LineReference(input);
      const decoded = await decode(input, { daysMax: 1_000_000 });
      const rows = plainRows(decoded.batches);
      const wanted = new Map<string, object[]>();
      for (const { measurement, timeUs, tags, fields } of reference.rows) {
        const list = wanted.get(measurement) ?? [];
        list.push({ timeUs: timeUs ?? BigInt(nowUs), tags, fields });
        wanted.set(measurement, list);
      }
      // A name of the gateway's own, and a line that is too long, are no matter of the grammar.
      const isReserved = reference.rows.some(({ measurement }) => measurement === '_internal');
      if (!isReserved) {
        if (!isDeepStrictEqual(rows, wanted)) throw new Broken('other rows than the reference');
        if (decoded.rejectedLines !== reference.bad.length) throw new Broken('other bad lines');
      }
      const outcome = [...new Set(decoded.rejected.map(({ reason }) => kindOf(reason)))].sort();
      decoded.free();
      return `${rows.size > 0 ? 'rows ' : ''}${outcome.slice(0, 2).join()}`;
    },
  };
}

const kindOf = (reason: string) => reason.replace(/[^a-z ].*/s, '').slice(0, 24);
