/**
 * One encoder: takes jobs from its port and answers each. Blocking calls to the disk are meant: the
 * thread has nothing else to do. A hot chunk that comes during a flush is encoded between two of
 * the flush's files.
 */
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
  port.on('message', (request: EncoderRequest) => {
    void serve(request).then((reply) => {
      port.postMessage(reply);
    });
  });
}
