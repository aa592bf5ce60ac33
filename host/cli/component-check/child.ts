/**
 * One file, in a process of its own: would a host take it, and does it run? The answer is one line of JSON. Whatever the
 * file does to this process, the one that began it goes on.
 */
import { readFile, stat } from 'node:fs/promises';
import { describe, NeiraError, toProblem, toShape } from '../../errors.ts';
import { buildComponent, MAX_COMPONENT_BYTES } from '../../sandbox/component/build/build-component.ts';
import { ComponentInstance } from '../../sandbox/component/component-instance.ts';
import { type Author, failureOf } from '../../sandbox/failure.ts';
import { BootError, type Budget, type Failure, type HostCalls } from '../../sandbox/run-result.ts';
import type { ComponentReport } from './report.ts';

const MB = 1024 * 1024;
/** As a plugin has it by default. */
const LIMITS = { memoryMb: 32, cpuMs: 50, turnMs: 200, outputBytes: 256 * 1024 };
const FUEL_PER_MS = 100_000;
const AUTHOR = { plugin: 'checked', limits: LIMITS, sourceMap: '' } as Author;
/** An event that says nothing: what a guest does with it is its own affair. */
const EVENT = {
  id: '01930000-0000-7000-8000-000000000001',
  event_name: 'system.boot.completed',
  version: 1,
  ts: '2026-01-01T00:00:00.000Z',
  source: 'host',
  correlation_id: '01930000-0000-7000-8000-000000000001',
  causation_id: null,
  tenant: 'default',
  headers: {},
  payload: {},
};

async function check(file: string): Promise<ComponentReport> {
  const asked = new Set<string>();
  try {
    const built = await buildComponent(await readComponentFile(file), {
      maxMemoryBytes: LIMITS.memoryMb * MB,
    });
    const instance = await ComponentInstance.boot(built, refusing(asked), budget());
    const ran = await instance.run(JSON.stringify(EVENT), refusing(asked), budget());
    return {
      verdict: 'runs',
      ...(ran.kind !== 'value' && ran.kind !== 'suspended' && failing(ran)),
      memoryBytes: instance.memoryBytes,
      fuel: instance.fuelUsed,
      asked: [...asked],
    };
  } catch (error) {
    if (error instanceof BootError) {
      const { reason } = failing(error.result);
      return {
        verdict: 'refused',
        code: 'NEIRA_BOOT_FAILED',
        reason: `${error.during}: ${reason}`,
        asked: [...asked],
      };
    }
    const { code, detail } = toProblem(error);
    // What the catalogue does not know decides nothing: it ends this process, and is told as a crash.
    if (code === 'NEIRA_INTERNAL') throw error;
    return { verdict: 'refused', code, reason: detail };
  }
}

/** As a registration does, it asks for the size first: what is too large is never read. */
async function readComponentFile(file: string): Promise<Buffer> {
  const { size } = await stat(file);
  if (size > MAX_COMPONENT_BYTES)
    throw new NeiraError('NEIRA_COMPONENT_TOO_LARGE', { bytes: size, maxBytes: MAX_COMPONENT_BYTES });
  return readFile(file);
}

function failing(failure: Failure): { readonly code: string; readonly reason: string } {
  const { code, message } = failureOf(failure, AUTHOR);
  return { code, reason: message };
}

/** Nothing is granted here; what is asked for is told. */
function refusing(asked: Set<string>): HostCalls {
  return {
    call(op) {
      asked.add(op);
      const refused = new NeiraError('NEIRA_PERMISSION_DENIED', {
        plugin: AUTHOR.plugin,
        permission: op,
        reason: 'a check grants nothing',
        remedy: 'Register the component to grant it something.',
      });
      const { code, details } = toShape(refused);
      return `E${JSON.stringify({ code, details, message: describe(refused.code, refused.details) })}`;
    },
    randomBytes: (count) => new Uint8Array(count),
    nowMs: () => 0,
  };
}

function budget(): Budget {
  const softFuel = LIMITS.cpuMs * FUEL_PER_MS;
  return {
    softFuel,
    hardFuel: 2 * softFuel,
    wallFuel: LIMITS.turnMs * FUEL_PER_MS,
    wallDeadlineMs: performance.now() + 10_000,
    maxOutputBytes: LIMITS.outputBytes,
  };
}

try {
  const report = await check(process.argv[2]!);
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
} catch (error) {
  process.stderr.write(`${String(error)}\n`, () => process.exit(1));
}
