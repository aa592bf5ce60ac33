// SCN-02, SCN-12…14, SCN-24, SCN-25: whatever the order in which things reach the engine, its books stay true.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { seededRandom } from '../../host/store/test-store.ts';
import { keys } from '../../plugins/scripts/scenario_engine/engine/keys.ts';
import { handle, prepare } from '../../plugins/scripts/scenario_engine/main.ts';
import type { Program } from '../../plugins/scripts/scenario_engine/program.ts';
import type { Run } from '../../plugins/scripts/scenario_engine/run/state.ts';
import { type Delivery, EngineHost, enter } from './scenario/engine-host.ts';
import { type Known, requireEmpty, requireSound, runsIn } from './scenario/invariants.ts';
import { type History, history, type Op, SCENARIOS } from './scenario/load.ts';
import { showSettings } from './scenario/neira-storage.ts';

const SEED = Number(process.env['NEIRA_MODEL_SEED'] ?? Date.now() % 0x7fff_ffff);
const PATH = process.env['NEIRA_MODEL_PATH'];
const RUNS = Math.ceil(Number(process.env['NEIRA_MODEL_RUNS'] ?? 4_000) / 10);
const BEGIN_MS = Date.parse('2026-11-25T08:00:00Z');
/** Turns until everything has ended, of what a history can begin. */
const MAX_TURNS = 20_000;

beforeAll(() => void vi.useFakeTimers({ toFake: ['Date'] }));
afterAll(() => void vi.useRealTimers());

class World implements Known {
  readonly programs = new Map<string, Program>();
  readonly forced = new Set<string>();
  readonly host: EngineHost;
  readonly #random: (below: number) => number;
  readonly #history: History;
  readonly #started = new Map<string, number>();
  readonly runs: string[] = [];

  constructor(one: History) {
    this.#history = one;
    this.#random = seededRandom(one.seed);
    const settings = {
      ...one.settings,
      priority_s: 300,
      step_events: false,
      daily_per_node: {},
      daily_per_user: {},
    };
    showSettings(settings);
    this.host = new EngineHost(settings);
    this.#pass(BEGIN_MS);
    enter(this.host);
    for (const [id, text] of Object.entries(SCENARIOS)) {
      this.host.send(
        'scenario.save',
        { files: { [`${id}.yaml`]: text }, entry: `${id}.yaml` },
        'client:admin',
      );
      const { result } = this.#run(this.host.ready()[0]!, false) as {
        result: { ok: boolean; digest: string };
      };
      expect(result, JSON.stringify(result)).toMatchObject({ ok: true, state: 'active' });
      this.programs.set(id, this.host.read<Program>(keys.definition(result.digest))!);
    }
    prepare();
  }

  do(op: Op): void {
    const { host } = this;
    if (op.op === 'start') {
      const { scenario, priority, user, force } = op;
      host.send('scenario.run', { id: scenario, priority, ...(force && { force }) }, user);
    } else if (op.op === 'turns') for (let n = 0; n < op.count; n++) this.turn(false);
    else if (op.op === 'die') this.turn(true);
    else if (op.op === 'answer') for (let n = 0; n < op.count; n++) this.answer(op.fails);
    else if (op.op === 'time') this.#pass(host.nowMs + op.ms);
    else if (this.runs.length > 0) {
      const run_id = this.runs[op.which % this.runs.length];
      const more = op.how === 'signal' ? { signal: 'go', payload: null } : {};
      host.send(`scenario.${op.how}`, { run_id, ...more }, 'client:admin');
    }
  }

  /** One turn of some delivery that may come; whether there was one. */
  turn(dies: boolean): boolean {
    // What failed as often as the engine bears is held, which is another matter.
    const ready = this.host.ready().filter(({ attempt }) => !dies || attempt < 3);
    if (ready.length === 0) return false;
    const next = ready[this.#random(ready.length)]!;
    const before = new Map(runsIn(this.host).map((run) => [run.id, run]));
    const reply = this.#run(next, dies) as { result?: { ok: boolean; run_id: string } } | undefined;
    if (!dies) this.#note(next, reply?.result, before);
    requireSound(this.host, this.#history, this);
    return true;
  }

  answer(fails: boolean): boolean {
    const { asked } = this.host;
    const one = asked[this.#random(Math.max(asked.length, 1))];
    if (!one) return false;
    const bad = { ok: false, error: { code: 'TOOL_FAILED', message: 'no' } };
    this.host.answer(one, fails ? bad : { ok: true, result: { n: 1 } });
    return true;
  }

  /** Everything that can still happen happens, until nothing is left. */
  end(): void {
    for (let turns = 0; turns < MAX_TURNS; turns++) {
      if (this.turn(false) || this.answer(false)) continue;
      const open = runsIn(this.host).filter(({ phase }) => phase !== 'ended');
      const paused = open.find((run) => run.paused && run.paused.reason !== 'slot');
      const signalled = open.find((run) => !run.paused && waitsForSignal(run));
      if (paused) this.host.send('scenario.resume', { run_id: paused.id }, 'client:admin');
      else if (signalled)
        this.host.send(
          'scenario.signal',
          { run_id: signalled.id, signal: 'go', payload: null },
          'client:admin',
        );
      else if (this.host.timers.length > 0)
        this.#pass(Math.max(this.host.nowMs, Math.min(...this.host.timers.map(({ atMs }) => atMs))));
      else {
        const left = open.map(({ id, scenario, phase, paused: why, threads }) => ({
          id,
          scenario,
          phase,
          why,
          threads,
        }));
        expect(
          JSON.stringify(left),
          `${JSON.stringify(this.host.read('load'))} ${JSON.stringify(left)}`,
        ).toBe('[]');
        requireEmpty(this.host);
        return;
      }
    }
    throw new Error(`it did not come to an end within ${MAX_TURNS} turns`);
  }

  #run(delivery: Delivery, dies: boolean): unknown {
    return this.host.turn(delivery, handle as never, dies);
  }

  #pass(nowMs: number): void {
    vi.setSystemTime(nowMs);
    this.host.passTo(nowMs);
  }

  #note(
    { event }: Delivery,
    result: { ok: boolean; run_id: string } | undefined,
    before: ReadonlyMap<string, Run>,
  ): void {
    if (event.event_name === 'scenario.run' && result?.ok) {
      this.runs.push(result.run_id);
      if (event.payload['force']) this.forced.add(result.run_id);
      if (event.payload['id'] === 'paid') {
        const count = (this.#started.get(event.source) ?? 0) + 1;
        this.#started.set(event.source, count);
        expect(count, `runs of ${event.source} in a day`).toBeLessThanOrEqual(4);
      }
    }
    this.#requireOrder(before);
  }

  /** Of those that waited in one queue, the one that is before the others begins. */
  #requireOrder(before: ReadonlyMap<string, Run>): void {
    for (const run of runsIn(this.host)) {
      const waited = before.get(run.id);
      if (!run.admitted || !waited || waited.admitted || waited.queuedAs === undefined) continue;
      const still = [...before.values()].filter(
        ({ id, scenario, phase }) => scenario === run.scenario && phase === 'queued' && id !== run.id,
      );
      for (const other of still)
        if (!other.admitted && this.host.read<Run>(keys.state(other.id))?.admitted !== true)
          expect(
            waited.queuedAs < other.queuedAs!,
            `${other.queuedAs} waited longer than ${waited.queuedAs}`,
          ).toBe(true);
    }
  }
}

function waitsForSignal({ threads }: Run): boolean {
  return threads.some(({ frames }) => frames.at(-1)?.wait?.kind === 'signal');
}

test(`${RUNS} loads: priorities, locks, pools, places and quotas hold, and nobody waits for ever (NEIRA_MODEL_SEED=${SEED})`, () => {
  const chance = vi.spyOn(Math, 'random');
  let begun = 0;
  const property = fc.property(history, (one) => {
    const random = seededRandom(one.seed + 1);
    chance.mockImplementation(() => random(2 ** 30) / 2 ** 30);
    const world = new World(one);
    for (const op of one.ops) world.do(op);
    world.end();
    begun += world.runs.length;
  });
  const details = fc.check(property, {
    seed: SEED,
    numRuns: RUNS,
    ...(PATH !== undefined && { path: PATH }),
  });
  chance.mockRestore();
  console.log(`scenario model: ${details.numRuns} loads, ${begun} runs, seed ${SEED}`);
  const again = `NEIRA_MODEL_SEED=${SEED} NEIRA_MODEL_PATH=${details.counterexamplePath} npx vitest run scenario-model`;
  const cause = details.errorInstance as Error | null;
  expect(
    details.failed ? `${again}\n${JSON.stringify(details.counterexample)}\n${cause?.stack ?? ''}` : '',
  ).toBe('');
}, 120_000);
