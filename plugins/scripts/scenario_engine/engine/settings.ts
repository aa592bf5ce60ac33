import { settings } from 'neira:host/storage';

/** The engine's settings, as its manifest declares them. */
export interface Settings {
  /** Runs that work at a time on this node; 0: as many as there are (SCN-13). */
  readonly max_concurrent_per_node: number;
  /** Seconds that a HIGH run is ahead of a NORM one in the queue, and a LOW one behind it. */
  readonly priority_s: number;
  readonly pools: { readonly cpu: number; readonly io: number };
  /** Steps that one turn begins. */
  readonly steps_per_turn: number;
  /** Whether steps are told as events `scenario.step.completed`. */
  readonly step_events: boolean;
  /** What all runs of this node, or of one user, may use in a day (UTC), by name: `calls`, `http`, `tts_seconds`, … */
  readonly daily_per_node: Readonly<Record<string, number>>;
  readonly daily_per_user: Readonly<Record<string, number>>;
}

let known: Settings | undefined;

/** Those of this turn: each begins with the memory of the image, in which none were asked for. */
export function settingsNow(): Settings {
  known ??= settings<Settings>();
  return known;
}
