/** Commands of the engine, each with what it answers. Refusals are thrown, and become the answer (main.ts). */
import { get, list } from 'neira:host/storage';
import type { Envelope } from 'neira:host/types';
import { forkOf, replayRun } from './again.ts';
import { removeScenario, requireScenario, saveScenario, setEnabled, sourceOf } from './definitions.ts';
import { keys } from './keys.ts';
import { move, moveRun } from './move.ts';
import { programOf } from './programs.ts';
import { listScenarios, recentRuns, requireRun, scenarioView, statusOf, traceOf } from './queries.ts';
import { Refusal } from './refusal.ts';
import { stateOf } from './runs.ts';
import { servingProgram, startRun } from './starts.ts';
import { tellRun } from './tell.ts';
import { runTests } from './tests.ts';

type Command = (payload: never, event: Envelope) => object;
interface OfRun {
  readonly run_id: string;
}

export const COMMANDS: Readonly<Record<string, Command>> = {
  'scenario.run': (payload: Parameters<typeof startRun>[1], event) => ({
    run_id: startRun(event, payload).id,
  }),
  'scenario.status': ({ run_id }: OfRun) => statusOf(requireRun(run_id)),
  'scenario.runs': recentRuns,
  'scenario.trace': ({ run_id }: OfRun) => traceOf(requireRun(run_id)),

  'scenario.cancel': ({ run_id, reason }: OfRun & { reason?: string }, { source }) =>
    steer(run_id, { kind: 'cancel', reason: reason ?? `cancelled by ${source}` }),
  'scenario.pause': ({ run_id }: OfRun) => steer(run_id, { kind: 'pause', reason: 'asked' }),
  'scenario.resume': ({ run_id, breakpoints, over }: OfRun & { breakpoints?: string[]; over?: boolean }) =>
    steer(run_id, { kind: 'resume', ...(breakpoints && { breakpoints }), ...(over && { over }) }),
  'scenario.signal': ({ run_id, signal, payload }: OfRun & { signal: string; payload?: unknown }) =>
    steer(run_id, { kind: 'signal', signal, payload }),
  'scenario.answer': giveAnswer,
  'scenario.questions': openQuestions,

  'scenario.replay': ({ run_id, digest }: OfRun & { digest?: string }) => {
    const run = requireRun(run_id);
    return replayRun(run, requireProgram(digest ?? run.digest));
  },
  'scenario.fork': fork,

  'scenario.save': (payload: Parameters<typeof saveScenario>[0], { source }) => {
    const { problems, missing, ...saved } = saveScenario(payload, source, Date.now());
    return { ...saved, missing, problems };
  },
  'scenario.list': listScenarios,
  'scenario.get': ({ id }: { id: string }) => {
    const row = requireScenario(id);
    return { ...scenarioView(row, ['triggers', 'schedules']), files: sourceOf(row), entry: row.entry };
  },
  'scenario.remove': ({ id }: { id: string }) => {
    removeScenario(id);
    return { id };
  },
  'scenario.enable': ({ id }: { id: string }) => scenarioView(setEnabled(id, true)),
  'scenario.disable': ({ id }: { id: string }) => scenarioView(setEnabled(id, false)),
  'scenario.test': runTests,
};

function steer(run: string, event: Parameters<typeof moveRun>[1]) {
  return { run_id: run, state: stateOf(moveRun(run, event)) };
}

function requireProgram(digest: string) {
  const program = programOf(digest);
  if (program) return program;
  throw new Refusal('SCENARIO_DEFINITION_GONE', 404, `there is no definition \`${digest}\``);
}

interface Question {
  readonly question_id: string;
  readonly run_id: string;
  readonly wait: number;
  readonly choices?: readonly unknown[];
}

function giveAnswer({ question_id, value }: { question_id: string; value: unknown }) {
  const question = get<Question>(keys.question(question_id) as never)?.value as Question | undefined;
  if (!question)
    throw new Refusal(
      'SCENARIO_QUESTION_CLOSED',
      404,
      `\`${question_id}\` is not open: it was answered, or its time is over`,
    );
  const { choices, run_id, wait } = question;
  const isChoice =
    !Array.isArray(choices) || choices.some((each) => JSON.stringify(each) === JSON.stringify(value));
  if (!isChoice)
    throw new Refusal(
      'SCENARIO_ANSWER_INVALID',
      422,
      `the answer has to be one of ${JSON.stringify(choices)}`,
    );
  tellRun(run_id, { kind: 'reply', wait, value });
  return { question_id, run_id };
}

function openQuestions({ limit = 100, after }: { limit?: number; after?: string }) {
  const page = list<Question>('question/', {
    limit,
    ...(after !== undefined && { after: keys.question(after) }),
  } as never);
  return { questions: page.map(({ value }) => value) };
}

/** From one of its steps, with the same definition or the one that serves now. */
function fork(
  {
    run_id,
    step,
    latest,
    ctx,
    breakpoints,
  }: OfRun & { step: string; latest?: boolean; ctx?: unknown; breakpoints?: string[] },
  { source }: Envelope,
) {
  const run = requireRun(run_id);
  const program = latest ? servingProgram(requireScenario(run.scenario)) : requireProgram(run.digest);
  const made = forkOf(run, program, step, source, Date.now());
  const begun = { ...made, ...(ctx !== undefined && { ctx }), ...(breakpoints && { breakpoints }) };
  return { run_id: move(begun, program, { kind: 'continue' }).id };
}
