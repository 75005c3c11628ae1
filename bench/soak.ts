/**
 * Memory of the gateway under a load that never lets up: resident memory of the main process, all
 * threads included, against `ingest.memory` + 250 MiB, and whether it still rises at the end.
 */
import type { DriverSettings } from './driver.ts';
import { Load } from './load.ts';
import { childrenPeakMiB, cpuSeconds, residentMiB, threadSeconds } from './process-figures.ts';
import { Subject } from './subject.ts';

const bodiesPerRound = 256;
const sampleMs = 2000;
const printMs = 15_000;
const allowanceMiB = 250;
const mib = 2 ** 20;

interface Sample {
  readonly seconds: number;
  readonly residentMiB: number;
}

export interface SoakSettings {
  readonly port: number;
  readonly parent: string;
  readonly serve: readonly string[];
  readonly node: readonly string[];
}

/** Least-squares slope of the samples in MiB per minute. */
function slope(samples: readonly Sample[]): number {
  const count = samples.length;
  const meanX = samples.reduce((sum, { seconds }) => sum + seconds, 0) / count;
  const meanY = samples.reduce((sum, sample) => sum + sample.residentMiB, 0) / count;
  let above = 0;
  let below = 0;
  for (const { seconds, residentMiB: y } of samples) {
    above += (seconds - meanX) * (y - meanY);
    below += (seconds - meanX) ** 2;
  }
  return (above / below) * 60;
}

/** Loads a gateway for `minutes` and says at the end whether it kept within its memory. */
export async function soak(
  minutes: number,
  driver: Omit<DriverSettings, 'url'>,
  settings: SoakSettings,
): Promise<void> {
  const { port, parent, serve, node } = settings;
  const subject = new Subject({ port, parent, settings: serve, nodeOptions: node });
  const load = new Load({ ...driver, url: subject.url });
  const samples: Sample[] = [];
  const from = performance.now();
  const seconds = () => (performance.now() - from) / 1000;
  let sampling: NodeJS.Timeout | undefined;
  try {
    await Promise.all([subject.ready(), load.ready()]);
    sampling = setInterval(() => {
      samples.push({ seconds: seconds(), residentMiB: residentMiB(subject.pid).now });
    }, sampleMs);
    const limit = (await subject.status()).buffers.bytes_max / mib + allowanceMiB;
    const cpuBefore = cpuSeconds(subject.pid);
    let rows = 0;
    let refused = 0;
    let printedAt = from;
    while (seconds() < minutes * 60) {
      const result = await load.send({ kind: 'closed', bodies: bodiesPerRound });
      rows += result.acknowledgedBodies * driver.rowsPerBody;
      refused += result.refusedBodies;
      if (performance.now() - printedAt < printMs) continue;
      printedAt = performance.now();
      const { buffers, catalog } = await subject.status();
      const now = residentMiB(subject.pid);
      console.log(
        `${seconds().toFixed(0).padStart(4)} s  ${now.now.toFixed(0)} MiB, peak ` +
          `${now.peak.toFixed(0)} MiB, buffers ${(buffers.bytes / mib).toFixed(0)} MiB, ` +
          `${catalog.files} files, ${rows.toLocaleString('en')} rows, ${refused} times 503`,
      );
    }
    const cpu = cpuSeconds(subject.pid) - cpuBefore;
    const { peak } = residentMiB(subject.pid);
    const rising = slope(samples.slice(Math.floor(samples.length / 2)));
    console.log(
      `peak ${peak.toFixed(0)} MiB of ${limit.toFixed(0)} MiB (ingest.memory + ${allowanceMiB}), ` +
        `${rising.toFixed(1)} MiB a minute in the second half, query process ` +
        `${childrenPeakMiB(subject.pid).toFixed(0)} MiB; ` +
        `${Math.round(rows / cpu).toLocaleString('en')} rows/CPU-s`,
    );
    for (const [name, used] of threadSeconds(subject.pid)) {
      console.log(`  ${name.padEnd(16)} ${used.toFixed(1)} CPU s`);
    }
    if (peak > limit) process.exitCode = 1;
  } finally {
    clearInterval(sampling);
    load.stop();
    await subject.stop();
  }
}
