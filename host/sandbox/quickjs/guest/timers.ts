/**
 * `setTimeout` and its kin as recorded waits of a turn (design §4). However many timers a turn has, at most one
 * wait is open for them, that of the nearest; and it is open only while the turn has nothing else to do, so that
 * a timer that was cleared keeps no turn.
 */

/** What they need of the prelude; nothing of it can be replaced by a plugin. */
export interface TimerParts {
  /** Opens a wait of so many milliseconds; `woken` is called with its answer. */
  sleep(ms: number, woken: () => void): string;
  /** Nobody waits for that answer any more. */
  drop(wait: string): void;
  /** @throws the refusal, while the image is being built */
  requireTurn(): void;
}

interface Timer {
  readonly id: number;
  readonly fn: (...args: unknown[]) => unknown;
  readonly args: unknown[];
  readonly everyMs: number | undefined;
  dueMs: number;
  next: Timer | undefined;
}

const { now } = Date;
const { apply } = Reflect;
const { ceil } = Math;
const toNumber = Number;
const NativeTypeError = TypeError;
/** What a host's own timers take; `limits.wait_ms` ends long before. */
const MAX_DELAY_MS = 0x7fff_ffff;

function delayOf(given: unknown): number {
  const ms = ceil(toNumber(given));
  if (!(ms > 0)) return 0;
  return ms > MAX_DELAY_MS ? MAX_DELAY_MS : ms;
}

export function makeTimers(parts: TimerParts) {
  /** Ordered by when they are due, then by when they were set. */
  let first: Timer | undefined;
  let lastId = 0;
  let open: { readonly wait: string; readonly dueMs: number } | undefined;

  function insert(timer: Timer): void {
    let before: Timer | undefined;
    let after = first;
    while (after !== undefined && after.dueMs <= timer.dueMs) {
      before = after;
      after = after.next;
    }
    timer.next = after;
    if (before === undefined) first = timer;
    else before.next = timer;
  }

  function add(fn: unknown, delayMs: number, everyMs: number | undefined, args: unknown[]): number {
    parts.requireTurn();
    if (typeof fn !== 'function')
      throw new NativeTypeError('the first argument of a timer must be a function');
    const id = ++lastId;
    insert({ id, fn: fn as Timer['fn'], args, everyMs, dueMs: now() + delayMs, next: undefined });
    return id;
  }

  function clear(id: unknown): void {
    let before: Timer | undefined;
    for (let timer = first; timer !== undefined; before = timer, timer = timer.next) {
      if (timer.id !== id) continue;
      if (before === undefined) first = timer.next;
      else before.next = timer.next;
      return;
    }
  }

  function fire(timer: Timer): void {
    first = timer.next;
    if (timer.everyMs !== undefined) {
      timer.dueMs += timer.everyMs;
      insert(timer);
    }
    apply(timer.fn, undefined, timer.args);
  }

  function dropOpen(): void {
    if (open === undefined) return;
    parts.drop(open.wait);
    open = undefined;
  }

  /**
   * Called by the host when the turn has nothing left to do: runs the first timer that is due, and answers 1, or
   * sees to it that the turn is woken for the nearest one.
   */
  function idle(): number {
    if (first === undefined) {
      dropOpen();
      return 0;
    }
    const nowMs = now();
    const { dueMs } = first;
    if (dueMs <= nowMs) {
      fire(first);
      return 1;
    }
    if (open !== undefined && open.dueMs <= dueMs) return 0;
    dropOpen();
    const wait = parts.sleep(dueMs - nowMs, () => {
      open = undefined;
    });
    open = { wait, dueMs };
    return 0;
  }

  return {
    idle,
    globals: {
      setTimeout: (fn: unknown, ms?: unknown, ...args: unknown[]) => add(fn, delayOf(ms), undefined, args),
      setInterval(fn: unknown, ms?: unknown, ...args: unknown[]) {
        const everyMs = delayOf(ms) || 1;
        return add(fn, everyMs, everyMs, args);
      },
      clearTimeout: clear,
      clearInterval: clear,
    },
  };
}
