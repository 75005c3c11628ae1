/** Files that refuse everything but reading: for looking at a log that stays as it is. */
import type { Files } from '../base/disk/files.ts';
import { GatewayError } from '../base/errors/gateway-error.ts';

/** `files`, of which every call that changes something throws HF_IO. */
export function readOnly(files: Files): Files {
  const refuse = (path: string): never => {
    throw new GatewayError('HF_IO', `${path}: opened for reading only`, { details: { path } });
  };
  return {
    ...files,
    open: (path, mode, openOptions) =>
      mode === 'read' ? files.open(path, mode, openOptions) : refuse(path),
    makeDirectory: refuse,
    rename: refuse,
    unlink: refuse,
    syncDirectory: refuse,
  };
}
