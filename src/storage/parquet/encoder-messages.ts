/** What the encoder pool and its threads say to each other. One job at a time per thread. */
import type { WireError } from '../../base/errors/gateway-error.ts';
import type { FlushJob, FlushResult, HotJob, HotResult } from './types.ts';

export type EncoderRequest =
  | { readonly kind: 'flush'; readonly job: FlushJob }
  | { readonly kind: 'hot'; readonly job: HotJob };

export type EncoderReply =
  | {
      readonly kind: 'done';
      readonly result: FlushResult | HotResult;
      /** Size of the thread's WebAssembly memory, which only grows. */
      readonly wasmBytes: number;
    }
  | { readonly kind: 'failed'; readonly error: WireError; readonly usable: boolean };
