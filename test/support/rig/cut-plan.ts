/**
 * Chooses where to cut the power. Only moments count at which the device had just taken something
 * while a named phase was under way, and the moments of a promise: an answer, rows shown. Idle ones
 * do not. The cuts are spread evenly over the phases, then over each phase at random.
 */
import type { Random } from '../random.ts';
import type { LogEntry } from './block-log.ts';
import { tailFates, type TailFate } from './image-builder.ts';

export interface Cut {
  /** The last entry that the device took. */
  readonly entry: number;
  readonly phase: string;
  readonly fate: TailFate;
}

/** Entry indexes per phase at which a cut means something; one may stand under several phases. */
export function cutsByPhase(entries: readonly LogEntry[]): ReadonlyMap<string, readonly number[]> {
  const result = new Map<string, number[]>();
  const active = new Map<string, number>();
  const put = (phase: string, entry: number): void => {
    const list = result.get(phase) ?? [];
    list.push(entry);
    result.set(phase, list);
  };
  entries.forEach(({ mark, bytes, isFlush }, index) => {
    if (mark?.kind === 'begin') active.set(mark.phase, (active.get(mark.phase) ?? 0) + 1);
    else if (mark?.kind === 'end') {
      // Just after a step returned is where a promise starts to hold.
      put(mark.phase, index);
      active.set(mark.phase, (active.get(mark.phase) ?? 1) - 1);
    } else if (mark?.kind === 'acknowledged') put('acknowledge', index);
    else if (mark?.kind === 'seen') put('see', index);
    else if (mark === undefined && (bytes > 0 || isFlush)) {
      for (const [phase, count] of active) if (count > 0) put(phase, index);
    }
  });
  return result;
}

/** Returns `count` cuts in ascending order, as evenly over the phases as their moments allow. */
export function planCuts(entries: readonly LogEntry[], count: number, random: Random): Cut[] {
  const phases = [...cutsByPhase(entries)].map(([phase, moments]) => ({
    phase,
    moves: random.shuffled(
      moments.flatMap((entry) => tailFates.map((fate): Cut => ({ entry, phase, fate }))),
    ),
  }));
  const cuts: Cut[] = [];
  while (cuts.length < count && phases.some(({ moves }) => moves.length > 0)) {
    for (const { moves } of phases) {
      const cut = moves.pop();
      if (cut !== undefined && cuts.length < count) cuts.push(cut);
    }
  }
  return cuts.sort((a, b) => a.entry - b.entry);
}

/** One line such as `append 40, rotate 12`, in the order of first appearance. */
export function describeCuts(cuts: readonly Cut[]): string {
  const counts = new Map<string, number>();
  for (const { phase } of cuts) counts.set(phase, (counts.get(phase) ?? 0) + 1);
  return [...counts].map(([phase, count]) => `${phase} ${count}`).join(', ');
}
