// Where compiled code is kept between starts, which halves their CPU time: beside the packages. In a
// place that cannot be written nothing is kept. Plain JavaScript, for any Node: entries call it.
import { accessSync, constants, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const packages = fileURLToPath(new URL('../../../node_modules', import.meta.url));

/** Makes `path` unless it is there; its parent is there, or this throws. */
function make(path) {
  try {
    mkdirSync(path);
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
}

/** The directory, made and writable; undefined if there is none. */
export function compileCache(parent = packages) {
  try {
    // Step by step: Node's own making of a whole path can loop for ever on odd file systems.
    make(`${parent}/.cache`);
    make(`${parent}/.cache/holdfast`);
    accessSync(`${parent}/.cache/holdfast`, constants.W_OK | constants.X_OK);
    return `${parent}/.cache/holdfast`;
  } catch {
    return undefined;
  }
}
