// BUS-50: when an event begins something, against a plain telling of it in virtual time.
import { describe, expect, test } from 'vitest';
import { type Known, onDue, onEvent, type Pacing } from './pace.ts';

interface Begun {
  readonly atMs: number;
  readonly event: number;
}

/** Plays events at these moments; what is begun goes on for `runMs`. */
function play(pacing: Pacing, moments: readonly number[], runMs = 0): readonly Begun[] {
  const begun: Begun[] = [];
  let known: Known<number> = {};
  const queue = moments.map(
    (atMs, event) => ({ atMs, event }) as { atMs: number; event?: number; ends?: string },
  );
  const take = (verdict: ReturnType<typeof onEvent<number>>, nowMs: number) => {
    if (verdict.what === 'wait') {
      known = { ...known, waiting: { event: verdict.event, dueMs: verdict.dueMs } };
      queue.push({ atMs: verdict.dueMs });
    } else if (verdict.what === 'begin') {
      begun.push({ atMs: nowMs, event: verdict.event });
      const { waiting: _gone, ...rest } = known;
      known = { ...rest, lastMs: nowMs, ...(pacing.singleton && { run: `r${nowMs}` }) };
      if (pacing.singleton) queue.push({ atMs: nowMs + runMs, ends: `r${nowMs}` });
    }
  };
  while (queue.length > 0) {
    queue.sort((a, b) => a.atMs - b.atMs);
    const { atMs, event, ends } = queue.shift()!;
    if (ends !== undefined) {
      const { run, ...rest } = known;
      if (run === ends) known = rest;
    } else if (event !== undefined) take(onEvent(pacing, known, event, atMs), atMs);
    else if (known.waiting?.dueMs === atMs) {
      const verdict = onDue(pacing, known, atMs);
      const { waiting: _gone, ...rest } = known;
      known = rest;
      take(verdict, atMs);
    }
  }
  return begun;
}

test('without any pace each event begins at once', () => {
  expect(play({}, [0, 5, 5])).toEqual([
    { atMs: 0, event: 0 },
    { atMs: 5, event: 1 },
    { atMs: 5, event: 2 },
  ]);
});

test('debounced, the last of those that follow each other closely begins', () => {
  expect(play({ debounceMs: 100 }, [0, 50, 120, 400])).toEqual([
    { atMs: 220, event: 2 },
    { atMs: 500, event: 3 },
  ]);
});

test('throttled, the first begins at once and the last of the others at the end', () => {
  expect(play({ throttleMs: 100 }, [0, 10, 20, 300])).toEqual([
    { atMs: 0, event: 0 },
    { atMs: 100, event: 2 },
    { atMs: 300, event: 3 },
  ]);
});

test('one at a time, what comes meanwhile is not made up for', () => {
  expect(play({ singleton: true }, [0, 10, 99, 101], 100)).toEqual([
    { atMs: 0, event: 0 },
    { atMs: 101, event: 3 },
  ]);
});

const SEED = Number(process.env['PACE_SEED'] ?? Date.now() % 1_000_000);
describe(`whatever comes, whenever (PACE_SEED=${SEED})`, () => {
  let state = SEED;
  const random = (n: number) => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff;
    return state % n;
  };
  const moments = () => Array.from({ length: 1 + random(30) }, () => random(2000)).sort((a, b) => a - b);

  test('debounce: it begins where it was quiet, with the event before that', () => {
    for (let round = 0; round < 200; round += 1) {
      const at = moments();
      const quiet = at.filter((atMs, n) => n === at.length - 1 || at[n + 1]! - atMs > 100);
      expect(
        play({ debounceMs: 100 }, at).map(({ atMs }) => atMs),
        String(at),
      ).toEqual([...new Set(quiet)].map((atMs) => atMs + 100));
    }
  });

  test('throttle: never twice within it, and the last event is never lost', () => {
    for (let round = 0; round < 200; round += 1) {
      const at = moments();
      const begun = play({ throttleMs: 150 }, at);
      for (const [n, { atMs }] of begun.entries())
        if (n > 0) expect(atMs - begun[n - 1]!.atMs).toBeGreaterThanOrEqual(150);
      expect(begun.at(-1)!.event, String(at)).toBe(at.length - 1);
    }
  });

  test('one at a time: never two at once', () => {
    for (let round = 0; round < 200; round += 1) {
      const begun = play(
        { singleton: true, debounceMs: random(2) ? 20 : undefined } as Pacing,
        moments(),
        130,
      );
      for (const [n, { atMs }] of begun.entries())
        if (n > 0) expect(atMs - begun[n - 1]!.atMs).toBeGreaterThanOrEqual(130);
    }
  });
});
