/**
 * What the encoder pool and its threads say to each other. A thread has at most one hot chunk at a
 * time; flushes it answers in the order in which they came.
 */
import type { WireError } from '../../base/errors/gateway-error.ts';
import type { FlushJob, FlushResult, HotJob, HotResult } from './types.ts';

export type EncoderRequest =
  | { readonly kind: 'flush'; readonly job: FlushJob }
  | { readonly kind: 'hot'; readonly job: HotJob };

export type EncoderReply =
  | {
      readonly kind: 'done';
      readonly request: EncoderRequest['kind'];
      readonly result: FlushResult | HotResult;
      /** Size of the thread's WebAssembly memory, which only grows. */
      readonly wasmBytes: number;
    }
  | {
      readonly kind: 'failed';
      readonly request: EncoderRequest['kind'];
      readonly error: WireError;
      /** False if the thread must not be used again. */
      readonly usable: boolean;
    };
