/**
 * Marks the beginning and end of named phases on a logged device, around the file calls that make
 * them up. What a call belongs to is decided by the suite's own `classify`.
 */
import type { FileCall, Interceptor } from '../intercept-files.ts';
import type { MarkWriter } from './device-marks.ts';

/** Returns the phase that a call belongs to, or undefined if a cut there is of no interest. */
export type Classify = (call: FileCall) => string | undefined;

export function phaseMarks(marks: MarkWriter, source: string, classify: Classify): Interceptor {
  // Calls of one thread do not nest, so one phase at a time is open.
  let open: string | undefined;
  const close = (): void => {
    if (open !== undefined) marks.write({ kind: 'end', phase: open, source });
    open = undefined;
  };
  return {
    before(call) {
      // A call that threw had no `after`: its phase ends where the next call begins.
      close();
      open = classify(call);
      if (open !== undefined) marks.write({ kind: 'begin', phase: open, source });
      return undefined;
    },
    after: close,
  };
}
