/** What the sections share: rows of the table, interleaved timing, the conditions of a run. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, cpus, loadavg } from 'node:os';
import path from 'node:path';

/** One line of the table. */
export interface Row {
  readonly what: string;
  /** What was measured, for people. */
  readonly figure: string;
  /** Absent for a peer or a remark. */
  readonly target?: string;
  readonly met?: boolean;
}

export interface Section {
  readonly name: string;
  readonly rows: readonly Row[];
  /** How it was measured, in a sentence. */
  readonly notes: readonly string[];
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** One contender of an interleaved run: does the work `count` times. */
export interface Contender {
  readonly name: string;
  /** Calls in one round; slower ones get fewer. */
  readonly count: number;
  run(count: number): void | Promise<void>;
}

/** Microseconds a call of each contender, round by round: every round runs all of them once. */
export async function interleave(
  contenders: readonly Contender[],
  rounds: number,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const times = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (let round = -3; round < rounds; round++) {
    for (const { name, count, run } of contenders) {
      const started = performance.now();
      await run(count);
      const each = ((performance.now() - started) * 1000) / count;
      if (round >= 0) times.get(name)!.push(each);
    }
  }
  return times;
}

/** The median over the rounds of `a` to `b` in the same round: noise that both saw cancels out. */
export function ratio(a: readonly number[], b: readonly number[]): number {
  return median(a.map((value, round) => value / b[round]!));
}

const FSYNCS = 200;

/** Median time of appending a page to a file and syncing it, beside the databases. */
export function fsyncMs(home: string): number {
  const file = openSync(path.join(home, 'fsync'), 'a');
  const page = Buffer.alloc(4096, 1);
  const found: number[] = [];
  for (let index = 0; index < FSYNCS; index++) {
    const started = performance.now();
    writeSync(file, page);
    fdatasyncSync(file);
    found.push(performance.now() - started);
  }
  closeSync(file);
  return median(found);
}

export const us = (value: number): string => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} µs`;
export const ms = (value: number): string => `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`;
export const mb = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(2)} MB`;
export const times = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)}×`;

export function atMost(what: string, value: number, limit: number, show: (value: number) => string): Row {
  return { what, figure: show(value), target: `≤ ${show(limit)}`, met: value <= limit };
}

export function atLeast(what: string, value: number, limit: number, show: (value: number) => string): Row {
  return { what, figure: show(value), target: `≥ ${show(limit)}`, met: value >= limit };
}

export function conditions(): string {
  const load = loadavg()[0]!.toFixed(2);
  return `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), node ${process.version}, load ${load}`;
}

export function printSection({ name, rows, notes }: Section): void {
  const width = Math.max(...rows.map(({ what }) => what.length));
  console.log(`\n${name}`);
  for (const { what, figure, target = '', met } of rows) {
    const verdict = met === undefined ? '' : met ? 'met' : 'MISSED';
    console.log(
      `  ${what.padEnd(width)}  ${figure.padStart(12)}  ${target.padStart(12)}  ${verdict}`.trimEnd(),
    );
  }
  for (const note of notes) console.log(`  · ${note}`);
}

/** Of this machine, for a peer's server. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
