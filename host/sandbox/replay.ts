/** Runs one recorded turn again. */
import { turnBudget } from './boot-limits.ts';
import type { EngineInstance } from './engine.ts';
import type { Instances } from './instances.ts';
import type { Program } from './messages.ts';
import type { ReplaySession } from './sessions.ts';
import { refused, type Settled, settle } from './settled.ts';

/** A replay is judged by fuel; the clock only ends what would never end. */
const REPLAY_WALL_MS = 5000;

/** Answers the report for main. Whatever goes wrong with one turn is that turn's outcome. */
export async function replayTurn(
  program: Program,
  session: ReplaySession,
  instances: Instances,
): Promise<string> {
  const started = performance.now();
  let instance: EngineInstance | undefined;
  let settled: Settled;
  let fuel = 0;
  try {
    instance = instances.take(program);
    settled = await runToEnd(instance, program, session, started);
    fuel = instance.fuelUsed;
    instances.giveBack(program, instance);
  } catch (error) {
    if (instance) instances.drop(instance);
    settled = refused(error, program);
  }
  return session.report(session.finish(settled, fuel, performance.now() - started));
}

/** Answers come in the order in which they came then, each when the turn stands still. */
async function runToEnd(
  instance: EngineInstance,
  program: Program,
  session: ReplaySession,
  started: number,
): Promise<Settled> {
  const budget = turnBudget(program, started + REPLAY_WALL_MS);
  let result = await instance.run(session.envelope, session, budget);
  while (result.kind === 'suspended') {
    session.suspend();
    const next = session.nextAnswer();
    if (!next) return session.ending();
    const [wait, answer, atMs] = next;
    result = await instance.resume(wait, session.answered(wait, answer, atMs), session, budget);
  }
  return settle(result, program);
}
