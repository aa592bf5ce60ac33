/** `scenario.run@1`: what a start has to be, before it is admitted. */

import type { Envelope } from 'neira:host/types';
import { Validator } from '@cfworker/json-schema';
import { fill } from '../language/expressions.ts';
import { TemplateFault, textTemplate } from '../language/templates.ts';
import type { Priority, Program } from '../program.ts';
import { newRun, type Run } from '../run/state.ts';
import { StepFailure } from '../run/world.ts';
import { admit } from './admission.ts';
import { programOf, type ScenarioRow, scenarioOf } from './programs.ts';
import { Refusal } from './refusal.ts';
import { loadRun } from './runs.ts';
import { spendCosts } from './spending.ts';

interface Start {
  readonly id: string;
  readonly ctx?: unknown;
  readonly priority?: Priority;
  readonly force?: boolean;
  readonly order?: string;
  readonly dry_run?: boolean;
  readonly event?: Record<string, unknown>;
  readonly template?: boolean;
}

const PARENT_HEADER = 'scenario_parent';
const MAX_DEPTH = 16;
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** @throws {Refusal} SCENARIO_UNKNOWN, SCENARIO_UNGRANTED, SCENARIO_DISABLED, SCENARIO_INPUT, SCENARIO_QUOTA, … */
export function startRun(event: Envelope, start: Start): Run {
  const { id, priority, force = false, dry_run } = start;
  const row = scenarioOf(id);
  if (!row) throw new Refusal('SCENARIO_UNKNOWN', 404, `there is no scenario \`${id}\``);
  const program = servingProgram(row);
  const ctx = ctxOf(start);
  requireInput(program, ctx);
  const nowMs = Date.now();
  const family = familyOf(event);
  const run = newRun({
    id: newId(nowMs),
    scenario: id,
    digest: program.digest,
    priority: priority ?? program.priority,
    ctx,
    by: family ? loadRun(family.parent.run)!.by : event.source,
    createdAtMs: nowMs,
    ...(start.event && { event: start.event }),
    ...family,
    ...(dry_run && { dry: true as const }),
  });
  if (!dry_run) countRun(program, run, nowMs);
  return admit(run, program, force || family !== undefined);
}

/** What a trigger says of it is worked out here, where expressions are known. @throws {Refusal} SCENARIO_INPUT */
function ctxOf({ ctx = {}, event, template }: Start): unknown {
  if (!template) return ctx;
  try {
    return fill(templated(ctx), () => ({ event: event ?? null, now: Date.now() }));
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === undefined && !(error instanceof TemplateFault)) throw error;
    throw new Refusal('SCENARIO_INPUT', 422, `\`ctx\`: ${message}`);
  }
}

function templated(value: unknown): unknown {
  if (typeof value === 'string') return textTemplate(value, () => {});
  if (Array.isArray(value)) return value.map(templated);
  if (value === null || typeof value !== 'object' || '$' in value || '$$' in value) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, templated(each)]));
}

export function servingProgram({ id, digest, pending, enabled }: ScenarioRow): Program {
  if (!enabled) throw new Refusal('SCENARIO_DISABLED', 409, `\`${id}\` is disabled; enable it first`);
  const program = digest === undefined ? undefined : programOf(digest);
  if (program) return program;
  const missing = pending?.missing ?? [];
  const message = `\`${id}\` was not granted ${missing.join(', ')} yet: neira plugin grant scenario.engine --principal ${id}`;
  throw new Refusal('SCENARIO_UNGRANTED', 403, message, { missing });
}

function requireInput({ id, input }: Program, ctx: unknown): void {
  if (!input) return;
  const { valid, errors } = new Validator(input, '2020-12', false).validate(ctx);
  if (valid) return;
  const problems = errors.map(({ instanceLocation, error }) => ({
    path: `ctx${instanceLocation.slice(1)}`,
    message: error,
  }));
  const last = problems.at(-1)!;
  throw new Refusal('SCENARIO_INPUT', 422, `\`${last.path}\` of \`${id}\`: ${last.message}`, { problems });
}

function countRun(program: Program, run: Run, nowMs: number): void {
  try {
    spendCosts(program, run, { runs: 1 }, nowMs);
  } catch (error) {
    if (error instanceof StepFailure) throw new Refusal(error.error.code, 429, error.error.message);
    throw error;
  }
}

/** The run that began this one: only the engine's own scenarios can say so. */
function familyOf({
  source,
  headers,
}: Envelope): (Pick<Run, 'within'> & Required<Pick<Run, 'parent'>>) | undefined {
  const given = headers[PARENT_HEADER];
  if (given === undefined || !source.startsWith('plugin:scenario.engine/')) return undefined;
  const [run, wait] = given.split(' ');
  const parent = loadRun(run!);
  if (!parent) return undefined;
  const within = [...(parent.within ?? []), parent.id];
  if (within.length > MAX_DEPTH)
    throw new Refusal(
      'SCENARIO_TOO_DEEP',
      422,
      `scenarios begin each other ${MAX_DEPTH} deep; does one begin itself?`,
    );
  return { parent: { run: parent.id, wait: Number(wait) }, within };
}

/** Five letters. */
function chance(): string {
  let text = '';
  for (let rest = Math.floor(Math.random() * 32 ** 5); text.length < 5; rest = Math.floor(rest / 32))
    text += ALPHABET[rest % 32];
  return text;
}

/** Sorts by the moment when it was made. */
export function newId(nowMs: number): string {
  let time = '';
  for (let rest = nowMs; time.length < 9; rest = Math.floor(rest / 32)) time = ALPHABET[rest % 32] + time;
  return `r${time}${chance()}${chance()}`;
}
