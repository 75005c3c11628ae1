/**
 * Which segments of a log live, before anything of their records is read: headers only (L5).
 *
 * I1 The valid header with the highest sequence decides. A listed older segment lives whatever its
 *    own header says; one that is not listed is dead.
 * I2 A format that this build does not read is found before anything was changed.
 */
import { GatewayError } from '../base/errors/gateway-error.ts';
import type { LogOptions } from './log-types.ts';
import {
  formatOldest,
  formatVersion,
  readHeader,
  type HeaderFinding,
  type SegmentHeader,
} from './segment-header.ts';
import type { NamedFile, SegmentFiles } from './segment-files.ts';

const known =
  formatOldest === formatVersion ? formatVersion : `${formatOldest} to ${formatVersion}`;

/** An older segment that the deciding header lists. */
export interface OlderSegment {
  readonly name: string;
  readonly sequence: number;
  readonly salt: number;
  /** Last number in it that counts. */
  readonly cut: number;
  /** `missing`: no such file. */
  readonly state: 'valid' | 'bad' | 'zero' | 'missing';
  /** Its own header if that is valid. */
  readonly header: SegmentHeader | undefined;
}

/** A file behind the deciding header whose own header cannot be read. */
export interface UnlistedSegment extends NamedFile {
  /** False if its header may never have been written: then what it carries may be torn (L4). */
  readonly headerWritten: boolean;
}

export interface SegmentSurvey {
  /** Listed by the deciding header, oldest first. */
  readonly older: readonly OlderSegment[];
  /** The segment of the deciding header, or undefined if no header is valid. */
  readonly newest: { readonly name: string; readonly header: SegmentHeader } | undefined;
  /** Later files, their headers bad or zero: spares to be, or starts whose header is lost. */
  readonly unlisted: readonly UnlistedSegment[];
  /** Dead segments, and spares that were not filled. */
  readonly dead: readonly string[];
  /** Starts that there may have been since the deciding header, which is all that is known. */
  readonly lostStarts: number;
  /** Highest number that any valid header knows of. */
  readonly highest: number;
  /** Highest sequence in use. */
  readonly sequence: number;
}

interface ReadSegment extends NamedFile {
  readonly finding: HeaderFinding;
}

/** @throws HF_FORMAT_NEWER, HF_FORMAT_OLD for a header of a version that this build reads not. */
export function surveySegments(options: LogOptions, names: SegmentFiles): SegmentSurvey {
  const listing = names.list();
  const segments = listing.segments.map((named) => readSegment(options, names, named));
  const headers = segments.flatMap(({ finding }) =>
    finding.state === 'valid' ? [finding.header] : [],
  );
  const header = headers.at(-1);
  const newestSequence = header?.sequence ?? 0;
  const listed = new Set(header?.older.map((segment) => segment.sequence));
  const later = segments.filter((segment) => segment.sequence > newestSequence);
  const dead = segments.filter(
    (segment) =>
      segment.sequence !== newestSequence &&
      !listed.has(segment.sequence) &&
      !later.includes(segment),
  );
  const all = [...segments, ...listing.spares, ...listing.fillings];
  return {
    older: header === undefined ? [] : olderOf(header, segments, names),
    newest: header === undefined ? undefined : { name: names.segmentName(newestSequence), header },
    unlisted: later.map(({ name, sequence, finding }) => {
      return { name, sequence, headerWritten: finding.state !== 'zero' };
    }),
    dead: [...dead, ...listing.fillings].map((named) => named.name),
    lostStarts: Math.max(newestSequence, later.at(-1)?.sequence ?? 0) - newestSequence,
    highest: Math.max(0, ...headers.map((known) => known.next - 1)),
    sequence: Math.max(newestSequence, ...all.map((named) => named.sequence)),
  };
}

type ReadOptions = Pick<LogOptions, 'files' | 'kind'>;

/**
 * Looks at the headers only, so that a log of another format can be refused before anything beside
 * it is changed. @throws HF_FORMAT_NEWER, HF_FORMAT_OLD
 */
export function refuseForeignSegments(options: ReadOptions, names: SegmentFiles): void {
  for (const named of names.list().segments) readSegment(options, names, named);
}

function readSegment(options: ReadOptions, names: SegmentFiles, named: NamedFile): ReadSegment {
  const path = names.path(named.name);
  const file = options.files.open(path, 'read');
  try {
    const finding = readHeader(file, named.sequence, options.kind);
    refuseForeign(path, finding);
    return { ...named, finding };
  } finally {
    file.close();
  }
}

function refuseForeign(path: string, finding: HeaderFinding): void {
  if (finding.state !== 'newer' && finding.state !== 'old') return;
  const { version } = finding;
  const code = finding.state === 'newer' ? 'HF_FORMAT_NEWER' : 'HF_FORMAT_OLD';
  const message = `${path} has format version ${version}; this build reads ${known}`;
  throw new GatewayError(code, message, { details: { path, version } });
}

function olderOf(
  header: SegmentHeader,
  segments: readonly ReadSegment[],
  names: SegmentFiles,
): OlderSegment[] {
  const bySequence = new Map(segments.map((segment) => [segment.sequence, segment]));
  return header.older.map(({ sequence, salt, lastNumber }) => {
    const finding = bySequence.get(sequence)?.finding;
    // A valid header with another salt is that of a later life of the file: this one is gone.
    const own = finding?.state === 'valid' && finding.header.salt === salt;
    const state = finding === undefined ? 'missing' : own ? 'valid' : badState(finding);
    return {
      name: names.segmentName(sequence),
      sequence,
      salt,
      cut: lastNumber,
      state,
      header: own ? finding.header : undefined,
    };
  });
}

function badState(finding: HeaderFinding): 'bad' | 'zero' {
  return finding.state === 'zero' ? 'zero' : 'bad';
}
