/**
 * First in a script that becomes a component: makes its engine the one that scripts know.
 *
 * - A component is asked once and answers once, and the engine runs no promise jobs in between. So promises are made
 *   of plain code here, whose jobs the shim runs itself (host.ts); the bundler has made `async` of generators.
 * - Time and chance come from the turn. Top-level code runs when the component is built: it sees the same moment as
 *   that of a script, and draws from the digest of the code.
 * - What this engine has and that of scripts has not is taken away.
 */
import * as clock from 'neira:inside/clock@1.0.0';
import * as random from 'neira:inside/random@1.0.0';

/** Four words of the digest of the bundle. */
declare const NEIRA_SEED: readonly number[];

const BOOT_TIME_MS = 946_684_800_000;
const NativeDate = Date;
const { construct } = Reflect;

/** Until then top-level code runs, while the component is built. */
let isBuilt = false;

/** Says that from here on there is a turn, or a call of `prepare()`. */
export function enterTurn(): void {
  isBuilt = true;
}

export const inTurn = () => isBuilt;

function now(): number {
  if (!isBuilt) return BOOT_TIME_MS;
  const { seconds, nanoseconds } = clock.now();
  return seconds * 1000 + Math.floor(nanoseconds / 1e6);
}

function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
}

function TurnDate(this: unknown, ...args: []): unknown {
  if (new.target === undefined) return new NativeDate(now()).toString();
  return construct(NativeDate, args.length === 0 ? [now()] : args, new.target);
}
Object.defineProperty(TurnDate, 'name', { value: 'Date', configurable: true });
Object.defineProperty(TurnDate, 'length', { value: 7, configurable: true });
Object.defineProperty(TurnDate, 'prototype', { value: NativeDate.prototype, writable: false });
define(TurnDate, 'now', now);
define(TurnDate, 'parse', NativeDate.parse);
define(TurnDate, 'UTC', NativeDate.UTC);
define(NativeDate.prototype, 'constructor', TurnDate);
define(globalThis, 'Date', TurnDate);

/** `count` bytes of the stream of the turn; at build, of a small generator over the digest of the code. */
export function randomBytes(count: number): ArrayLike<number> {
  return isBuilt ? random.getRandomBytes(count) : bytesAtBuild(count);
}

let drawn = 0;

function bytesAtBuild(count: number): number[] {
  const bytes: number[] = [];
  for (let i = 0; i < count; i++, drawn++) {
    let word = NEIRA_SEED[drawn & 3]! ^ Math.imul(drawn + 1, 0x9e37_79b1);
    word = Math.imul(word ^ (word >>> 16), 0x85eb_ca6b);
    word = Math.imul(word ^ (word >>> 13), 0xc2b2_ae35);
    bytes.push((word ^ (word >>> 16)) & 0xff);
  }
  return bytes;
}

// --- promise jobs

const jobs: (() => void)[] = [];

/** Runs the jobs there are, and those that they bring, until `done`. */
export function runJobs(done: () => boolean): void {
  for (let at = 0; at < jobs.length && !done(); at++) jobs[at]!();
  jobs.length = 0;
}

for (const name of ['Promise', 'btoa', 'atob', 'performance', 'DOMException', 'wit'])
  delete (globalThis as Record<string, unknown>)[name];
delete (Array as unknown as Record<string, unknown>)['fromAsync'];
/** What the promises of promises.ts find when they are loaded, and nobody after them. */
define(globalThis, 'queueMicrotask', (job: () => void) => void jobs.push(job));
/** They would tell of rejections that nobody handles, which scripts do not. */
define(globalThis, 'setImmediate', () => 0);
define(globalThis, 'clearImmediate', () => {});
