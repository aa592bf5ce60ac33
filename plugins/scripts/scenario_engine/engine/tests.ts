/**
 * `neira scenario test`: scenarios against stubs, in virtual time, with golden snapshots of what they send (SCN-22, SCN-23).
 * A test is a YAML file `*.test.yaml` beside the scenario; nothing in it reaches the world.
 */
import { parseDuration } from '../language/durations.ts';
import { readScenario } from '../language/read.ts';
import { parseYaml } from '../language/yaml.ts';
import type { Program } from '../program.ts';
import {
  type Answer,
  type Happening,
  type Script,
  type Sent,
  type Simulated,
  simulate,
} from '../run/simulation.ts';
import { type Command, failed } from '../run/world.ts';
import { Refusal } from './refusal.ts';

interface TestFile {
  readonly scenario: string;
  readonly tests: readonly Test[];
}

interface Test {
  readonly name: string;
  readonly ctx?: unknown;
  readonly event?: Record<string, unknown>;
  /** When it begins; 2026-01-01T00:00:00Z without it. */
  readonly at?: string;
  readonly stubs?: readonly Stub[];
  readonly answers?: readonly {
    readonly question?: string;
    readonly value: unknown;
    readonly after?: string;
  }[];
  readonly happens?: readonly Happens[];
  readonly expect?: Expected;
  /** File of what it sends, below the folder of the test. */
  readonly golden?: string;
}

/** `stub("voice.stt", returns …)`: the first that fits answers, as often as `times` says. */
interface Stub {
  readonly call: string;
  /** Part of the payload that it is for. */
  readonly with?: unknown;
  readonly returns?: unknown;
  readonly fails?: { readonly code: string; readonly message?: string };
  readonly after?: string;
  readonly times?: number;
}

interface Happens {
  readonly after: string;
  readonly event?: string;
  readonly version?: number;
  readonly payload?: unknown;
  readonly signal?: string;
  readonly cancel?: string;
}

interface Expected {
  readonly outcome?: string;
  readonly error?: string;
  readonly returns?: unknown;
  readonly bag?: Readonly<Record<string, unknown>>;
  /** Names of what is sent, in order: `weather.now@1`. */
  readonly sends?: readonly string[];
  readonly took?: string;
}

export interface TestResult {
  readonly file: string;
  readonly test: string;
  readonly ok: boolean;
  readonly problems: readonly string[];
  readonly took_ms: number;
}

const BEGINNING = '2026-01-01T00:00:00Z';

/** @throws {Refusal} SCENARIO_TEST_INVALID, SCENARIO_INVALID */
export function runTests({ files, update = false }: { files: Record<string, string>; update?: boolean }) {
  const names = Object.keys(files).filter((name) => /\.test\.ya?ml$/.test(name));
  if (names.length === 0) {
    const message = 'there is no `*.test.yaml` among the files';
    throw new Refusal('SCENARIO_TEST_INVALID', 422, message);
  }
  const golden: Record<string, string> = {};
  const results = names.flatMap((file) => runFile(file, files, update, golden));
  const bad = results.filter(({ ok }) => !ok).length;
  return { passed: results.length - bad, failed: bad, results, golden, text: textOf(results) };
}

function runFile(
  file: string,
  files: Record<string, string>,
  update: boolean,
  golden: Record<string, string>,
): TestResult[] {
  const { scenario, tests } = readTests(file, files[file]!);
  const folder = file.includes('/') ? file.slice(0, file.lastIndexOf('/') + 1) : '';
  const read = readScenario({ files, entry: folder + scenario });
  if (!read.ok) {
    const problems = read.problems.map(
      ({ file: of, line, column, message }) => `${of}:${line}:${column} ${message}`,
    );
    return [{ file, test: scenario, ok: false, problems, took_ms: 0 }];
  }
  return tests.map((test) => runTest(file, folder, read.program, test, files, update, golden));
}

function readTests(file: string, text: string): TestFile {
  const value = parseYaml(text) as Partial<TestFile> | null;
  if (typeof value?.scenario === 'string' && Array.isArray(value.tests)) return value as TestFile;
  const message = `${file} has to name its \`scenario\` and a list of \`tests\``;
  throw new Refusal('SCENARIO_TEST_INVALID', 422, message);
}

function runTest(
  file: string,
  folder: string,
  program: Program,
  test: Test,
  files: Record<string, string>,
  update: boolean,
  golden: Record<string, string>,
): TestResult {
  const nowMs = Date.parse(test.at ?? BEGINNING);
  const played = simulate(program, { ctx: test.ctx ?? {}, event: test.event }, scriptOf(test, nowMs));
  const problems = [...problemsOf(test.expect ?? {}, played)];
  if (test.golden !== undefined) {
    const path = folder + test.golden;
    const text = `${JSON.stringify(messagesOf(played.sent, nowMs), null, 2)}\n`;
    if (update) golden[path] = text;
    else if (files[path] === undefined) problems.push(`${path} is not there; write it with --update`);
    else problems.push(...goldenProblems(path, files[path], text));
  }
  return { file, test: test.name, ok: problems.length === 0, problems, took_ms: played.tookMs };
}

/** However the author's tools lay the file out, it says the same. */
function goldenProblems(path: string, golden: string, sent: string): string[] {
  let text: string;
  try {
    text = `${JSON.stringify(JSON.parse(golden), null, 2)}\n`;
  } catch {
    return [`${path} is no JSON; write it again with --update`];
  }
  return text === sent ? [] : [`what it sends is not what ${path} says:\n${firstDifference(text, sent)}`];
}

// --- what the test told beforehand

function scriptOf({ stubs = [], answers = [], happens = [] }: Test, nowMs: number): Script {
  const used = new Map<Stub, number>();
  const asked = [...answers];
  return {
    nowMs,
    random: () => 0.5,
    answer: (command) => stubbed(stubs, used, command),
    reply(question) {
      const at = asked.findIndex(
        (each) => each.question === undefined || String(question).includes(each.question),
      );
      if (at < 0) return undefined;
      const [{ value, after }] = asked.splice(at, 1) as [(typeof asked)[number]];
      return { value, afterMs: after === undefined ? 0 : parseDuration(after) };
    },
    happenings: happens.map((each) => happening(each, nowMs)),
  };
}

function stubbed(
  stubs: readonly Stub[],
  used: Map<Stub, number>,
  { name, version, payload }: Command,
): Answer {
  const stub = stubs.find(
    (each) =>
      (each.call === name || each.call === `${name}@${version}`) &&
      (each.with === undefined || holds(payload, each.with)) &&
      (used.get(each) ?? 0) < (each.times ?? Number.POSITIVE_INFINITY),
  );
  if (!stub)
    throw failed(
      'SCENARIO_NOT_STUBBED',
      `no stub says what \`${name}\` answers to ${JSON.stringify(payload)}`,
    );
  used.set(stub, (used.get(stub) ?? 0) + 1);
  const { returns, fails, after } = stub;
  return {
    ...(after !== undefined && { afterMs: parseDuration(after) }),
    ...(fails ? { fails: { code: fails.code, message: fails.message ?? fails.code } } : { returns }),
  };
}

function happening(
  { after, event, version = 1, payload, signal, cancel }: Happens,
  nowMs: number,
): Happening {
  const atMs = nowMs + parseDuration(after);
  if (signal !== undefined) return { atMs, what: { kind: 'signal', signal, payload } };
  if (cancel !== undefined) return { atMs, what: { kind: 'cancel', reason: cancel } };
  return { atMs, what: { kind: 'event', event: { event_name: event, version, payload } } };
}

/** Whether `part` is in `whole`, as deep as it goes. */
function holds(whole: unknown, part: unknown): boolean {
  if (part === null || typeof part !== 'object') return whole === part;
  if (Array.isArray(part)) return JSON.stringify(whole) === JSON.stringify(part);
  return Object.entries(part).every(([name, each]) =>
    holds((whole as Record<string, unknown> | null)?.[name], each),
  );
}

// --- what it expects

function* problemsOf(expected: Expected, { run, sent, tookMs, stuck, rows }: Simulated): Iterable<string> {
  const outcome = stuck ? 'waiting' : run.outcome!;
  const wanted = expected.outcome ?? (expected.error === undefined ? 'succeeded' : 'failed');
  if (outcome !== wanted) {
    const why = run.error
      ? ` (${run.error.code}: ${run.error.message})`
      : stuck
        ? ` for ${rows.at(-1)?.waits}`
        : '';
    yield `it is ${outcome}${why}, expected is ${wanted}`;
  }
  if (expected.error !== undefined && run.error?.code !== expected.error)
    yield `its error is ${run.error?.code ?? 'none'}, expected is ${expected.error}`;
  if ('returns' in expected && !holds(run.returned, expected.returns))
    yield `it returns ${JSON.stringify(run.returned)}, expected is ${JSON.stringify(expected.returns)}`;
  for (const [name, value] of Object.entries(expected.bag ?? {}))
    if (!holds(run.bag[name], value))
      yield `bag.${name} is ${JSON.stringify(run.bag[name])}, expected is ${JSON.stringify(value)}`;
  if (expected.sends) {
    const names = sent.filter(({ what }) => what === 'call' || what === 'publish').map(({ name }) => name);
    if (JSON.stringify(names) !== JSON.stringify(expected.sends))
      yield `it sends ${names.join(', ') || 'nothing'}, expected is ${expected.sends.join(', ') || 'nothing'}`;
  }
  if (expected.took !== undefined && tookMs !== parseDuration(expected.took))
    yield `it takes ${tookMs} ms, expected are ${parseDuration(expected.took)}`;
}

/** What leaves, with the time since the beginning: the same on every day. */
function messagesOf(sent: readonly Sent[], nowMs: number) {
  return sent.map(({ atMs, step, what, name, payload }) => ({
    after_ms: atMs - nowMs,
    step,
    what,
    name,
    payload,
  }));
}

function firstDifference(before: string, after: string): string {
  const [was, is] = [before.split('\n'), after.split('\n')];
  const line = was.findIndex((text, at) => text !== is[at]);
  const at = line < 0 ? was.length : line;
  return `line ${at + 1}\n- ${was[at] ?? ''}\n+ ${is[at] ?? ''}`;
}

function textOf(results: readonly TestResult[]): string {
  return results
    .map(({ file, test, ok, problems }) =>
      [`${ok ? '✓' : '✗'} ${file}: ${test}`, ...problems.map((each) => `    ${each}`)].join('\n'),
    )
    .join('\n');
}
