/** From the author's files to a {@link Program}, or all that is wrong with them: where, what, and what to do (SCN-17). */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import canonicalize from 'canonicalize';
import type { ExpectedOutput, Node, Priority, Program, Schedule, Trigger } from '../program.ts';
import { Compiler, type Spot } from './compiler.ts';
import { parseDuration } from './durations.ts';
import { Files, problemAt } from './files.ts';
import type { ScenarioRead } from './language.ts';
import type { Source } from './yaml.ts';

type Given = string | number;

const DEFAULT_MAX = 10;
const DEFAULT_STEPS = 10_000;
const DAY_MS = 86_400_000;
const MAX_PROGRAM_CHARS = 100 * 1024;
const MAX_PROBLEMS = 50;

interface Definition {
  readonly id: string;
  readonly version?: string;
  readonly title?: Program['title'];
  readonly description?: Program['title'];
  readonly mode?: Program['mode'];
  readonly max?: number;
  readonly max_concurrent?: number;
  readonly max_concurrent_per_scenario?: number;
  readonly priority?: Priority;
  readonly timeout?: Given;
  readonly input?: object;
  readonly permissions?: Program['permissions'];
  readonly triggers?: readonly (string | Record<string, unknown>)[];
  readonly schedule?: unknown;
  readonly effects?: readonly string[];
  readonly quota?: { readonly daily: Record<string, number>; readonly per?: 'node' | 'user' };
  readonly retain?: { readonly succeeded?: Given; readonly failed?: Given };
  readonly expected_outputs?: unknown;
  readonly limits?: { readonly steps?: number };
  readonly steps: unknown;
}

export function readScenario({
  files: texts,
  entry,
}: {
  readonly files: Readonly<Record<string, string>>;
  readonly entry: string;
}): ScenarioRead {
  const files = new Files(texts);
  const source = files.open(entry, 'scenario');
  if (!source) return bad(files);
  const compiler = new Compiler(files);
  const program = compile(compiler, source);
  if (files.problems.length > 0) return bad(files);
  const warnings = compiler.warnings.map(({ place, message }) => problemAt(place, message));
  return { ok: true, program, warnings };
}

function bad({ problems }: Files): ScenarioRead {
  return { ok: false, problems: problems.slice(0, MAX_PROBLEMS) };
}

function compile(compiler: Compiler, source: Source): Program {
  const given = source.value as Definition;
  const spot: Spot = { source, path: ['steps'], above: '', names: [], depth: 0, isLocked: false, within: [] };
  const steps = compiler.block(given.steps, spot);
  const maxConcurrent = given.max_concurrent ?? given.max_concurrent_per_scenario;
  const said: Omit<Program, 'digest'> = {
    format: 1,
    id: given.id,
    ...(given.version !== undefined && { version: given.version }),
    title: given.title ?? given.id,
    ...(given.description !== undefined && { description: given.description }),
    mode: given.mode ?? 'single',
    max: given.max ?? DEFAULT_MAX,
    ...(maxConcurrent !== undefined && { maxConcurrent }),
    priority: given.priority ?? 'NORM',
    ...(given.timeout !== undefined && { timeoutMs: parseDuration(given.timeout) }),
    ...(given.input && { input: given.input }),
    expectedOutputs: outputsOf(given.expected_outputs),
    permissions: permissionsOf(compiler, given),
    sends: [...compiler.sends.keys()].sort(),
    maxSteps: given.limits?.steps ?? DEFAULT_STEPS,
    ...(given.quota && { quota: { daily: given.quota.daily, per: given.quota.per ?? 'node' } }),
    retain: {
      succeededMs: given.retain?.succeeded === undefined ? 7 * DAY_MS : parseDuration(given.retain.succeeded),
      failedMs: given.retain?.failed === undefined ? 30 * DAY_MS : parseDuration(given.retain.failed),
    },
    triggers: triggersOf(compiler, given, spot),
    schedules: schedulesOf(compiler, given, spot),
    steps,
    nodes: compiler.nodes,
  };
  requireEffects(compiler, given, source);
  const chars = JSON.stringify(said).length;
  if (chars > MAX_PROGRAM_CHARS)
    compiler.files.add(
      { source, path: [] },
      `it is too large: ${chars} characters once it is read, ${MAX_PROGRAM_CHARS} are allowed`,
      'make a scenario of its own of a part',
    );
  return { ...said, digest: digestOf(said) };
}

/** Of what it says: where in a file that stands, and what comments are beside it, is nothing of it. */
function digestOf(said: Omit<Program, 'digest'>): string {
  const nodes = said.nodes.map(({ line: _line, column: _column, file: _file, ...node }: Node) => node);
  return bytesToHex(sha256(utf8ToBytes(canonicalize({ ...said, nodes })!)));
}

function permissionsOf({ sends, hears }: Compiler, { permissions = {} }: Definition): Program['permissions'] {
  const publish = new Set([
    ...(permissions.bus?.publish ?? []),
    ...[...sends.keys()].map((fqdn) => fqdn.split('@')[0]!),
  ]);
  const subscribe = new Set([...(permissions.bus?.subscribe ?? []), ...hears]);
  return { ...permissions, bus: { publish: [...publish].sort(), subscribe: [...subscribe].sort() } };
}

/** `effects:` says what it sends, and then it sends nothing else (BUS-30). */
function requireEffects(compiler: Compiler, { effects }: Definition, source: Source): void {
  if (!effects) return;
  const allowed = new Set(effects.map((each) => (each.includes('@') ? each : `${each}@1`)));
  for (const [fqdn, place] of compiler.sends)
    if (!allowed.has(fqdn))
      compiler.files.add(place, `\`effects\` do not name \`${fqdn}\``, 'add it there, if it is meant');
  for (const [at, each] of effects.entries())
    if (!compiler.sends.has(each.includes('@') ? each : `${each}@1`))
      compiler.warnings.push({
        place: { source, path: ['effects', at] },
        message: `no step sends \`${each}\``,
      });
}

/** `{slot: isodate}`, `{field, type}` as a capsule has it, or a list of these (CAP-13). */
function outputsOf(given: unknown): readonly ExpectedOutput[] {
  if (given === undefined) return [];
  if (Array.isArray(given)) return given.flatMap(outputsOf);
  const { field, ...rest } = given as Record<string, unknown>;
  if (typeof field === 'string') return [{ field, ...rest } as ExpectedOutput];
  return Object.entries(given as object).map(([name, wanted]) =>
    typeof wanted === 'string' ? { field: name, type: wanted } : { field: name, schema: wanted as object },
  );
}

function triggersOf(compiler: Compiler, { triggers = [] }: Definition, spot: Spot): readonly Trigger[] {
  return triggers.map((each, at) => {
    const given = (typeof each === 'string' ? { event: each } : each) as Record<string, unknown>;
    const [event, version] = String(given['event']).split('@');
    const {
      filter,
      key,
      debounce,
      throttle,
      singleton,
      ctx = {},
      priority,
    } = given as {
      filter?: string;
      key?: string;
      debounce?: Given;
      throttle?: Given;
      singleton?: boolean;
      ctx?: unknown;
      priority?: Priority;
    };
    const place = { ...spot, path: ['triggers', at] };
    if (filter !== undefined)
      compiler.expression(filter.replaceAll('$.', 'event.'), compiler.under(place, 'filter'), []);
    return {
      event: event!,
      ...(version !== undefined && { version: Number(version) }),
      ...(filter !== undefined && { filter }),
      ...(key !== undefined && { key }),
      ...(debounce !== undefined && { debounceMs: parseDuration(debounce) }),
      ...(throttle !== undefined && { throttleMs: parseDuration(throttle) }),
      ...(singleton !== undefined && { singleton }),
      ctx: compiler.template(ctx, compiler.under(place, 'ctx'), []),
      ...(priority && { priority }),
    };
  });
}

function schedulesOf(compiler: Compiler, { schedule }: Definition, spot: Spot): readonly Schedule[] {
  if (schedule === undefined) return [];
  const list = (Array.isArray(schedule) ? schedule : [schedule]) as readonly (
    | string
    | Record<string, unknown>
  )[];
  return list.map((each, at) => {
    const given = (typeof each === 'string' ? { cron: each } : each) as Record<string, unknown>;
    const place = { ...spot, path: Array.isArray(schedule) ? ['schedule', at] : ['schedule'] };
    const {
      cron,
      at: moment,
      every,
      timezone,
      overlap,
      catch_up: catchUp,
      jitter,
      ctx = {},
      priority,
    } = given as {
      cron?: string;
      at?: string;
      every?: Given;
      timezone?: string;
      overlap?: Schedule['overlap'];
      catch_up?: Given;
      jitter?: Given;
      ctx?: unknown;
      priority?: Priority;
    };
    if ([cron, moment, every].filter((one) => one !== undefined).length !== 1)
      compiler.files.add(place, 'a schedule has one of `cron`, `at`, `every`');
    return {
      ...(cron !== undefined && { cron }),
      ...(moment !== undefined && { at: moment }),
      ...(every !== undefined && { everyMs: parseDuration(every) }),
      ...(timezone !== undefined && { timezone }),
      ...(overlap && { overlap }),
      ...(catchUp !== undefined && { catchUpMs: parseDuration(catchUp) }),
      ...(jitter !== undefined && { jitterMs: parseDuration(jitter) }),
      ctx: compiler.template(ctx, compiler.under(place, 'ctx'), []),
      ...(priority && { priority }),
    };
  });
}
