/** What of an exception is the step's own failure, and whether the step is tried again after it. */
import type { Node } from '../program.ts';
import type { Frame, StepError } from './state.ts';
import { StepFailure } from './world.ts';

const MAX_MESSAGE_CHARS = 1000;
/** It may have been done: a step that must not be done twice is not tried again. */
const UNKNOWN = 'NEIRA_OUTCOME_UNKNOWN';
/** Of the definition and not of the world: trying again comes to the same. */
const OF_DEFINITION = new Set([
  'SCENARIO_EXPRESSION',
  'SCENARIO_BAG_TOO_LARGE',
  'SCENARIO_LOOP_LIMIT',
  'SCENARIO_STEP_TIMEOUT',
  'NEIRA_EVENT_INVALID',
  'NEIRA_PERMISSION_DENIED',
  'NEIRA_UNKNOWN_EVENT',
  'NEIRA_EVENT_UNREGISTERED',
]);

/** @throws what is no failure of a step but one of the engine: then the turn fails, and nothing of it stays */
export function errorOf(error: unknown): StepError {
  if (error instanceof StepFailure) return error.error;
  const { code, message, details } = error as Partial<StepError>;
  if (typeof code !== 'string' || typeof message !== 'string') throw error;
  return {
    code,
    message: message.slice(0, MAX_MESSAGE_CHARS),
    ...(details !== undefined && { details }),
  };
}

/** How long the step waits before its next attempt; undefined: it has failed for good. */
export function retryInMs(
  node: Node,
  frame: Frame,
  error: StepError,
  nowMs: number,
  random: () => number,
): number | undefined {
  const { retry } = node;
  if (!retry || frame.attempt > retry.max) return undefined;
  if (retry.codes ? !retry.codes.includes(error.code) : OF_DEFINITION.has(error.code)) return undefined;
  if (node.kind === 'call' && node.effect === 'once' && error.code === UNKNOWN) return undefined;
  const fullMs = Math.min(retry.baseMs * retry.factor ** (frame.attempt - 1), retry.maxMs);
  const inMs = Math.round(fullMs * (1 - retry.jitter * random()));
  const atMs = nowMs + inMs;
  const isTooLate =
    (retry.giveUpAfterMs !== undefined && atMs > frame.startedAtMs + retry.giveUpAfterMs) ||
    (frame.deadlineMs !== undefined && atMs >= frame.deadlineMs);
  return isTooLate ? undefined : inMs;
}
