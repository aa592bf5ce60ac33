/** What is refused, as whoever asked is told it: nothing was kept. */
export class Refusal extends Error {
  readonly error: { readonly code: string; readonly message: string; readonly status: number };
  constructor(code: string, status: number, message: string) {
    super(message);
    this.error = { code, message, status };
  }
}
