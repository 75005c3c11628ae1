/**
 * The corpus of the line protocol's authors (github.com/influxdata/line-protocol, MIT licence):
 * what a body means, or that it is wrong, as several implementations agreed. It is read where it
 * lies, beside the checkout; it is not part of this repository.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { Precision } from '../../src/ingest/decode/types.ts';
import { exactNumber } from './line-reference.ts';
import type { PlainRow } from './decoded-rows.ts';

export const corpusPath = fileURLToPath(
  new URL('../../../shared/data/line-protocol-corpus.json.gz', import.meta.url),
);

export interface CorpusRow extends PlainRow {
  readonly measurement: string;
}

export interface CorpusCase {
  /** Unique within the corpus. */
  readonly key: string;
  readonly body: Uint8Array;
  readonly precision: Precision;
  /** Time of rows that bring none. */
  readonly nowUs: number;
  /** The rows that the body means, in order; undefined if it has a fault. */
  readonly rows: readonly CorpusRow[] | undefined;
  /** What the corpus says about the fault. */
  readonly fault: string;
}

type CorpusText = string | { readonly binary: string };
type CorpusInteger = number | bigint;

interface CorpusPoint {
  readonly time: CorpusInteger;
  readonly name: string;
  readonly tags: readonly { readonly key: string; readonly value: string }[];
  readonly fields: readonly { readonly key: string; readonly value: CorpusValue }[];
}

interface CorpusValue {
  readonly string?: string;
  readonly bool?: boolean;
  readonly float?: CorpusInteger;
  readonly int?: CorpusInteger;
  readonly uint?: CorpusInteger;
}

interface CorpusFile {
  readonly decode: Readonly<
    Record<
      string,
      {
        readonly input: {
          readonly text: CorpusText;
          readonly defaultTime: CorpusInteger;
          readonly precision: string;
        };
        readonly output: { readonly result?: readonly CorpusPoint[]; readonly error?: string };
      }
    >
  >;
  readonly encode: Readonly<
    Record<
      string,
      {
        readonly input: { readonly point: CorpusPoint };
        readonly output: { readonly result?: CorpusText; readonly error?: string };
      }
    >
  >;
}

export interface Corpus {
  readonly decode: readonly CorpusCase[];
  /** Cases whose body is the line that the corpus expects for the rows. */
  readonly encode: readonly CorpusCase[];
  /** Rows for which the corpus expects that there is no line. */
  readonly withoutLine: number;
}

const precisions: Readonly<Record<string, Precision>> = {
  '1ns': 'n',
  '1µs': 'us',
  '1ms': 'ms',
  '1s': 's',
};

/** A reviver that keeps integers beyond 2^53 exact. */
function exactIntegers(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? '';
  return /^-?\d+$/.test(source) ? BigInt(source) : value;
}

function bytesOf(text: CorpusText): Uint8Array {
  return typeof text === 'string' ? Buffer.from(text) : Buffer.from(text.binary, 'base64');
}

/** Microseconds, rounded down. */
function microseconds(nanoseconds: CorpusInteger): bigint {
  const exact = BigInt(nanoseconds);
  const cut = exact / 1000n;
  return cut * 1000n > exact ? cut - 1n : cut;
}

function valueText({ string, bool, float, int, uint }: CorpusValue): string {
  if (string !== undefined) return `string:${string}`;
  if (bool !== undefined) return `boolean:${bool ? 1 : 0}`;
  if (float !== undefined) return exactNumber(Number(float));
  return exactNumber(BigInt(int ?? uint ?? 0));
}

function rowOf({ time, name, tags, fields }: CorpusPoint): CorpusRow {
  return {
    measurement: name,
    timeUs: microseconds(time),
    tags: new Map(tags.map(({ key, value }) => [key, value])),
    fields: new Map(fields.map(({ key, value }) => [key, valueText(value)])),
  };
}

/** Reads the corpus. Throws if it is not there or not of the form that is known. */
export function readCorpus(): Corpus {
  const text = gunzipSync(readFileSync(corpusPath)).toString('utf8');
  const reviver = exactIntegers as (key: string, value: unknown) => unknown;
  const file = JSON.parse(text, reviver) as CorpusFile;
  const decode = Object.entries(file.decode).map(([key, { input, output }]): CorpusCase => {
    const precision = precisions[input.precision];
    if (precision === undefined) throw new Error(`${key}: precision ${input.precision}`);
    return {
      key,
      body: bytesOf(input.text),
      precision,
      nowUs: Number(microseconds(input.defaultTime)),
      rows: output.result?.map(rowOf),
      fault: output.error ?? '',
    };
  });
  const encode = Object.entries(file.encode).flatMap(([key, { input, output }]): CorpusCase[] => {
    if (output.result === undefined) return [];
    const body = bytesOf(output.result);
    return [{ key, body, precision: 'n', nowUs: 0, rows: [rowOf(input.point)], fault: '' }];
  });
  return { decode, encode, withoutLine: Object.keys(file.encode).length - encode.length };
}
