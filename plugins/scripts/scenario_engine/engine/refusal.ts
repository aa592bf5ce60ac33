/** What the engine refuses to do, as whoever asked is told it: by the reply, with nothing kept. */

export class Refusal extends Error {
  readonly error: {
    readonly code: string;
    readonly message: string;
    /** HTTP, for those who ask that way. */
    readonly status: number;
    readonly details?: Readonly<Record<string, unknown>>;
  };
  constructor(code: string, status: number, message: string, details?: Readonly<Record<string, unknown>>) {
    super(message);
    this.error = { code, message, status, ...(details && { details }) };
  }
}

export function unknownRun(run: string): Refusal {
  return new Refusal(
    'SCENARIO_RUN_UNKNOWN',
    404,
    `there is no run \`${run}\`, or it was forgotten after its time`,
  );
}
