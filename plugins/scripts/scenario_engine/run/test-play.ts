/** Plays definitions in virtual time, for the tests of the interpreter. */
import type { Program } from '../program.ts';
import { type Answer, notStubbed, type Script, simulate } from './simulation.ts';
import { programOf, type Written } from './test-program.ts';
import type { Command } from './world.ts';

export const NOW_MS = Date.parse('2026-11-25T08:00:00Z');

export type Stubs = Readonly<Record<string, Answer | ((command: Command, time: number) => Answer)>>;

export function play(
  steps: readonly Written[],
  stubs: Stubs = {},
  { program, ...more }: Partial<Script> & { ctx?: unknown; program?: Partial<Program> } = {},
) {
  const times = new Map<string, number>();
  const script: Script = {
    nowMs: NOW_MS,
    answer(command) {
      const stub = stubs[command.name];
      if (stub === undefined) return notStubbed(command);
      const time = (times.get(command.name) ?? 0) + 1;
      times.set(command.name, time);
      return typeof stub === 'function' ? stub(command, time) : stub;
    },
    reply: () => undefined,
    happenings: [],
    random: () => 0.5,
    ...more,
  };
  const played = simulate(programOf(steps, program), { ctx: more.ctx ?? {} }, script);
  const calls = played.sent.filter(({ what }) => what === 'call').map(({ step, name }) => `${step} ${name}`);
  const changes = played.rows.map(({ step, what }) => `${step} ${what}`);
  return { ...played, calls, changes };
}

export const fails = (code: string): Answer => ({ fails: { code, message: `it is ${code}` } });
