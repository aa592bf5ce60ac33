/** What is said of one `.wasm` file. */
export interface ComponentReport {
  /**
   * `runs`: it was taken, booted and answered, or ended by an error of its own. `refused`: a host would not take it.
   * `crashed`, `hung`: neither was found out, because the process that tried it ended or did not end.
   */
  readonly verdict: 'runs' | 'refused' | 'crashed' | 'hung';
  /** Of a refusal, or of how its turn failed. */
  readonly code?: string;
  /** In one sentence. */
  readonly reason?: string;
  readonly memoryBytes?: number;
  /** Units of fuel of one turn. */
  readonly fuel?: number;
  /** Host functions that it called. */
  readonly asked?: readonly string[];
}

export interface FileReport extends ComponentReport {
  readonly file: string;
}
