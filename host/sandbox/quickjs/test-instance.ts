import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { failureOf, type GuestFailure } from '../failure.ts';
import { BootError, type Budget, type HostCalls, type RunResult } from '../run-result.ts';
import { type Bundle, bundlePlugin } from './bundle.ts';
import { type GuestCode, guestCode } from './guest-code.ts';
import { Instance } from './instance.ts';
import { FUEL_PER_MS, STACK_AND_DATA_MB } from './layout.ts';

/** Helpers of the engine's tests: plugins from text, bundled, booted and run in this thread. */

const MEMORY_MB = 32;
const MB = 1024 * 1024;
export const PLUGIN = 'demo';
export const LIMITS = { turnMs: 5000, cpuMs: 500, memoryMb: MEMORY_MB, outputBytes: MB };

export type Files = string | Readonly<Record<string, string>>;

/** A folder with these files, gone after the test. A single text is `main.ts`. */
export function folderOf(files: Files): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'neira-engine-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(typeof files === 'string' ? { 'main.ts': files } : files)) {
    mkdirSync(path.join(folder, path.dirname(name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
  return folder;
}

/** A host that answers what a test tells it, and keeps what it was asked. */
export class TestCalls implements HostCalls {
  readonly calls: (readonly string[])[] = [];
  /** Time of the turn. */
  atMs = Date.UTC(2026, 4, 17, 12, 30, 15, 250);
  /** First byte of what is drawn next: another delivery draws other bytes. */
  seed: number;
  readonly #answer: (op: string, args: readonly string[]) => string;

  constructor(seed = 1, answer: (op: string, args: readonly string[]) => string = () => 'U') {
    this.seed = seed;
    this.#answer = answer;
  }

  call(op: string, args: readonly string[]): string {
    this.calls.push([op, ...args]);
    return this.#answer(op, args);
  }

  randomBytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, (_, index) => (this.seed * 37 + index * 11) & 255);
  }

  nowMs(): number {
    return this.atMs;
  }
}

export interface TestPlugin {
  readonly instance: Instance;
  readonly bundle: Bundle;
  readonly guest: GuestCode;
  /** One turn and the reset after it. */
  run(event?: unknown, host?: HostCalls, budget?: Partial<Budget>): RunResult;
  /** What a turn returned. @throws when it did not */
  value(event?: unknown, host?: HostCalls): unknown;
  failure(event?: unknown, budget?: Partial<Budget>): GuestFailure;
}

export async function bootFolder(
  folder: string,
  entry = 'main.ts',
  host: HostCalls = new TestCalls(0),
): Promise<TestPlugin> {
  const guest = await guestCode();
  const bundle = await bundlePlugin(folder, entry);
  const source = { ...guest, code: bundle.code, name: `plugin:${PLUGIN}` };
  const instance = Instance.boot(source, MEMORY_MB + STACK_AND_DATA_MB, host, budgetOf());
  return pluginOf(instance, bundle, guest);
}

/** Boots `files`; a failure of the boot is a GuestFailure, thrown. */
export async function boot(files: Files, host?: HostCalls): Promise<TestPlugin> {
  return bootFolder(folderOf(files), 'main.ts', host);
}

export async function bootFailure(files: Files): Promise<GuestFailure & { readonly during: string }> {
  const folder = folderOf(files);
  const bundle = await bundlePlugin(folder, 'main.ts');
  try {
    await bootFolder(folder);
  } catch (error) {
    if (!(error instanceof BootError)) throw error;
    const author = { plugin: PLUGIN, limits: LIMITS, sourceMap: bundle.map };
    return { during: error.during, ...failureOf(error.result, author) };
  }
  throw new Error('it booted');
}

export function pluginOf(instance: Instance, bundle: Bundle, guest: GuestCode): TestPlugin {
  const run: TestPlugin['run'] = (event = null, host = new TestCalls(), budget = {}) => {
    const result = instance.run(JSON.stringify(event), host, { ...budgetOf(), ...budget });
    instance.reset();
    if (result.kind === 'suspended') throw new Error('it waits');
    return result;
  };
  return {
    instance,
    bundle,
    guest,
    run,
    value(event, host) {
      const result = run(event, host);
      if (result.kind !== 'value') throw new Error(`it did not answer: ${JSON.stringify(result)}`);
      return result.json === undefined ? undefined : JSON.parse(result.json);
    },
    failure(event, budget) {
      const result = run(event, new TestCalls(), budget);
      if (result.kind === 'value') throw new Error(`it answered ${result.json}`);
      return failureOf(result, { plugin: PLUGIN, limits: LIMITS, sourceMap: bundle.map });
    },
  };
}

export function budgetOf(): Budget {
  const fuel = LIMITS.cpuMs * FUEL_PER_MS;
  return {
    softFuel: fuel,
    hardFuel: fuel * 1.25,
    wallDeadlineMs: performance.now() + LIMITS.turnMs,
    maxOutputBytes: LIMITS.outputBytes,
  };
}
