/**
 * When an event begins something: debounce, throttle, one at a time. Pure, of what is known of a rule and one value of its
 * key, and a moment.
 */
export interface Pacing {
  /** Begins once it was quiet for so long, with the last event. */
  readonly debounceMs?: number;
  /** Begins once within so long: the first event at once, the last of the others at the end. */
  readonly throttleMs?: number;
  /** Begins nothing while what it began goes on. */
  readonly singleton?: boolean;
}

export interface Known<Event> {
  readonly lastMs?: number;
  /** The event that waits, and since which moment. */
  readonly waiting?: { readonly event: Event; readonly dueMs: number };
  /** What it began and has not ended. */
  readonly run?: string;
}

export type Verdict<Event> =
  | { readonly what: 'begin'; readonly event: Event }
  | { readonly what: 'wait'; readonly dueMs: number; readonly event: Event }
  | { readonly what: 'drop' };

/** An event has come. */
export function onEvent<Event>(
  pacing: Pacing,
  known: Known<Event>,
  event: Event,
  nowMs: number,
): Verdict<Event> {
  if (pacing.singleton && known.run !== undefined) return { what: 'drop' };
  if (pacing.debounceMs !== undefined) return { what: 'wait', dueMs: nowMs + pacing.debounceMs, event };
  return throttled(pacing, known, event, nowMs);
}

/** The moment has come that something waited for. */
export function onDue<Event>(pacing: Pacing, known: Known<Event>, nowMs: number): Verdict<Event> {
  const { waiting } = known;
  if (!waiting || waiting.dueMs > nowMs) return { what: 'drop' };
  if (pacing.singleton && known.run !== undefined) return { what: 'drop' };
  return throttled(pacing, known, waiting.event, nowMs);
}

function throttled<Event>(
  { throttleMs }: Pacing,
  { lastMs }: Known<Event>,
  event: Event,
  nowMs: number,
): Verdict<Event> {
  const freeMs = throttleMs === undefined || lastMs === undefined ? nowMs : lastMs + throttleMs;
  return freeMs <= nowMs ? { what: 'begin', event } : { what: 'wait', dueMs: freeMs, event };
}
