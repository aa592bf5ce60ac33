/** How a turn ended, for its record. */
import { failureOf, type GuestFailure } from './failure.ts';
import type { Program } from './messages.ts';
import type { RunResult } from './run-result.ts';

export type Settled =
  /** JSON array of the reply's actions. */
  | {
      readonly status: 'ok';
      readonly actions: string /** JSON of the reply's result. */;
      readonly result?: string;
      /** Set by the composition root: marks of what is personal in the result. */
      readonly pii?: string;
    }
  | {
      readonly status: 'failed';
      readonly error: GuestFailure;
      /** `handle` threw; else it was ended, or answered what is no reply. */
      readonly threw?: true;
    };

/** What `handle` answered, as the actions of a reply; anything else is the plugin's failure. */
export function settle(result: RunResult, program: Program): Settled {
  if (result.kind !== 'value') {
    const threw = result.kind === 'thrown' && ({ threw: true } as const);
    return { status: 'failed', error: failureOf(result, program), ...threw };
  }
  const reply = result.json === undefined ? {} : parsed(result.json);
  const reason = whyNotReply(reply);
  if (reason === undefined) {
    const { actions = [], result: answer } = (reply ?? {}) as { actions?: unknown; result?: unknown };
    return {
      status: 'ok',
      actions: JSON.stringify(actions),
      ...(answer !== undefined && { result: JSON.stringify(answer) }),
    };
  }
  return refused({ code: 'NEIRA_REPLY_INVALID', details: { plugin: program.plugin, reason } }, program);
}

/** Undefined for what is not JSON; components answer any text. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

export function refused(error: unknown, program: Program): Settled {
  return { status: 'failed', error: failureOf({ kind: 'refused', error }, program) };
}

function whyNotReply(reply: unknown): string | undefined {
  if (reply === undefined) return 'it is not JSON';
  if (reply === null) return undefined;
  if (typeof reply !== 'object' || Array.isArray(reply)) return 'it is not an object';
  const { actions } = reply as { actions?: unknown };
  if (actions === undefined) return undefined;
  if (!Array.isArray(actions)) return '`actions` is not an array';
  const odd = actions.findIndex(
    (action) => typeof action !== 'object' || action === null || Array.isArray(action),
  );
  return odd < 0 ? undefined : `\`actions[${odd}]\` is not an object`;
}
