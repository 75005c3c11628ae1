/**
 * One run of the power-cut rig under a whole gateway: drive it on a logged device, cut the power at
 * many moments of every phase, recover each image, judge it. To the gateways that are started on
 * images all requests with a key are sent once more: after that each of them is there once.
 */
import { join } from 'node:path';
import { DurabilityModel, describeProblems, type Expectation, type Problem } from '../checker.ts';
import { LoadMaker } from '../load.ts';
import { MixedLoad } from '../mixed-load.ts';
import type { Random } from '../random.ts';
import { ContentReader } from '../recovered-content.ts';
import { describeCuts, planCuts, type Cut } from '../rig/cut-plan.ts';
import { MarkWriter } from '../rig/device-marks.ts';
import { inspectImages, type Promised } from '../rig/inspect-images.ts';
import { LoggedDevice } from '../rig/logged-device.ts';
import { askGateway } from './ask-gateway.ts';
import { driveGateway, smallJournalSegmentBytes, type DriveReport } from './drive.ts';
import type { GatewayPlan } from './plan.ts';

export interface CutRunOptions {
  readonly random: Random;
  readonly lives: readonly (readonly number[])[];
  readonly images: number;
  /** So many of the images are also recovered by a whole gateway and read by SQL. */
  readonly askedImages: number;
  readonly plan?: GatewayPlan;
  readonly flags?: readonly string[];
  /** Which promises count; default both answers and what queries showed. */
  readonly promises?: 'all' | 'seen';
}

export interface CutRunReport {
  readonly run: DriveReport;
  readonly deviceWrites: number;
  readonly cuts: string;
  readonly phases: ReadonlySet<string>;
  readonly images: number;
  /** Images that break a promise. */
  readonly wrongImages: number;
  /** What is wrong with them; several lines for an image that breaks several. */
  readonly wrong: readonly string[];
  readonly kinds: ReadonlySet<Problem['kind'] | 'damage'>;
}

const fileSystemBytes = 256 * 2 ** 20;

export async function runCuts(options: CutRunOptions): Promise<CutRunReport> {
  const device = await LoggedDevice.open({ fileSystemBytes });
  try {
    return await runOn(device, options);
  } finally {
    await device.dispose();
  }
}

async function runOn(device: LoggedDevice, options: CutRunOptions): Promise<CutRunReport> {
  const { random, lives, images, askedImages, plan = {}, flags = [] } = options;
  const model = new DurabilityModel();
  const marks = new MarkWriter(device.marks);
  const maker = new LoadMaker(random, { rowsMax: 12, paddingBytes: 600 });
  const run = await driveGateway({
    dataDirectory: join(device.mountPoint, 'data'),
    scratch: device.scratch,
    model,
    maker: new MixedLoad(random, maker),
    lives,
    flags,
    roundMs: 1800,
    lanes: 6,
    queryEvery: 10,
    plan: () => ({
      marks: device.marks,
      journalSegmentBytes: smallJournalSegmentBytes,
      ...plan,
    }),
    acknowledged: (request) => {
      marks.write({ kind: 'acknowledged', request });
    },
    seen: (request) => {
      marks.write({ kind: 'seen', request });
    },
  });
  marks.close();
  const log = await device.finish();
  const cuts = planCuts(log.entries, images, random);
  const asked = new Set(random.shuffled(cuts).slice(0, askedImages));
  const judge = new Judge(model, run, await ContentReader.open(), options);
  const { deviceBytes, scratch } = device;
  await inspectImages({ log, deviceBytes, scratch, cuts, random }, (folder, cut, promised) =>
    judge.look(join(folder, 'data'), cut, promised, asked.has(cut)),
  );
  log.close();
  return {
    run,
    deviceWrites: log.entries.length,
    cuts: describeCuts(cuts),
    phases: new Set(cuts.map(({ phase }) => phase)),
    images: judge.images,
    wrongImages: judge.wrongCuts.size,
    wrong: judge.wrong,
    kinds: judge.kinds,
  };
}

class Judge {
  images = 0;
  readonly wrong: string[] = [];
  readonly wrongCuts = new Set<Cut>();
  readonly kinds = new Set<Problem['kind'] | 'damage'>();
  readonly #model: DurabilityModel;
  readonly #run: DriveReport;
  readonly #reader: ContentReader;
  readonly #promises: 'all' | 'seen';
  readonly #plan: GatewayPlan;

  constructor(
    model: DurabilityModel,
    run: DriveReport,
    reader: ContentReader,
    options: CutRunOptions,
  ) {
    this.#model = model;
    this.#run = run;
    this.#reader = reader;
    this.#promises = options.promises ?? 'all';
    this.#plan = options.plan ?? {};
  }

  async look(dataDirectory: string, cut: Cut, promise: Promised, isAsked: boolean): Promise<void> {
    this.images += 1;
    const acknowledged = this.#promises === 'all' ? promise.acknowledged : [];
    const promised = new Set([...acknowledged, ...promise.seen]);
    let expectation: Expectation = { promised, order: this.#run.order };
    try {
      // What was sent again is there, whatever was cut.
      if (isAsked) expectation = { promised: await this.#ask(dataDirectory, cut, promised) };
      const { rows, damage } = await this.#reader.read(dataDirectory);
      this.#note(cut, 'recovered', this.#model.check(rows, expectation));
      for (const text of damage) this.#put(cut, 'damage', text);
    } catch (error) {
      this.#put(cut, 'damage', String(error));
    }
  }

  /** Returns all requests that must be there when the gateway has ended. */
  async #ask(
    dataDirectory: string,
    cut: Cut,
    promised: ReadonlySet<number>,
  ): Promise<ReadonlySet<number>> {
    const { keyed } = this.#run;
    const asked = await askGateway(dataDirectory, { keyed, promised, plan: this.#plan });
    this.#note(cut, 'by SQL', this.#model.check(asked.rows, { promised }));
    const numbers = [...keyed.keys()].map(({ number }) => number);
    const all = new Set([...promised, ...numbers]);
    this.#note(cut, 'sent again', this.#model.check(asked.rowsSentAgain, { promised: all }));
    for (const text of asked.wrong) this.#put(cut, 'damage', text);
    return all;
  }

  #note(cut: Cut, by: string, problems: readonly Problem[]): void {
    const [first] = problems;
    if (first === undefined) return;
    this.#put(cut, first.kind, `${by}: ${describeProblems(problems)}`);
    for (const { kind } of problems) this.kinds.add(kind);
  }

  #put(cut: Cut, kind: Problem['kind'] | 'damage', text: string): void {
    const { phase, fate, entry } = cut;
    this.wrongCuts.add(cut);
    this.kinds.add(kind);
    this.wrong.push(`${phase}, entry ${entry}, tail ${fate}: ${text}`);
  }
}
