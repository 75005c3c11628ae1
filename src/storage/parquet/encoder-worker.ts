/**
 * One encoder: takes jobs from its port and answers each, flushes one after the other. Blocking
 * calls to the disk are meant: the thread has nothing else to do. A hot chunk that comes meanwhile
 * is encoded between two files. Behind a failure after which the thread must not be used, no
 * further flush is begun.
 */
import { setImmediate } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import type { Files } from '../../base/disk/files.ts';
import { asGatewayError, GatewayError, toWire } from '../../base/errors/gateway-error.ts';
import { wasmBytes } from './encode.ts';
import type { EncoderReply, EncoderRequest } from './encoder-messages.ts';
import { FileWriter } from './file-writer.ts';
import { encodeFlush } from './flush-encoder.ts';
import { encodeHot } from './hot-encoder.ts';
import type { EncoderSettings } from './types.ts';

export interface EncoderDeps {
  readonly files: Files;
  readonly settings: EncoderSettings;
}

/**
 * Own errors pass. Anything else comes out of Arrow or the WebAssembly module, whose state cannot
 * be trusted after a trap; it must not stop the gateway, since the rows are still in the log.
 */
function failure(request: EncoderRequest['kind'], error: unknown): EncoderReply {
  if (error instanceof GatewayError) {
    return { kind: 'failed', request, error: toWire(error), usable: true };
  }
  const { message } = asGatewayError(error);
  const own = new GatewayError('HF_ENCODE', `Parquet encoding failed: ${message}`, {
    cause: error,
  });
  return { kind: 'failed', request, error: toWire(own), usable: false };
}

/** Serves jobs until the port is closed. */
export function runEncoder(port: MessagePort, deps: EncoderDeps): void {
  const { files, settings } = deps;
  const writer = new FileWriter(files, settings.dataDirectory);
  const serve = async (request: EncoderRequest): Promise<EncoderReply> => {
    try {
      const result =
        request.kind === 'flush'
          ? await encodeFlush(request.job, settings.compression, writer)
          : await encodeHot(request.job, files);
      return { kind: 'done', request: request.kind, result, wasmBytes: wasmBytes() };
    } catch (error) {
      return failure(request.kind, error);
    }
  };
  const flushes: EncoderRequest[] = [];
  let usable = true;
  const answer = async (request: EncoderRequest) => {
    const reply = await serve(request);
    if (reply.kind === 'failed' && !reply.usable) usable = false;
    port.postMessage(reply);
  };
  const flushAll = async () => {
    for (let next = flushes[0]; next !== undefined && usable; next = flushes[0]) {
      await answer(next);
      await setImmediate();
      flushes.shift();
    }
  };
  port.on('message', (request: EncoderRequest) => {
    if (request.kind === 'hot') void answer(request);
    else if (flushes.push(request) === 1) void flushAll();
  });
}
