import fc from 'fast-check';
import t from 'tap';
import { lineBlocks } from '../../../../src/fronts/cli/line-blocks.ts';

async function* inChunks(text: string, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const all = Buffer.from(text);
  let from = 0;
  for (const cut of [...cuts, all.length].sort((a, b) => a - b)) {
    const to = Math.min(cut, all.length);
    if (to > from) yield Buffer.from(all.subarray(from, to));
    from = Math.max(from, to);
  }
}

async function blocksOf(text: string, bytesMin: number, cuts: readonly number[] = []) {
  const blocks: { text: string; firstLine: number }[] = [];
  for await (const { body, firstLine } of lineBlocks(inChunks(text, cuts), bytesMin)) {
    blocks.push({ text: Buffer.from(body).toString(), firstLine });
  }
  return blocks;
}

t.test('blocks end at ends of lines only', async (t) => {
  const cases: [string, string[]][] = [
    ['', []],
    ['m f=1', ['m f=1']],
    ['m f=1\nm f=2\n', ['m f=1\n', 'm f=2\n']],
    ['m f="a\nb" 1\nm f=2', ['m f="a\nb" 1\n', 'm f=2']],
    ['m f="a\\"\nb"\nm f=2', ['m f="a\\"\nb"\n', 'm f=2']],
    ['m,t="x f=1\nm f=2\n', ['m,t="x f=1\n', 'm f=2\n']],
    ['# it"s\nm f=1\n', ['# it"s\n', 'm f=1\n']],
    ['m\\ n f="x\ny"\nm f=1\n', ['m\\ n f="x\ny"\n', 'm f=1\n']],
    ['\n\n  m f=1\r\n', ['\n', '\n', '  m f=1\r\n']],
  ];
  for (const [text, wanted] of cases) {
    const blocks = await blocksOf(text, 1);
    t.same(
      blocks.map((block) => block.text),
      wanted,
      JSON.stringify(text),
    );
  }
});

t.test('each block knows the line at which it begins', async (t) => {
  const blocks = await blocksOf('a f=1\nb f="x\ny"\nc f=1\n', 1);
  t.same(
    blocks.map(({ firstLine }) => firstLine),
    [1, 2, 4],
  );
});

t.test('nothing is lost or moved, however the input is cut', async (t) => {
  const line = fc.constantFrom(
    'm f=1\n',
    'm f="a\nb"\n',
    '# "\n',
    '\n',
    'm,a=b\\ c g=2i 5\n',
    'bad\n',
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(line),
      fc.nat(40),
      fc.array(fc.nat(200)),
      async (lines, bytesMin, cuts) => {
        const text = lines.join('');
        const blocks = await blocksOf(text, bytesMin, cuts);
        const whole = await blocksOf(text, bytesMin);
        if (blocks.map((block) => block.text).join('') !== text) throw new Error('bytes differ');
        if (JSON.stringify(blocks) !== JSON.stringify(whole)) throw new Error('cuts matter');
        let at = 0;
        for (const block of blocks.slice(0, -1)) {
          at += block.text.length;
          let end = 0;
          if (!lines.some((each) => (end += each.length) === at)) throw new Error(`cut at ${at}`);
        }
      },
    ),
    { numRuns: 200 },
  );
  t.pass('held for 200 texts');
});

t.test('lines are counted without blanks and comments', async (t) => {
  const text = 'm f=1\n\n  # c\n  m f="a\nb"\nbad\n#\nm f=2';
  for (const [bytesMin, wanted] of [
    [1, [1, 0, 0, 1, 1, 0, 1]],
    [1000, [4]],
  ] as const) {
    const counts: number[] = [];
    for await (const block of lineBlocks(inChunks(text, [3, 17]), bytesMin)) {
      counts.push(block.lines);
    }
    t.same(counts, wanted);
  }
});
