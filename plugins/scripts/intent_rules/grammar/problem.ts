/** What is wrong with a file of rules, or odd about it. */
export interface Problem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly remedy?: string;
}
