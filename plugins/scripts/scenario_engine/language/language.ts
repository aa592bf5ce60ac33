/** What the parts of the language tell each other. The entry is `readScenario` in read.ts. */
import type { Program } from '../program.ts';

/** Something that is wrong in the author's text. `line` and `column` from 1, in `file`. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Where in the definition: `steps/2/retries/max`. */
  readonly path: string;
  readonly message: string;
  /** What to do. */
  readonly remedy?: string;
}

export type ScenarioRead =
  | { readonly ok: true; readonly program: Program; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };
