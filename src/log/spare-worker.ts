/**
 * The thread that fills spares (spare.ts) for a log whose own thread must not wait for it. Takes
 * one `SpareRequest` per message and answers each with a `SpareAnswer`.
 */
import type { MessagePort } from 'node:worker_threads';
import type { Files } from '../base/disk/files.ts';
import { toWire, type WireError } from '../base/errors/gateway-error.ts';
import type { SpareRequest } from './log-types.ts';
import { prepareSpare } from './spare.ts';

export interface SpareAnswer {
  readonly name: string;
  /** Undefined if the spare stands. */
  readonly error: WireError | undefined;
}

/** Serves requests on `port` until it closes. */
export function runSpares(port: MessagePort, deps: { readonly files: Files }): void {
  port.on('message', (request: SpareRequest) => {
    port.postMessage(answer(deps.files, request));
  });
}

function answer(files: Files, request: SpareRequest): SpareAnswer {
  try {
    prepareSpare(files, request);
    return { name: request.name, error: undefined };
  } catch (error) {
    return { name: request.name, error: toWire(error) };
  }
}
