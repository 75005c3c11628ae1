/** Bodies that are looked at in pieces: what stands where two pieces meet is seen like the rest. */
import t from 'tap';
import { newDecoder } from '../../../support/line-decoder.ts';

/** Lines of 64 bytes; the last one may lack its newline. */
const lineBytes = 64;
const piece = 1_048_576;
const lines = (3 * piece) / lineBytes;

function largeBody(ending = '\n'): Buffer {
  const body = Buffer.alloc(lines * lineBytes);
  for (let line = 0; line < lines; line += 1) {
    body.write(`m s="${'x'.repeat(40)}" ${String(line).padStart(16, '0')}\n`, line * lineBytes);
  }
  return ending === '' ? body.subarray(0, -1) : body;
}

t.test('lines are as long as they are meant to be', (t) => {
  t.equal(largeBody().lastIndexOf('\n'), lines * lineBytes - 1);
  t.equal(largeBody().indexOf('\n'), lineBytes - 1);
  t.end();
});

t.test('characters across two pieces are no fault', async (t) => {
  const { decode } = newDecoder();
  // Strings longer than a piece; the borders fall on every byte of a character of three bytes.
  const text = '\u20ac'.repeat(700_000);
  for (const shift of ['', 'x', 'xy']) {
    const strings = Array.from({ length: 3 }, (_, row) => `m s="${shift}${text}" ${row}`);
    const body = `${strings.map((line) => line.slice(0, 340_000)).join('" 1\n')}" 1\n`;
    const { rows, rejected } = await decode(body, { lineBytesMax: 4_000_000 });
    t.strictSame([rows, rejected.length], [3, 0]);
  }
});

t.test('a bad byte costs its line wherever it stands', async (t) => {
  for (const at of [6, piece - 44, piece + 6, 2 * piece - 44, 3 * piece - 44]) {
    for (const bytes of [[0], [0xff], [0x80], [0xe2, 0x82]]) {
      const { decode } = newDecoder();
      const body = largeBody(at % 4 === 0 ? '' : '\n');
      body.set(bytes, at);
      const { rejected, rows } = await decode(body, { cellsMax: 1e7, precision: 'us' });
      t.strictSame(
        rejected.map(({ line, reason }) => [line, reason]),
        [[Math.floor(at / lineBytes) + 1, bytes[0] === 0 ? 'NUL in line' : 'invalid UTF-8']],
        `${bytes.join()} at ${at}`,
      );
      t.equal(rows, lines - 1);
    }
  }
});
