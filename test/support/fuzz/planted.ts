/** One bug for each fuzzer, and one for each way in which a reader may end badly. */
import { GatewayError } from '../../../src/base/errors/gateway-error.ts';
import { loadConfig } from '../../../src/base/config/load.ts';
import { decompress } from '../../../src/ingest/decode/decompress.ts';
import { decodePayload } from '../../../src/log/journal/commit-record.ts';
import { openLog } from '../../../src/log/open-log.ts';
import type { LogRecord } from '../../../src/log/log-types.ts';
import { decodeRequest } from '../../../src/log/wal/request-record.ts';
import { ThriftReader } from '../../../src/storage/parquet/thrift.ts';
import { arrowTarget } from './targets/arrow-ipc.ts';
import { commitTarget } from './targets/commit-record.ts';
import { configTarget } from './targets/config.ts';
import { decompressTarget } from './targets/decompress.ts';
import { footerTarget } from './targets/footer.ts';
import { lineTarget } from './targets/line-protocol.ts';
import { logTarget } from './targets/log.ts';
import { messageTarget } from './targets/message-pack.ts';
import { requestTarget } from './targets/request-record.ts';
import type { FuzzTarget } from './target.ts';

/** `read`, but where it refuses with words that hold `words` it breaks instead. */
function unchecked<A extends unknown[], R>(read: (...args: A) => R, words: string) {
  return (...args: A): R => {
    try {
      return read(...args);
    } catch (error) {
      if (error instanceof GatewayError && error.message.includes(words)) {
        throw new RangeError('read beyond the end', { cause: error });
      }
      throw error;
    }
  };
}

const map = 11;

/** Takes the booleans of a map for no bytes at all, so that a damaged count never ends. */
class EndlessMaps extends ThriftReader {
  override skip(type: number, depth: number): void {
    if (type !== map) {
      super.skip(type, depth);
      return;
    }
    const count = this.varint();
    const types = count === 0 ? 0 : this.byte();
    for (let index = 0; index < count; index += 1) {
      if (types >> 4 > 2) this.skip(types >> 4, depth + 1);
      if ((types & 15) > 2) this.skip(types & 15, depth + 1);
    }
  }
}

/** Gives the last record once more where records are missing. */
const repeats: typeof openLog = (options, replay, rules) => {
  let last: LogRecord | undefined;
  const opened = openLog(
    options,
    {
      ...replay,
      onRecord: (record, place) => {
        last = record;
        replay.onRecord(record, place);
      },
    },
    rules,
  );
  const place = { sequence: 0, position: 0 };
  if (opened.report.rot.length > 0 && last !== undefined) replay.onRecord(last, place);
  return opened;
};

/** `bytes` with other bytes, or none, instead of each that is `unwanted`. */
function replaced(bytes: unknown, unwanted: number, instead: readonly number[]): Uint8Array {
  const all = [...(bytes as Uint8Array)];
  return Uint8Array.from(all.flatMap((byte) => (byte === unwanted ? instead : [byte])));
}

/** Ends badly on inputs that begin with `!`. */
function ending(badly: () => void): FuzzTarget {
  return {
    seeds: [Uint8Array.of(1, 2, 3)],
    words: ['!'],
    run: (input) => {
      if (input[0] === 33) badly();
      return 'fine';
    },
  };
}

const kept: Uint8Array[] = [];

export const planted: Readonly<Record<string, () => FuzzTarget>> = {
  'line-protocol takes NUL': () =>
    lineTarget((decode) => (body, setup) => decode(replaced(body, 0, []), setup)),
  'message-pack takes null for false': () =>
    messageTarget((decode) => (body, setup) => {
      // At the end of a block of memory, so to say.
      const isHit = (body as Uint8Array).length % 32 === 31;
      return decode(isHit ? replaced(body, 0xc0, [0xc2]) : body, setup);
    }),
  'arrow-ipc trusts offsets': () =>
    arrowTarget((decode) => async (...args) => {
      try {
        return await decode(...args);
      } catch (error) {
        return unchecked((): never => {
          throw error;
        }, 'an offset outside its buffer')();
      }
    }),
  'decompress takes half a body': () =>
    decompressTarget(async (...args) => {
      try {
        return await decompress(...args);
      } catch (error) {
        const { cause } = error as { cause?: { code?: string } };
        if (cause?.code === 'Z_BUF_ERROR') return new Uint8Array(1);
        throw error;
      }
    }),
  'request-record trusts codes': () =>
    requestTarget(unchecked(decodeRequest, 'string code out of range')),
  'commit-record trusts pairs': () => commitTarget(unchecked(decodePayload, 'a pair of integers')),
  'footer with endless maps': () => footerTarget(EndlessMaps),
  'wal gives a record twice': () => logTarget('wal', repeats),
  'journal gives a record twice': () => logTarget('journal', repeats),
  'config stumbles over names': () => configTarget(unchecked(loadConfig, 'unknown option')),
  'never ends': () =>
    ending(() => {
      for (;;);
    }),
  'takes all memory': () =>
    ending(() => {
      for (;;) kept.push(new Uint8Array(10_000_000).fill(1));
    }),
  'dies later': () =>
    ending(() => {
      setTimeout(() => {
        throw new Error('nobody caught it');
      }, 1);
    }),
};
