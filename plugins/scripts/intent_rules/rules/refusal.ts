/** What the plugin refuses to do, as whoever asked is told it: by the reply, with nothing kept. */
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
