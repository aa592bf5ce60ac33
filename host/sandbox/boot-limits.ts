/** What the top-level code and `prepare()` of a plugin may use, and how their failure is told. */
import { type ErrorShape, toShape } from '../errors.ts';
import { failureOf } from './failure.ts';
import type { BootSpec, Program } from './messages.ts';
import { FUEL_PER_MS } from './quickjs/layout.ts';
import { BootError, type Budget } from './run-result.ts';

/** Boots may compute more than a turn: they build what turns then start from. */
const BOOT_CPU_MS = 2000;
const BOOT_WALL_MS = 5000;
/** Between the soft limit, which leaves a stack trace, and the hard one. */
const HARD_FUEL_MARGIN = 1.25;
const MAX_ANSWER_BYTES = 1024 * 1024;

export function bootBudget(startedMs: number): Budget {
  return {
    softFuel: BOOT_CPU_MS * FUEL_PER_MS,
    hardFuel: BOOT_CPU_MS * FUEL_PER_MS * HARD_FUEL_MARGIN,
    wallDeadlineMs: startedMs + BOOT_WALL_MS,
    maxOutputBytes: MAX_ANSWER_BYTES,
  };
}

export function turnBudget(
  { limits: { cpuMs, turnMs, outputBytes } }: Program,
  wallDeadlineMs: number,
): Budget {
  return {
    softFuel: cpuMs * FUEL_PER_MS,
    hardFuel: cpuMs * FUEL_PER_MS * HARD_FUEL_MARGIN,
    wallFuel: turnMs * FUEL_PER_MS,
    wallDeadlineMs,
    maxOutputBytes: outputBytes,
  };
}

export function bootFailure(error: unknown, spec: BootSpec): ErrorShape {
  if (!(error instanceof BootError)) return toShape(error);
  const limits = { ...spec.limits, cpuMs: BOOT_CPU_MS, turnMs: BOOT_WALL_MS };
  const failure = failureOf(error.result, { ...spec, limits });
  const { file, line, column } = failure.details;
  return {
    code: 'NEIRA_BOOT_FAILED',
    details: {
      plugin: spec.plugin,
      during: error.during,
      reason: failure.message,
      cause: failure.code,
      ...(file !== undefined && { file, line, column }),
      ...(failure.stack !== undefined && { stack: failure.stack }),
    },
  };
}
