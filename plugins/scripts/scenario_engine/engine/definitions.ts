/**
 * Scenarios are saved as the author wrote them, read once, and serve by the digest of what they say. Each is a principal:
 * an administrator grants it what its steps need, and until then the definition that served before goes on serving.
 */
import { publish } from 'neira:host/bus';
import { as, granted, register, remove } from 'neira:host/principals';
import { delete as drop, get, list, set } from 'neira:host/storage';
import type { Problem } from '../language/language.ts';
import { readScenario } from '../language/read.ts';
import type { Program, Schedule, Trigger } from '../program.ts';
import { keys } from './keys.ts';
import { closeEars } from './listening.ts';
import { programOf, type ScenarioRow, scenarioOf } from './programs.ts';
import { Refusal } from './refusal.ts';

interface Save {
  readonly files: Readonly<Record<string, string>>;
  readonly entry?: string;
}

export interface Saved {
  readonly id: string;
  readonly digest: string;
  readonly state: 'active' | 'waiting_consent';
  readonly missing: readonly string[];
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** @throws {Refusal} SCENARIO_INVALID, with what is wrong, where, and what to do */
export function saveScenario({ files, entry: named }: Save, by: string, nowMs: number): Saved {
  const entry = named ?? onlyScenarioOf(files);
  const read = readScenario({ files, entry });
  if (!read.ok) throw invalid(read.problems);
  const { program, warnings } = read;
  const { id, digest } = program;
  register({
    id,
    title: titleOf(program),
    permissions: program.permissions as never,
    digest,
  });
  const missing = missingOf(program);
  for (const [file, text] of Object.entries(files)) set(keys.source(digest, file), text);
  set(keys.definition(digest), program as never);
  const before = scenarioOf(id);
  const row: ScenarioRow = {
    id,
    title: program.title,
    enabled: before?.enabled ?? true,
    ...(program.version !== undefined && { version: program.version }),
    saved_at: new Date(nowMs).toISOString(),
    saved_by: by,
    files: Object.keys(files),
    entry,
    ...(missing.length === 0
      ? { digest }
      : { ...(before?.digest !== undefined && { digest: before.digest }), pending: { digest, missing } }),
  };
  set(keys.scenario(id), row as never);
  if (missing.length === 0) serve(program);
  return {
    id,
    digest,
    state: missing.length === 0 ? 'active' : 'waiting_consent',
    missing,
    problems: missing.map((permission) => ungranted(program, entry, permission)),
    warnings,
  };
}

function onlyScenarioOf(files: Readonly<Record<string, string>>): string {
  const found = Object.keys(files).filter((file) => /(^|\/)scenario\.(ya?ml|json)$/.test(file));
  const all = Object.keys(files);
  const [entry] = found.length === 1 ? found : all.length === 1 ? all : [];
  if (entry !== undefined) return entry;
  const message = `say which of the files is the scenario (\`entry\`), or call it scenario.yaml: ${all.join(', ')}`;
  throw new Refusal('SCENARIO_INVALID', 422, message);
}

function invalid(problems: readonly Problem[]): Refusal {
  const { file, line, column, message, remedy } = problems[0]!;
  const said = `${file}:${line}:${column} ${message}${remedy === undefined ? '' : ` – ${remedy}`}`;
  return new Refusal('SCENARIO_INVALID', 422, said, { problems });
}

function titleOf({ title, id }: Program): string {
  const text = typeof title === 'string' ? title : (title?.en ?? title?.ru ?? id);
  return text.slice(0, 200);
}

/** What it asks for and was not granted. */
function missingOf(program: Program): readonly string[] {
  const { bus } = program.permissions;
  const asked = [
    ...(bus?.publish ?? []).map((name) => `bus.publish:${name}`),
    ...(bus?.subscribe ?? []).map((pattern) => `bus.subscribe:${pattern}`),
  ];
  const has = new Set(grantedTo(program.id));
  return asked.filter((permission) => !has.has(permission));
}

function grantedTo(id: string): readonly string[] {
  try {
    return granted(id);
  } catch (error) {
    if ((error as { code?: string }).code === 'NEIRA_PRINCIPAL_UNKNOWN') return [];
    throw error;
  }
}

/** At the step that needs it. */
function ungranted({ id, nodes }: Program, entry: string, permission: string): Problem {
  const name = permission.slice(permission.indexOf(':') + 1);
  const node = nodes.find((each) => {
    if (each.kind === 'call') return each.command === name;
    if (each.kind === 'publish') return each.event === name;
    if (each.kind === 'run') return name === 'scenario.run';
    return each.kind === 'wait' && each.for.kind === 'event' && each.for.event === name;
  });
  return {
    file: node?.file ?? entry,
    line: node?.line ?? 1,
    column: node?.column ?? 1,
    path: node?.path ?? 'permissions',
    message: `\`${id}\` was not granted \`${permission}\``,
    remedy: `neira plugin grant scenario.engine --principal ${id}`,
  };
}

/** An administrator granted something: what waited for it serves. */
export function consented(id: string): void {
  const row = scenarioOf(id);
  if (!row?.pending) return;
  const program = programOf(row.pending.digest);
  if (!program) return;
  const missing = missingOf(program);
  const { pending, ...rest } = row;
  if (missing.length === 0) {
    set(keys.scenario(id), { ...rest, digest: pending.digest } as never);
    serve(program);
  } else set(keys.scenario(id), { ...row, pending: { ...pending, missing } } as never);
}

/** Others hear when and by what it begins: scheduler.cron and trigger.rules. */
function serve(program: Program): void {
  closeEars(as(program.id), program.id);
  publish('scenario.saved', startsOf(program) as never);
}

export function startsOf({ id, digest, triggers, schedules }: Program) {
  return { id, digest, triggers: triggers.map(toldTrigger), schedules: schedules.map(toldSchedule) };
}

function toldTrigger({ debounceMs, throttleMs, ...trigger }: Trigger) {
  return {
    ...trigger,
    ...(debounceMs !== undefined && { debounce_ms: debounceMs }),
    ...(throttleMs !== undefined && { throttle_ms: throttleMs }),
  };
}

function toldSchedule({ everyMs, catchUpMs, jitterMs, ...schedule }: Schedule) {
  return {
    ...schedule,
    ...(everyMs !== undefined && { every_ms: everyMs }),
    ...(catchUpMs !== undefined && { catch_up_ms: catchUpMs }),
    ...(jitterMs !== undefined && { jitter_ms: jitterMs }),
  };
}

/** Runs that began end as they would; nothing new begins. @throws {Refusal} SCENARIO_UNKNOWN */
export function removeScenario(id: string): void {
  requireScenario(id);
  drop(keys.scenario(id));
  publish('scenario.removed', { id });
  if (list(keys.byScenario(id), { limit: 1 }).length === 0) remove(id);
}

/** @throws {Refusal} SCENARIO_UNKNOWN */
export function setEnabled(id: string, enabled: boolean): ScenarioRow {
  const row = { ...requireScenario(id), enabled };
  set(keys.scenario(id), row as never);
  const program = row.digest === undefined ? undefined : programOf(row.digest);
  if (enabled && program) publish('scenario.saved', startsOf(program) as never);
  if (!enabled) publish('scenario.removed', { id });
  return row;
}

/** @throws {Refusal} SCENARIO_UNKNOWN */
export function requireScenario(id: string): ScenarioRow {
  const row = scenarioOf(id);
  if (row) return row;
  throw new Refusal('SCENARIO_UNKNOWN', 404, `there is no scenario \`${id}\``);
}

/** As its author wrote it. */
export function sourceOf({ digest, pending, files }: ScenarioRow): Readonly<Record<string, string>> {
  const from = pending?.digest ?? digest!;
  return Object.fromEntries(files.map((file) => [file, String(get(keys.source(from, file))?.value ?? '')]));
}
