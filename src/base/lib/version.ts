/**
 * The version of this build; equal to the one in package.json (a test compares them), but known
 * without reading a file, so that a bundled executable has it too.
 */
export const version = '0.1.0';
