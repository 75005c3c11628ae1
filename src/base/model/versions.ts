/**
 * Versions of a point: rows with the same series and time in microseconds (commit-protocol
 * P17-P19). One number per row orders them, so that merging needs no second column.
 *
 * I1. A first row comes before every repeat of its point; repeats follow by LSN + ordinal. Two
 *     first rows of a point only meet inside one buffer, and follow by LSN + ordinal too.
 * I2. A series is the set of (physical tag column, value) pairs; an empty value is an absent tag.
 * I3. Versions are merged by logical column (`sqlName`): the newest version with a value in any
 *     physical part supplies all of its parts.
 */

/** Column (INT64) that orders versions: in flagged files, and in hot chunks with identity. */
export const versionColumn = '_seq';

/**
 * Version number of every row of a file that is not flagged. In a hot chunk a first row has this
 * plus its LSN + ordinal, which is negative; a repeat has its LSN + ordinal, there as in files.
 */
export const firstVersion = -(2 ** 53);
