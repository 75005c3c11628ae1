/**
 * One short life of a gateway with all its file calls recorded, and the judgement of their order.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DurabilityModel } from '../checker.ts';
import { LoadMaker } from '../load.ts';
import type { Random } from '../random.ts';
import { auditCalls, type AuditReport } from './call-audit.ts';
import { appendRecord, readRecord } from './call-record.ts';
import { driveGateway, smallJournalSegmentBytes, type DriveReport } from './drive.ts';
import type { BugName } from './plan.ts';

export async function runAudit(
  random: Random,
  bug?: BugName,
): Promise<AuditReport & { readonly run: DriveReport }> {
  const scratch = mkdtempSync(join(tmpdir(), 'holdfast-audit-'));
  const callFile = join(scratch, 'calls');
  const dataDirectory = join(scratch, 'data');
  try {
    const run = await driveGateway({
      dataDirectory,
      scratch,
      model: new DurabilityModel(),
      maker: new LoadMaker(random, { rowsMax: 12, paddingBytes: 600, isOnce: true }),
      lives: [[120, 120, 60]],
      roundMs: 1800,
      lanes: 4,
      queryEvery: 0,
      plan: () => ({
        callFile,
        journalSegmentBytes: smallJournalSegmentBytes,
        ...(bug === undefined ? {} : { bug }),
      }),
      acknowledged: (request) => {
        appendRecord(callFile, { at: 'answered', request });
      },
      seen: () => undefined,
    });
    return { ...auditCalls(readRecord(callFile), join(dataDirectory, 'data')), run };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
