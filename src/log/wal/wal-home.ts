/**
 * Which directory the write-ahead log of a gateway is in. Rows that are in no file are in the log
 * alone: a start that looks for it in another directory than the last one, or in one whose disk is
 * not mounted, would find an empty log and never miss them.
 *
 * Two small files know each other: `wal.id` in the directory of the log names the gateway and the
 * log; `wal-place` in the data directory says which log was used last, and where.
 *
 * I1 A directory becomes the place of the log only if the log is in it (its id is), or if nothing
 *    unfiled is left where the log was. Whatever cannot be looked at may hold such rows.
 * I2 A log that changed its place gets a new id there, so a copy that stayed behind is never taken
 *    for it later.
 * I3 Nothing is written unless the place changes. `wal-place` is written first, as unsettled, so
 *    that a crash in between leaves a place that the next start settles.
 *
 * Main thread, at a start, by whoever holds both directories, before a log is opened.
 */
import { randomUUID } from 'node:crypto';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { readText, writeText } from '../../base/disk/data-directory.ts';
import type { Files } from '../../base/disk/files.ts';
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { journalLowWater } from '../journal/inspect-journal.ts';
import { inspectWal } from './inspect.ts';
import { walNaming } from './wal-naming.ts';

export interface WalHome {
  readonly files: Files;
  /** The data directory, and the journal in it. */
  readonly root: string;
  readonly journal: string;
  /** Where this start looks for the log; exists. */
  readonly wal: string;
  readonly gatewayId: string;
}

const idName = 'wal.id';
const placeName = 'wal-place';
const aliasName = '.alias-test';

/** `wal.id` */
interface WalId {
  readonly gateway: string;
  readonly log: string;
}

/** `wal-place`; `directory` is relative to the data directory if it lies in it. */
interface Place {
  readonly directory: string;
  readonly log: string;
  readonly settled: boolean;
}

/**
 * Returns if the log of this gateway is in `home.wal`, or if that may be its place from now on; the
 * place is then durable.
 * @throws HF_WAL_FOREIGN, HF_WAL_LEFT; HF_JOURNAL_RECORD_BAD, HF_FORMAT_NEWER, HF_IO
 */
export function claimWalHome(home: WalHome): void {
  const { files, root, wal } = home;
  const id = readId(files, wal);
  if (id !== undefined && id.gateway !== home.gatewayId) {
    throw new GatewayError('HF_WAL_FOREIGN', `${wal} holds the log of another gateway`, {
      details: { directory: wal, gateway: id.gateway },
    });
  }
  const place = readPlace(files, root);
  if (place === undefined) {
    settle(home, id?.log ?? randomUUID());
    return;
  }
  const before = resolve(root, place.directory);
  if (before === resolve(wal)) {
    if (place.settled && id?.log === place.log) return;
    if (place.settled) refuseEmptied(home, id);
    settle(home, place.log);
    return;
  }
  looking(before, () => {
    if (!isSameDirectory(files, before, wal)) refuseLeft(home, before, id, place);
  });
  settle(home, randomUUID());
}

/** Writes both files (I3). */
function settle({ files, root, wal, gatewayId }: WalHome, log: string): void {
  const inside = relative(root, resolve(wal));
  const isInside = !inside.startsWith('..') && !isAbsolute(inside);
  const directory = isInside ? inside : resolve(wal);
  const place: Place = { directory, log, settled: false };
  writeText(files, root, placeName, JSON.stringify(place));
  const id: WalId = { gateway: gatewayId, log };
  writeText(files, wal, idName, JSON.stringify(id));
  writeText(files, root, placeName, JSON.stringify({ ...place, settled: true }));
}

/**
 * The place is the old one and its id is not there. Segments of the gateway without the id are its
 * log; below the data directory somebody has emptied it, and it was not a mount.
 */
function refuseEmptied({ files, root, wal }: WalHome, id: WalId | undefined): void {
  if (id === undefined && hasSegments(files, wal)) return;
  if (id === undefined && !relative(root, resolve(wal)).startsWith('..')) return;
  const what = id === undefined ? 'is empty' : 'holds an older log';
  throw left(
    `${wal} ${what}, and it held the log at the last start; is its disk mounted?`,
    wal,
    wal,
  );
}

/** @throws HF_WAL_LEFT unless nothing unfiled is in `before` any more (I1) */
function refuseLeft(home: WalHome, before: string, id: WalId | undefined, place: Place): void {
  const { files, wal } = home;
  const isThere = readId(files, before)?.log === place.log;
  const isMoved = id?.log === place.log;
  if (!isThere && isMoved) return;
  const said = `the log was in ${before} at the last start, and wal.dir is ${wal} now`;
  if (!isThere) throw left(`${said}; the log is in neither of them`, before, wal);
  const unfiled = unfiledRecords(home, before);
  if (unfiled > 0) {
    throw left(`${said}; ${unfiled} records there are in no file yet`, before, wal);
  }
}

/** WAL records in `directory` that the journal does not call filed; lost ranges count too. */
function unfiledRecords({ files, journal }: WalHome, directory: string): number {
  const lowWater = journalLowWater(files, journal);
  let count = 0;
  const { rot } = inspectWal({ files, directory, lowWater }, () => {
    count += 1;
  });
  return count + rot.length;
}

/** What cannot be read may hold anything. */
function looking(before: string, call: () => void): void {
  try {
    call();
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'HF_IO') throw error;
    const message = `the log was in ${before} at the last start: ${error.message}`;
    throw new GatewayError('HF_WAL_LEFT', message, { cause: error, details: { before } });
  }
}

function left(message: string, before: string, wal: string): GatewayError {
  return new GatewayError('HF_WAL_LEFT', message, { details: { before, wal } });
}

/** True if both paths lead to one directory. */
function isSameDirectory(files: Files, one: string, other: string): boolean {
  if (files.size(one) === undefined) return false;
  const probe = join(other, aliasName);
  files.unlink(probe);
  files.open(probe, 'create').close();
  const isSame = files.size(join(one, aliasName)) !== undefined;
  files.unlink(probe);
  return isSame;
}

function hasSegments(files: Files, directory: string): boolean {
  return files.list(directory).some((name) => name.endsWith(walNaming.suffix));
}

function readId(files: Files, directory: string): WalId | undefined {
  const { gateway, log } = readFields(files, join(directory, idName));
  if (typeof gateway !== 'string' || typeof log !== 'string') return undefined;
  return { gateway, log };
}

function readPlace(files: Files, root: string): Place | undefined {
  const { directory, log, settled } = readFields(files, join(root, placeName));
  if (typeof directory !== 'string' || typeof log !== 'string') return undefined;
  return { directory, log, settled: settled === true };
}

/** What stands in a file; nothing if there is none, or if it cannot be understood. */
function readFields(files: Files, path: string): Readonly<Record<string, unknown>> {
  const text = readText(files, path);
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
