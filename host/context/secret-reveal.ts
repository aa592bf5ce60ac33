/**
 * `io.secret`: a turn waits for the clear text of a secret, which only main has.
 *
 * The answer is the one thing between a turn and the host that no record may hold. Where waits and their answers
 * are written down, {@link answerForRecord} stands for it, and whoever replays the turn asks for the secret again
 * with {@link referredSecret}.
 */
import type { WaitArguments } from './open-waits.ts';

/** The operation of the wait. */
export const REVEAL = 'secret.reveal';

/** What main is handed; `what` is `name`. */
export interface RevealCall extends WaitArguments {
  readonly name: string;
  /** The principal that is shown it. */
  readonly as?: string;
}

/** The secret that a wait was answered with; undefined for any other wait, and for a refusal. */
export function revealedBy(
  op: string,
  args: WaitArguments,
  answer: string,
): { readonly name: string; readonly text: string } | undefined {
  if (op !== REVEAL || answer[0] !== 'V') return undefined;
  const text: unknown = JSON.parse(answer.slice(1));
  // What stands in for it in a dry run may be anything.
  return typeof text === 'string' ? { name: (args as RevealCall).name, text } : undefined;
}

/** The answer of a wait as it may be recorded: instead of a secret its name, as `R{"secret":"<name>"}`. */
export function answerForRecord(op: string, args: WaitArguments, answer: string): string {
  const shown = revealedBy(op, args, answer);
  return shown ? `R${JSON.stringify({ secret: shown.name })}` : answer;
}

/** The name of the secret that a recorded answer stands for. */
export function referredSecret(recorded: string): string | undefined {
  return recorded[0] === 'R' ? (JSON.parse(recorded.slice(1)) as { secret: string }).secret : undefined;
}
